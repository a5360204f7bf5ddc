/** One order as its page shows it: what was kept at once, then what the server says; and what the buyer can do. */
import { reactive } from "vue";
import { api, type OrderFilter } from "@/api";
import { ApiError } from "@/api/errors";
import * as sessions from "@/api/session";
import type {
  AdvisedTemplate,
  Eta,
  OrderDocument,
  OrderPage,
  Refreshed,
  WechatComponents,
} from "@/api/types";
import { outcomeOf, type Outcome } from "@/domain/refreshing";
import { platform, type Platform } from "@/platform";
import { consents } from "./consents";
import { kept, type Kept } from "./kept";

/** What the page asks; the server, or a test. */
export interface Source {
  order(orderNo: string): Promise<OrderDocument>;
  orders(filter: OrderFilter): Promise<OrderPage>;
  refresh(orderNo: string): Promise<Refreshed>;
  confirm(orderNo: string): Promise<OrderDocument>;
  wechat(orderNo: string): Promise<WechatComponents>;
}

export interface Memory {
  order(orderNo: string): Kept<OrderDocument> | null;
  putOrder(document: OrderDocument): void;
  dropOrder(orderNo: string): void;
}

/** The messages that the buyer may be asked to allow. */
export interface Reminders {
  advised(orderNo: string): Promise<AdvisedTemplate[]>;
  /** Straight from a tap: whether at least one was allowed. Never throws. */
  ask(templates: AdvisedTemplate[]): Promise<boolean>;
}

export interface Around {
  source: Source;
  memory: Memory;
  reminders: Reminders | null;
  components: Pick<Platform, "hasComponents" | "confirmReceipt">;
  now: () => number;
}

/** Looked at again sooner than that, an order isn't asked for again. */
const FRESH_MS = 3_000;

export type Busy = "load" | "refresh" | "confirm" | null;
export type OrderView = ReturnType<typeof orderView>;

export function orderView(orderNo: string, around: Around) {
  const { source, memory, reminders, components, now } = around;
  const state = reactive({
    document: null as OrderDocument | null,
    /** Unix milliseconds, by the server's clock, of what is shown. */
    at: null as number | null,
    /** Why what is shown isn't new, or isn't there. */
    problem: null as unknown,
    busy: null as Busy,
    /** The arrival of an order that isn't shipped yet: the list knows it, the document doesn't. */
    expected: null as Eta | null,
    /** For WeChat's logistics page, by waybill. */
    tokens: {} as Record<string, string>,
    advised: [] as AdvisedTemplate[],
    /** What relative words go by; moved on by `tick`. */
    now: now(),
  });
  /** Which question is the present one: an answer to a former one is nobody's. */
  let question = 0;

  const last = memory.order(orderNo);
  if (last) Object.assign(state, { document: last.value, at: last.at });

  function tick(): void {
    state.now = now();
  }

  function take(document: OrderDocument): void {
    Object.assign(state, { document, at: now(), problem: null });
    tick();
    memory.putOrder(document);
  }

  async function load(): Promise<void> {
    const mine = ++question;
    state.busy ??= "load";
    try {
      const document = await source.order(orderNo);
      if (mine !== question) return;
      take(document);
      void askAround(document, mine);
    } catch (problem) {
      if (mine === question) fail(problem);
    } finally {
      if (mine === question && state.busy === "load") state.busy = null;
    }
  }

  function fail(problem: unknown): void {
    state.problem = problem;
    tick();
    if (!(problem instanceof ApiError) || problem.code !== "order_not_found") return;
    memory.dropOrder(orderNo);
    state.document = null;
  }

  /** What the page is better with and can do without. */
  async function askAround(document: OrderDocument, mine: number): Promise<void> {
    const take = <T>(asked: Promise<T>, put: (answer: T) => void) =>
      asked.then((answer) => void (mine === question && put(answer))).catch(() => undefined);
    const waiting = document.status === "paid" && !document.shipments.length;
    if (!waiting) state.expected = null;
    await Promise.all([
      waiting && take(source.orders({ q: orderNo, limit: 1 }), (page) => (state.expected = etaOf(page))),
      components.hasComponents &&
        document.shipments.length > 0 &&
        take(source.wechat(orderNo), ({ waybills }) => {
          state.tokens = Object.fromEntries(waybills.map((one) => [one.waybill_no, one.waybill_token]));
        }),
      reminders &&
        !document.archived &&
        take(reminders.advised(orderNo), (advised) => (state.advised = advised)),
    ]);
  }

  function etaOf(page: OrderPage): Eta | null {
    return page.results.find((row) => row.order_no === orderNo)?.eta ?? null;
  }

  /** The page is looked at again. */
  async function lookAgain(): Promise<void> {
    tick();
    // The phone's clock may have been put back.
    const age = state.at === null ? Infinity : Math.abs(now() - state.at);
    if (state.busy || (age < FRESH_MS && !state.problem)) return;
    await load();
  }

  /** Ask the carrier. Throws ApiError where the question didn't get through. */
  async function refresh(): Promise<Outcome> {
    const pressedAt = now();
    const before = state.document?.shipments ?? [];
    return await busyWith("refresh", async () => {
      const answer = await source.refresh(orderNo);
      await load();
      return outcomeOf(answer, before, state.document?.shipments ?? [], pressedAt);
    });
  }

  /** Ask for the messages that are worth it; to be called straight from a tap. */
  async function remind(): Promise<boolean> {
    const asked = state.advised;
    const allowed = reminders ? await reminders.ask(asked) : false;
    // Once is enough for one look at the page, whatever the answer was.
    if (state.advised === asked) state.advised = [];
    return allowed;
  }

  /** Say that the goods are there: first to WeChat, where it wants to know, then to the server, which checks it there. */
  async function confirm(): Promise<"done" | "cancelled"> {
    return await busyWith("confirm", async () => {
      const component = components.hasComponents ? await confirmComponent() : null;
      if (component && (await components.confirmReceipt(component)) === "cancelled") return "cancelled";
      const document = await source.confirm(orderNo);
      question++;
      take(document);
      return "done";
    });
  }

  async function confirmComponent(): Promise<WechatComponents["confirm"]> {
    try {
      return (await source.wechat(orderNo)).confirm;
    } catch {
      return null;
    }
  }

  async function busyWith<T>(what: Busy, act: () => Promise<T>): Promise<T> {
    state.busy = what;
    try {
      return await act();
    } finally {
      state.busy = null;
    }
  }

  return { orderNo, state, load, lookAgain, refresh, confirm, remind, tick };
}

export function openOrder(orderNo: string): OrderView {
  return orderView(orderNo, {
    source: api,
    memory: kept,
    reminders: platform.canAskConsents ? consents : null,
    components: platform,
    now: sessions.now,
  });
}
