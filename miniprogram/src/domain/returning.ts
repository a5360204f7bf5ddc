/** The way back to where the buyer came from: one of our own pages, and nothing else that an address might hold. */

const TABS = ["/pages/orders/index", "/pages/me/index"];
const PAGES = ["/pages/order/detail", "/pages/find/index", "/pages/privacy/index"];
const QUERY = /^[A-Za-z0-9._~%=&-]*$/;
const LONGEST = 300;

export interface Way {
  url: string;
  /** A tab is switched to, a page opened. */
  tab: boolean;
}

export const HOME: Way = { url: TABS[0]!, tab: true };

/** `back` as it stands in the page's query: browsers have decoded it, WeChat hasn't. */
export function wayBack(given: string | undefined): Way {
  if (!given || given.length > LONGEST) return HOME;
  const back = given.startsWith("%") ? decoded(given) : given;
  const [path, query = "", ...more] = back.split("?");
  if (more.length || !QUERY.test(query)) return HOME;
  if (TABS.includes(path!)) return { url: path!, tab: true };
  if (!PAGES.includes(path!)) return HOME;
  return { url: query ? `${path}?${query}` : path!, tab: false };
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return "";
  }
}
