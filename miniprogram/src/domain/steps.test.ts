import { expect, test } from "vitest";
import { milestones, NOW, HOUR, at } from "../../tests/fixtures/documents";
import type { OrderStatus } from "@/api/types";
import { stepsOf } from "./steps";

const brief = (status: OrderStatus, given = milestones(status)) =>
  stepsOf({ status, milestones: given }).map((step) => `${step.status} ${step.state}`);

test("what was reached is done, then where it is, then what is ahead", () => {
  expect(brief("shipped")).toEqual([
    "placed done",
    "paid done",
    "shipped current",
    "in_transit ahead",
    "delivered ahead",
  ]);
});

test("a skipped step stays empty", () => {
  const steps = stepsOf({
    status: "delivered",
    milestones: milestones("delivered", ["shipped", "in_transit"]),
  });
  expect(steps.map((step) => [step.state, step.at === null])).toEqual([
    ["done", false],
    ["done", false],
    ["skipped", true],
    ["skipped", true],
    ["current", false],
  ]);
});

test("a way out ends the steps that were reached", () => {
  expect(brief("cancelled")).toEqual(["placed done", "paid done", "cancelled out"]);
  expect(brief("returned")).toEqual([
    "placed done",
    "paid done",
    "shipped done",
    "in_transit done",
    "returned out",
  ]);
});

test("two ways out stand in the order in which they were taken", () => {
  const both = [
    ...milestones("returned"),
    { status: "refunded" as const, label: "已退款", occurred_at: at(NOW + HOUR) },
  ];
  expect(brief("refunded", both).slice(-2)).toEqual(["returned out", "refunded out"]);
});

test("without milestones the status alone says where it is, and no instant is made up", () => {
  const steps = stepsOf({ status: "in_transit", milestones: [] });
  expect(steps.map((step) => step.state)).toEqual(["skipped", "skipped", "skipped", "current", "ahead"]);
  expect(steps.every((step) => step.at === null)).toBe(true);
  expect(brief("cancelled", [])).toEqual(["cancelled out"]);
});
