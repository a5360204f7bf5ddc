"""The buyers' pages in a browser, on small and large phones: every journey, against the living demo.

Whatever a test is about, nothing else may go wrong in it: no error of a script, no word on the console, no request to
another host, no answer that says no unless the test expects it (`buyer_page.Phone`).
"""

import contextlib
import datetime as dt
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest
from playwright.sync_api import Browser, Locator, Page, expect, sync_playwright
from playwright.sync_api import TimeoutError as PlaywrightTimeout

from tests import buyer_page
from tests.buyer_page import LARGE, SMALL, Buyer, Phone, Shop, answers

CHROMIUM = Path("/usr/bin/chromium")
ARGUMENTS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking"]
MAKE = buyer_page.FOLDER / "scripts" / "make.py"
DAYS = dt.timedelta(days=1)
MANY = 45
"""More than two pages of the list."""

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]
# A machine with much else to do takes its time; none is slept away.
expect.set_options(timeout=30_000)


# --- what is there ----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module", autouse=True)
def pages() -> None:
    """The pages as they are now, built where they aren't."""
    absent = "there is no Node.js" if not shutil.which("npm") else ""
    absent = absent or ("" if CHROMIUM.exists() else f"{CHROMIUM} is absent (apt-get install chromium)")
    if absent:
        if "1" in (os.environ.get("REQUIRE_NODE"), os.environ.get("REQUIRE_SERVICES")):
            pytest.fail(absent)
        pytest.skip(absent)
    done = subprocess.run([sys.executable, MAKE, "build", "h5"], capture_output=True, text=True, timeout=350)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture(scope="module")
def shop(pages: None, running: dict[str, Any]) -> Shop:
    return Shop(running)


@pytest.fixture(scope="module")
def browser(pages: None) -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture
def phone(browser: Browser, shop: Shop) -> Iterator[Callable[..., Phone]]:
    """Make phones; `login` says who is signed in."""
    made: list[Phone] = []

    def make(**given: Any) -> Phone:
        made.append(Phone(browser, shop, **given))
        return made[-1]

    yield make
    for one in made:
        one.close()


@pytest.fixture(scope="module")
def regular(shop: Shop) -> Buyer:
    """A buyer of many orders, one every second day; the newest is on its way in a parcel with a long story."""
    buyer = Buyer(shop)
    numbers = reversed(range(1, MANY))
    buyer.orders(*({"age": number * 2 * DAYS} | ({"paid_at": None} if number % 9 == 0 else {}) for number in numbers))
    on_its_way = buyer.order()
    waybill_no = shop.ship(on_its_way)
    for number in reversed(range(7)):
        shop.scan(on_its_way, waybill_no, "in_transit", 10 + 4 * number, f"【上海市】快件到达第 {7 - number} 站")
    text = "【上海市】派送员吴师傅（电话 13900005725）正在派送"
    shop.scan(on_its_way, waybill_no, "out_for_delivery", 3, text)
    return buyer


@pytest.fixture(scope="module")
def login(regular: Buyer) -> dict[str, Any]:
    return regular.login()


@pytest.fixture
def newcomer(shop: Shop) -> Buyer:
    """A buyer of one order that is on its way, for tests that change something."""
    buyer = Buyer(shop)
    shop.ship(buyer.order())
    return buyer


def cards(page: Page) -> Locator:
    """The orders of the list."""
    return page.locator(".order[role=link]")


def head(page: Page) -> Locator:
    """What the page of an order says first."""
    return page.locator(".head .title")


def field(page: Page, label: str) -> Locator:
    return page.locator(f"input[aria-label={label}]")


def button(page: Page | Locator, name: str) -> Locator:
    return page.get_by_role("button", name=name, exact=True)


def said(page: Page, text: str | re.Pattern[str]) -> None:
    expect(page.locator(".uni-simple-toast__text").filter(has_text=text)).to_be_visible()


