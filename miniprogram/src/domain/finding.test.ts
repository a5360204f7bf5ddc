import { describe, expect, it } from "vitest";
import type { OrderPage, OrderSummary } from "@/api/types";
import { find } from "./finding";

function shop(orders: Record<string, string[]>) {
  const asked: string[] = [];
  const ask = ({ q }: { q?: string }): Promise<OrderPage> => {
    asked.push(q!);
    const results = (orders[q!] ?? []).map((order_no) => ({ order_no }) as OrderSummary);
    return Promise.resolve({ results, next: null });
  };
  return { ask, asked };
}

describe("finding an order", () => {
  it("asks in capitals only where it isn't found as typed", async () => {
    const { ask, asked } = shop({ SF1234567890123: ["FD1"] });
    expect(await find("sf1234567890123", ask)).toEqual({ kind: "one", orderNo: "FD1" });
    expect(asked).toEqual(["sf1234567890123", "SF1234567890123"]);
  });

  it("stops at the first that finds any", async () => {
    const { ask, asked } = shop({ "fd-a": ["fd-a"], "FD-A": ["FD-A"] });
    expect(await find("fd-a", ask)).toEqual({ kind: "one", orderNo: "fd-a" });
    expect(asked).toEqual(["fd-a"]);
  });

  it("shows all orders of a box that holds several", async () => {
    const { ask } = shop({ SF1234567890123: ["FD1", "FD2"] });
    const found = await find("SF1234567890123", ask);
    expect(found.kind === "several" && found.orders.map((order) => order.order_no)).toEqual(["FD1", "FD2"]);
  });

  it("says what it looked for where there is none, and asks nothing without a number", async () => {
    const { ask, asked } = shop({});
    expect(await find("SF1234567890123", ask)).toEqual({ kind: "none", number: "SF1234567890123" });
    asked.length = 0;
    expect(await find("  ", ask)).toEqual({ kind: "missing" });
    expect(await find("鱼丸", ask)).toEqual({ kind: "no_number" });
    expect(asked).toEqual([]);
  });

  it("lets trouble through", async () => {
    await expect(find("FD1", () => Promise.reject(new Error("away")))).rejects.toThrow("away");
  });
});
