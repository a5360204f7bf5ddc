"""What the tests of the buyers' pages share: a shop with orders of its own, and a browser that sees what goes wrong."""

import datetime as dt
import hashlib
import hmac
import itertools
import json
import re
import secrets
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import requests
from playwright.sync_api import Browser, BrowserContext, Page, Response, Route

from benchmarks.client import signed_headers

FOLDER = Path(__file__).resolve().parent.parent / "miniprogram"
SMALL = {"width": 320, "height": 568}
LARGE = {"width": 430, "height": 932}
SHANGHAI = dt.timezone(dt.timedelta(hours=8))
# How uni-app keeps a value in a browser.
SESSION = "buyer:session"

_counter = itertools.count(1)


def kept_as(value: Any) -> str:
    kind = {dict: "object", str: "string", int: "number"}[type(value)]
    return json.dumps({"type": kind, "data": value})


def is_instant(before: dt.timedelta) -> str:
    """Return the instant so long ago, as the APIs write it."""
    return (dt.datetime.now(SHANGHAI) - before).isoformat(timespec="seconds")


class Buyer:
    """Somebody who ordered: by openid, so that no SMS is needed to be signed in."""

    def __init__(self, shop: "Shop") -> None:
        self.shop = shop
        self.openid = f"oJourney{secrets.token_hex(10)}"
        self.phone = f"139{secrets.randbelow(10**8):08d}"
        self.order_nos: list[str] = []

    def order(self, **given: Any) -> str:
        return self.orders(given)[0]

    def orders(self, *wanted: Mapping[str, Any]) -> list[str]:
        """Place orders, paid unless `paid_at` is None; `age` is how long ago. Return their numbers."""
        rows = [self._row(**given) for given in wanted]
        self.shop.tell("orders", rows)
        self.order_nos += (made := [str(row["order_no"]) for row in rows])
        return made

    def _row(self, *, age: dt.timedelta = dt.timedelta(hours=1), **given: Any) -> dict[str, Any]:
        row = {
            "order_no": f"JO{secrets.token_hex(3).upper()}{next(_counter):04d}",
            "placed_at": is_instant(age),
            "paid_at": is_instant(age),
            "buyer_openid": self.openid,
            "consignee": {"name": "林晓", "phone": self.phone, "province": "上海市", "city": "上海市",
                          "district": "浦东新区", "address": "世纪大道 100 号 8 楼"},
            "lines": [{"sku": "FZ-DY-2", "name": "舟山带鱼段 2kg", "quantity": 2, "unit_price_fen": 8800,
                       "temperature_class": "frozen"}],
            "total_fen": 17600,
        }  # fmt: skip
        return {key: value for key, value in (row | given).items() if value is not None}

    def login(self) -> dict[str, Any]:
        code = self.shop.sandbox("POST", "wechat/code", {"openid": self.openid})["code"]
        answer = requests.post(f"{self.shop.base}/api/auth/login", json={"code": code}, timeout=20)
        assert answer.status_code == 200, answer.text
        return dict(answer.json())