def looks_well(page: Page) -> None:
    assert not buyer_page.layout_of(page)
    assert not buyer_page.access_of(page)


def sign_in(page: Page, shop: Shop, phone: str) -> None:
    """On the page that signs in."""
    field(page, "手机号").fill(phone)
    button(page, "获取验证码").click()
    expect(page.get_by_text("验证码已发送到")).to_be_visible()
    field(page, "短信验证码").fill(shop.code_sent_to(phone))
    button(page, "登录").click()


# --- without signing in -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("viewport", [SMALL, LARGE], ids=["small", "large"])
def test_one_may_look_around_without_signing_in(phone, viewport):
    guest = phone(viewport=viewport)
    page = guest.open()
    expect(page.get_by_text("用手机号登录")).to_be_visible()
    looks_well(page)
    page.locator(".uni-tabbar__item").get_by_text("我的").click()
    expect(page.get_by_text("登录后可以选择接收哪些通知")).to_be_visible()
    looks_well(page)
    page.get_by_text("隐私说明").click()
    expect(page.get_by_text("剪贴板", exact=True)).to_be_visible()
    looks_well(page)
    page.go_back()
    page.get_by_text("查找订单").click()
    field(page, "订单号或运单号").fill("JO-SOMETHING-1")
    button(page, "查找").click()
    expect(page.get_by_text("登录后才能查找自己的订单")).to_be_visible()
    looks_well(page)
    assert not guest.refused


def test_who_opens_an_order_without_signing_in_is_asked_to_and_comes_back_to_it(phone, shop, newcomer):
    page = phone().open_order(newcomer.order_nos[0])
    expect(page.get_by_text("登录后查看订单")).to_be_visible()
    looks_well(page)
    button(page, "登录").click()
    sign_in(page, shop, newcomer.phone)
    expect(head(page)).to_have_text("已发货")
    assert newcomer.order_nos[0] in page.url


# --- signing in -------------------------------------------------------------------------------------------------------


def test_a_phone_and_its_code_lead_to_the_orders_of_that_phone(phone, shop, newcomer):
    page = phone().open()
    page.get_by_text("用手机号登录").click()
    expect(page.get_by_text("获取验证码")).to_be_visible()
    looks_well(page)
    sign_in(page, shop, newcomer.phone)
    expect(cards(page)).to_have_count(1)
    expect(cards(page)).to_contain_text(newcomer.order_nos[0])
    page.locator(".uni-tabbar__item").get_by_text("我的").click()
    expect(page.get_by_text(f"{newcomer.phone[:3]}****{newcomer.phone[-4:]}")).to_be_visible()


def test_what_was_mistyped_is_told_beside_it_and_nothing_is_sent(phone):
    guest = phone()
    page = guest.open("pages/sign-in/index")
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url) if "/auth/" in request.url else None)
    button(page, "登录").click()
    expect(page.get_by_text("请输入手机号")).to_be_visible()
    expect(page.get_by_text("请先获取验证码")).to_be_visible()
    field(page, "手机号").fill("1380000")
    button(page, "获取验证码").click()
    expect(page.get_by_text("手机号不足 11 位，请检查")).to_be_visible()
    looks_well(page)
    assert not asked


def test_a_wrong_code_is_told_and_the_right_one_still_works(phone, shop, newcomer):
    guest = phone()
    guest.expected |= {400}
    page = guest.open("pages/sign-in/index")
    field(page, "手机号").fill(newcomer.phone)
    button(page, "获取验证码").click()
    expect(page.get_by_text("验证码已发送到")).to_be_visible()
    right = shop.code_sent_to(newcomer.phone)
    field(page, "短信验证码").fill(f"{(int(right) + 1) % 10**6:06d}")
    enter = button(page, "登录")
    enter.click()
    expect(page.get_by_text("验证码不对或已过期，请检查或重新获取")).to_be_visible()
    looks_well(page)
    field(page, "短信验证码").fill(right)
    enter.click()
    expect(cards(page)).to_have_count(1)


