/** The built program driven as a buyer drives it, against the demo shop's server and its stand-in for WeChat. */
import assert from "node:assert/strict";
import { after, afterEach, beforeEach, describe, test } from "node:test";
import { Phone } from "./phone.js";

const { BUILT, API, SANDBOX, OPENID, VITE_API_URL } = process.env;
const LIST = "/pages/orders/index";
const ORDER_NO = /\b(?:DEMO|FD)[A-Z0-9-]{6,}/g;

async function loginCode() {
  const body = JSON.stringify({ openid: OPENID });
  const headers = { "Content-Type": "application/json" };
  return (await (await fetch(`${SANDBOX}/wechat/code`, { method: "POST", headers, body })).json()).code;
}

let phone;

beforeEach(() => {
  phone = new Phone(BUILT, { domains: [new URL(VITE_API_URL).hostname], api: API, loginCode });
});

afterEach(() => {
  phone.closePages();
  assert.deepEqual(phone.weixin.broken, [], "WeChat's rules");
  assert.deepEqual(phone.said, [], "the console");
});

after(() => setTimeout(() => process.exit(), 500).unref());

const module = (name) => phone.require(name);
const words = () => module("i18n/index").words.value;
const asked = (method, part) =>
  phone.weixin.requests.filter((one) => one.method === method && one.path.includes(part));
const ordersShown = () => [...new Set(phone.text.match(ORDER_NO) ?? [])];

async function openList() {
  phone.open(LIST);
  await phone.until(
    () => ordersShown().length > 3,
    () => `no orders: ${phone.text}`,
  );
}

/** Find an order of the demo buyer's by the API itself, as the pages ask it. */
async function anOrder(wanted, filter = {}) {
  const page = await module("api/index").api.orders({ limit: 50, ...filter });
  const found = page.results.find(wanted);
  assert.ok(found, "the demo has no such order");
  return found.order_no;
}

async function openOrder(orderNo) {
  phone.open(`/pages/order/detail?order_no=${orderNo}`);
  await phone.sees(orderNo);
}

describe("the runtime", () => {
  test("has the language and wx, and nothing of a browser or of Node", () => {
    const there = (name) => Object.hasOwn(phone.realm, name);
    const foreign = [
      "window",
      "document",
      "URL",
      "URLSearchParams",
      "TextEncoder",
      "crypto",
      "fetch",
      "process",
      "Intl",
    ];
    assert.deepEqual(foreign.filter(there), []);
    assert.throws(() => phone.evaluate("eval('1')"), { name: "EvalError" });
    assert.throws(() => phone.evaluate("new Function('return 1')()"), { name: "EvalError" });
  });
});

describe("every page", () => {
  for (const page of ["orders/index", "find/index", "me/index", "sign-in/index", "order/detail"])
    test(`${page} opens and is not blank`, async () => {
      phone.open(`/pages/${page}`);
      await phone.until(() => phone.text.trim().length > 3);
    });
});

describe("the list", () => {
  test("signs in by itself, once, and shows orders; every request is signed", async () => {
    await openList();
    assert.equal(phone.weixin.logins, 1);
    for (const { path, header } of phone.weixin.requests) {
      if (path.includes("/auth/login") || path.endsWith("/shop")) continue;
      assert.match(header["X-MP-Signature"], /^[0-9a-f]{64}$/, path);
    }
  });

  test("leads to an order by a tap", async () => {
    await openList();
    const [orderNo] = ordersShown();
    phone.tap(orderNo);
    await phone.until(() => phone.page.route === "pages/order/detail");
    await phone.sees(orderNo);
  });

  test("is loaded anew by pulling down", async () => {
    await openList();
    const before = asked("GET", "/api/orders").length;
    phone.pullDown();
    await phone.until(() => asked("GET", "/api/orders").length > before);
  });

  test("never asks more than ten things at once", async () => {
    await openList();
    const { api } = module("api/index");
    await Promise.all(
      ordersShown().flatMap((orderNo) => Array.from({ length: 5 }, () => api.order(orderNo))),
    );
    assert.equal(phone.weixin.mostUnderWay, 10);
  });
});

describe("an order", () => {
  test("shows its steps and its timeline", async () => {
    await openOrder(await anOrder((one) => one.status === "delivered" && one.shipments.length > 0));
    const { orderStatus } = words().common;
    for (const step of ["placed", "paid", "shipped", "in_transit", "delivered"])
      await phone.sees(orderStatus[step]);
    assert.match(phone.text, /\d{1,2}:\d{2}/);
  });

  test("asks the carrier by a tap, and says what came of it", async () => {
    await openOrder(await anOrder((one) => one.status === "in_transit"));
    phone.tap(words().order.refresh);
    await phone.until(() => asked("POST", "/refresh").length === 1);
    await phone.until(() => phone.weixin.shown.some((one) => one.name === "toast" && one.title));
  });

  test("of somebody else's is told as not found, with a way out", async () => {
    await module("api/index").api.counts();
    phone.open("/pages/order/detail?order_no=NOT-MINE-1");
    await phone.until(() => asked("GET", "NOT-MINE-1").length === 1 && phone.find(/\S/));
    await phone.until(() => phone.text.trim().length > 3 && !phone.text.includes("undefined"));
  });
});