class Shop:
    """The running demo seen by its own back end, and by the services around it."""

    def __init__(self, demo: Mapping[str, Any]) -> None:
        self.pages = demo["urls"]["buyer"]
        self.base = self.pages.removesuffix("/m/")
        self.demo = demo

    def sandbox(self, method: str, path: str, asked: object = None) -> dict[str, Any]:
        answer = requests.request(method, self.demo["urls"]["sandbox"] + path, json=asked, timeout=20)
        assert answer.status_code < 300, answer.text
        return dict(answer.json())

    def tell(self, path: str, payload: object) -> dict[str, Any]:
        """Call the merchant's API."""
        body, stamp, nonce = json.dumps(payload).encode(), str(int(time.time())), secrets.token_urlsafe(24)
        lines = ["MK1-HMAC-SHA256", "POST", f"/merchant/{path}", "", hashlib.sha256(body).hexdigest(), stamp, nonce]
        key = bytes.fromhex(self.demo["merchant"]["secret_hex"])
        headers = {
            "Content-Type": "application/json",
            "X-Key-Id": self.demo["merchant"]["key_id"],
            "X-Timestamp": stamp,
            "X-Nonce": nonce,
            "X-Signature": hmac.new(key, "\n".join(lines).encode(), hashlib.sha256).hexdigest(),
        }
        answer = requests.post(f"{self.base}/merchant/{path}", data=body, headers=headers, timeout=20)
        assert answer.status_code < 300, answer.text
        return dict(answer.json())

    def ship(self, order_no: str, **given: Any) -> str:
        """Hand a parcel to a carrier; return its waybill."""
        waybill_no = f"SF{secrets.randbelow(10**13):013d}"
        parcel = {"carrier_code": "SF", "waybill_no": waybill_no, "shipped_at": is_instant(dt.timedelta(minutes=50))}
        self.tell(f"orders/{order_no}/shipments", parcel | given)
        return waybill_no

    def scan(self, order_no: str, waybill_no: str, status: str, minutes_ago: float, text: str) -> None:
        happened = {"status": status, "occurred_at": is_instant(dt.timedelta(minutes=minutes_ago)), "description": text}
        reference = f"{waybill_no}:{minutes_ago}"
        self.tell(f"orders/{order_no}/shipments/{waybill_no}/events", happened | {"reference": reference})

    def call(self, login: Mapping[str, Any], method: str, target: str) -> requests.Response:
        """Call the buyers' API within a session."""
        signed = signed_headers("MP1-HMAC-SHA256", login["sign_secret"], method, target)
        headers = {"Authorization": f"Bearer {login['token']}"} | {f"X-MP-{key}": signed[key] for key in signed}
        return requests.request(method, self.base + target, headers=headers, timeout=20)

    def code_sent_to(self, phone: str) -> str:
        messages = self.sandbox("GET", f"sms?phone={phone}")["messages"]
        return re.findall(r"\d{6}", messages[-1]["text"])[0]


def session_of(login: Mapping[str, Any], *, ends_in_ms: int = 6 * 24 * 3_600_000) -> dict[str, Any]:
    """Return a session as the pages keep it."""
    return {
        "token": login["token"],
        "secret": login["sign_secret"],
        "endsAt": int(time.time() * 1000) + ends_in_ms,
        "clockOffset": 0,
        "api": "",
    }


class Phone:
    """A phone with a browser, on which nothing goes wrong unseen."""

    def __init__(self, browser: Browser, shop: Shop, *, login: Mapping[str, Any] | None = None, **given: Any) -> None:
        self.shop = shop
        self.wrong: list[str] = []
        self.refused: list[tuple[int, str]] = []
        self.expected: set[int] = set()
        self.may_fail = False
        keeps: dict[str, Any] = {"settings": {"language": "zh", "largeText": False}} | given.pop("keeps", {})
        if login:
            keeps[SESSION] = session_of(login)
        kept = [{"name": name, "value": kept_as(value)} for name, value in keeps.items()]
        options: dict[str, Any] = {
            "viewport": SMALL,
            "locale": "zh-CN",
            "timezone_id": "Asia/Shanghai",
            "has_touch": True,
            "is_mobile": True,
            "storage_state": {"cookies": [], "origins": [{"origin": shop.base, "localStorage": kept}]},
            "permissions": ["clipboard-read", "clipboard-write"],
        }
        self.context: BrowserContext = browser.new_context(**(options | given))
        self.page: Page = self.context.new_page()
        self.page.on("pageerror", lambda error: self.wrong.append(f"script: {error}"))
        self.page.on("console", lambda said: self._console(said.type, said.text))
        self.page.on("request", lambda asked: self._asked(asked.url))
        self.page.on("response", self._answered)

    def _console(self, kind: str, text: str) -> None:
        # Chromium's own line about an answer that is no success; those are looked at one by one below.
        if kind in ("error", "warning") and not text.startswith("Failed to load resource"):
            self.wrong.append(f"console: {text}")

    def _asked(self, url: str) -> None:
        if urlsplit(url).scheme in ("http", "https") and not url.startswith(self.shop.base + "/"):
            self.wrong.append(f"foreign: {url}")

    def _answered(self, answer: Response) -> None:
        if answer.status >= 400:
            self.refused.append((answer.status, urlsplit(answer.url).path))

    def close(self) -> None:
        """Close the browser's window, and fail for what went wrong in it."""
        self.context.close()
        unexpected = [f"{status} {path}" for status, path in self.refused if status not in self.expected]
        assert not self.wrong + unexpected

    def open(self, path: str = "pages/orders/index") -> Page:
        """Come to a page from elsewhere by its address, as a link in a message leads there."""
        self.page.goto("about:blank")
        self.page.goto(f"{self.shop.pages}#/{path}")
        return self.page

    def open_order(self, order_no: str) -> Page:
        return self.open(f"pages/order/detail?order_no={quote(order_no)}")

    def storage(self) -> dict[str, str]:
        return dict(self.page.evaluate("() => ({...localStorage})"))

    def answer(self, pattern: str, act: Callable[[Route], None], times: int | None = None) -> None:
        self.page.route(re.compile(pattern), act, times=times)