def test_a_second_code_at_once_is_refused_with_the_time_to_wait(phone, shop, newcomer):
    guest = phone()
    guest.expected |= {429}
    for times in range(2):
        page = guest.open("pages/sign-in/index")
        field(page, "手机号").fill(newcomer.phone)
        button(page, "获取验证码").click()
        expect(page.get_by_text("操作太频繁，请" if times else "验证码已发送到")).to_be_visible()
    expect(page.get_by_text(re.compile(r"\d+ 秒后可重发"))).to_be_visible()
    looks_well(page)


# --- the list ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("viewport", [SMALL, LARGE], ids=["small", "large"])
def test_the_tabs_count_and_show_what_the_server_counts(phone, shop, login, viewport):
    page = phone(login=login, viewport=viewport).open()
    counts = shop.call(login, "GET", "/api/orders/counts").json()
    expect(page.get_by_role("tab", name=f"已下单，{counts['placed']} 个")).to_be_visible()
    looks_well(page)
    page.get_by_role("tab", name="已下单").click()
    expect(cards(page)).to_have_count(counts["placed"])
    assert set(cards(page).locator(".tag").all_inner_texts()) == {"已下单"}
    page.get_by_role("tab", name="已签收").click()
    expect(page.get_by_text("没有已签收的订单")).to_be_visible()
    looks_well(page)
    page.get_by_text("查看全部订单").click()
    expect(cards(page)).to_have_count(20)


def test_scrolling_down_brings_every_order_once(phone, regular, login):
    page = phone(login=login).open()
    expect(cards(page)).to_have_count(20)
    for shown in (40, MANY):
        # As a finger does it: up a little and down again, until there is more.
        while cards(page).count() < shown:
            page.mouse.wheel(0, -400)
            page.mouse.wheel(0, 20_000)
            with contextlib.suppress(PlaywrightTimeout):
                cards(page).nth(shown - 1).wait_for(state="attached", timeout=1000)
    expect(page.get_by_text(f"共 {MANY} 个订单，没有更多了")).to_be_visible()
    numbers = [text.removeprefix("订单 ") for text in cards(page).locator(".number").all_inner_texts()]
    assert numbers == regular.order_nos[::-1]


@pytest.mark.parametrize("by", ["number", "waybill"])
def test_an_order_is_found_from_the_list_by_its_number_or_waybill(phone, shop, regular, login, by):
    order_no = regular.order_nos[-1]
    document = shop.call(login, "GET", f"/api/orders/{order_no}").json()
    page = phone(login=login).open()
    field(page, "订单号或运单号").fill(order_no if by == "number" else document["shipments"][0]["waybill_no"])
    expect(cards(page)).to_have_count(1)
    expect(cards(page)).to_contain_text(order_no)
    page.get_by_role("button", name="清除").click()
    expect(cards(page)).to_have_count(20)


def test_what_is_not_found_is_said_with_a_way_on(phone, login):
    page = phone(login=login).open()
    field(page, "订单号或运单号").fill("JO-NOT-MINE")
    expect(page.get_by_text("没有找到这个订单")).to_be_visible()
    looks_well(page)
    page.get_by_text("清除搜索").click()
    expect(cards(page)).to_have_count(20)


def test_a_range_of_dates_shows_the_orders_of_these_days(phone, login):
    page = phone(login=login).open()
    page.get_by_role("button", name="日期").click()
    page.get_by_text("近 7 天").click()
    expect(cards(page)).to_have_count(4)
    looks_well(page)
    page.get_by_text("近 7 天").click()
    expect(cards(page)).to_have_count(20)


def test_who_ordered_nothing_yet_is_told_so(phone, shop):
    page = phone(login=Buyer(shop).login()).open()
    expect(page.get_by_text("还没有订单")).to_be_visible()
    looks_well(page)


def test_pulling_the_list_down_brings_what_is_new(phone, newcomer):
    buyer = phone(login=newcomer.login())
    page = buyer.open()
    expect(cards(page)).to_have_count(1)
    newcomer.order()
    pull_down(page)
    expect(cards(page)).to_have_count(2)


