/** What uni-app's elements lack in a browser: a name for the field inside its input, and the keyboard for what is tapped. */

const TAPPED = "[role=button],[role=link],[role=tab],[role=switch],[role=radio],uni-button";
const COPIED = ["aria-label", "aria-invalid"];

/** Once, as the program starts; it looks after what comes later, too. */
export function makeReachable(): void {
  mend();
  new MutationObserver(mend).observe(document.body, {
    childList: true,
    subtree: true,
    attributes: true,
    attributeFilter: COPIED,
  });
  document.addEventListener("keydown", press);
}

/** To screen readers and browsers that offer to translate. */
export function tellLanguage(language: string): void {
  document.documentElement.lang = language;
}

function mend(): void {
  document.querySelectorAll(".uni-tabbar__item").forEach((tab) => become("link", tab));
  document.querySelectorAll(".uni-page-head-hd .uni-page-head-btn").forEach((arrow) => {
    become("button", arrow);
    const name = document.documentElement.lang.startsWith("en") ? "Back" : "返回";
    if (arrow.getAttribute("aria-label") !== name) arrow.setAttribute("aria-label", name);
  });
  document.querySelectorAll<HTMLElement>(TAPPED).forEach((element) => {
    if (element.tabIndex < 0) element.tabIndex = 0;
    if (element.tagName === "UNI-BUTTON" && !element.hasAttribute("role"))
      element.setAttribute("role", "button");
  });
  document.querySelectorAll("uni-input[aria-label]").forEach((outer) => {
    const field = outer.querySelector("input");
    for (const name of COPIED) {
      const value = outer.getAttribute(name);
      if (field && value !== null && field.getAttribute(name) !== value) field.setAttribute(name, value);
    }
  });
}

function become(role: string, element: Element): void {
  if (!element.hasAttribute("role")) element.setAttribute("role", role);
}

function press(event: KeyboardEvent): void {
  const element = event.target;
  if (!(element instanceof HTMLElement) || !element.matches(TAPPED)) return;
  if (event.key !== "Enter" && event.key !== " ") return;
  event.preventDefault();
  element.click();
}
