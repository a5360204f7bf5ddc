/** Seconds as a person counts them. */

export interface Wait {
  unit: "seconds" | "minutes" | "hours";
  count: number;
}

/** Never less than there is to wait, and in whole units. */
export function waitOf(seconds: number): Wait {
  const left = Math.max(1, Math.ceil(seconds));
  if (left <= 90) return { unit: "seconds", count: left };
  if (left <= 90 * 60) return { unit: "minutes", count: Math.ceil(left / 60) };
  return { unit: "hours", count: Math.ceil(left / 3600) };
}

/** Whole seconds from `now` until `until`, both in milliseconds. */
export function secondsLeft(until: number, now: number): number {
  return Math.max(0, Math.ceil((until - now) / 1000));
}
