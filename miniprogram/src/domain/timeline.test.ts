import { expect, test } from "vitest";
import { at, HOUR, manyScans, NOW, scan } from "../../tests/fixtures/documents";
import { daysOf, folded, folds, scansOf } from "./timeline";

test("forty scans stand in their days, the newest first", () => {
  const scans = scansOf(manyScans(40));
  const days = daysOf(scans, NOW);
  expect(scans).toHaveLength(40);
  expect(days.flatMap((day) => day.scans)).toEqual(scans);
  expect(days.map((day) => day.day.away)).toEqual([0, -1, -2, -3, -4]);
  expect(new Set(days.map((day) => day.key)).size).toBe(days.length);
});

test("many fold to the last three; one alone is never hidden", () => {
  const scans = scansOf(manyScans(40));
  expect(folded(scans, false)).toEqual(scans.slice(0, 3));
  expect(folded(scans, true)).toHaveLength(40);
  expect(folds(scansOf(manyScans(4)))).toBe(false);
  expect(folded(scansOf(manyScans(4)), false)).toHaveLength(4);
});

test("a scan that is told twice shows once", () => {
  const twice = [
    scan(NOW, { description: "【上海市】快件到达 【浦东中心】" }),
    scan(NOW - 1000 * 30 + 30_000, { description: "[上海市]快件到达浦东中心。" }),
    scan(NOW - HOUR, { description: "【上海市】快件到达 【浦东中心】" }),
  ];
  expect(scansOf(twice)).toHaveLength(2);
});

test("scans are sorted whatever their order, those of one moment as they came", () => {
  const mixed = [
    scan(NOW - HOUR, { description: "a" }),
    scan(NOW, { description: "b" }),
    scan(NOW, { description: "c" }),
  ];
  expect(scansOf(mixed).map((one) => one.text)).toEqual(["b", "c", "a"]);
});

test("a day is one in Shanghai", () => {
  const midnight = Date.UTC(2026, 10, 22, 16);
  const days = daysOf(scansOf([scan(midnight), scan(midnight - 1000)]), NOW);
  expect(days.map((day) => day.day.day)).toEqual([23, 22]);
  expect(days.map((day) => day.scans[0]!.clock)).toEqual(["00:00", "23:59"]);
});

test("a place is not said twice, and an unreadable instant shows nothing wrong", () => {
  expect(scansOf([scan(NOW, { description: "【上海市】到达", location: "上海市" })])[0]!.place).toBe("");
  expect(scansOf([scan(NOW, { description: "到达", location: "上海市" })])[0]!.place).toBe("上海市");
  expect(scansOf([{ ...scan(NOW), occurred_at: "昨天" }])).toEqual([]);
  expect(at(NOW)).toBe("2026-11-23T10:30:00+08:00");
});
