/** What is to be known of an order's parcels, one by one and together. */
import type { Line, OrderDocument, Shipment, ShipmentStatus, TemperatureClass } from "@/api/types";
import { HOUR_MS, instant } from "./instants";
import { phonesIn } from "./phones";

/** The most pressing first: what a person must do something about, then what comes next. */
const PRESSING: readonly ShipmentStatus[] = [
  "awaiting_pickup",
  "delivery_failed",
  "exception",
  "out_for_delivery",
  "returning",
];
const ENDED: readonly ShipmentStatus[] = ["delivered", "returned", "cancelled"];
const WITH_COURIER: readonly ShipmentStatus[] = ["out_for_delivery", "delivery_failed", "awaiting_pickup"];
/** Temperature classes from the coldest. */
const COLDEST: readonly TemperatureClass[] = ["frozen", "chilled", "ambient"];

export function parcelKey(parcel: Pick<Shipment, "carrier" | "waybill_no">): string {
  return `${parcel.carrier.code} ${parcel.waybill_no}`;
}

export function isUnderWay(parcel: Pick<Shipment, "status">): boolean {
  return !ENDED.includes(parcel.status);
}

/** The status that the buyer should hear of first; null where the order's own says it all. */
export function mostPressing(parcels: readonly Pick<Shipment, "status">[]): ShipmentStatus | null {
  return PRESSING.find((status) => parcels.some((parcel) => parcel.status === status)) ?? null;
}

/** The parcel to open first; null where there is none. */
export function firstToShow(parcels: readonly Shipment[]): Shipment | null {
  const pressing = mostPressing(parcels);
  return (
    parcels.find((parcel) => parcel.status === pressing) ?? parcels.find(isUnderWay) ?? parcels[0] ?? null
  );
}

/** How many parcels are at each status, the most pressing first. */
export function tally(
  parcels: readonly Pick<Shipment, "status">[],
): { status: ShipmentStatus; count: number }[] {
  const counts = new Map<ShipmentStatus, number>();
  for (const { status } of parcels) counts.set(status, (counts.get(status) ?? 0) + 1);
  const rank = (status: ShipmentStatus) => {
    const place = PRESSING.indexOf(status);
    return ENDED.includes(status) ? PRESSING.length + 1 : place < 0 ? PRESSING.length : place;
  };
  return [...counts]
    .map(([status, count]) => ({ status, count }))
    .sort((a, b) => rank(a.status) - rank(b.status));
}

/** Whether goods are still at the shop: every parcel is there, and yet the order isn't. Which ones isn't told. */
export function restIsUnshipped({ status, shipments }: Pick<OrderDocument, "status" | "shipments">): boolean {
  const live = shipments.filter((parcel) => parcel.status !== "cancelled");
  return (
    (status === "shipped" || status === "in_transit") &&
    live.length > 0 &&
    live.every((parcel) => parcel.status === "delivered")
  );
}

/** The number of the courier or the station, from the newest news that has one; null where none was told. */
export function courierPhone(parcel: Pick<Shipment, "status" | "events">): string | null {
  if (!WITH_COURIER.includes(parcel.status)) return null;
  for (const event of parcel.events.filter((one) => WITH_COURIER.includes(one.status))) {
    const phone = phonesIn(event.description)[0];
    if (phone) return phone;
  }
  return null;
}

/** Whole hours without news; null where nothing was ever heard. */
export function silentHours(parcel: Pick<Shipment, "last_event_at">, now: number): number | null {
  const last = instant(parcel.last_event_at);
  return last === null ? null : Math.max(0, Math.floor((now - last) / HOUR_MS));
}

/** What must be kept coldest decides how soon the box must be opened. */
export function coldest(lines: readonly Pick<Line, "temperature_class">[]): TemperatureClass {
  return (
    COLDEST.find((temperature) => lines.some((line) => line.temperature_class === temperature)) ?? "ambient"
  );
}
