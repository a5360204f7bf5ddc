import { expect, test } from "vitest";
import { at, fullOrder, HOUR, LINES, NOW, order, parcel, scan } from "../../tests/fixtures/documents";
import * as parcels from "./parcels";

test("the parcel that needs the buyer is opened first, one that is there last", () => {
  const { shipments } = fullOrder();
  expect(parcels.firstToShow(shipments)?.status).toBe("awaiting_pickup");
  expect(parcels.firstToShow([parcel("delivered"), parcel("picked_up")])?.status).toBe("picked_up");
  expect(parcels.firstToShow([parcel("delivered")])?.status).toBe("delivered");
  expect(parcels.firstToShow([])).toBeNull();
});

test("parcels are counted by status, the pressing ones first and what is over last", () => {
  expect(parcels.tally(fullOrder().shipments).map((one) => one.status)).toEqual([
    "awaiting_pickup",
    "exception",
    "out_for_delivery",
    "in_transit",
    "no_trace",
    "delivered",
  ]);
  expect(parcels.tally([parcel("delivered"), parcel("delivered")])).toEqual([
    { status: "delivered", count: 2 },
  ]);
});

test("goods are known to be left at the shop only where all parcels are there and the order isn't", () => {
  expect(parcels.restIsUnshipped(order("in_transit", { shipments: [parcel("delivered")] }))).toBe(true);
  expect(
    parcels.restIsUnshipped(order("in_transit", { shipments: [parcel("delivered"), parcel("picked_up")] })),
  ).toBe(false);
  expect(
    parcels.restIsUnshipped(order("in_transit", { shipments: [parcel("delivered"), parcel("cancelled")] })),
  ).toBe(true);
  expect(parcels.restIsUnshipped(order("in_transit", { shipments: [] }))).toBe(false);
  expect(parcels.restIsUnshipped(order("delivered"))).toBe(false);
});

test("the courier is who brings it now, not who picked it up", () => {
  expect(parcels.courierPhone(parcel("out_for_delivery"))).toBe("13900005725");
  expect(parcels.courierPhone(parcel("awaiting_pickup"))).toBe("4000633333");
  expect(parcels.courierPhone(parcel("in_transit"))).toBeNull();
  expect(parcels.courierPhone(parcel("out_for_delivery", { events: [scan(NOW)] }))).toBeNull();
});

test("silence is told in whole hours and never below none", () => {
  expect(parcels.silentHours({ last_event_at: at(NOW - 31.9 * HOUR) }, NOW)).toBe(31);
  expect(parcels.silentHours({ last_event_at: at(NOW + HOUR) }, NOW)).toBe(0);
  expect(parcels.silentHours({ last_event_at: null }, NOW)).toBeNull();
});

test("the coldest goods decide", () => {
  expect(parcels.coldest(fullOrder().lines)).toBe("frozen");
  expect(parcels.coldest([{ temperature_class: "ambient" }, { temperature_class: "chilled" }])).toBe(
    "chilled",
  );
  expect(parcels.coldest(LINES)).toBe("frozen");
  expect(parcels.coldest([])).toBe("ambient");
});
