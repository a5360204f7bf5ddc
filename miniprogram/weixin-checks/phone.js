/** Runs the built program as WeChat does: its JavaScript in a realm of its own that has the language and `wx` and nothing
 * else, its templates by WeChat's own compiler, drawn into jsdom on this side of the wall. */
import fs from "node:fs";
import { createRequire } from "node:module";
import path from "node:path";
import vm from "node:vm";
import { JSDOM } from "jsdom";
import { Weixin } from "./rules.js";

// The simulator looks for a browser's globals as it is loaded.
const { window } = new JSDOM("<!doctype html><body></body>", { pretendToBeVisual: true });
for (const name of ["window", "document", "Event", "CustomEvent", "TouchEvent", "HTMLElement"])
  globalThis[name] ??= name === "window" ? window : window[name];
Object.assign(globalThis, { Event: window.Event, CustomEvent: window.CustomEvent });
const load = createRequire(import.meta.url);
const simulate = load("miniprogram-simulate");
const parts = load("miniprogram-simulate/src/utils");
const exparser = load("miniprogram-exparser");

/** In the language, but not in WeChat's runtime, or only on some phones. */
const NOT_THERE = ["Intl", "WebAssembly", "SharedArrayBuffer", "Atomics"];
const BUILT_IN_TYPES = { String, Number, Boolean, Object, Array };
const PATIENCE_MS = 20_000;

export class Phone {
  constructor(built, around) {
    this.built = built;
    this.weixin = new Weixin(around);
    this.start();
  }

  get storage() {
    return this.weixin.storage;
  }

  /** As after the program was taken off memory: what is stored stays. */
  start() {
    this.closePages();
    this.modules = new Map();
    this.pages = [];
    this.said = [];
    this.realm = vm.createContext(
      { console: this.console(), ...this.timers() },
      { codeGeneration: { strings: false, wasm: false } },
    );
    vm.runInContext(`for (const name of ${JSON.stringify(NOT_THERE)}) delete globalThis[name];`, this.realm);
    const parse = vm.runInContext("(text) => JSON.parse(text)", this.realm);
    const copy = (value) => parse(JSON.stringify(value));
    Object.assign(this.realm, {
      global: vm.runInContext("({})", this.realm),
      wx: { ...this.weixin.api(copy), ...this.navigation(copy) },
      App: (options) => (this.app = options),
      getApp: () => this.app,
      getCurrentPages: () => this.pages.map((page) => page.instance),
      Page: (options) => this.realm.Component(options),
      Component: (options) => globalThis.Component(withTypesOfThisSide(options)),
      requirePlugin: (name) => {
        throw new Error(this.weixin.rule(`plugin ${name} is not declared`));
      },
    });
    this.realm.wx = vm.runInContext("(members) => Object.assign({}, members)", this.realm)(this.realm.wx);
    parts.runJs = (file) => this.run(path.relative(this.built, `${file}.js`));
    this.run("app.js");
    const options = copy({ path: "pages/orders/index", query: {}, scene: 1001, referrerInfo: {} });
    this.app.onLaunch?.(options);
    this.app.onShow?.(options);
  }

  console() {
    const note =
      (level) =>
      (...words) =>
        this.said.push(`${level}: ${words.map(String).join(" ")}`);
    return {
      log: () => undefined,
      info: () => undefined,
      debug: () => undefined,
      warn: note("warn"),
      error: note("error"),
    };
  }

  /** WeChat still counts as the tap's what runs in a timer without delay; uni-app calls handlers of taps that way. */
  timers() {
    const later = (go, delay = 0, ...given) => {
      const tapped = this.weixin.tapping && !delay;
      return setTimeout(() => (tapped ? this.tapped(() => go(...given)) : go(...given)), delay);
    };
    return { setTimeout: later, clearTimeout, setInterval, clearInterval };
  }

  tapped(go) {
    this.weixin.tapping = true;
    try {
      return go();
    } finally {
      this.weixin.tapping = false;
    }
  }

  evaluate(code) {
    return vm.runInContext(code, this.realm);
  }

  /** Run a file anew; what it requires is run once. */
  run(name) {
    const file = path.join(this.built, name);
    const module = { exports: vm.runInContext("({})", this.realm) };
    const code = vm.compileFunction(fs.readFileSync(file, "utf8"), ["require", "module", "exports"], {
      filename: file,
      parsingContext: this.realm,
    });
    code((asked) => this.require(path.join(path.dirname(name), asked)), module, module.exports);
    return module.exports;
  }

  require(asked) {
    const found = asked.endsWith(".js") ? asked : `${asked}.js`;
    if (found.startsWith("..")) throw new Error(this.weixin.rule(`${asked} is outside of the package`));
    if (!this.modules.has(found)) this.modules.set(found, this.run(found));
    return this.modules.get(found);
  }

  // --- pages ------------------------------------------------------------------------------------------------

