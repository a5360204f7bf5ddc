/** The ways from page to page. One step at a time: a second tap before the page is there leads nowhere. What can't be
 * gone is not gone: the buyer stands where he stood and may tap again. */
import { percentEncode } from "@/api/text";
import { HOME, wayBack } from "@/domain/returning";

/** WeChat stacks no more pages; one more takes the place of the last. */
export const MOST_PAGES = 10;

let underWay = false;

export function orderPage(orderNo: string): string {
  return `/pages/order/detail?order_no=${percentEncode(orderNo)}`;
}

/** Open a page that is no tab. */
export function go(url: string): void {
  if (underWay) return;
  underWay = true;
  const step = getCurrentPages().length < MOST_PAGES ? uni.navigateTo : uni.redirectTo;
  step({ url, complete: () => (underWay = false) });
}

/** Open the page that signs in, or binds a phone; `back` is where it leads when it wasn't come to from there. */
export function openSignIn(back = ""): void {
  go(`/pages/sign-in/index${back ? `?back=${percentEncode(back)}` : ""}`);
}

export function toOrders(): void {
  uni.switchTab({ url: HOME.url, fail: ignored });
}

/** To where the buyer came from; where that was no page of ours, to what the address named. */
export function goBack(named: string | undefined): void {
  if (getCurrentPages().length > 1) return uni.navigateBack({ fail: ignored });
  const way = wayBack(named);
  // Below another page there is always the list, so that its arrow leads somewhere.
  uni.switchTab({
    url: way.tab ? way.url : HOME.url,
    success: () => void (way.tab || go(way.url)),
    fail: ignored,
  });
}

function ignored(): void {}