def fixtures() -> dict[str, Any]:
    """Return {"now", "gallery"}: the documents that the unit tests of the pages are made with, by name."""
    script = FOLDER / "tests" / "fixtures" / "documents.ts"
    esbuild = FOLDER / "node_modules" / ".bin" / "esbuild"
    code = subprocess.run([esbuild, script, "--format=esm"], check=True, capture_output=True, text=True, timeout=60)
    shown = f"{code.stdout}\nconsole.log(JSON.stringify({{ now: NOW, gallery: gallery() }}));"
    node = ["node", "--input-type=module"]
    done = subprocess.run(node, input=shown, check=True, capture_output=True, text=True, timeout=60)
    return dict(json.loads(done.stdout))


def answers(route: Route, payload: object, status: int = 200, headers: Mapping[str, str] | None = None) -> None:
    route.fulfill(status=status, json=payload, headers=dict(headers or {}))


# What holds for every page, whatever it shows; each returns sentences about what doesn't.

LAYOUT = """() => {
  const wrong = [];
  const { clientWidth: wide, scrollWidth: drawn } = document.documentElement;
  if (drawn > wide) wrong.push(`the page is ${drawn} wide`);
  const page = [...document.querySelectorAll('uni-page')].find((one) => one.getClientRects().length);
  const shown = (one) => one.getClientRects().length && getComputedStyle(one).visibility !== 'hidden';
  const about = (one) => `${one.className || one.tagName} “${one.textContent.trim().slice(0, 30)}”`;
  const scrolls = (one) => one.closest('uni-scroll-view');
  for (const one of page.querySelectorAll('uni-view, uni-text, uni-button')) {
    if (!shown(one)) continue;
    const box = one.getBoundingClientRect();
    if (!scrolls(one) && (box.right > wide + 1 || box.left < -1)) wrong.push(`hangs out: ${about(one)}`);
    const style = getComputedStyle(one);
    const cuts = style.overflow !== 'visible' && one.scrollWidth > one.clientWidth + 1;
    if (cuts && one.clientWidth) wrong.push(`cut: ${about(one)}`);
  }
  // Texts that stand beside or below each other share no room.
  const range = document.createRange();
  const boxes = [];
  const walker = document.createTreeWalker(page.querySelector('uni-page-wrapper'), NodeFilter.SHOW_TEXT);
  for (let node = walker.nextNode(); node; node = walker.nextNode()) {
    if (!node.data.trim() || !shown(node.parentElement) || node.parentElement.closest('[aria-hidden=true]')) continue;
    range.selectNodeContents(node);
    for (const box of range.getClientRects()) if (box.width > 1) boxes.push({ node, box });
  }
  for (let i = 0; i < boxes.length; i++)
    for (let j = i + 1; j < boxes.length; j++) {
      const [one, other] = [boxes[i], boxes[j]];
      if (one.node === other.node || scrolls(one.node.parentElement) || scrolls(other.node.parentElement)) continue;
      const across = Math.min(one.box.right, other.box.right) - Math.max(one.box.left, other.box.left);
      const down = Math.min(one.box.bottom, other.box.bottom) - Math.max(one.box.top, other.box.top);
      // Lines of a large font may touch by a hair.
      if (across > 1 && down > 0.3 * Math.min(one.box.height, other.box.height))
        wrong.push(`overlap: “${one.node.data.trim().slice(0, 20)}” and “${other.node.data.trim().slice(0, 20)}”`);
    }
  return wrong;
}"""