def test_coming_back_to_the_list_shows_what_changed_meanwhile(phone, shop, newcomer):
    waiting = newcomer.order(age=dt.timedelta(minutes=30))
    buyer = phone(login=newcomer.login())
    page = buyer.open()
    row = cards(page).filter(has_text=waiting)
    expect(row.locator(".tag").first).to_have_text("已付款")
    row.click()
    expect(head(page)).to_have_text("已付款")
    shop.ship(waiting)
    later(buyer)
    page.go_back()
    expect(row.locator(".tag").first).to_have_text("已发货")


def later(buyer: Phone) -> None:
    """Let some seconds pass on the phone: what it has just been told, it doesn't ask again."""
    passes = "Date.now = ((before) => () => before() + 10000)(Date.now.bind(Date));"
    buyer.page.add_init_script(passes)
    buyer.page.evaluate(passes)


def pull_down(page: Page) -> None:
    """Draw a finger from the top of the page down."""
    touch = page.context.new_cdp_session(page)
    points = [{"x": 160, "y": y} for y in range(100, 420, 20)]
    for kind, at in (("touchStart", points[:1]), *(("touchMove", [point]) for point in points[1:]), ("touchEnd", [])):
        touch.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": at})


# --- an order ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("viewport", [SMALL, LARGE], ids=["small", "large"])
def test_an_order_shows_its_steps_its_parcel_and_the_latest_scans(phone, regular, login, viewport):
    page = phone(login=login, viewport=viewport).open_order(regular.order_nos[-1])
    expect(head(page)).to_have_text("派送中")
    steps = page.get_by_role("list", name="订单进度").get_by_role("listitem")
    expect(steps).to_have_count(5)
    assert "当前" in (steps.nth(3).get_attribute("aria-label") or "")
    expect(page.get_by_text("顺丰速运").first).to_be_visible()
    looks_well(page)
    expect(page.locator(".scan")).to_have_count(3)
    page.get_by_text("查看全部 8 条").click()
    expect(page.locator(".scan")).to_have_count(8)
    looks_well(page)
    page.get_by_text("收起").click()
    expect(page.locator(".scan")).to_have_count(3)


def test_numbers_are_copied_by_a_tap(phone, regular, login):
    page = phone(login=login).open_order(regular.order_nos[-1])
    page.get_by_label("复制订单号").click()
    said(page, "已复制")
    assert page.evaluate("navigator.clipboard.readText()") == regular.order_nos[-1]


def test_a_carrier_that_was_just_asked_is_not_asked_again(phone, newcomer):
    buyer = phone(login=newcomer.login())
    page = buyer.open_order(newcomer.order_nos[0])
    page.get_by_text("刷新物流").click()
    said(page, "已是最新物流")
    page.get_by_text("刷新物流").click()
    said(page, re.compile(r"刚刚查过，\d\d:\d\d 后可再查"))


def test_a_receipt_that_is_confirmed_is_delivered_and_confirmed(phone, shop, newcomer):
    login, order_no = newcomer.login(), newcomer.order_nos[0]
    page = phone(login=login).open_order(order_no)
    page.get_by_text("确认收货").click()
    expect(page.get_by_text("物流还没有显示签收")).to_be_visible()
    page.get_by_text("还没有", exact=True).click()
    expect(head(page)).to_have_text("已发货")
    page.get_by_text("确认收货").click()
    page.get_by_text("已收到", exact=True).click()
    expect(head(page)).to_have_text("已签收")
    expect(page.locator("uni-button").get_by_text("确认收货")).to_have_count(0)
    document = shop.call(login, "GET", f"/api/orders/{order_no}").json()
    assert document["status"] == "delivered"
    assert document["history"][-1]["source"] == "buyer"


