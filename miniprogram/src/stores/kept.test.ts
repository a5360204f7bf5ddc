import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { beforeEach, describe, expect, it, vi } from "vitest";
import * as sessions from "@/api/session";
import type { OrderDocument, OrderPage } from "@/api/types";
import { storage } from "../../tests/uni";
import { kept, LARGEST, LARGEST_IN_ALL, MOST_LISTS, MOST_ORDERS, OLDEST_MS, SHAPE } from "./kept";

const login = {
  token: "t",
  sign_secret: "0".repeat(64),
  expires_in: 10 ** 7,
  server_time: Date.now() / 1000,
};
const order = (order_no: string, more = {}) => ({ order_no, version: 1, ...more }) as OrderDocument;
const page = (next: string) => ({ results: [], next }) as OrderPage;
const orders = (count: number) => Array.from({ length: count }, (_, i) => `A${i}`);
const size = () =>
  [...storage.values()].reduce((sum: number, value) => sum + JSON.stringify(value).length, 0);

beforeEach(() => {
  vi.restoreAllMocks();
  vi.useRealTimers();
  sessions.begin({ ...login, server_time: Math.floor(Date.now() / 1000) });
});

describe("what was seen last", () => {
  it("is there at once, with when it was kept by the server's clock", () => {
    sessions.begin({ ...login, server_time: Math.floor(Date.now() / 1000) + 3600 });
    kept.putOrder(order("A1"));
    kept.putOrders("paid", page("c"));
    expect(kept.order("A1")?.value).toEqual(order("A1"));
    expect(Math.abs(kept.order("A1")!.at - Date.now() - 3600_000)).toBeLessThan(5000);
    expect(kept.orders("paid")?.value.next).toBe("c");
    expect([kept.order("A2"), kept.orders("all"), kept.counts()]).toEqual([null, null, null]);
  });

  it("is replaced by what is newer", () => {
    kept.putOrder(order("A1"));
    kept.putOrder(order("A1", { version: 2 }));
    expect(kept.order("A1")?.value.version).toBe(2);
  });

  it("goes when the buyer signs out, and when another says who he is", () => {
    kept.putOrder(order("A1"));
    sessions.begin(login);
    expect(kept.order("A1")).toBeNull();
    kept.putOrder(order("A2"));
    sessions.end();
    expect(kept.order("A2")).toBeNull();
    expect([...storage.keys()]).toEqual([]);
  });

  it("in another window, it goes there: nothing is kept for who is there now", () => {
    const session = { ...(storage.get(sessions.KEY) as sessions.Session), token: "of another" };
    const whose = sessions.whose();
    sessions.follow();
    expect(sessions.whose()).toBe(whose);
    storage.set(sessions.KEY, session);
    sessions.follow();
    expect(sessions.whose()).not.toBe(whose);
    expect(sessions.session()?.token).toBe("of another");
    storage.clear();
    sessions.follow();
    kept.putOrder(order("A1"));
    expect([sessions.session(), ...storage.keys()]).toEqual([null]);
  });

  it("stays while the same buyer's session is renewed", () => {
    kept.putOrder(order("A1"));
    sessions.discard(sessions.session()!);
    expect(kept.order("A1")).not.toBeNull();
    sessions.keep(login);
    expect(kept.order("A1")).not.toBeNull();
  });

  it("isn't kept for nobody", () => {
    sessions.end();
    kept.putOrder(order("A1"));
    expect(storage.size).toBe(0);
  });

  it("is dropped where the order isn't the buyer's any more", () => {
    kept.putOrder(order("A1"));
    kept.dropOrder("A1");
    expect(kept.order("A1")).toBeNull();
  });

  it("isn't shown when it is too old", () => {
    kept.putOrder(order("A1"));
    vi.useFakeTimers({ now: Date.now() + OLDEST_MS + 1 });
    expect(kept.order("A1")).toBeNull();
  });
});

describe("the room that it takes", () => {
  it("is bounded in number: the newest stay", () => {
    for (const orderNo of orders(MOST_ORDERS + 5)) kept.putOrder(order(orderNo));
    expect(orders(MOST_ORDERS + 5).map((no) => kept.order(no) !== null)).toEqual([
      ...Array<boolean>(5).fill(false),
      ...Array<boolean>(MOST_ORDERS).fill(true),
    ]);
    for (const key of orders(MOST_LISTS + 3)) kept.putOrders(key, page(key));
    expect(storage.size).toBe(MOST_ORDERS + MOST_LISTS + 2);
  });

  it("is bounded in size", () => {
    const long = "x".repeat(LARGEST - 1000);
    for (const orderNo of orders(MOST_ORDERS)) kept.putOrder(order(orderNo, { long }));
    expect(size()).toBeLessThan(LARGEST_IN_ALL * 1.05);
    expect(kept.order(`A${MOST_ORDERS - 1}`)).not.toBeNull();
  });

  it("isn't given to one that is too large, whose older state goes too", () => {
    kept.putOrder(order("A1"));
    kept.putOrder(order("A1", { long: "x".repeat(LARGEST) }));
    expect(kept.order("A1")).toBeNull();
  });

  it("is made by dropping the older half where the storage is full", () => {
    for (const orderNo of orders(8)) kept.putOrder(order(orderNo));
    const set = uni.setStorageSync;
    vi.spyOn(uni, "setStorageSync").mockImplementation((key, value) => {
      if (storage.size > 7 && !storage.has(key)) throw new Error("exceed storage max size");
      set(key, value);
    });
    kept.putOrder(order("new"));
    expect([kept.order("new"), kept.order("A7"), kept.order("A0")].map(Boolean)).toEqual([true, true, false]);
  });

  it.each(["getStorageSync", "setStorageSync", "removeStorageSync"] as const)("may fail in %s", (name) => {
    vi.spyOn(uni, name).mockImplementation(() => {
      throw new Error("broken");
    });
    kept.putOrder(order("A1"));
    kept.dropOrder("A1");
    expect([kept.order("A1"), kept.orders("all")]).toEqual([null, null]);
  });

  it.each(["{", 7, '"x"', "null", { a: 1 }])("may hold nonsense: %j", (nonsense) => {
    kept.putOrder(order("A1"));
    for (const key of storage.keys()) if (key.includes("kept")) storage.set(key, nonsense);
    expect(kept.order("A1")).toBeNull();
    kept.putOrder(order("A1"));
    expect(kept.order("A1")).not.toBeNull();
  });
});

it("belongs to the shape that the program knows: raise SHAPE and write the new digest here", () => {
  const { schemas } = (
    JSON.parse(readFileSync("openapi.json", "utf-8")) as { components: { schemas: Record<string, unknown> } }
  ).components;
  const seen = new Map<string, unknown>();
  const visit = (name: string) => {
    if (seen.has(name)) return;
    seen.set(name, schemas[name]);
    const found = JSON.stringify(schemas[name]).matchAll(/#\/components\/schemas\/(\w+)/g);
    for (const [, other] of found) visit(other!);
  };
  for (const name of ["OrderDocument", "OrderPage", "Counts"]) visit(name);
  const shapes = JSON.stringify([...seen], (key: string, value: unknown) =>
    ["description", "x-spec-enum-id", "example"].includes(key) ? undefined : value,
  );
  const digest = createHash("sha256").update(shapes).digest("hex").slice(0, 12);
  expect({ shape: SHAPE, digest }).toEqual({ shape: 1, digest: "59a6649bb99c" });
});