# A value that got into the text unmade, or the name of a word instead of the word.
UNMADE = re.compile(
    r"undefined|null|NaN|\[object|Invalid Date|\b(?:common|order|orders|account)\.[a-z]+[A-Za-z.]*\b|=>"
)

NAMES = """() => {
  const wrong = [];
  const shown = (one) => one.getClientRects().length && getComputedStyle(one).visibility !== 'hidden';
  const roles = ['button', 'link', 'tab', 'switch', 'radio'].map((role) => `[role=${role}]`);
  const acts = [...roles, 'uni-button', 'input', '.uni-tabbar__item', '.uni-page-head-btn'].join();
  for (const one of document.querySelectorAll(acts)) {
    if (!shown(one) || one.closest('[aria-hidden=true]')) continue;
    const about = `${one.tagName} ${one.className} “${one.textContent.trim().slice(0, 30)}”`;
    const name = one.getAttribute('aria-label') || one.textContent.trim();
    if (!name) wrong.push(`without a name: ${about}`);
    const box = one.getBoundingClientRect();
    // A number inside a carrier's sentence is enlarged by its padding.
    const height = one.tagName === 'INPUT' ? one.closest('uni-input').getBoundingClientRect().height : box.height;
    if (height < 43.5 && !one.closest('.uni-page-head')) wrong.push(`${Math.round(height)} px high: ${about}`);
    if (one.tagName !== 'INPUT' && one.tabIndex < 0 && !one.hasAttribute('disabled'))
      wrong.push(`not for the keyboard: ${about}`);
  }
  return wrong;
}"""

CONTRAST = """() => {
  const wrong = [];
  const colour = (text) => {
    const [r, g, b, opaque = 1] = text.match(/[\\d.]+/g).map(Number);
    return [r, g, b, opaque];
  };
  const over = (front, back) => [0, 1, 2].map((i) => front[i] * front[3] + back[i] * (1 - front[3]));
  const light = (rgb) => {
    const [r, g, b] = rgb.map((v) => { v /= 255; return v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4; });
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const ground = (one) => {
    const layers = [];
    for (let at = one; at; at = at.parentElement) {
      const back = colour(getComputedStyle(at).backgroundColor);
      if (back[3]) layers.push(back);
      if (back[3] === 1) break;
    }
    return layers.reverse().reduce((under, layer) => over(layer, under), [255, 255, 255]);
  };
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  const told = new Set();
  for (let node = walker.nextNode(); node; node = walker.nextNode()) {
    const one = node.parentElement;
    const style = getComputedStyle(one);
    if (!node.data.trim() || !one.getClientRects().length || style.visibility === 'hidden') continue;
    if (['SCRIPT', 'STYLE', 'NOSCRIPT'].includes(one.tagName) || one.closest('[aria-hidden=true]')) continue;
    const back = ground(one);
    const [low, high] = [light(over(colour(style.color), back)), light(back)].sort((a, b) => a - b);
    const ratio = (high + 0.05) / (low + 0.05);
    const said = `${ratio.toFixed(1)}: ${one.className || one.tagName} “${node.data.trim().slice(0, 20)}”`;
    if (ratio < 4.5 && !told.has(said)) { told.add(said); wrong.push(said); }
  }
  return wrong;
}"""


def layout_of(page: Page) -> Sequence[str]:
    text = page.locator("uni-app").inner_text()
    return [*page.evaluate(LAYOUT), *(f"unmade: {found.group()}" for found in UNMADE.finditer(text))]


def access_of(page: Page) -> Sequence[str]:
    return [*page.evaluate(NAMES), *page.evaluate(CONTRAST)]
