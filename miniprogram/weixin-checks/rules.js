/** A `wx` that holds the built program to WeChat's rules. What WeChat would refuse is refused in its words, and noted in
 * `broken`, so that a page which swallows the refusal is found out all the same. Nothing here draws or knows pages. */
import http from "node:http";

const METHODS = ["OPTIONS", "GET", "HEAD", "POST", "PUT", "DELETE", "TRACE", "CONNECT"];
const REQUESTS_AT_ONCE = 10;
const TEMPLATES_AT_ONCE = 3;
const MOST_PER_KEY = 1024 * 1024;
const MOST_STORED = 10 * 1024 * 1024;

export class Weixin {
  /**
   * @param {{ domains: string[], api: string, loginCode: () => Promise<string> }} around
   *   `domains`: the request domains of the account's settings; `api`: the server that answers for them here.
   */
  constructor(around) {
    this.around = around;
    this.broken = [];
    this.storage = new Map();
    this.listeners = { AppShow: new Set(), AppHide: new Set(), NetworkStatusChange: new Set() };
    this.atPresent();
  }

  /** What a test sets, and what it reads afterwards. */
  atPresent() {
    this.online = true;
    this.tapping = false;
    this.underWay = 0;
    this.mostUnderWay = 0;
    this.requests = [];
    /** Canned answers for the next calls whose path holds the key. */
    this.answers = [];
    this.consent = "accept";
    this.asked = [];
    this.confirmations = [];
    this.modal = true;
    this.shown = [];
    this.titles = [];
    this.logins = 0;
  }

  rule(sentence) {
    this.broken.push(sentence);
    return sentence;
  }

  /** The part of `wx` that needs no pages. `parse` makes what it reads an object of the program's own realm. */
  api(parse) {
    const settle = (asked, error, answer = {}) => {
      queueMicrotask(() => {
        if (error) asked?.fail?.(parse({ errMsg: error, ...answer }));
        else asked?.success?.(parse({ errMsg: "ok", ...answer }));
        asked?.complete?.(parse({ errMsg: error || "ok", ...answer }));
      });
    };
    const noted = (list, name) => (asked) => {
      this[list].push({ name, ...asked });
      settle(asked);
    };
    const device = { brand: "devtools", model: "iPhone 12", system: "iOS 16.0", platform: "devtools" };
    const app = { language: "zh_CN", version: "8.0.50", SDKVersion: "3.6.0", theme: "light" };
    const host = { ...app, host: { env: "WeChat" } };
    const screen = {
      pixelRatio: 2,
      windowWidth: 375,
      windowHeight: 667,
      screenWidth: 375,
      screenHeight: 667,
    };
    const frame = {
      statusBarHeight: 20,
      safeArea: { left: 0, top: 20, right: 375, bottom: 667, width: 375, height: 647 },
    };
    const launch = { path: "pages/orders/index", query: {}, scene: 1001, referrerInfo: {} };
    return {
      canIUse: () => true,
      nextTick: (go) => queueMicrotask(go),
      getSystemInfoSync: () => parse({ ...device, ...host, ...screen, ...frame }),
      getDeviceInfo: () => parse(device),
      getAppBaseInfo: () => parse(host),
      getWindowInfo: () => parse({ ...screen, ...frame }),
      getLaunchOptionsSync: () => parse(launch),
      getEnterOptionsSync: () => parse(launch),
      getAccountInfoSync: () =>
        parse({ miniProgram: { appId: "wx0123456789abcdef", envVersion: "release" } }),
      getMenuButtonBoundingClientRect: () =>
        parse({ top: 24, bottom: 56, left: 281, right: 368, width: 87, height: 32 }),
      ...this.listening(),

      request: (asked) => this.request(asked, parse),
      login: (asked) => {
        this.logins++;
        this.around.loginCode().then(
          (code) => settle(asked, "", { code }),
          (problem) => settle(asked, `login:fail ${problem.message}`),
        );
      },
      getNetworkType: (asked) => settle(asked, "", { networkType: this.online ? "wifi" : "none" }),

      getStorageSync: (key) => (this.storage.has(key) ? parse(JSON.parse(this.storage.get(key))) : ""),
      setStorageSync: (key, value) => this.store(key, value),
      setStorage: (asked) => {
        try {
          this.store(asked.key, asked.data);
          settle(asked);
        } catch (problem) {
          settle(asked, problem.message);
        }
      },
      removeStorageSync: (key) => void this.storage.delete(key),
      removeStorage: (asked) => {
        this.storage.delete(asked.key);
        settle(asked);
      },
      clearStorageSync: () => this.storage.clear(),
      getStorageInfoSync: () => parse({ keys: [...this.storage.keys()], currentSize: this.stored() / 1024 }),

      requestSubscribeMessage: (asked) => this.subscribe(asked, settle),
      openBusinessView: (asked) => {
        this.confirmations.push(JSON.parse(JSON.stringify(asked)));
        settle(asked);
      },
      getPrivacySetting: (asked) =>
        settle(asked, "", { needAuthorization: false, privacyContractName: "《小程序隐私保护指引》" }),
      openPrivacyContract: (asked) => settle(asked),
      onNeedPrivacyAuthorization: () => undefined,

      preloadAssets: (asked) => void this.rule(`fetches from elsewhere: ${JSON.stringify(asked)}`),

      showToast: noted("shown", "toast"),
      hideToast: (asked) => settle(asked),
      showLoading: noted("shown", "loading"),
      hideLoading: (asked) => settle(asked),
      showModal: (asked) => {
        this.shown.push({ name: "modal", title: asked.title, content: asked.content });
        settle(asked, "", { confirm: this.modal, cancel: !this.modal });
      },
      showActionSheet: (asked) => settle(asked, "showActionSheet:fail cancel"),
      setClipboardData: noted("shown", "clipboard"),
      makePhoneCall: noted("shown", "call"),
      scanCode: (asked) => settle(asked, "scanCode:fail cancel"),
      vibrateShort: (asked) => settle(asked),
      setNavigationBarTitle: noted("titles", "title"),
      setTabBarItem: (asked) => settle(asked),
      setNavigationBarColor: (asked) => settle(asked),
      stopPullDownRefresh: (asked) => settle(asked),
      startPullDownRefresh: (asked) => settle(asked),
      pageScrollTo: (asked) => settle(asked),
    };
  }

