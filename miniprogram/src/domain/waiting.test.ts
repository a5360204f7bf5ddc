import { expect, it } from "vitest";
import { secondsLeft, waitOf } from "./waiting";

it.each([
  [0, "seconds", 1],
  [0.2, "seconds", 1],
  [59.4, "seconds", 60],
  [90, "seconds", 90],
  [91, "minutes", 2],
  [120, "minutes", 2],
  [121, "minutes", 3],
  [5400, "minutes", 90],
  [5401, "hours", 2],
  [80000, "hours", 23],
])("%d s are told as %s: %d", (seconds, unit, count) => {
  expect(waitOf(seconds)).toEqual({ unit, count });
});

it("is never told shorter than it is, but for half a unit", () => {
  const long = { seconds: 1, minutes: 60, hours: 3600 };
  for (let s = 1; s < 90000; s += 7) {
    const { unit, count } = waitOf(s);
    expect(count * long[unit]).toBeGreaterThanOrEqual(s);
    expect(count * long[unit] - s).toBeLessThan(long[unit]);
  }
});

it("counts down to nothing", () => {
  expect([secondsLeft(60_000, 0), secondsLeft(60_000, 59_001), secondsLeft(60_000, 60_001)]).toEqual([
    60, 1, 0,
  ]);
});
