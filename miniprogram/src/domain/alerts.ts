/** What the buyer can do about an alert. */
import type { AlertKind, Shipment, ShipmentStatus, TemperatureClass } from "@/api/types";

/** Whom a button under the alert calls. */
export type Help = "courier" | "shop" | "none";

export interface Advice {
  /** Whether the buyer should act now rather than wait. */
  urgent: boolean;
  help: Help;
}

const act = (help: Help): Advice => ({ urgent: true, help });
const wait = (help: Help): Advice => ({ urgent: false, help });

/** Every kind, so that a new one doesn't compile until somebody has thought of it. */
export const ADVICE: Record<AlertKind, Advice> = {
  not_shipped: wait("shop"),
  stale: wait("shop"),
  exception: wait("shop"),
  delivery_failed: act("courier"),
  locker_waiting: act("courier"),
  returning: act("shop"),
  returned: wait("shop"),
  partly_returned: wait("shop"),
  paid_after_cancelled: wait("shop"),
  lost_contact: wait("shop"),
  no_pickup: wait("none"),
  late_eta: wait("none"),
  late_promise: wait("shop"),
  out_too_long: wait("courier"),
  unreachable: act("courier"),
  wrong_address: act("shop"),
  refused: act("shop"),
  damaged: act("shop"),
  missorted: wait("none"),
  lost: wait("shop"),
  // The rest is for the shop's people: the buyer isn't told of it, and if he were, he could do nothing.
  shipped_unpaid: wait("shop"),
  shipped_after_cancelled: wait("shop"),
  refund_partial: wait("shop"),
  money_conflict: wait("shop"),
  clock_anomaly: wait("none"),
  unknown_code: wait("none"),
  earlier_life: wait("none"),
  provider_trouble: wait("none"),
  order_changed_after_shipping: wait("shop"),
  wrong_number: wait("shop"),
  incident: wait("none"),
  messaging: wait("none"),
  settlement: wait("none"),
};

/** A kind that a newer server knows and we don't. */
export const UNKNOWN_KIND: Advice = wait("shop");

export function adviceOn(kind: string): Advice {
  return (ADVICE as Record<string, Advice | undefined>)[kind] ?? UNKNOWN_KIND;
}

/** Which parcels an alert is about: it doesn't say so itself, their statuses do. */
const ABOUT: Partial<Record<AlertKind, readonly ShipmentStatus[]>> = {
  exception: ["exception"],
  delivery_failed: ["delivery_failed"],
  locker_waiting: ["awaiting_pickup"],
  returning: ["returning"],
  returned: ["returned"],
  partly_returned: ["returned"],
  no_pickup: ["no_trace"],
  out_too_long: ["out_for_delivery"],
  unreachable: ["delivery_failed", "exception", "out_for_delivery"],
  wrong_address: ["delivery_failed", "exception"],
  refused: ["exception", "delivery_failed", "returning"],
  damaged: ["exception"],
};

/** Empty where it can't be told. */
export function parcelsAbout<T extends Pick<Shipment, "status" | "stale">>(
  kind: string,
  parcels: readonly T[],
): T[] {
  const statuses = (ABOUT as Record<string, readonly ShipmentStatus[] | undefined>)[kind];
  if (parcels.length === 1) return [...parcels];
  return parcels.filter((parcel) => (kind === "stale" ? parcel.stale : statuses?.includes(parcel.status)));
}

export interface AlertWords {
  /** For languages that the server doesn't speak, and where it says nothing. */
  told: string;
  /** What to do, by what the goods can bear. */
  todo: (cold: TemperatureClass) => string;
}
