/** What the head of the order page says: where the order is, what happens next, and when. */
import type {
  Eta,
  OrderDocument,
  OrderStatus,
  Shipment,
  ShipmentStatus,
  TemperatureClass,
} from "@/api/types";
import { isConfirmed } from "./confirmation";
import { expectedOf, intervalOf, type Interval } from "./eta";
import { DAY_MS, instant } from "./instants";
import { coldest, isUnderWay, mostPressing, restIsUnshipped } from "./parcels";

export type Next =
  | "pay"
  | "packing"
  | "first_scan"
  | "on_the_way"
  | "courier"
  | "pickup"
  | "failed"
  | "problem"
  | "going_back"
  | "rest_unshipped"
  | "store"
  | "arrived"
  | "confirmed"
  | "cancelled"
  | "cancelled_paid"
  | "returned"
  | "refunded"
  | "unclear";

export interface Outlook {
  /** What stands large: the order's status, or a parcel's that is more to the point. */
  title: { order: OrderStatus } | { parcel: ShipmentStatus };
  next: Next;
  /** Whose coldness the words speak of. */
  cold: TemperatureClass;
  arrival: { interval: Interval; eta: Eta; parcels: "only" | "first" } | null;
}

const BY_PARCEL: Partial<Record<ShipmentStatus, Next>> = {
  awaiting_pickup: "pickup",
  delivery_failed: "failed",
  exception: "problem",
  out_for_delivery: "courier",
  returning: "going_back",
};
/** How the head looks: as it should be, in want of the buyer, or over without the goods. */
export type Mood = "fine" | "act" | "over";

const MOODS: Partial<Record<Next, Mood>> = {
  pay: "act",
  pickup: "act",
  failed: "act",
  problem: "act",
  going_back: "act",
  cancelled: "over",
  cancelled_paid: "over",
  returned: "over",
  refunded: "over",
};

export function moodOf(next: Next): Mood {
  return MOODS[next] ?? "fine";
}

/** How long after the delivery the advice to freeze is news. */
const FRESH_MS = DAY_MS;

/** `expected` is the arrival of an order that isn't shipped yet, which the document doesn't hold. */
export function outlookOf(document: OrderDocument, expected: Eta | null, now: number): Outlook {
  const pressing = isOnItsWay(document) ? mostPressing(document.shipments) : null;
  const next = pressing ? BY_PARCEL[pressing]! : nextOf(document, now);
  return {
    title: pressing ? { parcel: pressing } : { order: document.status },
    next,
    cold: coldest(document.lines),
    arrival: next === "rest_unshipped" ? null : arrivalOf(document, expected, now),
  };
}

/** After the delivery a parcel may still be at a station, or go back: then that is what the buyer must read, unless he
 * said himself that he has it. */
function isOnItsWay(document: OrderDocument): boolean {
  if (document.status === "delivered") return !isConfirmed(document);
  return document.status === "shipped" || document.status === "in_transit";
}

function nextOf(document: OrderDocument, now: number): Next {
  switch (document.status) {
    case "placed":
      return "pay";
    case "paid":
      return "packing";
    case "shipped":
      return restIsUnshipped(document) ? "rest_unshipped" : "first_scan";
    case "in_transit":
      return restIsUnshipped(document) ? "rest_unshipped" : "on_the_way";
    case "delivered":
      return afterDelivery(document, now);
    case "cancelled":
      return reached(document, "paid") === null ? "cancelled" : "cancelled_paid";
    case "returned":
      return "returned";
    case "refunded":
      return "refunded";
  }
  // A status that a newer server knows.
  return "unclear";
}

function afterDelivery(document: OrderDocument, now: number): Next {
  const delivered = reached(document, "delivered");
  if (delivered !== null && now - delivered < FRESH_MS) return "store";
  return isConfirmed(document) ? "confirmed" : "arrived";
}

function reached({ milestones }: OrderDocument, status: OrderStatus): number | null {
  return instant(milestones.find((one) => one.status === status)?.occurred_at);
}

/** Of several parcels the one that comes first: what happens next. Each parcel's own stands beside it. */
function arrivalOf(document: OrderDocument, expected: Eta | null, now: number): Outlook["arrival"] {
  if (!document.shipments.length) {
    const interval = document.status === "paid" ? expectedOf(expected, now) : null;
    return interval && expected ? { interval, eta: expected, parcels: "only" } : null;
  }
  if (document.status !== "shipped" && document.status !== "in_transit") return null;
  const open = document.shipments.filter(isUnderWay);
  const first = open.filter(hasEta).sort((one, other) => sooner(one.eta, other.eta))[0];
  const interval = first ? intervalOf(first.eta, now) : null;
  return first && interval ? { interval, eta: first.eta, parcels: open.length > 1 ? "first" : "only" } : null;
}

function hasEta(parcel: Shipment): parcel is Shipment & { eta: Eta } {
  return parcel.eta !== null && instant(parcel.eta.latest) !== null;
}

function sooner(one: Eta, other: Eta): number {
  return (instant(one.latest) ?? 0) - (instant(other.latest) ?? 0);
}
