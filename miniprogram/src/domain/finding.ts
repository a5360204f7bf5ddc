/** One number after the other, until an order is found. */
import type { OrderFilter } from "@/api";
import type { OrderPage, OrderSummary } from "@/api/types";
import { candidates } from "./waybill";

export type Finding =
  | { kind: "missing" }
  /** Nothing in the text can be a number. */
  | { kind: "no_number" }
  | { kind: "none"; number: string }
  | { kind: "one"; orderNo: string }
  | { kind: "several"; orders: OrderSummary[] };

/** `ask` is the list's call; what it throws comes through. */
export async function find(text: string, ask: (filter: OrderFilter) => Promise<OrderPage>): Promise<Finding> {
  if (!text.trim()) return { kind: "missing" };
  const numbers = candidates(text);
  if (!numbers.length) return { kind: "no_number" };
  for (const number of numbers) {
    const { results } = await ask({ q: number });
    if (results.length === 1) return { kind: "one", orderNo: results[0]!.order_no };
    if (results.length > 1) return { kind: "several", orders: results };
  }
  return { kind: "none", number: numbers[0]! };
}
