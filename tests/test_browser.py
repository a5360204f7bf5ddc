"""A clerk's day in the back office of the living demo, in Debian's chromium."""

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page

from tests.browsing import PATIENCE, PHONE, browser, follow, order_links, said, watched

__all__ = ["browser"]

pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]


@pytest.fixture(scope="module")
def session(browser: Browser, running: dict) -> dict:
    """The demo's clerk, logged in once: what the browser keeps of it."""
    context = browser.new_context()
    page = context.new_page()
    page.goto(running["urls"]["admin"])
    page.get_by_label("用户名").fill(running["staff"]["username"])
    page.get_by_label("密码").fill(running["staff"]["password"])
    follow(page, page.get_by_role("button", name="登录"))
    assert page.get_by_role("heading", name="今日工作").is_visible()
    state = context.storage_state()
    context.close()
    return dict(state)


@pytest.fixture
def page(browser: Browser, session: dict, running: dict) -> Iterator[Page]:
    """A page on which nothing goes wrong unseen: errors of scripts, console and server fail the test."""
    base = running["urls"]["admin"]
    context = browser.new_context(base_url=base, storage_state=session, locale="zh-CN", timezone_id="Asia/Shanghai")
    context.set_default_timeout(PATIENCE)
    page = context.new_page()
    wrong = watched(page)
    yield page
    context.close()
    assert not wrong


def some_order(page: Page, query: str = "") -> str:
    """Open the list and return the oldest order number on it: a seeded order, which nothing moves meanwhile."""
    page.goto(f"orders/order/{query}")
    return order_links(page).last.inner_text()


def open_order(page: Page, order_no: str) -> None:
    page.goto(f"orders/order/?q={order_no}")
    follow(page, order_links(page).first)


def search(page: Page, text: str) -> list[str]:
    page.goto("")
    page.get_by_label("找订单").fill(text)
    follow(page, page.get_by_role("button", name="搜索"))
    return order_links(page).all_inner_texts()


def rows_of_all_pages(page: Page) -> int:
    rows = page.locator("#result_list tbody tr").count()
    older = page.locator('.paginator a[rel="next"]')
    while older.count():
        follow(page, older.first)
        rows += page.locator("#result_list tbody tr").count()
    return rows


def test_each_number_of_the_index_leads_to_as_many_rows(page):
    page.goto("")
    tiles = [
        (tile.locator(".tile-count").inner_text(), tile.get_attribute("href")) for tile in page.locator(".tile").all()
    ]
    assert len(tiles) == 14
    for count, url in tiles:
        page.goto(url)
        if any(part in (url or "") for part in ("/costs/", "/settlement/")):  # pages of their own, not lists
            assert page.locator("#content h1").is_visible()
            continue
        # The demo goes on meanwhile: a number may be one behind.
        assert "+" in count or abs(rows_of_all_pages(page) - int(count)) <= 1, url


def test_an_order_is_found_by_its_number(page):
    order_no = some_order(page)
    assert search(page, order_no) == [order_no]
    assert page.locator(".understood").inner_text().startswith("按 订单号")


def test_an_order_is_found_by_the_whole_phone(page, running):
    found = search(page, running["buyer"]["phone"])
    assert len(found) > 1
    assert page.locator(".understood").inner_text().startswith("按 手机号")


def test_an_order_is_found_by_its_waybill(page):
    order_no = some_order(page, "?status__exact=delivered")
    waybill_no = page.locator("#result_list .field-parcels div").last.inner_text().split()[0]
    assert order_no in search(page, waybill_no)
    assert page.locator(".understood").inner_text().startswith("按 运单号")


def test_the_page_of_an_order_shows_steps_timeline_and_parcel(page):
    open_order(page, some_order(page, "?status__exact=delivered"))
    assert page.locator(".steps .reached").count() == 5
    assert page.locator(".timeline tbody tr").count() >= 3
    assert page.locator(".parcel .events li").count() >= 1


def test_the_consignee_is_shown_for_a_reason_that_stays_on_record(page):
    open_order(page, some_order(page))
    assert "****" in page.locator(".side .panel").first.inner_text()
    page.get_by_text("查看完整信息").click()
    page.get_by_label("理由（会被记录）").fill("买家来电核对地址")
    follow(page, page.get_by_role("button", name="查看", exact=True))
    assert re.search(r"1[3-9]\d{9}", page.locator(".revealed").inner_text())
    page.goto(page.url.split("do/")[0] + "change/")
    assert page.locator(".revealed").count() == 0
    assert page.get_by_role("cell", name="买家来电核对地址").first.is_visible()


