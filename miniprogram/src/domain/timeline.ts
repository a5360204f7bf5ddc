/** What a carrier reported, day by day, the newest first. */
import type { ShipmentStatus, TrackingEvent } from "@/api/types";
import { clockOf, dayNumber, dayOf, instant, MINUTE_MS, type Day } from "./instants";

export interface Scan {
  /** Unique in its timeline. */
  key: string;
  at: number;
  clock: string;
  status: ShipmentStatus;
  text: string;
  /** Empty where the text says it already. */
  place: string;
}

export interface TimelineDay {
  key: string;
  day: Day;
  scans: Scan[];
}

/** How many stay when the rest is folded; one more is shown rather than hidden. */
export const LAST = 3;

/** Every report once, the newest first. */
export function scansOf(events: readonly TrackingEvent[]): Scan[] {
  const told = new Set<string>();
  return events
    .map((event, index) => ({ event, index, at: instant(event.occurred_at) }))
    .filter((one): one is typeof one & { at: number } => one.at !== null)
    .filter(({ event, at }) => {
      const same = `${Math.floor(at / MINUTE_MS)} ${event.status} ${bare(event.description)}`;
      return !told.has(same) && told.add(same);
    })
    .sort((one, other) => other.at - one.at || one.index - other.index)
    .map(({ event, index, at }) => ({
      key: `${at}-${index}`,
      at,
      clock: clockOf(at),
      status: event.status,
      text: event.description.trim(),
      place: event.description.includes(event.location) ? "" : event.location.trim(),
    }));
}

export function daysOf(scans: readonly Scan[], now: number): TimelineDay[] {
  const days: TimelineDay[] = [];
  for (const scan of scans) {
    const key = String(dayNumber(scan.at));
    const last = days[days.length - 1];
    if (last?.key === key) last.scans.push(scan);
    else days.push({ key, day: dayOf(scan.at, now), scans: [scan] });
  }
  return days;
}

export function folds(scans: readonly Scan[]): boolean {
  return scans.length > LAST + 1;
}

export function folded(scans: readonly Scan[], all: boolean): readonly Scan[] {
  return all || !folds(scans) ? scans : scans.slice(0, LAST);
}

/** Two reports that differ in brackets, blanks and stops are one. */
function bare(text: string): string {
  return text.replace(/[\s【】[\]（）()，,。.、：:；;！!]/g, "");
}
