import { beforeEach, describe, expect, it } from "vitest";
import type { OrderFilter } from "@/api";
import { ApiError } from "@/api/errors";
import type { Counts, OrderPage, OrderStatus, OrderSummary, Statuses } from "@/api/types";
import { EVERYTHING } from "@/domain/listing";
import type { Kept } from "./kept";
import { orderList, type Memory, type Source } from "./orders";

const COUNTS = { placed: 1, paid: 0 } as Counts;

function order(number: number, status: OrderStatus = "paid"): OrderSummary {
  const minute = String(59 - number).padStart(2, "0");
  return {
    order_no: `FD${number}`,
    status,
    status_label: status,
    placed_at: `2026-11-23T10:${minute}:00+08:00`,
    updated_at: "2026-11-23T10:00:00+08:00",
    total_fen: 100,
    lines_summary: "",
    shipments: [],
    eta: null,
    alert_count: 0,
  };
}

/** A server whose answers come when the test says so. */
class Server implements Source {
  readonly asked: OrderFilter[] = [];
  readonly statusesAsked: string[][] = [];
  counted = 0;
  told: Statuses = { results: [], missing: [] };
  private waiting: { answer(page: OrderPage): void; fail(problem: unknown): void }[] = [];

  orders(filter: OrderFilter): Promise<OrderPage> {
    this.asked.push(filter);
    return new Promise((answer, fail) => this.waiting.push({ answer, fail }));
  }

  counts(): Promise<Counts> {
    this.counted++;
    return Promise.resolve(COUNTS);
  }

  statuses(orderNos: string[]): Promise<Statuses> {
    this.statusesAsked.push(orderNos);
    return Promise.resolve(this.told);
  }

  async answer(results: OrderSummary[], next: string | null = null, turn = 0): Promise<void> {
    this.waiting.splice(turn, 1)[0]!.answer({ results, next });
    await settled();
  }

  async fail(problem: unknown): Promise<void> {
    this.waiting.shift()!.fail(problem);
    await settled();
  }

  get open(): number {
    return this.waiting.length;
  }
}

class Remembered implements Memory {
  lists = new Map<string, Kept<OrderPage>>();
  kept: Kept<Counts> | null = null;
  orders = (key: string) => this.lists.get(key) ?? null;
  putOrders = (key: string, value: OrderPage) => void this.lists.set(key, { value, at: clock });
  counts = () => this.kept;
  putCounts = (value: Counts) => void (this.kept = { value, at: clock });
}

const settled = async () => {
  for (let i = 0; i < 10; i++) await Promise.resolve();
};

let clock: number;
let server: Server;
let memory: Remembered;
let list: ReturnType<typeof orderList>;

beforeEach(() => {
  clock = 1_000_000;
  server = new Server();
  memory = new Remembered();
  list = orderList(server, memory, () => clock);
});

const shown = () => list.state.feed.items.map((item) => item.order_no);

describe("showing a part of the list", () => {
  it("shows at once what was kept, and then what the server says", async () => {
    memory.putOrders("shipped", { results: [order(1, "shipped")], next: null });
    void list.show({ ...EVERYTHING, status: "shipped" });
    expect(shown()).toEqual(["FD1"]);
    expect(list.state.busy).toBe("first");
    await server.answer([order(2, "shipped"), order(1, "shipped")]);
    expect(shown()).toEqual(["FD2", "FD1"]);
    expect(memory.lists.get("shipped")!.value.results).toHaveLength(2);
  });

  it("keeps what was kept where the server is silent, and says why it is old", async () => {
    memory.putOrders("all", { results: [order(1)], next: null });
    void list.show(EVERYTHING);
    await server.fail(new ApiError("network", ""));
    expect(shown()).toEqual(["FD1"]);
    expect(list.state.problem).toBeInstanceOf(ApiError);
    expect(list.state.busy).toBeNull();
  });

  it("shows nothing of a tab that was left before its answer came", async () => {
    void list.show({ ...EVERYTHING, status: "paid" });
    void list.show({ ...EVERYTHING, status: "shipped" });
    await server.answer([order(2, "shipped")], null, 1);
    await server.answer([order(1, "paid")]);
    expect(shown()).toEqual(["FD2"]);
    expect(list.state.busy).toBeNull();
    expect(memory.lists.has("paid")).toBe(false);
  });

  it("keeps no searches", async () => {
    void list.show({ ...EVERYTHING, text: "FD1" });
    await server.answer([order(1)]);
    expect(memory.lists.size).toBe(0);
  });

  it("asks for each number that a text may hold until one is found, and goes on with that", async () => {
    void list.show({ ...EVERYTHING, text: "sf1234567890123" });
    await server.answer([]);
    await server.answer([order(1)], "next");
    void list.more();
    expect(server.asked.map((filter) => filter.q)).toEqual([
      "sf1234567890123",
      "SF1234567890123",
      "SF1234567890123",
    ]);
    expect(server.asked[2]!.cursor).toBe("next");
  });

  it("asks nothing where no number was typed", async () => {
    await list.show({ ...EVERYTHING, text: "鱼丸" });
    expect(server.asked).toEqual([]);
    expect(list.state.feed).toEqual({ items: [], next: null, begun: true });
  });

  it("forgets everything with the buyer, also what is still to come", async () => {
    void list.show({ ...EVERYTHING, status: "paid" });
    list.reset();
    await server.answer([order(1)]);
    expect(shown()).toEqual([]);
    expect(list.state.counts).toBeNull();
    expect(memory.lists.size).toBe(0);
  });
});

