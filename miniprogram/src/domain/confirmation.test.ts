import { expect, test } from "vitest";
import { at, NOW, order, ORDER_STATUSES } from "../../tests/fixtures/documents";
import { isConfirmed, mayConfirm } from "./confirmation";

const row = (source: "buyer" | "carrier") =>
  ({ from: "in_transit", to: "delivered", occurred_at: at(NOW), recorded_at: at(NOW), source }) as const;

test("only what was sent and isn't back can be confirmed", () => {
  expect(ORDER_STATUSES.filter((status) => mayConfirm(order(status)))).toEqual([
    "shipped",
    "in_transit",
    "delivered",
  ]);
});

test("a carrier's delivery is no confirmation, the buyer's is", () => {
  expect(mayConfirm(order("delivered", { history: [row("carrier")] }))).toBe(true);
  expect(mayConfirm(order("delivered", { history: [row("carrier"), row("buyer")] }))).toBe(false);
  expect(isConfirmed(order("delivered", { history: [row("buyer")] }))).toBe(true);
});

test("an archived order can only be read", () => {
  expect(mayConfirm(order("delivered", { archived: true }))).toBe(false);
});