describe("consents", () => {
  const ADVISED = ["a", "b", "c", "d"].map((id) => ({ template_id: `template-${id}`, title: `消息${id}` }));

  async function openWithAdvice() {
    const orderNo = await anOrder((one) => one.status === "in_transit");
    phone.weixin.answers.push({
      method: "GET",
      path: "/subscriptions/advice",
      status: 200,
      body: { results: ADVISED },
    });
    phone.weixin.answers.push({
      method: "POST",
      path: "/subscriptions",
      status: 200,
      body: { balances: {} },
    });
    await openOrder(orderNo);
    await phone.until(() => phone.find(words().order.remind));
  }

  test("are asked for by a tap, three at most, and told to the server", async () => {
    await openWithAdvice();
    phone.tap(words().order.remind);
    await phone.until(() => asked("POST", "/subscriptions").length === 1);
    assert.deepEqual(phone.weixin.asked, [["template-a", "template-b", "template-c"]]);
    const told = JSON.parse(asked("POST", "/subscriptions")[0].body);
    assert.deepEqual(
      told.grants.map((one) => one.result),
      ["accept", "accept", "accept"],
    );
  });

  test("refused or switched off, the order stays as it was", async () => {
    await openWithAdvice();
    phone.weixin.consent = null;
    phone.tap(words().order.remind);
    await phone.until(() => phone.weixin.shown.some((one) => one.title === words().order.notReminded));
    assert.equal(asked("POST", "/subscriptions").length, 0);
  });

  test("without a tap are nothing, and no page asks for them so", async () => {
    await openList();
    assert.deepEqual(phone.weixin.asked, []);
    assert.deepEqual({ ...(await module("platform/index").platform.askConsents(["template-a"])) }, {});
    assert.equal(phone.weixin.broken.splice(0).length, 1);
  });
});

describe("the confirmation of receipt", () => {
  const CONFIRMER = "wx1183b055aeec94d1";
  const component = {
    business_type: "weappOrderConfirm",
    extra_data: { transaction_id: "4200000000000000001" },
  };

  async function confirmByTap() {
    const { mayConfirm } = module("domain/confirmation");
    const { api } = module("api/index");
    const candidates = (await api.orders({ limit: 50, status: "delivered" })).results;
    for (const { order_no } of candidates) {
      if (!mayConfirm(await api.order(order_no))) continue;
      await openOrder(order_no);
      const canned = { status: 200, body: { confirm: component, waybills: [] } };
      const answer = { method: "GET", path: "/wechat", ...canned };
      phone.weixin.answers.push(answer, answer);
      phone.tap(words().order.confirmReceipt);
      await phone.until(() => phone.weixin.confirmations.length === 1);
      const [opened] = phone.weixin.confirmations;
      assert.equal(opened.businessType, component.business_type);
      assert.deepEqual(opened.extraData, component.extra_data);
      return order_no;
    }
    assert.fail("the demo has no order to confirm");
  }

  test("given up in WeChat's own view, nothing is told to the server", async () => {
    const orderNo = await confirmByTap();
    phone.comesBack(CONFIRMER, { status: "cancel" });
    await phone.until(() => true);
    assert.equal(asked("POST", `${orderNo}/confirm`).length, 0);
    assert.ok(phone.find(words().order.confirmReceipt));
  });

  test("done in WeChat's own view, the server is asked, and the page shows its answer", async () => {
    const orderNo = await confirmByTap();
    assert.equal(asked("POST", `${orderNo}/confirm`).length, 0);
    phone.comesBack(CONFIRMER, { status: "success" });
    await phone.until(() => asked("POST", `${orderNo}/confirm`).length === 1);
    // The whole text: 您已确认收货 is said afterwards.
    await phone.until(
      () => !phone.find(new RegExp(`^${words().order.confirmReceipt}$`)),
      () => `still to be confirmed: ${JSON.stringify(phone.weixin.shown)}`,
    );
  });
});

describe("an ended session", () => {
  const ended = (code) => ({
    method: "GET",
    path: "/orders",
    status: 401,
    body: { error: { code, message: "" } },
  });

  for (const code of ["session_expired", "unauthenticated"])
    test(`${code} is renewed without a word to the buyer`, async () => {
      await module("api/index").api.counts();
      phone.weixin.answers.push(ended(code));
      await openList();
      assert.equal(phone.weixin.logins, 2);
      assert.deepEqual(
        phone.weixin.shown.filter((one) => one.name === "modal"),
        [],
      );
    });
});

describe("without a network", () => {
  test("the list and the visited order are shown as they were, and said to be so", async () => {
    await openList();
    const [orderNo] = ordersShown();
    await openOrder(orderNo);
    phone.weixin.online = false;
    phone.start();
    phone.open(LIST);
    await phone.sees(orderNo);
    phone.open(`/pages/order/detail?order_no=${orderNo}`);
    await phone.sees(orderNo);
    phone.pullDown();
    await phone.sees(words().common.trouble.offline);
    assert.ok(phone.text.includes(orderNo));
  });

  test("what was never seen is said to be out of reach, with a way to try again", async () => {
    phone.weixin.online = false;
    phone.open(LIST);
    await phone.sees(words().common.retry);
    phone.weixin.online = true;
    phone.tap(words().common.retry);
    await phone.until(() => ordersShown().length > 3);
  });
});

describe("the phone button", () => {
  test("hands its code to the server", async () => {
    await module("api/index").api.counts();
    phone.weixin.answers.push({
      method: "POST",
      path: "/auth/phone",
      status: 200,
      body: { phone: "138****0000" },
    });
    phone.open(LIST);
    await phone.until(() => ordersShown().length > 3);
    phone.navigate("/pages/sign-in/index");
    await phone.until(() => phone.buttons("getPhoneNumber").length === 1);
    phone.trigger(phone.buttons("getPhoneNumber")[0], "getphonenumber", { code: "of-the-button" });
    await phone.until(() => asked("POST", "/auth/phone").length === 1);
    assert.deepEqual(JSON.parse(asked("POST", "/auth/phone")[0].body), { code: "of-the-button" });
    await phone.until(() => phone.page.route === "pages/orders/index");
  });
});
