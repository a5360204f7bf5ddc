import { expect, test } from "vitest";
import { clockOf, dayNumber, dayOf, hourOf, instant } from "./instants";

const MIDNIGHT = instant("2026-11-24T00:00:00+08:00")!;

test("an instant is the same in every zone it is written in", () => {
  for (const text of ["2026-11-23T16:00:00Z", "2026-11-23T11:00:00-05:00", "2026-11-24T00:00:00.000+08:00"])
    expect(instant(text)).toBe(MIDNIGHT);
});

test("what is no instant is null, never a wrong one", () => {
  for (const text of [
    "",
    null,
    undefined,
    "2026-11-24",
    "2026-11-24T00:00:00",
    "2026-13-01T00:00:00+08:00",
    "2026-02-29T00:00:00+08:00",
    "2026-11-24T24:00:00+08:00",
    "昨天",
  ])
    expect(instant(text), String(text)).toBeNull();
  expect(instant("2028-02-29T00:00:00+08:00")).not.toBeNull();
});

test("a day begins at midnight in Shanghai, whatever the phone's zone", () => {
  expect(dayNumber(MIDNIGHT) - dayNumber(MIDNIGHT - 1)).toBe(1);
  expect(clockOf(MIDNIGHT)).toBe("00:00");
  expect(clockOf(MIDNIGHT - 1)).toBe("23:59");
  expect(hourOf(MIDNIGHT - 1)).toBe(23);
});

test("today, tomorrow and yesterday go by Shanghai's calendar", () => {
  const now = instant("2026-11-23T23:59:00+08:00")!;
  expect(dayOf(MIDNIGHT, now)).toMatchObject({ year: 2026, month: 11, day: 24, weekday: 2, away: 1 });
  expect(dayOf(now - 24 * 3600 * 1000, now).away).toBe(-1);
});

test("the year is said where it isn't this one", () => {
  const now = instant("2026-12-31T23:00:00+08:00")!;
  expect(dayOf(now, now).otherYear).toBe(false);
  expect(dayOf(now + 2 * 3600 * 1000, now)).toMatchObject({
    year: 2027,
    month: 1,
    day: 1,
    away: 1,
    otherYear: true,
  });
});
