/** Instants as the API writes them, read in Shanghai's time whatever the phone's zone is. */

const SHAPE = /^(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)(?:\.\d+)?(Z|[+-]\d\d:\d\d)$/;
export const MINUTE_MS = 60_000;
export const HOUR_MS = 60 * MINUTE_MS;
export const DAY_MS = 24 * HOUR_MS;
/** Shanghai keeps no summer time. */
const SHANGHAI_MS = 8 * HOUR_MS;

/** Unix milliseconds; null for what is no instant. */
export function instant(text: string | null | undefined): number | null {
  const found = SHAPE.exec(text ?? "");
  if (!found) return null;
  const [year, month, day, hour, minute, second] = found.slice(1, 7).map(Number) as [
    number,
    number,
    number,
    number,
    number,
    number,
  ];
  if (month < 1 || month > 12 || day < 1 || day > daysOf(year, month)) return null;
  if (hour > 23 || minute > 59 || second > 59) return null;
  return Date.UTC(year, month - 1, day, hour, minute, second) - offsetOf(found[7]!);
}

function daysOf(year: number, month: number): number {
  return new Date(Date.UTC(year, month, 0)).getUTCDate();
}

function offsetOf(zone: string): number {
  if (zone === "Z") return 0;
  const minutes = Number(zone.slice(1, 3)) * 60 + Number(zone.slice(4, 6));
  return (zone.startsWith("-") ? -minutes : minutes) * MINUTE_MS;
}

/** A day in Shanghai as it is spoken of: by its distance from today. */
export interface Day {
  year: number;
  /** 1–12. */
  month: number;
  day: number;
  /** 0 is Sunday. */
  weekday: number;
  /** Days from today: -1 yesterday, 1 tomorrow. */
  away: number;
  /** Whether its year must be said. */
  otherYear: boolean;
}

export function dayOf(at: number, now: number): Day {
  const local = new Date(at + SHANGHAI_MS);
  const year = local.getUTCFullYear();
  return {
    year,
    month: local.getUTCMonth() + 1,
    day: local.getUTCDate(),
    weekday: local.getUTCDay(),
    away: dayNumber(at) - dayNumber(now),
    otherYear: year !== new Date(now + SHANGHAI_MS).getUTCFullYear(),
  };
}

/** Days since 1970 in Shanghai: equal for two instants of one day. */
export function dayNumber(at: number): number {
  return Math.floor((at + SHANGHAI_MS) / DAY_MS);
}

/** The hour in Shanghai, 0–23. */
export function hourOf(at: number): number {
  return new Date(at + SHANGHAI_MS).getUTCHours();
}

/** HH:MM in Shanghai. */
export function clockOf(at: number): string {
  return new Date(at + SHANGHAI_MS).toISOString().slice(11, 16);
}
