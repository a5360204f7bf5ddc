/** A list that grows page by page while orders come and go: pure steps from one state of it to the next.
 *
 * The server's cursor is a place in (placed_at, id), newest first, so a page never depends on what stands before it.
 * What can still go wrong is here: an order told twice, and a gap between a new first page and the old rest. */

export interface Listed {
  order_no: string;
  /** All in the one form `…+08:00`: comparing them as text compares the instants. */
  placed_at: string;
}

export interface Page<T> {
  results: T[];
  next: string | null;
}

export interface Feed<T> {
  items: T[];
  /** Where the next page begins; null at the end. */
  next: string | null;
  /** Whether a first page has come. */
  begun: boolean;
}

export function empty<T>(): Feed<T> {
  return { items: [], next: null, begun: false };
}

export function begin<T extends Listed>(first: Page<T>): Feed<T> {
  return { items: once(first.results), next: first.next, begun: true };
}

/** What is shown already keeps its place and gets its news. */
export function append<T extends Listed>(feed: Feed<T>, page: Page<T>): Feed<T> {
  const news = new Map(page.results.map((item) => [item.order_no, item]));
  return {
    items: once([...feed.items.map((item) => news.get(item.order_no) ?? item), ...page.results]),
    next: page.next,
    begun: true,
  };
}

/** Put a new first page before what was scrolled to.
 *
 * All that it spans is as it says. The rest stays where the two meet; where they may not, it is dropped and will be
 * asked for again, since an order that nobody shows is worse than a shorter list. */
export function renew<T extends Listed>(feed: Feed<T>, first: Page<T>): Feed<T> {
  const last = first.results[first.results.length - 1];
  if (!last || first.next === null || !meets(feed.items, first.results, last)) return begin(first);
  const older = feed.items.filter((item) => item.placed_at <= last.placed_at);
  const items = once([...first.results, ...older]);
  const grown = items.length > first.results.length;
  return { items, next: grown ? feed.next : first.next, begun: true };
}

function meets<T extends Listed>(old: T[], first: T[], last: T): boolean {
  const top = old[0];
  if (!top) return false;
  if (top.placed_at !== last.placed_at) return top.placed_at > last.placed_at;
  return first.some((item) => item.order_no === top.order_no);
}

/** Take in what changed, without the order of the list; those for which `stays` is false go. */
export function patch<T extends Listed>(
  feed: Feed<T>,
  news: ReadonlyMap<string, Partial<T>>,
  stays: (item: T) => boolean,
): Feed<T> {
  const items = feed.items.map((item) => ({ ...item, ...news.get(item.order_no) })).filter(stays);
  return { ...feed, items };
}

function once<T extends Listed>(items: T[]): T[] {
  const seen = new Set<string>();
  return items.filter((item) => !seen.has(item.order_no) && seen.add(item.order_no));
}
