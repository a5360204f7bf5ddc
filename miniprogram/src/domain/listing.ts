/** What is asked of the list, and what a card says of an order. */
import type { Counts, OrderStatus, OrderSummary, ShipmentStatus } from "@/api/types";
import type { Tone } from "@/components/StatusTag.vue";
import { expectedOf, intervalOf, type Interval } from "./eta";
import { DAY_MS, dayNumber } from "./instants";
import { candidates } from "./waybill";

export const STEPS = ["placed", "paid", "shipped", "in_transit", "delivered"] as const;
export const WAYS_OUT = ["cancelled", "refunded", "returned"] as const;
export type Tab = "all" | (typeof STEPS)[number] | "over";

export interface Filter {
  status: OrderStatus | null;
  /** An order number or a waybill, as typed. */
  text: string;
  /** Dates in Shanghai, YYYY-MM-DD, inclusive; empty for open. */
  from: string;
  to: string;
}

export const EVERYTHING: Filter = { status: null, text: "", from: "", to: "" };

export function tabOf(filter: Filter): Tab {
  if (!filter.status) return "all";
  return (WAYS_OUT as readonly OrderStatus[]).includes(filter.status) ? "over" : (filter.status as Tab);
}

/** The status that a tab begins with: of the ways out, the first that has an order. */
export function statusOf(tab: Tab, counts: Counts | null): OrderStatus | null {
  if (tab === "all") return null;
  if (tab !== "over") return tab;
  return WAYS_OUT.find((status) => (counts?.[status] ?? 0) > 0) ?? WAYS_OUT[0];
}

/** Null where nothing is known. */
export function countOf(tab: Tab, counts: Counts | null): number | null {
  if (!counts || tab === "all") return null;
  return tab === "over" ? WAYS_OUT.reduce((sum, status) => sum + counts[status], 0) : counts[tab];
}

export const MOST_COUNTED = 99;

/** Empty where there is nothing to count. */
export function countText(count: number | null): string {
  if (!count) return "";
  return count > MOST_COUNTED ? `${MOST_COUNTED}+` : String(count);
}

export function isSearch(filter: Filter): boolean {
  return Boolean(filter.text.trim() || filter.from || filter.to);
}

/** The numbers to ask for, in turn; one empty text where none was typed, and none where nothing typed can be one. */
export function textsOf(filter: Filter): string[] {
  return filter.text.trim() ? candidates(filter.text) : [""];
}

export function sameFilter(one: Filter, other: Filter): boolean {
  return (
    one.status === other.status &&
    one.text.trim() === other.text.trim() &&
    one.from === other.from &&
    one.to === other.to
  );
}

export interface DateRange {
  from: string;
  to: string;
}

/** In order, whichever was chosen first. */
export function inOrder({ from, to }: DateRange): DateRange {
  return from && to && from > to ? { from: to, to: from } : { from, to };
}

/** The last `days` days in Shanghai, today included. `now` is Unix milliseconds. */
export function lastDays(days: number, now: number): DateRange {
  return { from: dateOf(now - (days - 1) * DAY_MS), to: dateOf(now) };
}

/** YYYY-MM-DD in Shanghai. */
export function dateOf(at: number): string {
  return new Date(dayNumber(at) * DAY_MS).toISOString().slice(0, 10);
}

const ORDER_TONES: Record<OrderStatus, Tone> = {
  placed: "warn",
  paid: "brand",
  shipped: "brand",
  in_transit: "brand",
  delivered: "good",
  cancelled: "soft",
  refunded: "soft",
  returned: "soft",
};

export function toneOf(status: OrderStatus): Tone {
  return ORDER_TONES[status];
}

/** What the buyer waits for most comes first: where a parcel is that can be fetched, then the one that moves. */
const TELLING: readonly ShipmentStatus[] = [
  "awaiting_pickup",
  "delivery_failed",
  "exception",
  "out_for_delivery",
  "returning",
  "customs",
  "forwarded",
  "in_transit",
  "picked_up",
];

export interface Whereabouts {
  status: ShipmentStatus;
  location: string;
}

/** Null where no parcel is on its way, or nothing is known of it. */
export function whereabouts(order: Pick<OrderSummary, "shipments">): Whereabouts | null {
  const rank = (status: ShipmentStatus) => TELLING.indexOf(status);
  const [first] = order.shipments
    .filter((parcel) => rank(parcel.status) >= 0)
    .sort((a, b) => rank(a.status) - rank(b.status) || Number(!a.location) - Number(!b.location));
  return first ? { status: first.status, location: first.location } : null;
}

/** Parcels that were not withdrawn. */
export function parcelCount(order: Pick<OrderSummary, "shipments">): number {
  return order.shipments.filter((parcel) => parcel.status !== "cancelled").length;
}

/** When it arrives; null where that isn't to be spoken of, or can't be told. */
export function arrivalOf(order: Pick<OrderSummary, "status" | "eta">, now: number): Interval | null {
  if (order.status === "paid") return expectedOf(order.eta, now);
  return order.status === "shipped" || order.status === "in_transit" ? intervalOf(order.eta, now) : null;
}
