/** The buyer's list: what it shows, what is under way, and what went wrong. One for the page of all orders. */
import { reactive } from "vue";
import { api, type OrderFilter } from "@/api";
import { ApiError } from "@/api/errors";
import * as sessions from "@/api/session";
import type { Counts, OrderPage, OrderSummary, Statuses } from "@/api/types";
import { EVERYTHING, isSearch, textsOf, type Filter } from "@/domain/listing";
import { append, begin, empty, patch, renew, type Feed } from "@/domain/paging";
import { kept, type Kept } from "./kept";

/** What the list asks; the server, or a test. */
export interface Source {
  orders(filter: OrderFilter): Promise<OrderPage>;
  counts(): Promise<Counts>;
  statuses(orderNos: string[]): Promise<Statuses>;
}

/** What was kept from the last time. */
export interface Memory {
  orders(key: string): Kept<OrderPage> | null;
  putOrders(key: string, first: OrderPage): void;
  counts(): Kept<Counts> | null;
  putCounts(counts: Counts): void;
}

const PAGE = 20;
/** Pages without anything new that are read in a row before the buyer is asked. */
const MOST_IN_VAIN = 3;
const MOST_STATUSES = 100;
/** Looked at again sooner than that, a list isn't asked for again. */
const FRESH_MS = 3_000;
/** Older than that, new orders may be there: statuses alone don't tell. */
const OLD_MS = 30_000;

export type Busy = "first" | "more" | null;

export function orderList(source: Source, memory: Memory, now: () => number = sessions.now) {
  const state = reactive({
    filter: { ...EVERYTHING } as Filter,
    feed: empty<OrderSummary>() as Feed<OrderSummary>,
    counts: null as Counts | null,
    busy: null as Busy,
    /** Why the first page is not there, or not new. */
    problem: null as unknown,
    /** Why the next page is not there. */
    moreProblem: null as unknown,
    /** Unix milliseconds, by the server's clock, of what is shown; null where nothing is. */
    at: null as number | null,
  });
  /** Which question is the present one: an answer to a former one is nobody's. */
  let question = 0;
  let buyers = 0;
  let countedAt = -Infinity;
  /** The number that the present text is found by. */
  let found = "";

  function asked(cursor: string | null, text = found): OrderFilter {
    const { status, from, to } = state.filter;
    return {
      limit: PAGE,
      ...(status && { status }),
      ...(text && { q: text }),
      ...(from && { from }),
      ...(to && { to }),
      ...(cursor && { cursor }),
    };
  }

  /** Show another part of the list: at once what was kept of it, then what the server says. */
  async function show(filter: Filter): Promise<void> {
    question++;
    found = "";
    const last = isSearch(filter) ? null : memory.orders(keyOf(filter));
    Object.assign(state, {
      filter: { ...filter },
      feed: last ? begin(last.value) : empty(),
      at: last?.at ?? null,
      problem: null,
      moreProblem: null,
      busy: null,
    });
    state.counts ??= memory.counts()?.value ?? null;
    await load();
  }

  /** Ask for the first page again; what was scrolled to stays where it can. */
  async function load(): Promise<void> {
    const mine = ++question;
    state.busy = "first";
    state.moreProblem = null;
    void count();
    try {
      const first = await firstPage();
      if (mine !== question) return;
      state.feed = state.feed.begun ? renew(state.feed, first) : begin(first);
      state.at = now();
      state.problem = null;
      if (!isSearch(state.filter)) memory.putOrders(keyOf(state.filter), first);
    } catch (problem) {
      if (mine === question) state.problem = problem;
    } finally {
      if (mine === question) state.busy = null;
    }
  }

  /** Of the numbers that the text may hold, the first that finds anything. */
  async function firstPage(): Promise<OrderPage> {
    for (const text of textsOf(state.filter)) {
      const page = await source.orders(asked(null, text));
      found = text;
      if (page.results.length) return page;
    }
    return { results: [], next: null };
  }

  async function count(): Promise<void> {
    if (Math.abs(now() - countedAt) < FRESH_MS) return;
    const mine = buyers;
    try {
      const counts = await source.counts();
      if (mine !== buyers) return;
      countedAt = now();
      state.counts = counts;
      memory.putCounts(counts);
    } catch {
      // The tabs can do without.
    }
  }

  /** The next page; nothing where one is under way, or the end was reached, or it failed and nobody asked again. */
  async function more({ again = false } = {}): Promise<void> {
    if (state.busy || state.feed.next === null || (state.moreProblem && !again)) return;
    const mine = question;
    state.busy = "more";
    state.moreProblem = null;
    try {
      for (let vain = 0; vain < MOST_IN_VAIN && state.feed.next !== null; vain++) {
        const page = await source.orders(asked(state.feed.next));
        if (mine !== question) return;
        const before = state.feed.items.length;
        state.feed = append(state.feed, page);
        if (state.feed.items.length > before) break;
      }
    } catch (problem) {
      if (mine !== question) return;
      if (problem instanceof ApiError && problem.code === "invalid") return void (await afresh());
      state.moreProblem = problem;
    } finally {
      if (mine === question) state.busy = null;
    }
  }

  /** A cursor that the server doesn't know any more: only the beginning helps. */
  async function afresh(): Promise<void> {
    state.feed = { ...state.feed, next: null };
    await load();
  }

  /** The page is looked at again: bring what it shows up to date, with as little as will do. */
  async function lookAgain(): Promise<void> {
    // The phone's clock may have been put back.
    const age = state.at === null ? Infinity : Math.abs(now() - state.at);
    if (state.busy || (age < FRESH_MS && !state.problem)) return;
    if (age > OLD_MS || state.problem || !state.feed.items.length) return load();
    const mine = question;
    const shown = state.feed.items.slice(0, MOST_STATUSES);
    try {
      const told = await source.statuses(shown.map((item) => item.order_no));
      if (mine !== question || state.busy) return;
      if (changed(shown, told)) {
        takeIn(told);
        await load();
      }
    } catch {
      // What is shown stays; the next look, or a pull, tells.
    }
  }

  function takeIn(told: Statuses): void {
    const news = new Map(told.results.map((row) => [row.order_no, row]));
    const gone = new Set(told.missing);
    const { status } = state.filter;
    state.feed = patch(
      state.feed,
      news,
      (item) => !gone.has(item.order_no) && (!status || item.status === status),
    );
  }

  /** Nothing of the former buyer stays. */
  function reset(): void {
    question++;
    buyers++;
    countedAt = -Infinity;
    found = "";
    Object.assign(state, {
      filter: { ...EVERYTHING },
      feed: empty(),
      counts: null,
      busy: null,
      problem: null,
      moreProblem: null,
      at: null,
    });
  }

  return { state, show, load, more, lookAgain, reset };
}

function keyOf(filter: Filter): string {
  return filter.status ?? "all";
}

function changed(shown: OrderSummary[], told: Statuses): boolean {
  const known = new Map(shown.map((item) => [item.order_no, item.updated_at]));
  return told.missing.length > 0 || told.results.some((row) => row.updated_at !== known.get(row.order_no));
}

export const orders = orderList(api, kept);