def test_several_parcels_are_told_apart_and_open_one_at_a_time(phone, shop):
    buyer = Buyer(shop)
    order_no = buyer.order()
    lines = [{"sku": "FZ-DY-2", "quantity": 1}]
    waybills = [shop.ship(order_no, lines=lines) for _ in range(2)]
    page = phone(login=buyer.login()).open_order(order_no)
    expect(page.get_by_text("2 个包裹", exact=True)).to_be_visible()
    looks_well(page)
    for waybill_no in waybills:
        row = page.locator(".row").filter(has_text=waybill_no)
        if row.locator(".brief").get_attribute("aria-expanded") == "false":
            row.locator(".brief").click()
        expect(row.get_by_label("复制运单号")).to_be_visible()
        expect(page.get_by_label("复制运单号")).to_have_count(1)


def test_the_shop_is_called_by_a_tap(phone, regular, login):
    buyer = phone(login=login)
    buyer.answer("/api/shop$", lambda route: answers(route, {"name": "冻品小店", "phone": "021-58001234"}))
    page = buyer.open_order(regular.order_nos[0])
    # The browser hands such an address to the phone's dialler; there is none here.
    dialled: list[str] = []
    devices = page.context.new_cdp_session(page)
    devices.send("Page.enable")
    devices.on("Page.frameRequestedNavigation", lambda asked: dialled.append(asked["url"]))
    button(page, "联系商家").first.click()
    assert dialled == ["tel:021-58001234"]


@pytest.mark.parametrize("what", ["the number of an order", "a sentence with the waybill"])
def test_what_was_pasted_leads_to_its_order(phone, shop, regular, login, what):
    order_no = regular.order_nos[-1]
    waybill_no = shop.call(login, "GET", f"/api/orders/{order_no}").json()["shipments"][0]["waybill_no"]
    pasted = order_no if what.startswith("the number") else f"【顺丰速运】您的快件{waybill_no}正在派送，请留意来电。"
    page = phone(login=login).open("pages/find/index")
    field(page, "订单号或运单号").fill(pasted)
    button(page, "查找").click()
    expect(head(page)).to_have_text("派送中")
    assert order_no in page.url


def test_the_order_of_another_buyer_is_not_there(phone, newcomer, login):
    buyer = phone(login=login)
    buyer.expected |= {404}
    page = buyer.open_order(newcomer.order_nos[0])
    expect(page.get_by_text("没有找到这个订单")).to_be_visible()
    looks_well(page)
    page.get_by_text("我的订单", exact=True).last.click()
    expect(cards(page).first).to_be_visible()


# --- the buyer's own things -------------------------------------------------------------------------------------------


def test_a_topic_that_is_switched_off_stays_off(phone, shop, newcomer):
    login = newcomer.login()
    page = phone(login=login).open("pages/me/index")
    row = page.get_by_role("switch", name="已签收")
    with page.expect_response(lambda answer: "/api/me/notifications" in answer.url and answer.request.method == "PUT"):
        row.click()
    assert shop.call(login, "GET", "/api/me/notifications").json()["opt_outs"] == ["delivered"]
    page.reload()
    expect(row).to_have_attribute("aria-checked", "false")


def test_english_and_large_text_are_kept_and_taken_back(phone, regular, login):
    buyer = phone(login=login)
    buyer.answer("/api/shop$", lambda route: answers(route, {"name": "Frozen & Co", "phone": "021-58001234"}))
    page = buyer.open("pages/me/index")
    expect(page.get_by_role("switch").first).to_be_visible()
    page.get_by_role("radio", name="English").click()
    expect(page.locator(".uni-page-head__title")).to_have_text("Me")
    page.get_by_role("switch", name="Large text").click()
    looks_well(page)
    assert chinese_on(page) == {"中文"}
    for path in ("pages/orders/index", "pages/find/index", "pages/privacy/index", "pages/sign-in/index"):
        page = buyer.open(path)
        expect(page.locator(".large-text[lang=en]")).to_be_visible()
        page.wait_for_load_state("networkidle")
        looks_well(page)
        # The names of goods are the shop's.
        assert chinese_on(page) <= ({"舟山带鱼段", "上海市"} if path == "pages/orders/index" else set())
    page = buyer.open("pages/me/index")
    page.get_by_role("radio", name="中文").click()
    page.get_by_role("switch", name="大字").click()
    expect(page.locator(".uni-page-head__title")).to_have_text("我的")
    expect(page.locator(".large-text")).to_have_count(0)


