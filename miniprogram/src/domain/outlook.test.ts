import { expect, test } from "vitest";
import {
  at,
  bareOrder,
  DAY,
  eta,
  fullOrder,
  gallery,
  HOUR,
  milestones,
  NOW,
  order,
  ORDER_STATUSES,
  orderWithParcel,
  parcel,
} from "../../tests/fixtures/documents";
import type { OrderDocument } from "@/api/types";
import { order as en } from "@/i18n/en/order";
import { order as zh } from "@/i18n/zh/order";
import { moodOf, outlookOf } from "./outlook";

const of = (document: OrderDocument) => outlookOf(document, null, NOW);
const byBuyer = {
  from: "delivered",
  to: "delivered",
  occurred_at: at(NOW),
  recorded_at: at(NOW),
  source: "buyer",
} as const;

test("each order status says what comes next", () => {
  expect(ORDER_STATUSES.map((status) => of(order(status)).next)).toEqual([
    "pay",
    "packing",
    "first_scan",
    "courier",
    "store",
    "cancelled_paid",
    "refunded",
    "returned",
  ]);
});

test("everything of the gallery is said in both languages, without holes", () => {
  for (const [name, document] of Object.entries(gallery())) {
    const { next, cold, arrival } = of(document);
    for (const words of [zh, en]) {
      expect(words.next[next](cold), name).toMatch(/\S/);
      if (arrival) expect(words.arrival(arrival.interval, true), name).not.toMatch(/undefined|NaN/);
    }
  }
});

test("a parcel that waits for the buyer stands before the order's own status, after the delivery, too", () => {
  expect(of(orderWithParcel("awaiting_pickup"))).toMatchObject({
    title: { parcel: "awaiting_pickup" },
    next: "pickup",
  });
  expect(of(order("delivered", { shipments: [parcel("awaiting_pickup")] })).next).toBe("pickup");
});

test("what the buyer confirmed is there, whatever the carrier says", () => {
  const confirmed = order("delivered", { shipments: [parcel("out_for_delivery")], history: [byBuyer] });
  expect(of(confirmed)).toMatchObject({ title: { order: "delivered" }, next: "store" });
});

test("the advice to freeze is for a day; then it is about confirming", () => {
  const past = milestones("delivered").map((one) => ({ ...one, occurred_at: at(NOW - 2 * DAY) }));
  expect(of(order("delivered", { milestones: past })).next).toBe("arrived");
  expect(of(order("delivered", { milestones: past, history: [byBuyer] })).next).toBe("confirmed");
});

test("of several parcels the one that comes first is told, as one of several", () => {
  const { arrival } = of(fullOrder());
  expect(arrival).toMatchObject({ parcels: "first", interval: { kind: "until" } });
  expect(of(order("in_transit")).arrival?.parcels).toBe("only");
  const last = order("in_transit", { shipments: [parcel("delivered"), parcel("in_transit")] });
  expect(of(last).arrival?.parcels).toBe("only");
});

test("before shipping the arrival comes from elsewhere, and only for what is paid", () => {
  const expected = eta(NOW + DAY, NOW + 2 * DAY);
  expect(outlookOf(order("paid"), expected, NOW).arrival?.eta).toBe(expected);
  expect(outlookOf(order("placed"), expected, NOW).arrival).toBeNull();
  expect(outlookOf(order("paid"), null, NOW).arrival).toBeNull();
});

test("no arrival is told where there is none", () => {
  expect(of(bareOrder()).arrival).toBeNull();
  for (const status of ["delivered", "cancelled", "refunded", "returned"] as const)
    expect(of(order(status)).arrival).toBeNull();
  expect(of(order("in_transit", { shipments: [parcel("delivered")] }))).toMatchObject({
    next: "rest_unshipped",
    arrival: null,
  });
});

test("a kept page says that the time has passed", () => {
  const kept = orderWithParcel("in_transit", { eta: eta(NOW - DAY, NOW - HOUR) });
  expect(of(kept).arrival?.interval.kind).toBe("past");
});

test("a status of a newer server is being checked", () => {
  const newer = order("paid", { status: "frozen_over" as never });
  expect(of(newer).next).toBe("unclear");
});

test("the head shows at a glance whether the buyer is wanted", () => {
  const moods = (status: Parameters<typeof order>[0]) => moodOf(of(order(status)).next);
  expect([moods("in_transit"), moods("delivered"), moods("placed"), moods("refunded")]).toEqual([
    "fine",
    "fine",
    "act",
    "over",
  ]);
  expect(moodOf(of(orderWithParcel("awaiting_pickup")).next)).toBe("act");
});