  navigation(copy) {
    const done = (asked) =>
      queueMicrotask(() => {
        asked?.success?.(copy({ errMsg: "ok" }));
        asked?.complete?.(copy({ errMsg: "ok" }));
      });
    const to = (keep) => (asked) => {
      while (this.pages.length > keep()) this.leave();
      this.open(asked.url);
      done(asked);
    };
    return {
      navigateTo: (asked) => {
        if (this.pages.length >= 10) this.weixin.rule("more than ten pages are open");
        this.page?.instance.onHide?.();
        this.open(asked.url);
        done(asked);
      },
      redirectTo: to(() => this.pages.length - 1),
      switchTab: to(() => 0),
      reLaunch: to(() => 0),
      navigateBack: (asked) => {
        this.leave();
        this.page?.instance.onShow?.();
        done(asked);
      },
    };
  }

  get page() {
    return this.pages.at(-1);
  }

  open(url) {
    const [route, query = ""] = url.replace(/^\//, "").split("?");
    const known = JSON.parse(fs.readFileSync(path.join(this.built, "app.json"), "utf8")).pages;
    if (!known.includes(route)) throw new Error(this.weixin.rule(`page ${route} is not declared`));
    const id = simulate.load(path.join(this.built, route), { rootPath: this.built, compiler: "official" });
    const drawn = simulate.render(id);
    const parent = document.body.appendChild(document.createElement("main"));
    const page = { route, drawn, parent, instance: drawn.instance };
    Object.assign(page.instance, { route, __route__: route });
    this.pages.push(page);
    drawn.attach(parent);
    const given = vm.runInContext("(pairs) => Object.fromEntries(pairs)", this.realm)(pairsOf(query));
    page.instance.onLoad?.(given);
    page.instance.onShow?.();
    page.instance.onReady?.();
    return page;
  }

  leave() {
    const page = this.pages.pop();
    page.instance.onUnload?.();
    page.drawn.detach();
    page.parent.remove();
  }

  closePages() {
    while (this.pages?.length) this.leave();
  }

  // --- what a person does and sees ----------------------------------------------------------------------------

  get text() {
    return this.page.parent.textContent;
  }

  /** Wait until the page says so. */
  async sees(what) {
    await this.until(
      () => (what instanceof RegExp ? what.test(this.text) : this.text.includes(what)),
      () => `the page doesn't say ${what}:\n${this.text}`,
    );
  }

  async until(holds, otherwise = () => "it never came") {
    const deadline = Date.now() + PATIENCE_MS;
    while (!holds()) {
      if (Date.now() > deadline) throw new Error([otherwise(), ...this.said].join("\n"));
      await new Promise((go) => setTimeout(go, 10));
    }
    // What follows from it in the same turn is awaited too.
    await new Promise((go) => setTimeout(go, 0));
  }

  /** The innermost element that says so; one that says nothing else before all others. */
  find(what) {
    const drawn = [...this.page.parent.querySelectorAll("*")].filter((element) => element.__wxElement);
    const saying = (says) => {
      const found = drawn.filter((element) => says(element.textContent.trim()));
      return found.find(
        (element) => ![...element.querySelectorAll("*")].some((inner) => found.includes(inner)),
      );
    };
    if (what instanceof RegExp) return saying((text) => what.test(text));
    return saying((text) => text === what) ?? saying((text) => text.includes(what));
  }

  tap(what) {
    const element = typeof what === "string" || what instanceof RegExp ? this.find(what) : what;
    if (!element) throw new Error(`nothing to tap: ${what}\n${this.text}`);
    this.tapped(() => this.trigger(element, "tap"));
  }

  trigger(element, name, detail = {}) {
    const event = exparser.Event.create(name, detail, {
      bubbles: true,
      capturePhase: true,
      composed: true,
      extraFields: { touches: [], changedTouches: [] },
    });
    exparser.Event.dispatchEvent(element.__wxElement, event);
  }

  /** The drawn buttons of an open-type: WeChat gives their results to no other element. */
  buttons(openType) {
    const attributes = (element) => element.__wxElement?._vt?.attrs ?? [];
    const wanted = (one) => one.name === "openType" && one.value === openType;
    return [...this.page.parent.querySelectorAll("wx-button")].filter((one) => attributes(one).some(wanted));
  }

  navigate(url) {
    this.realm.wx.navigateTo({ url });
  }

  pullDown() {
    this.page.instance.onPullDownRefresh?.();
  }

  /** Come back from another program. */
  comesBack(appId, extraData) {
    this.weixin.tell("AppHide", {});
    this.weixin.tell("AppShow", {
      path: this.page.route,
      query: {},
      scene: 1038,
      referrerInfo: { appId, extraData },
    });
  }
}

function pairsOf(query) {
  return query
    .split("&")
    .filter(Boolean)
    .map((pair) => pair.split("=").map(decodeURIComponent));
}

/** The simulator compares a property's type with its own constructors. */
function withTypesOfThisSide(options) {
  const here = (type) => (type ? (BUILT_IN_TYPES[type.name] ?? type) : type);
  for (const [name, given] of Object.entries(options.properties ?? {})) {
    if (typeof given === "function") options.properties[name] = here(given);
    else if (given?.type) given.type = here(given.type);
  }
  return options;
}
