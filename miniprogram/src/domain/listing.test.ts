import { describe, expect, it } from "vitest";
import type { Counts, OrderSummary } from "@/api/types";
import { eta, HOUR, NOW } from "../../tests/fixtures/documents";
import {
  arrivalOf,
  countOf,
  countText,
  dateOf,
  EVERYTHING,
  inOrder,
  isSearch,
  lastDays,
  parcelCount,
  sameFilter,
  statusOf,
  tabOf,
  textsOf,
  whereabouts,
} from "./listing";

const COUNTS: Counts = {
  placed: 3,
  paid: 0,
  shipped: 2,
  in_transit: 100,
  delivered: 18,
  cancelled: 0,
  refunded: 2,
  returned: 3,
};

function parcels(...given: [OrderSummary["shipments"][number]["status"], string?][]) {
  const shipments = given.map(([status, location = ""], index) => ({
    carrier: { code: "SF", name: "顺丰速运" },
    waybill_no: `SF${index}`,
    status,
    status_label: "",
    location,
  }));
  return { shipments };
}

describe("the tabs", () => {
  it("hold the five steps, and the ways out together", () => {
    expect(tabOf(EVERYTHING)).toBe("all");
    expect(tabOf({ ...EVERYTHING, status: "in_transit" })).toBe("in_transit");
    expect(tabOf({ ...EVERYTHING, status: "refunded" })).toBe("over");
  });

  it("begin, for the ways out, with the first that has an order", () => {
    expect(statusOf("over", COUNTS)).toBe("refunded");
    expect(statusOf("over", null)).toBe("cancelled");
    expect(statusOf("all", COUNTS)).toBeNull();
    expect(statusOf("paid", COUNTS)).toBe("paid");
  });

  it("count as far as the server does, and say 99+ beyond", () => {
    expect(countText(countOf("in_transit", COUNTS))).toBe("99+");
    expect(countText(countOf("over", COUNTS))).toBe("5");
    expect(countText(countOf("paid", COUNTS))).toBe("");
    expect(countText(countOf("all", COUNTS))).toBe("");
    expect(countText(countOf("paid", null))).toBe("");
    expect(countText(99)).toBe("99");
  });
});

describe("a search", () => {
  it("is one by text or date, not by tab", () => {
    expect(isSearch({ ...EVERYTHING, status: "paid", text: "  " })).toBe(false);
    expect(isSearch({ ...EVERYTHING, text: "FD1" })).toBe(true);
    expect(isSearch({ ...EVERYTHING, to: "2026-11-23" })).toBe(true);
  });

  it("asks for each number that the text may hold, and nothing where it holds none", () => {
    expect(textsOf({ ...EVERYTHING, text: " " })).toEqual([""]);
    expect(textsOf({ ...EVERYTHING, text: "sf1234567890123" })).toEqual([
      "sf1234567890123",
      "SF1234567890123",
    ]);
    expect(textsOf({ ...EVERYTHING, text: "鱼丸" })).toEqual([]);
  });

  it("is the same with blanks around", () => {
    expect(sameFilter({ ...EVERYTHING, text: "A" }, { ...EVERYTHING, text: " A " })).toBe(true);
    expect(sameFilter(EVERYTHING, { ...EVERYTHING, from: "2026-01-01" })).toBe(false);
  });

  it("puts two dates in order", () => {
    expect(inOrder({ from: "2026-11-23", to: "2026-11-01" })).toEqual({
      from: "2026-11-01",
      to: "2026-11-23",
    });
    expect(inOrder({ from: "2026-11-23", to: "" })).toEqual({ from: "2026-11-23", to: "" });
  });

  it("counts days in Shanghai, whatever the phone's zone", () => {
    const lateInUtc = Date.UTC(2026, 10, 30, 16, 30);
    expect(dateOf(lateInUtc)).toBe("2026-12-01");
    expect(lastDays(7, lateInUtc)).toEqual({ from: "2026-11-25", to: "2026-12-01" });
    expect(lastDays(1, lateInUtc)).toEqual({ from: "2026-12-01", to: "2026-12-01" });
  });
});

describe("a card", () => {
  it("tells first of what must be fetched, then of what moves", () => {
    expect(whereabouts(parcels(["in_transit", "武汉"], ["awaiting_pickup", "驿站"]))).toEqual({
      status: "awaiting_pickup",
      location: "驿站",
    });
    expect(whereabouts(parcels(["delivered", "上海"], ["in_transit", "武汉"]))?.location).toBe("武汉");
    expect(whereabouts(parcels(["in_transit"], ["in_transit", "武汉"]))?.location).toBe("武汉");
  });

  it("says no place of what has arrived, is withdrawn or was never scanned", () => {
    expect(whereabouts(parcels(["delivered", "上海"], ["cancelled", "武汉"], ["no_trace"]))).toBeNull();
    expect(whereabouts(parcels())).toBeNull();
  });

  it("doesn't count withdrawn parcels", () => {
    expect(parcelCount(parcels(["in_transit"], ["cancelled"], ["delivered"]))).toBe(2);
  });

  it("speaks of an arrival only while one is expected", () => {
    const told = eta(NOW + 3 * HOUR, NOW + 9 * HOUR);
    expect(arrivalOf({ status: "in_transit", eta: told }, NOW)).not.toBeNull();
    expect(arrivalOf({ status: "delivered", eta: told }, NOW)).toBeNull();
    expect(arrivalOf({ status: "cancelled", eta: told }, NOW)).toBeNull();
    expect(arrivalOf({ status: "in_transit", eta: null }, NOW)).toBeNull();
  });
});
