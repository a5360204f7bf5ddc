/** The buyer's five steps, and the way out where one was taken. */
import type { Milestone, OrderDocument, OrderStatus } from "@/api/types";
import { instant } from "./instants";

export const STEPS = ["placed", "paid", "shipped", "in_transit", "delivered"] as const;
const WAYS_OUT: readonly OrderStatus[] = ["cancelled", "returned", "refunded"];

export interface Step {
  status: OrderStatus;
  /** Null where it isn't known: it is never made up. */
  at: number | null;
  /** `skipped`: a later step was reached without it. */
  state: "done" | "current" | "skipped" | "ahead" | "out";
}

/** After a way out, steps that were never reached are left away: they won't come any more. */
export function stepsOf(document: Pick<OrderDocument, "status" | "milestones">): Step[] {
  const at = (status: OrderStatus) => instant(milestone(document.milestones, status)?.occurred_at);
  const out = WAYS_OUT.filter((status) => status === document.status || at(status) !== null);
  const furthest = furthestStep(document, at);
  const road = STEPS.map((status, index): Step => {
    const reached = at(status);
    if (index > furthest) return { status, at: null, state: "ahead" };
    if (index === furthest && !out.length) return { status, at: reached, state: "current" };
    return { status, at: reached, state: reached === null ? "skipped" : "done" };
  });
  const ways = out.map((status): Step => ({ status, at: at(status), state: "out" }));
  const when = (step: Step) => step.at ?? Infinity;
  if (!out.length) return road;
  return [...road.filter((step) => step.state === "done"), ...ways.sort((a, b) => order(when(a), when(b)))];
}

function order(one: number, other: number): number {
  return one === other ? 0 : one - other;
}

function furthestStep(
  { status }: Pick<OrderDocument, "status">,
  at: (status: OrderStatus) => number | null,
): number {
  const reached = STEPS.map((step, index) => (step === status || at(step) !== null ? index : -1));
  return Math.max(...reached);
}

function milestone(milestones: readonly Milestone[], status: OrderStatus): Milestone | undefined {
  return milestones.find((one) => one.status === status);
}
