import { expect, test } from "vitest";
import { fullOrder, parcel, TOLD } from "../../tests/fixtures/documents";
import type { AlertKind } from "@/api/types";
import { order as en } from "@/i18n/en/order";
import { order as zh } from "@/i18n/zh/order";
import { ADVICE, adviceOn, parcelsAbout, UNKNOWN_KIND } from "./alerts";

test("every kind that buyers are told has a word of what to do, in both languages and for all goods", () => {
  for (const kind of Object.keys(TOLD) as AlertKind[])
    for (const cold of ["frozen", "chilled", "ambient"] as const)
      for (const words of [zh, en]) {
        expect(words.alerts[kind].told, kind).toMatch(/[。.]$/);
        expect(words.alerts[kind].todo(cold), kind).toMatch(/[。.]$/);
      }
});

test("a locker gives two hours to what is cold, by what it is", () => {
  expect(zh.alerts.locker_waiting.todo("frozen")).toBe("请在 2 小时内取出并冷冻。");
  expect(zh.alerts.locker_waiting.todo("chilled")).toBe("请在 2 小时内取出并冷藏。");
  expect(zh.alerts.locker_waiting.todo("ambient")).not.toContain("冷");
});

test("where the courier can help he is offered", () => {
  expect(ADVICE.locker_waiting).toEqual({ urgent: true, help: "courier" });
  expect(ADVICE.wrong_address).toEqual({ urgent: true, help: "shop" });
});

test("a kind of a newer server still leads to the shop", () => {
  expect(adviceOn("melted")).toBe(UNKNOWN_KIND);
});

test("an alert is about the parcels whose status says so, and about the only one there is", () => {
  const { shipments } = fullOrder();
  const statuses = (kind: string) => parcelsAbout(kind, shipments).map((one) => one.status);
  expect(statuses("locker_waiting")).toEqual(["awaiting_pickup"]);
  expect(statuses("stale")).toEqual(["in_transit"]);
  expect(statuses("late_eta")).toEqual([]);
  expect(statuses("melted")).toEqual([]);
  expect(parcelsAbout("late_eta", [parcel()])).toHaveLength(1);
});
