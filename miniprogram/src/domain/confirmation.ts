/** Whether the buyer may say, or said, that the goods are there. */
import type { OrderDocument, OrderStatus } from "@/api/types";

const CONFIRMABLE: readonly OrderStatus[] = ["shipped", "in_transit", "delivered"];

/** A confirmation stands in the history as the buyer's; a carrier's delivery doesn't count as one. */
export function isConfirmed({ history }: Pick<OrderDocument, "history">): boolean {
  return history.some((row) => row.source === "buyer" && row.to === "delivered");
}

export function mayConfirm(document: Pick<OrderDocument, "status" | "history" | "archived">): boolean {
  return !document.archived && CONFIRMABLE.includes(document.status) && !isConfirmed(document);
}
