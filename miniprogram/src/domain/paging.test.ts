import { describe, expect, it } from "vitest";
import { append, begin, empty, patch, renew, type Feed, type Page } from "./paging";

interface Row {
  order_no: string;
  placed_at: string;
  status: string;
}

/** A server of keyset pages by (placed_at, id), newest first, whose orders change between any two pages. */
class Server {
  private rows: (Row & { id: number })[] = [];
  private ids = 0;

  place(minute: number, status = "paid"): string {
    const id = ++this.ids;
    const at = `2026-11-${String(10 + Math.floor(minute / 1440)).padStart(2, "0")}T${String(Math.floor(minute / 60) % 24).padStart(2, "0")}:${String(minute % 60).padStart(2, "0")}:00+08:00`;
    this.rows.push({ id, order_no: `FD${id}`, placed_at: at, status });
    return `FD${id}`;
  }

  set(orderNo: string, change: Partial<Row>): void {
    Object.assign(
      this.rows.find((row) => row.order_no === orderNo)!,
      change,
    );
  }

  remove(orderNo: string): void {
    this.rows = this.rows.filter((row) => row.order_no !== orderNo);
  }

  all(status?: string): (Row & { id: number })[] {
    return this.rows
      .filter((row) => !status || row.status === status)
      .sort((a, b) => (a.placed_at === b.placed_at ? b.id - a.id : a.placed_at < b.placed_at ? 1 : -1));
  }

  page(cursor: string | null, limit: number, status?: string): Page<Row> {
    const [at, id] = cursor ? cursor.split("|") : [];
    const left = this.all(status).filter(
      (row) => !at || row.placed_at < at || (row.placed_at === at && row.id < Number(id)),
    );
    const results = left.slice(0, limit);
    const last = results[results.length - 1];
    return {
      results: results.map(({ order_no, placed_at, status }) => ({ order_no, placed_at, status })),
      next: last && left.length > limit ? `${last.placed_at}|${last.id}` : null,
    };
  }
}

/** Numbers that look random and are the same in every run. */
function dice(seed: number): (sides: number) => number {
  let state = seed * 2654435761 + 1;
  return (sides) => {
    state = (Math.imul(state ^ (state >>> 15), 2246822519) + 3266489917) | 0;
    return ((state ^ (state >>> 13)) >>> 0) % sides;
  };
}

const numbers = (feed: Feed<Row>) => feed.items.map((item) => item.order_no);

describe("endless scroll", () => {
  it("shows no order twice and loses none that was there all the time, whatever moves between the pages", () => {
    for (let seed = 1; seed <= 600; seed++) {
      const roll = dice(seed);
      const server = new Server();
      const status = roll(2) ? "paid" : undefined;
      const steady = new Set<string>();
      for (let i = roll(40); i >= 0; i--) {
        const orderNo = server.place(roll(30), roll(4) ? "paid" : "shipped");
        steady.add(orderNo);
      }
      for (const row of server.all()) if (status && row.status !== status) steady.delete(row.order_no);
      const limit = 1 + roll(6);
      const since = new Since();
      let feed = begin(server.page(null, limit, status));
      for (let step = 0; feed.next !== null; step++) {
        expect(step, `seed ${seed} doesn't end`).toBeLessThan(1000);
        disturb(server, roll, steady, since);
        if (roll(3) === 0 && step < 200) {
          feed = renew(feed, server.page(null, limit, status));
          // What was placed until now is the list's from now on.
          since.placed.forEach((orderNo) => status ?? steady.add(orderNo));
          since.placed.clear();
        } else feed = append(feed, server.page(feed.next, limit, status));
        expect(new Set(numbers(feed)).size, `seed ${seed}: twice`).toBe(feed.items.length);
      }
      const shown = new Set(numbers(feed));
      expect(
        [...steady].filter((orderNo) => !shown.has(orderNo)),
        `seed ${seed}: lost`,
      ).toEqual([]);
    }
  });

  /** What was placed since the first page was last asked for, each after the other. */
  class Since {
    minute = 100;
    readonly placed = new Set<string>();
  }

  function disturb(server: Server, roll: (sides: number) => number, steady: Set<string>, since: Since): void {
    for (let i = roll(4); i > 0; i--) {
      const rows = server.all();
      const any = rows[roll(Math.max(1, rows.length))];
      const kind = roll(5);
      if (kind === 0 || !any) since.placed.add(server.place(since.minute++));
      else if (kind === 1) server.place(roll(30));
      else {
        steady.delete(any.order_no);
        since.placed.delete(any.order_no);
        if (kind === 2) server.remove(any.order_no);
        else if (kind === 3) server.set(any.order_no, { status: any.status === "paid" ? "shipped" : "paid" });
        else server.set(any.order_no, { placed_at: server.all()[roll(rows.length)]!.placed_at });
      }
    }
  }

  it("says the end only at the end", () => {
    const server = new Server();
    for (let minute = 0; minute < 5; minute++) server.place(minute);
    let feed = begin(server.page(null, 2));
    expect(feed.next).not.toBeNull();
    feed = append(append(feed, server.page(feed.next, 2)), server.page(server.page(feed.next, 2).next, 2));
    expect(feed).toMatchObject({ next: null, begun: true });
    expect(numbers(feed)).toEqual(["FD5", "FD4", "FD3", "FD2", "FD1"]);
  });

  it("keeps the place of an order that is told again, with its news", () => {
    const at = "2026-11-10T00:00:00+08:00";
    const feed = begin<Row>({ results: [{ order_no: "A", placed_at: at, status: "paid" }], next: "x" });
    const after = append(feed, {
      results: [
        { order_no: "B", placed_at: at, status: "paid" },
        { order_no: "A", placed_at: at, status: "shipped" },
      ],
      next: null,
    });
    expect(after.items.map(({ order_no, status }) => [order_no, status])).toEqual([
      ["A", "shipped"],
      ["B", "paid"],
    ]);
  });
});