  listening() {
    const pairs = Object.entries(this.listeners).flatMap(([name, all]) => [
      [`on${name}`, (told) => void all.add(told)],
      [`off${name}`, (told) => void (told ? all.delete(told) : all.clear())],
    ]);
    for (const name of ["onThemeChange", "onError", "onUnhandledRejection", "onPageNotFound"])
      pairs.push([name, () => undefined]);
    return Object.fromEntries(pairs);
  }

  tell(name, how) {
    for (const told of [...this.listeners[name]]) told(how);
  }

  stored() {
    return [...this.storage].reduce((sum, [key, text]) => sum + key.length + text.length, 0);
  }

  store(key, value) {
    const text = JSON.stringify(value) ?? '""';
    if (Buffer.byteLength(text) > MOST_PER_KEY)
      throw new Error(this.rule("setStorage:fail entry size limit reached"));
    if (this.stored() - (this.storage.get(key)?.length ?? 0) + text.length > MOST_STORED)
      throw new Error(this.rule("setStorage:fail exceed storage max size 10MB"));
    this.storage.set(key, text);
  }

  subscribe(asked, settle) {
    const refuse = (errCode, words) =>
      settle(asked, this.rule(`requestSubscribeMessage:fail ${words}`), { errCode });
    this.asked.push([...(asked.tmplIds ?? [])]);
    if (!this.tapping) return refuse(20003, "can only be invoked by user TAP gesture.");
    if (!asked.tmplIds?.length) return refuse(10001, "TmplIds can't be empty");
    if (asked.tmplIds.length > TEMPLATES_AT_ONCE) return refuse(20003, "Templates count out of max bounds");
    if (this.consent === null)
      return settle(asked, "requestSubscribeMessage:fail The main switch is switched off", {
        errCode: 20004,
      });
    settle(asked, "", Object.fromEntries(asked.tmplIds.map((id) => [id, this.consent])));
  }

  request(asked, parse) {
    const refuse = (words) => {
      queueMicrotask(() => asked.fail?.(parse({ errMsg: `request:fail ${words}`, errno: 600000 })));
      return { abort() {} };
    };
    const method = (asked.method ?? "GET").toUpperCase();
    const url = new URL(asked.url, "relative://");
    if (url.protocol !== "https:" || url.port || !this.around.domains.includes(url.hostname))
      return refuse(this.rule(`url not in domain list: ${asked.url}`));
    if (!METHODS.includes(method)) return refuse(this.rule(`invalid method ${method}`));
    if (Object.keys(asked.header ?? {}).some((name) => name.toLowerCase() === "referer"))
      this.rule("Referer can't be set");
    if (asked.data !== undefined && method === "GET") this.rule("data of a GET goes into the query");
    if (this.underWay >= REQUESTS_AT_ONCE) return refuse(this.rule("exceed max concurrent requests 10"));
    if (!this.online) return refuse("-118:net::ERR_INTERNET_DISCONNECTED");
    this.underWay++;
    this.mostUnderWay = Math.max(this.mostUnderWay, this.underWay);
    this.requests.push({ method, path: url.pathname, header: { ...asked.header }, body: asked.data });
    this.send(method, url, asked).then(
      (answer) => {
        this.underWay--;
        asked.success?.(parse({ errMsg: "request:ok", cookies: [], ...answer }));
      },
      (problem) => {
        this.underWay--;
        asked.fail?.(parse({ errMsg: `request:fail ${problem.message}` }));
      },
    );
    return { abort() {} };
  }

  async send(method, url, asked) {
    const canned = this.answers.findIndex((one) => one.method === method && url.pathname.includes(one.path));
    if (canned >= 0) {
      const { status, body } = this.answers.splice(canned, 1)[0];
      return {
        statusCode: status,
        header: { "Content-Type": "application/json" },
        data: JSON.stringify(body),
      };
    }
    const there = new URL(url.pathname + url.search, this.around.api);
    return await new Promise((answered, failed) => {
      const sent = http.request(there, { method, headers: asked.header ?? {} }, (answer) => {
        const parts = [];
        answer.on("data", (part) => parts.push(part));
        answer.on("end", () => {
          const data = Buffer.concat(parts)
            .toString("utf8")
            .replace(/^\uFEFF/, "");
          answered({ statusCode: answer.statusCode, header: { ...answer.headers }, data });
        });
      });
      sent.on("error", failed);
      sent.setTimeout(asked.timeout ?? 60_000, () => sent.destroy(new Error("timeout")));
      sent.end(asked.data);
    });
  }
}
