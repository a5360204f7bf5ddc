/** The stand-in for WeChat refuses what WeChat refuses: otherwise the journeys would prove nothing. */
import assert from "node:assert/strict";
import http from "node:http";
import { after, before, beforeEach, describe, test } from "node:test";
import { Weixin } from "./rules.js";

const HOST = "shop.example.com";
let server, weixin, wx, waiting;

before(async () => {
  server = http.createServer((_, answer) => waiting.push(() => answer.end("{}"))).listen(0, "127.0.0.1");
  await new Promise((go) => server.once("listening", go));
});
after(() => server.close());

beforeEach(() => {
  waiting = [];
  weixin = new Weixin({
    domains: [HOST],
    api: `http://127.0.0.1:${server.address().port}`,
    loginCode: async () => "code",
  });
  wx = weixin.api((value) => value);
});

const call = (name, asked) =>
  new Promise((answered) =>
    wx[name]({ ...asked, success: () => answered("ok"), fail: (e) => answered(e.errMsg) }),
  );

test("an eleventh request at once fails", async () => {
  const answers = Array.from({ length: 10 }, () => call("request", { url: `https://${HOST}/api/shop` }));
  assert.match(await call("request", { url: `https://${HOST}/api/shop` }), /exceed max/);
  while (waiting.length < 10) await new Promise((go) => setTimeout(go, 5));
  waiting.forEach((answer) => answer());
  assert.deepEqual(new Set(await Promise.all(answers)), new Set(["ok"]));
  assert.equal(weixin.broken.length, 1);
});

for (const url of [`http://${HOST}/`, "https://elsewhere.example.com/", `https://${HOST}:8443/`, "/api/shop"])
  test(`a request to ${url} fails`, async () => {
    assert.match(await call("request", { url }), /not in domain list/);
    assert.equal(weixin.broken.length, 1);
  });

test("PATCH is no method of WeChat's", async () => {
  assert.match(await call("request", { url: `https://${HOST}/`, method: "PATCH" }), /invalid method/);
});

describe("consents", () => {
  test("can't be asked for outside a tap", async () => {
    assert.match(await call("requestSubscribeMessage", { tmplIds: ["a"] }), /TAP gesture/);
  });

  test("can't be asked for by four templates", async () => {
    weixin.tapping = true;
    assert.match(await call("requestSubscribeMessage", { tmplIds: ["a", "b", "c", "d"] }), /max bounds/);
    assert.equal(await call("requestSubscribeMessage", { tmplIds: ["a", "b", "c"] }), "ok");
  });
});

describe("storage", () => {
  test("holds no entry of more than a megabyte", () => {
    wx.setStorageSync("most", "x".repeat(1024 * 1024 - 2));
    assert.throws(() => wx.setStorageSync("more", "x".repeat(1024 * 1024)), /entry size limit/);
  });

  test("holds ten megabytes in all, and keeps copies", () => {
    const value = { text: "x".repeat(1_000_000) };
    for (let each = 0; each < 10; each++) wx.setStorageSync(`key-${each}`, value);
    assert.throws(() => wx.setStorageSync("key-10", value), /10MB/);
    value.text = "changed";
    assert.equal(wx.getStorageSync("key-0").text.length, 1_000_000);
  });
});
