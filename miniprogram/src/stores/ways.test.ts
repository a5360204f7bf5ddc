import { beforeEach, describe, expect, it } from "vitest";
import { go, goBack, MOST_PAGES, openSignIn, orderPage } from "./ways";

interface Step {
  how: string;
  url?: string;
  success?: () => void;
  fail?: () => void;
  complete?: () => void;
}

let steps: Step[];
let pages: number;

beforeEach(() => {
  steps = [];
  pages = 1;
  const taken = (how: string) => (asked: Step) => void steps.push({ ...asked, how });
  for (const how of ["navigateTo", "redirectTo", "switchTab", "navigateBack"])
    Object.assign(uni, { [how]: taken(how) });
  Object.assign(globalThis, { getCurrentPages: () => Array.from({ length: pages }) });
});

const arrive = () => steps[steps.length - 1]!.complete!();
const told = () => steps.map(({ how, url }) => [how, url]);

describe("a step", () => {
  it("is taken once, however often it is tapped, and again once it is done", () => {
    go("/pages/find/index");
    go("/pages/find/index");
    expect(steps).toHaveLength(1);
    arrive();
    go("/pages/find/index");
    expect(steps).toHaveLength(2);
    arrive();
  });

  it("is told where it ends, so that no promise fails unheard", () => {
    openSignIn();
    expect(steps[0]!.complete).toBeTypeOf("function");
    arrive();
  });

  it("takes the place of the last page where no more may be stacked", () => {
    pages = MOST_PAGES;
    go(orderPage("A/1"));
    arrive();
    expect(told()).toEqual([["redirectTo", "/pages/order/detail?order_no=A%2F1"]]);
  });
});

it("the page that signs in is told where it leads back to", () => {
  for (const back of ["/pages/order/detail?order_no=FD-1", ""]) {
    openSignIn(back);
    arrive();
  }
  expect(told()).toEqual([
    ["navigateTo", "/pages/sign-in/index?back=%2Fpages%2Forder%2Fdetail%3Forder_no%3DFD-1"],
    ["navigateTo", "/pages/sign-in/index"],
  ]);
});

describe("the way back", () => {
  it("leads to the page below", () => {
    pages = 2;
    goBack("/pages/order/detail?order_no=A1");
    expect(told()).toEqual([["navigateBack", undefined]]);
  });

  it("leads over the list to the page that the address names", () => {
    goBack("/pages/order/detail?order_no=A1");
    steps[0]!.success!();
    arrive();
    expect(told()).toEqual([
      ["switchTab", "/pages/orders/index"],
      ["navigateTo", "/pages/order/detail?order_no=A1"],
    ]);
  });

  it.each([undefined, "https://elsewhere.example.com/", "javascript:alert(1)", "//elsewhere.example.com"])(
    "leads to the list and nowhere else for %s",
    (back) => {
      goBack(back);
      steps[0]!.success!();
      expect(told()).toEqual([["switchTab", "/pages/orders/index"]]);
    },
  );
});
