/** The last state of what the buyer saw, for a page that shows at once and then renews, and for viewing offline.
 *
 *     const last = kept.order(orderNo);            // at once, no await: null where nothing is known
 *     if (last) show(last.value, last.at);         // `at`: when the server said so, in its own milliseconds
 *     try {
 *       const now = await api.order(orderNo);
 *       kept.putOrder(now); show(now);
 *     } catch (problem) {
 *       if (problem is "order_not_found") kept.dropOrder(orderNo);   // it isn't his any more
 *       // otherwise what is shown stays, with a notice that it is old
 *     }
 *
 * Of lists only the first page is kept, one for each key (a tab: its status, or "all"); searches aren't. Everything
 * belongs to the buyer who is signed in: it is gone when he signs out or another signs in, and nothing is kept before.
 * Bounded in number, size and age; the longest untouched goes first. Nothing here throws or waits.
 */
import * as sessions from "@/api/session";
import { buyersOwn, store, stored, unstore } from "@/api/storage";
import type { Counts, OrderDocument, OrderPage } from "@/api/types";
import { DAY_MS } from "@/domain/instants";

/** Raise it when the shape of what is kept changes (a test says so): what an older program kept is then not read. */
export const SHAPE = 1;

export interface Kept<T> {
  value: T;
  /** Unix milliseconds by the server's clock. */
  at: number;
}

export const MOST_ORDERS = 30;
export const MOST_LISTS = 12;
/** Characters of JSON. WeChat takes 1 MB under a key and 10 MB in all, a browser 5 million characters. */
export const LARGEST = 200_000;
export const LARGEST_IN_ALL = 2_000_000;
export const OLDEST_MS = 30 * DAY_MS;

type Kind = "order" | "list" | "counts";
interface Entry {
  name: string;
  size: number;
}

const MOST: Record<Kind, number> = { order: MOST_ORDERS, list: MOST_LISTS, counts: 1 };
const INDEX = buyersOwn(`kept${SHAPE}`);

const keyOf = (name: string) => `${INDEX}:${name}`;
const kindOf = (entry: Entry) => entry.name.split(":", 1)[0] as Kind;

/** Newest first. */
function index(): Entry[] {
  const entries = stored<Entry[]>(INDEX);
  return Array.isArray(entries) ? entries : [];
}

function get<T>(kind: Kind, id = ""): Kept<T> | null {
  const text = stored<string>(keyOf(`${kind}:${id}`));
  try {
    const found = typeof text === "string" ? (JSON.parse(text) as Kept<T>) : null;
    return found && sessions.now() - found.at < OLDEST_MS ? found : null;
  } catch {
    return null;
  }
}

function put(value: unknown, kind: Kind, id = ""): void {
  if (!sessions.session()) return;
  const name = `${kind}:${id}`;
  const text = JSON.stringify({ at: sessions.now(), value });
  const others = index().filter((entry) => entry.name !== name);
  if (text.length > LARGEST) return drop(kind, id);
  let left = bounded([{ name, size: text.length }, ...others]);
  discard(others, left);
  if (!store(keyOf(name), text)) {
    // Full: half of what is there makes room, and if that isn't enough it isn't kept.
    const half = left.slice(0, Math.ceil(left.length / 2));
    discard(left, half);
    left = store(keyOf(name), text) ? half : half.slice(1);
    if (left !== half) unstore(keyOf(name));
  }
  store(INDEX, left);
}

function drop(kind: Kind, id: string): void {
  unstore(keyOf(`${kind}:${id}`));
  store(
    INDEX,
    index().filter((entry) => entry.name !== `${kind}:${id}`),
  );
}

function bounded(entries: Entry[]): Entry[] {
  const counted: Record<Kind, number> = { order: 0, list: 0, counts: 0 };
  let size = 0;
  return entries.filter((entry) => {
    const kind = kindOf(entry);
    if (counted[kind] >= MOST[kind] || size + entry.size > LARGEST_IN_ALL) return false;
    counted[kind]++;
    size += entry.size;
    return true;
  });
}

function discard(before: Entry[], after: Entry[]): void {
  const left = new Set(after.map((entry) => entry.name));
  for (const entry of before) if (!left.has(entry.name)) unstore(keyOf(entry.name));
}

export const kept = {
  order: (orderNo: string) => get<OrderDocument>("order", orderNo),
  putOrder: (document: OrderDocument) => put(document, "order", document.order_no),
  dropOrder: (orderNo: string) => drop("order", orderNo),
  /** `key` names the tab. */
  orders: (key: string) => get<OrderPage>("list", key),
  putOrders: (key: string, firstPage: OrderPage) => put(firstPage, "list", key),
  counts: () => get<Counts>("counts"),
  putCounts: (counts: Counts) => put(counts, "counts"),
};