def test_what_cannot_be_done_is_answered_with_a_sentence(page):
    open_order(page, some_order(page, "?status__exact=delivered"))
    page.get_by_text("更正或作废这个运单").first.click()
    page.get_by_label("原因").first.fill("录错了")
    follow(page, page.get_by_role("button", name="作废运单").first)
    assert page.locator(".messagelist .error").count() == 1
    assert re.search(r"[一-鿿]{6}", said(page))


def test_an_alert_is_taken_and_resolved_with_a_note(page):
    page.goto("orders/alert/?owner=nobody")
    number = page.locator("#result_list .field-about a").first.inner_text()
    _act_on_first_alert(page, "认领")
    assert "已认领 1 条" in said(page)
    page.goto(f"orders/alert/?q={number}")
    assert "demo" in page.locator("#result_list tbody tr").first.inner_text()
    _act_on_first_alert(page, RESOLVE)
    assert "没有处理" in said(page)
    _act_on_first_alert(page, RESOLVE, "已致电承运商，次日补送", outcome="承运商处理")
    assert "已解决 1 条" in said(page)
    open_order(page, number)
    assert "已致电承运商，次日补送" in page.content()


RESOLVE = "解决（选择结果并填写说明）"


def _act_on_first_alert(page: Page, action: str, text: str = "", *, outcome: str = "请选择") -> None:
    page.locator("#result_list input.action-select").first.check()
    page.get_by_label("动作").select_option(label=action)
    page.get_by_role("textbox", name="说明").fill(text)
    page.locator("select[name=outcome]").select_option(label=outcome)
    follow(page, page.get_by_role("button", name="执行"))


def test_the_batch_view_does_what_it_can_and_says_why_not_for_the_rest(page):
    paid, delivered = some_order(page, "?status__exact=paid"), some_order(page, "?status__exact=delivered")
    page.goto("batch/")
    page.locator("textarea[name=numbers]").fill(f"{paid}\n{delivered}，NOT-OURS-1")
    follow(page, page.get_by_role("button", name="查询"))
    assert page.get_by_role("heading", name="找到 2 个订单").is_visible()
    assert "NOT-OURS-1" in page.locator(".missing").inner_text()
    rows = [
        f"{paid} 顺丰 SF{paid[-9:]}0001",
        f"{delivered} 顺丰 SF{paid[-9:]}0002",
        f"{paid} 顺丰",
        "NOPE 顺丰 SF12345678",
    ]
    page.locator("textarea[name=ship_rows]").fill("\n".join(rows))
    follow(page, page.get_by_role("button", name="预览发货", exact=True))
    assert "NOPE" in page.locator("#content table").first.inner_text()
    follow(page, page.get_by_role("button", name="确认，处理 1 个"))
    assert "/backoffice/batch/" in page.url


def test_the_index_says_how_parcels_do(page):
    page.goto("")
    for name in ("订单各步", "待处理预警与期限", "时效：最近 12 周的签收"):
        assert page.get_by_role("heading", name=name).is_visible()


def test_keys_lead_through_an_order_but_not_while_somebody_types(page):
    open_order(page, some_order(page, "?status__exact=delivered"))
    part = page.locator("[data-parts] a[data-key]").nth(2)
    page.keyboard.press(part.get_attribute("data-key") or "")
    assert page.evaluate("'#' + document.activeElement.id") == part.get_attribute("href")
    page.locator("textarea[name=text]").click()
    page.keyboard.type("1e")
    assert page.locator("textarea[name=text]").input_value() == "1e"
    assert page.evaluate("location.hash") == part.get_attribute("href")


@pytest.mark.parametrize(
    "path", ["", "orders/order/", "orders/alert/", "logistics/shipment/", "batch/", "orders/order/add/", "an order"]
)
def test_on_a_phone_nothing_hangs_out_to_the_side(page, path):
    if path == "an order":
        open_order(page, some_order(page, "?status__exact=delivered"))
        path = page.url
    page.set_viewport_size(PHONE)
    page.goto(path)
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