def chinese_on(page: Page) -> set[str]:
    return set(re.findall(r"[一-鿿]+", page.locator("uni-app").inner_text()))


def test_after_signing_out_nothing_of_the_buyer_is_left_on_the_phone(phone, shop, newcomer):
    login = newcomer.login()
    buyer = phone(login=login)
    page = buyer.open_order(newcomer.order_nos[0])
    expect(head(page)).to_be_visible()
    page = buyer.open("pages/me/index")
    page.get_by_text("退出登录").click()
    with page.expect_response(lambda answer: "/api/auth/logout" in answer.url):
        page.get_by_text("退出", exact=True).click()
    expect(page.get_by_text("未登录")).to_be_visible()
    kept = buyer.storage()
    assert not [name for name in kept if name.startswith("buyer:")]
    assert not [value for value in kept.values() if newcomer.order_nos[0] in value or login["token"] in value]
    assert shop.call(login, "GET", "/api/orders").status_code == 401


# --- trouble ----------------------------------------------------------------------------------------------------------


def test_what_was_seen_before_shows_while_the_server_has_not_answered(phone, regular, login):
    buyer = phone(login=login)
    page = buyer.open_order(regular.order_nos[-1])
    expect(head(page)).to_have_text("派送中")
    waiting: list[Any] = []
    buyer.answer("/api/orders/", lambda route: waiting.append(route))
    later(buyer)
    with page.expect_request(lambda asked: "/api/orders/" in asked.url):
        page.reload()
    expect(head(page)).to_have_text("派送中")
    expect(page.locator(".scan")).to_have_count(3)
    for route in waiting:
        route.continue_()


@pytest.mark.parametrize("place", ["list", "order"])
def test_on_a_slow_line_a_second_visit_fetches_no_file_again(phone, regular, login, place, capsys):
    buyer = phone(login=login)
    line = buyer.context.new_cdp_session(buyer.page)
    line.send("Network.enable")
    line.send("Network.emulateNetworkConditions", SLOW_3G)
    shown = []
    for _visit in range(2):
        page = buyer.open() if place == "list" else buyer.open_order(regular.order_nos[-1])
        shown.append(page.evaluate(SHOWN, ".order" if place == "list" else ".head .title"))
        page.wait_for_load_state("networkidle")
        fetched = page.evaluate(FETCHED)
    with capsys.disabled():
        print(f"\n{place} on slow 3G: {shown[0]:.0f} ms at the first visit, {shown[1]:.0f} ms at the second")
    assert not fetched


SLOW_3G = {"offline": False, "latency": 400, "downloadThroughput": 50_000, "uploadThroughput": 50_000}
# Milliseconds from the start until something stands on the page.
SHOWN = """(what) => new Promise((seen) => {
  const look = () =>
    document.querySelector(what)?.getClientRects().length ? seen(performance.now()) : requestAnimationFrame(look);
  look();
})"""
# Scripts and styles that came over the line.
FETCHED = """() => performance.getEntriesByType('resource')
  .filter((one) => /\\.(js|css)$/.test(one.name) && one.transferSize).map((one) => one.name)"""


