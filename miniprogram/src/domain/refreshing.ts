/** What became of asking the carrier. */
import type { Refreshed, Shipment } from "@/api/types";
import { clockOf, instant } from "./instants";
import { isUnderWay } from "./parcels";

export type Outcome =
  | { kind: "new" }
  /** Asked a short while ago: it isn't asked again before `clock`. */
  | { kind: "early"; clock: string }
  | { kind: "silent" };

/** Clocks differ by this much: two reports of one moment. */
const SLACK_MS = 15_000;

type Checked = readonly Pick<Shipment, "checked_at">[];

/** `before` and `after`: the parcels as they were known and as they are after asking; `pressedAt`: when the buyer asked,
 * by the server's clock. */
export function outcomeOf(answer: Refreshed, before: Checked, after: Checked, pressedAt: number): Outcome {
  if (answer.refreshed) return { kind: "new" };
  const next = instant(answer.next_allowed_at);
  // A check that was known already is the one before, however short ago it was.
  const known = latest(before);
  const asked = latest(after) > known && latest(after) >= pressedAt - SLACK_MS;
  return next !== null && next > pressedAt + SLACK_MS && !asked
    ? { kind: "early", clock: clockOf(next) }
    : { kind: "silent" };
}

function latest(parcels: Checked): number {
  return Math.max(0, ...parcels.map((parcel) => instant(parcel.checked_at) ?? 0));
}

/** Whether there is anything to ask about: a carrier has no more to say of what has ended. */
export function mayRefresh(document: {
  archived: boolean;
  shipments: readonly Pick<Shipment, "status">[];
}): boolean {
  return !document.archived && document.shipments.some(isUnderWay);
}