describe("the next page", () => {
  beforeEach(async () => {
    void list.show(EVERYTHING);
    await server.answer([order(1), order(2)], "a");
  });

  it("is asked for once, however often the end is reached", async () => {
    for (let i = 0; i < 20; i++) void list.more();
    expect(server.open).toBe(1);
    await server.answer([order(3)], null);
    for (let i = 0; i < 20; i++) void list.more();
    expect(server.open).toBe(0);
    expect(shown()).toEqual(["FD1", "FD2", "FD3"]);
  });

  it("isn't asked for while the first page comes", () => {
    void list.load();
    void list.more();
    expect(server.asked.filter((filter) => filter.cursor)).toEqual([]);
  });

  it("is asked for again after a failure only when the buyer says so", async () => {
    void list.more();
    await server.fail(new ApiError("network", ""));
    for (let i = 0; i < 20; i++) void list.more();
    expect(server.open).toBe(0);
    expect(list.state.moreProblem).toBeInstanceOf(ApiError);
    void list.more({ again: true });
    await server.answer([order(3)], null);
    expect(shown()).toEqual(["FD1", "FD2", "FD3"]);
    expect(list.state.moreProblem).toBeNull();
  });

  it("goes on over pages that hold nothing new, but not for ever", async () => {
    void list.more();
    for (const next of ["b", "c", "d"]) await server.answer([order(1)], next);
    expect(server.open).toBe(0);
    expect(list.state.busy).toBeNull();
    expect(list.state.feed.next).toBe("d");
  });

  it("is dropped where the list was begun anew meanwhile", async () => {
    void list.more();
    void list.show({ ...EVERYTHING, status: "shipped" });
    await server.answer([order(3)], "b");
    await server.answer([order(9, "shipped")], null);
    expect(shown()).toEqual(["FD9"]);
  });

  it("begins at the top where the server doesn't know the place any more", async () => {
    void list.more();
    await server.fail(new ApiError("invalid", ""));
    expect(server.asked[server.asked.length - 1]!.cursor).toBeUndefined();
    await server.answer([order(1), order(2)], "z");
    expect(list.state).toMatchObject({ busy: null, problem: null, moreProblem: null });
    expect(list.state.feed.next).toBe("z");
  });
});

describe("looking at the list again", () => {
  const row = (of: OrderSummary, change: Partial<OrderSummary> = {}) => {
    const { order_no, status, status_label, updated_at } = { ...of, ...change };
    return { order_no, status, status_label, updated_at };
  };

  beforeEach(async () => {
    void list.show(EVERYTHING);
    await server.answer([order(1), order(2)], "a");
  });

  it("asks nothing just after", async () => {
    clock += 1_000;
    await list.lookAgain();
    expect([server.asked.length, server.statusesAsked.length]).toEqual([1, 0]);
  });

  it("asks only for the statuses a little later, and is content where nothing changed", async () => {
    server.told = { results: [row(order(1)), row(order(2))], missing: [] };
    clock += 10_000;
    await list.lookAgain();
    expect(server.statusesAsked).toEqual([["FD1", "FD2"]]);
    expect(server.asked).toHaveLength(1);
  });

  it("shows a change at once and asks for the page", async () => {
    const later = "2026-11-23T11:00:00+08:00";
    server.told = {
      results: [row(order(1), { status: "shipped", updated_at: later })],
      missing: ["FD2"],
    };
    clock += 10_000;
    void list.lookAgain();
    await settled();
    expect(list.state.feed.items.map((item) => [item.order_no, item.status])).toEqual([["FD1", "shipped"]]);
    expect(server.open).toBe(1);
  });

  it("lets an order go from a tab that it has left", async () => {
    void list.show({ ...EVERYTHING, status: "paid" });
    await server.answer([order(1), order(2)], "a");
    server.told = {
      results: [row(order(1), { status: "shipped", updated_at: "2026-11-23T11:00:00+08:00" }), row(order(2))],
      missing: [],
    };
    clock += 10_000;
    void list.lookAgain();
    await settled();
    expect(shown()).toEqual(["FD2"]);
  });

  it("asks for the page where it is old, for new orders may be there", async () => {
    clock += 60_000;
    void list.lookAgain();
    expect(server.asked).toHaveLength(2);
    expect(server.statusesAsked).toEqual([]);
    expect(server.counted).toBe(2);
  });

  it("asks for the page where the phone's clock was put back meanwhile", async () => {
    clock -= 3600_000;
    void list.lookAgain();
    expect(server.open).toBe(1);
    expect(server.counted).toBe(2);
  });

  it("asks again at once after a failure", async () => {
    void list.load();
    await server.fail(new ApiError("network", ""));
    void list.lookAgain();
    expect(server.open).toBe(1);
  });
});
