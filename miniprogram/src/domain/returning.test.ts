import { describe, expect, it } from "vitest";
import { HOME, wayBack } from "./returning";

describe("the way back after signing in", () => {
  it("leads to our own pages, with their query", () => {
    expect(wayBack("/pages/order/detail?order_no=FD2026-a_1")).toEqual({
      url: "/pages/order/detail?order_no=FD2026-a_1",
      tab: false,
    });
    expect(wayBack("%2Fpages%2Forder%2Fdetail%3Forder_no%3DA").url).toBe("/pages/order/detail?order_no=A");
    expect(wayBack("/pages/find/index")).toEqual({ url: "/pages/find/index", tab: false });
    expect(wayBack("/pages/me/index?x=1")).toEqual({ url: "/pages/me/index", tab: true });
  });

  it.each([
    undefined,
    "",
    "https://evil.example/",
    "//evil.example/pages/orders/index",
    "javascript:alert(1)",
    "/pages/order/../../evil",
    "/pages/order/detail?order_no=A#/pages/evil",
    "/pages/order/detail?a=1?b=2",
    "/pages/order/detail?order_no=<script>",
    "pages/order/detail",
    "/pages/sign-in/index?back=/pages/sign-in/index",
    "/pages/unknown/index",
    `/pages/order/detail?order_no=${"a".repeat(400)}`,
    "\\\\evil",
    "%E0%A4%A",
    "%2F%2Fevil.example",
    "constructor",
  ])("%j leads home", (back) => {
    expect(wayBack(back)).toBe(HOME);
  });
});