describe("renewing the first page", () => {
  const scrolled = (server: Server) => {
    const first = begin(server.page(null, 3));
    return append(first, server.page(first.next, 3));
  };
  const filled = () => {
    const server = new Server();
    for (let minute = 0; minute < 9; minute++) server.place(minute);
    return server;
  };

  it("keeps what was scrolled to, and goes on from there", () => {
    const server = filled();
    const feed = scrolled(server);
    server.place(20);
    const after = renew(feed, server.page(null, 3));
    expect(numbers(after)).toEqual(["FD10", "FD9", "FD8", "FD7", "FD6", "FD5", "FD4"]);
    expect(after.next).toBe(feed.next);
  });

  it("drops what isn't there any more", () => {
    const server = filled();
    const feed = scrolled(server);
    server.remove("FD8");
    expect(numbers(renew(feed, server.page(null, 3)))).toEqual(["FD9", "FD7", "FD6", "FD5", "FD4"]);
  });

  it("begins anew where more came than one page tells", () => {
    const server = filled();
    const feed = scrolled(server);
    for (let minute = 20; minute < 24; minute++) server.place(minute);
    const first = server.page(null, 3);
    expect(renew(feed, first)).toEqual(begin(first));
  });

  it("isn't fooled by an old order that moved to the top", () => {
    const server = filled();
    const feed = scrolled(server);
    for (let minute = 20; minute < 24; minute++) server.place(minute);
    server.set("FD5", { placed_at: "2026-11-10T12:00:00+08:00" });
    const first = server.page(null, 3);
    expect(first.results[0]!.order_no).toBe("FD5");
    expect(renew(feed, first)).toEqual(begin(first));
  });

  it("is the whole list where it is the last page, too", () => {
    const server = filled();
    const feed = scrolled(server);
    for (const row of server.all().slice(2)) server.remove(row.order_no);
    expect(numbers(renew(feed, server.page(null, 3)))).toEqual(["FD9", "FD8"]);
    expect(renew(feed, { results: [], next: null })).toEqual({ items: [], next: null, begun: true });
    expect(renew(empty<Row>(), server.page(null, 3)).begun).toBe(true);
  });
});

describe("taking in statuses", () => {
  it("changes what is known and lets go what doesn't belong any more", () => {
    const at = "2026-11-10T00:00:00+08:00";
    const feed = begin<Row>({
      results: ["A", "B", "C"].map((order_no) => ({ order_no, placed_at: at, status: "shipped" })),
      next: "x",
    });
    const news = new Map([["B", { status: "in_transit" }]]);
    const after = patch(feed, news, (row) => row.order_no !== "C");
    expect(after).toMatchObject({ next: "x", begun: true });
    expect(after.items.map(({ order_no, status }) => [order_no, status])).toEqual([
      ["A", "shipped"],
      ["B", "in_transit"],
    ]);
  });
});