@pytest.mark.parametrize("how", ["no answer", "no network", "502 in words of a proxy", "a hotel's page"])
def test_while_the_shop_cannot_be_reached_what_is_known_stays_with_the_way_to_try_again(phone, regular, login, how):
    buyer = phone(login=login)
    buyer.expected |= {502}
    page = buyer.open_order(regular.order_nos[-1])
    expect(head(page)).to_have_text("派送中")
    fail(buyer, how)
    pull_down(page)
    notice = page.locator(".notice")
    expect(notice).to_contain_text(re.compile(r"。下面是 今天 \d\d:\d\d 的内容。"))
    expect(head(page)).to_have_text("派送中")
    looks_well(page)
    mend(buyer, how)
    button(notice, "重试").click()
    expect(notice).to_have_count(0)


@pytest.mark.parametrize("path", ["pages/orders/index", "order"])
@pytest.mark.parametrize("how", ["no answer", "a hotel's page"])
def test_where_nothing_is_known_a_sentence_and_the_way_to_try_again_stand(phone, regular, login, how, path):
    buyer = phone(login=login)
    fail(buyer, how)
    page = buyer.open_order(regular.order_nos[-1]) if path == "order" else buyer.open(path)
    retry = button(page, "重试")
    expect(retry).to_be_visible()
    looks_well(page)
    mend(buyer, how)
    retry.click()
    expect(head(page) if path == "order" else cards(page).first).to_be_visible()


def fail(buyer: Phone, how: str) -> None:
    html = "<!doctype html><title>Welcome</title><p>Room number?</p>"
    if how == "no network":
        buyer.context.set_offline(True)
    elif how == "no answer":
        buyer.answer("/api/", lambda route: route.abort("connectionrefused"))
    else:
        status = 502 if how.startswith("502") else 200
        buyer.answer("/api/", lambda route: route.fulfill(status=status, content_type="text/html", body=html))


def mend(buyer: Phone, how: str) -> None:
    if how == "no network":
        buyer.context.set_offline(False)
    buyer.page.unroute_all(behavior="ignoreErrors")


def test_a_session_that_ended_leads_to_signing_in_and_back_to_the_same_page(phone, shop, newcomer):
    login = newcomer.login()
    buyer = phone(login=login)
    buyer.expected |= {401}
    page = buyer.open_order(newcomer.order_nos[0])
    expect(head(page)).to_have_text("已发货")
    assert shop.call(login, "POST", "/api/auth/logout").status_code == 204
    later(buyer)
    page.reload()
    expect(page.locator(".notice")).to_contain_text("登录后查看最新进展")
    expect(head(page)).to_have_text("已发货")
    button(page.locator(".notice"), "登录").click()
    sign_in(page, shop, newcomer.phone)
    expect(head(page)).to_have_text("已发货")
    expect(page.locator(".notice")).to_have_count(0)
    assert newcomer.order_nos[0] in page.url


@pytest.mark.parametrize("minutes", [-10, 10])
def test_a_wrong_clock_is_put_right_by_the_servers(phone, regular, login, minutes):
    buyer = phone(login=login)
    buyer.expected |= {401}
    buyer.page.add_init_script(WRONG_CLOCK.replace("MINUTES", str(minutes)))
    page = buyer.open_order(regular.order_nos[-1])
    expect(head(page)).to_have_text("派送中")
    assert buyer.refused
    refused = len(buyer.refused)
    page = buyer.open()
    expect(cards(page)).to_have_count(20)
    assert len(buyer.refused) == refused


WRONG_CLOCK = """
  const Right = Date;
  const off = MINUTES * 60000;
  globalThis.Date = class extends Right {
    constructor(...given) { given.length ? super(...given) : super(Right.now() + off); }
    static now() { return Right.now() + off; }
  };
"""


def test_a_short_wait_that_the_server_asks_for_is_waited_for(phone, regular, login):
    buyer = phone(login=login)
    buyer.expected |= {429}
    refusal = {"error": {"code": "rate_limited", "message": "操作太频繁，请稍后再试", "request_id": "1"}}
    buyer.answer(r"/api/orders/JO", lambda route: answers(route, refusal, 429, {"Retry-After": "1"}), times=1)
    page = buyer.open_order(regular.order_nos[-1])
    expect(head(page)).to_have_text("派送中")
    assert [status for status, _ in buyer.refused] == [429]


