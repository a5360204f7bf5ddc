import { expect, test } from "vitest";
import { order as en } from "@/i18n/en/order";
import { order as zh } from "@/i18n/zh/order";
import { expectedOf, intervalOf } from "./eta";
import { instant } from "./instants";

const NOW = "2026-11-23T10:30:00+08:00";

function said(earliest: string, latest: string, now = NOW): [string, string] {
  const day = (text: string) =>
    (text.includes("T") ? text : `2026-11-${text.replace(" ", "T")}`) + ":00+08:00";
  const told = intervalOf({ earliest: day(earliest), latest: day(latest) }, instant(now)!)!;
  return [zh.arrival(told, false), en.arrival(told, false)];
}

test.each([
  ["within an hour", "23 10:00", "23 11:20", "预计 1 小时内送达", "Expected within an hour"],
  ["a narrow time today", "23 14:00", "23 15:00", "预计 今天 14:00–15:00送达", "Expected today, 14:00–15:00"],
  [
    "a narrow time tomorrow",
    "24 14:00",
    "24 16:00",
    "预计 明天 14:00–16:00送达",
    "Expected tomorrow, 14:00–16:00",
  ],
  ["half a day today", "23 13:00", "23 18:00", "预计 今天下午送达", "Expected this afternoon"],
  ["half a day tomorrow", "24 08:00", "24 12:00", "预计 明天上午送达", "Expected tomorrow morning"],
  ["half a day later", "25 13:00", "25 17:00", "预计 11月25日 下午送达", "Expected Nov 25, afternoon"],
  ["an evening", "25 18:00", "25 21:00", "预计 11月25日 晚上送达", "Expected Nov 25, evening"],
  ["already begun", "23 09:00", "23 21:00", "预计 今天 21:00 前送达", "Expected today by 21:00"],
  ["a day", "25 08:00", "25 21:00", "预计 11月25日送达", "Expected Nov 25"],
  ["the rest of today", "23 11:30", "23 21:00", "预计 今天送达", "Expected today"],
  ["tomorrow", "24 08:00", "24 21:00", "预计 明天送达", "Expected tomorrow"],
  ["two near days", "23 15:00", "24 21:00", "预计 今天或明天送达", "Expected today or tomorrow"],
  ["from today", "23 15:00", "26 21:00", "预计 今天–11月26日送达", "Expected today to Nov 26"],
  ["from tomorrow", "24 08:00", "26 21:00", "预计 明天–11月26日送达", "Expected tomorrow to Nov 26"],
  ["days of one month", "25 08:00", "26 21:00", "预计 11月25日–26日送达", "Expected Nov 25–26"],
  [
    "until midnight is that day",
    "25 18:00",
    "26 00:00",
    "预计 11月25日 晚上送达",
    "Expected Nov 25, evening",
  ],
  [
    "narrow until midnight",
    "25 23:00",
    "26 00:00",
    "预计 11月25日 23:00–24:00送达",
    "Expected Nov 25, 23:00–24:00",
  ],
  ["a point in time", "25 14:00", "25 14:00", "预计 11月25日 下午送达", "Expected Nov 25, afternoon"],
  [
    "turned round: the end counts",
    "26 08:00",
    "25 14:00",
    "预计 11月25日 下午送达",
    "Expected Nov 25, afternoon",
  ],
])("%s", (_, earliest, latest, chinese, english) => {
  expect(said(earliest, latest)).toEqual([chinese, english]);
});

test("days of two months and of two years", () => {
  expect(said("2026-11-30T08:00", "2026-12-02T21:00")).toEqual([
    "预计 11月30日–12月2日送达",
    "Expected Nov 30 – Dec 2",
  ]);
  expect(said("2026-12-31T08:00", "2027-01-02T21:00")).toEqual([
    "预计 12月31日–2027年1月2日送达",
    "Expected Dec 31 – Jan 2, 2027",
  ]);
  expect(said("2027-01-02T08:00", "2027-01-03T21:00")).toEqual([
    "预计 2027年1月2日–3日送达",
    "Expected Jan 2, 2027 – Jan 3, 2027",
  ]);
});

test("on New Year's Eve tomorrow is still tomorrow", () => {
  expect(said("2027-01-01T08:00", "2027-01-01T12:00", "2026-12-31T20:00:00+08:00")[0]).toBe(
    "预计 明天上午送达",
  );
});

test("an interval that has passed predicts nothing", () => {
  expect(said("22 08:00", "22 21:00")).toEqual([
    "已过预计的送达时间（昨天 21:00），还在路上",
    "Was expected by yesterday 21:00, still on its way",
  ]);
});

test("what is passed of an interval is cut off", () => {
  expect(said("20 08:00", "24 21:00")[0]).toBe("预计 今天或明天送达");
});

test("where nothing is known nothing is said", () => {
  const now = instant(NOW)!;
  expect(intervalOf(null, now)).toBeNull();
  expect(intervalOf({ earliest: NOW, latest: "" }, now)).toBeNull();
  expect(intervalOf({ earliest: "", latest: "2026-11-25T14:00:00+08:00" }, now)?.kind).toBe("part");
});

test("no interval is told in the past or backwards", () => {
  const now = instant(NOW)!;
  const text = (ms: number) => `${new Date(ms + 8 * 3_600_000).toISOString().slice(0, 19)}+08:00`;
  for (let step = 0; step < 3000; step++) {
    const from = now + ((step * 7919) % 4000) * 600_000 - 48 * 3_600_000;
    const to = from + ((step * 104_729) % 900) * 600_000;
    const told = intervalOf({ earliest: text(from), latest: text(to) }, now)!;
    if (told.kind === "past") expect(to).toBeLessThan(now);
    else expect(to).toBeGreaterThanOrEqual(now);
    if (told.kind === "days") {
      expect(told.first.away).toBeGreaterThanOrEqual(0);
      expect(told.last.away).toBeGreaterThan(told.first.away);
    } else if (told.kind !== "past" && told.kind !== "within_hour")
      expect(told.day.away).toBeGreaterThanOrEqual(0);
    expect(zh.arrival(told, false)).not.toMatch(/undefined|NaN/);
    expect(en.arrival(told, true)).not.toMatch(/undefined|NaN/);
  }
});

test("an order that isn't shipped arrives at no time that has begun", () => {
  const [day, now] = ["2026-11-23T", instant(NOW)!];
  expect(expectedOf({ earliest: `${day}10:00:00+08:00`, latest: `${day}11:00:00+08:00` }, now)).toBeNull();
  expect(expectedOf({ earliest: `${day}13:00:00+08:00`, latest: `${day}18:00:00+08:00` }, now)?.kind).toBe(
    "part",
  );
  expect(expectedOf(null, now)).toBeNull();
});
