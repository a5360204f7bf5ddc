/** When a parcel arrives, cut to what a person wants to hear of an interval. */
import type { Eta } from "@/api/types";
import { clockOf, dayNumber, dayOf, HOUR_MS, hourOf, instant, type Day } from "./instants";

export type PartOfDay = "morning" | "afternoon" | "evening";

export type Interval =
  | { kind: "past"; day: Day; clock: string }
  | { kind: "within_hour" }
  | { kind: "hours"; day: Day; from: string; to: string }
  | { kind: "until"; day: Day; clock: string }
  | { kind: "part"; day: Day; part: PartOfDay }
  | { kind: "day"; day: Day }
  | { kind: "days"; first: Day; last: Day };

const NARROW_MS = 2 * HOUR_MS;

/** Null where nothing can be said. The part of the interval that has passed is cut off. */
export function intervalOf(
  eta: Pick<Eta, "earliest" | "latest"> | null | undefined,
  now: number,
): Interval | null {
  const latest = instant(eta?.latest);
  if (latest === null) return null;
  const told = instant(eta?.earliest) ?? latest;
  if (latest < now) return { kind: "past", day: dayOf(latest, now), clock: clockOf(latest) };
  if (latest - now <= HOUR_MS) return { kind: "within_hour" };
  const earliest = Math.min(Math.max(told, now), latest);
  // Midnight ends a day and begins none.
  const last = latest > earliest ? latest - 1 : latest;
  const day = dayOf(last, now);
  if (dayNumber(earliest) !== dayNumber(last))
    return { kind: "days", first: dayOf(earliest, now), last: day };
  if (latest - told <= NARROW_MS && latest > told && told > now)
    return { kind: "hours", day, from: clockOf(told), to: endOf(latest) };
  if (told <= now) return { kind: "until", day, clock: endOf(latest) };
  const part = partOf(earliest);
  return part === partOf(last) ? { kind: "part", day, part } : { kind: "day", day };
}

/** Of an order that nobody has shipped yet; null also where its time has begun, for then it is late and not near. */
export function expectedOf(eta: Pick<Eta, "earliest" | "latest"> | null, now: number): Interval | null {
  const begins = instant(eta?.earliest);
  return begins !== null && begins > now ? intervalOf(eta, now) : null;
}

function partOf(at: number): PartOfDay {
  const hour = hourOf(at);
  return hour < 12 ? "morning" : hour < 18 ? "afternoon" : "evening";
}

function endOf(latest: number): string {
  const clock = clockOf(latest);
  return clock === "00:00" ? "24:00" : clock;
}