def test_a_long_wait_that_the_server_asks_for_is_told(phone, regular, login):
    buyer = phone(login=login)
    buyer.expected |= {429}
    refusal = {"error": {"code": "rate_limited", "message": "操作太频繁，请稍后再试", "request_id": "1"}}
    buyer.answer(r"/api/orders/JO", lambda route: answers(route, refusal, 429, {"Retry-After": "120"}))
    page = buyer.open_order(regular.order_nos[-1])
    expect(page.get_by_text("操作太频繁，请稍后再试")).to_be_visible()
    assert len(buyer.refused) == 1
    mend(buyer, "")
    button(page, "重试").click()
    expect(head(page)).to_have_text("派送中")


# --- for everybody ----------------------------------------------------------------------------------------------------


def test_the_keyboard_alone_leads_from_the_list_into_an_order_and_to_the_other_tab(phone, login):
    page = phone(login=login, has_touch=False, is_mobile=False).open()
    expect(cards(page)).to_have_count(20)
    tab_to(page, ".order")
    page.keyboard.press("Enter")
    expect(head(page)).to_be_visible()
    tab_to(page, ".uni-page-head-btn")
    page.keyboard.press("Enter")
    expect(cards(page).first).to_be_visible()
    tab_to(page, ".uni-tabbar__item:last-of-type", back=True)
    page.keyboard.press("Enter")
    expect(page.get_by_role("switch").first).to_be_visible()


def tab_to(page: Page, selector: str, *, back: bool = False) -> None:
    for _ in range(60):
        page.keyboard.press("Shift+Tab" if back else "Tab")
        if page.evaluate("(it) => document.activeElement.matches(it)", selector):
            return
    pytest.fail(f"{selector} isn't reached by the keyboard")


MODES = {
    "light and dark": {"language": "zh", "largeText": False},
    "large": {"language": "zh", "largeText": True},
    "english": {"language": "en", "largeText": False},
    "english and large": {"language": "en", "largeText": True},
}


@pytest.mark.parametrize("mode", MODES)
def test_every_kind_of_order_looks_well(phone, mode):
    made = buyer_page.fixtures()
    login = {"token": "t", "sign_secret": "0" * 64}
    buyer = phone(login=login, keeps={"settings": MODES[mode]})
    buyer.page.clock.set_fixed_time(made["now"] / 1000)
    buyer.answer("/api/me$", lambda route: answers(route, {"phone": "138****6574"}))
    buyer.answer("/api/shop$", lambda route: answers(route, {"name": "冻品小店", "phone": "021-58001234"}))
    buyer.answer(r"/api/orders\?", lambda route: answers(route, {"results": [], "next": None}))
    by_number = {document["order_no"]: document for document in made["gallery"].values()}
    buyer.answer("/api/orders/", lambda route: answers(route, by_number[unquote(route.request.url.split("/")[-1])]))
    wrong = {}
    for name, document in made["gallery"].items():
        page = buyer.open_order(document["order_no"])
        expect(head(page)).to_be_visible()
        wrong[name] = [*buyer_page.layout_of(page), *buyer_page.access_of(page)]
        if mode == "light and dark":
            page.emulate_media(color_scheme="dark")
            wrong[f"{name}, dark"] = list(buyer_page.access_of(page))
            page.emulate_media(color_scheme="light")
        if name == "full":
            wrong["each parcel in full"] = [
                trouble for _ in opened_in_full(page) for trouble in buyer_page.layout_of(page)
            ]
    assert not {name: found for name, found in wrong.items() if found}


def opened_in_full(page: Page) -> Iterator[None]:
    """Open one parcel after the other, with all of its scans."""
    for row in page.locator(".row:has(.brief)").all():
        if row.locator(".brief").get_attribute("aria-expanded") == "false":
            row.locator(".brief").click()
        for unfold in row.get_by_role("button", name=re.compile("查看全部|Show all")).all():
            unfold.click()
        yield
