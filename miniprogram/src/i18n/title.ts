/** The title of a page and the names of the tabs, in the language that is chosen: WeChat takes them from no template. */
import { onHide, onShow } from "@dcloudio/uni-app";
import { watch } from "vue";
import { words } from "./index";

/** Call it in a page's setup. The bar is that of the page in front: a page behind it waits until it is shown. */
export function useTitle(title: () => string): void {
  let shown = false;
  const show = () => {
    if (shown) uni.setNavigationBarTitle({ title: title(), fail: () => undefined });
  };
  onShow(() => {
    shown = true;
    show();
  });
  onHide(() => (shown = false));
  watch(title, show);
}

/** Call it in the setup of a page that is a tab: elsewhere the names can't be set. */
export function useTabNames(): void {
  const show = () => {
    const names = [words.value.orders.tab, words.value.account.me.title];
    names.forEach((text, index) => uni.setTabBarItem({ index, text, fail: () => undefined }));
  };
  onShow(show);
  watch(words, show);
}
