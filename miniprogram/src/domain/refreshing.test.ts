import { expect, test } from "vitest";
import { at, HOUR, NOW, order, parcel } from "../../tests/fixtures/documents";
import { mayRefresh, outcomeOf } from "./refreshing";

const before = [parcel("in_transit", { checked_at: at(NOW - HOUR / 3) })];
const now = [parcel("in_transit", { checked_at: at(NOW) })];

test("an answer is news", () => {
  expect(outcomeOf({ refreshed: true, next_allowed_at: at(NOW + HOUR / 2) }, before, now, NOW)).toEqual({
    kind: "new",
  });
});

test("nobody was asked: it was done a short while ago", () => {
  expect(outcomeOf({ refreshed: false, next_allowed_at: at(NOW + HOUR / 6) }, before, before, NOW)).toEqual({
    kind: "early",
    clock: "10:40",
  });
});

test("nobody was asked: what was checked some seconds ago was known before", () => {
  expect(outcomeOf({ refreshed: false, next_allowed_at: at(NOW + HOUR / 2) }, now, now, NOW + 5_000)).toEqual(
    {
      kind: "early",
      clock: "11:00",
    },
  );
});

test("asked, and no answer: the carrier is silent, though it may not be asked again for a while", () => {
  expect(outcomeOf({ refreshed: false, next_allowed_at: at(NOW + HOUR / 2) }, before, now, NOW)).toEqual({
    kind: "silent",
  });
  expect(outcomeOf({ refreshed: false, next_allowed_at: at(NOW) }, before, before, NOW)).toEqual({
    kind: "silent",
  });
});

test("what has ended is not asked about", () => {
  expect(mayRefresh(order("in_transit"))).toBe(true);
  expect(mayRefresh(order("delivered"))).toBe(false);
  expect(mayRefresh(order("paid"))).toBe(false);
  expect(mayRefresh(order("in_transit", { archived: true }))).toBe(false);
});
