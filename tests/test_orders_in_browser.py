"""Orders in Debian's chromium, also phone-sized: lists as one likes them, an order's page by keys and by thumb, many at
once."""

import datetime as dt
import re

import pytest
from playwright.sync_api import Locator, Page

from frozenshop.backoffice.batches.tests.doing import work
from frozenshop.kernel.clock import now, shanghai
from logistics.models import Shipment
from logistics.tests.factories import event, make_carrier, make_shipment, report
from orders.models import Order
from orders.tests.factories import make_order
from tests.browsing import PHONE, beside_a_loop, browser, fits, follow, order_links, press, said, screen, sit, taken

__all__ = ["beside_a_loop", "browser", "screen", "sit"]

pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]
HOUR = dt.timedelta(hours=1)
PARTS = "[data-parts] a[data-key]"
HERE = "'#' + document.activeElement.id"
TOUCHED = "#content .button, .page-parts a, .page-parts button, #content summary, #content input, #content select"
TOO_SMALL = "all => all.filter(one => one.offsetParent && one.offsetHeight < 28).map(one => one.outerHTML)"


@pytest.fixture
def orders(sit) -> None:
    """One order a day, the newest of yesterday, every second one paid."""
    for n in range(1, 7):
        at = now() - n * 24 * HOUR
        make_order("paid" if n % 2 else "placed", order_no=f"A-{n}", placed_at=at.isoformat())


def numbers(page: Page) -> list[str]:
    return order_links(page).all_inner_texts()


def heads(page: Page) -> list[str]:
    return page.locator("#result_list thead .text").all_inner_texts()


def test_a_view_is_kept_shared_used_by_another_and_deleted(sit, orders):
    page = sit("wang", "主管")
    page.goto("orders/order/?status__exact=paid")
    page.locator(".save-view summary").click()
    page.get_by_label("把当前筛选保存为").fill("已付款待发")
    page.get_by_label("与所有员工共享").check()
    press(page, "保存")
    assert "已保存为视图" in said(page)
    other = sit("li", "客服")
    other.goto("orders/order/")
    follow(other, other.locator(".view-tabs").get_by_role("link", name="已付款待发"))
    assert numbers(other) == ["A-1", "A-3", "A-5"]
    page.locator(".save-view summary").click()
    follow(page, page.get_by_role("link", name="管理视图"))
    page.get_by_label("名称").fill("付了款的")
    press(page, "修改")
    assert "付了款的" in said(page)
    press(page, "删除")
    assert "已删除" in said(page)


def test_columns_are_chosen_and_put_back(sit, orders):
    page = sit("wang", "客服")
    page.goto("orders/order/")
    usual = heads(page)
    follow(page, page.get_by_role("link", name="选择列"))
    page.get_by_label("金额", exact=True).check()
    page.get_by_label("静默时长", exact=True).uncheck()
    page.get_by_label("金额的位置").fill("2")
    press(page, "保存")
    assert "金额" in heads(page)
    assert "静默时长" not in heads(page)
    follow(page, page.get_by_role("link", name="选择列"))
    press(page, "恢复默认")
    assert heads(page) == usual


def test_the_list_jumps_to_a_day_and_goes_on_from_there(sit, orders):
    page = sit("wang", "客服")
    page.goto("orders/order/?status__exact=paid")
    page.locator(".jump input[type=date]").fill(f"{shanghai(now() - 3 * 24 * HOUR):%Y-%m-%d}")
    press(page, "跳转")
    assert numbers(page) == ["A-3", "A-5"]
    follow(page, page.get_by_role("link", name="‹ 上一页"))
    assert numbers(page) == ["A-1"]


def test_what_was_looked_for_is_explained_and_remembered(sit, orders):
    page = sit("wang", "客服")
    page.goto("orders/order/")
    page.locator("#searchbar").fill("1234 张")
    press(page, "搜索")
    assert "尾号 1234" in page.locator(".understood").inner_text()
    assert len(numbers(page)) == 6
    assert "1234" not in page.url
    page.get_by_text("最近查找（1）").click()
    assert fits(page)
    press(page, "清空")
    assert page.locator(".recent").count() == 0


@pytest.fixture
def order(sit) -> Order:
    """An order on its way over three days, with much told about it."""
    order = make_order("paid", order_no="A-1", placed_at=(now() - 80 * HOUR).isoformat(), note="放门口" * 20)
    box = make_shipment(order, shipped_at=now() - 75 * HOUR)
    places = ("浙江省杭州市余杭区转运中心", "安徽省合肥市", "上海市青浦区分拨中心")
    scans = [event("in_transit", now() - (72 - 24 * n) * HOUR, location=place) for n, place in enumerate(places)]
    report(box, event("picked_up", now() - 74 * HOUR, text="已揽收" * 30), *scans)
    return order


def test_an_orders_parts_are_reached_by_keys_and_by_thumb(sit, order):
    page = sit("wang", "主管")
    page.goto(f"orders/order/{order.pk}/change/")
    for link in page.locator(PARTS).all():
        page.keyboard.press(link.get_attribute("data-key") or "")
        assert page.evaluate(HERE) == link.get_attribute("href")
    page.locator(PARTS).nth(2).click()
    assert page.evaluate(HERE) == page.locator(PARTS).nth(2).get_attribute("href")
    opened = page.locator("details.day[open]")
    assert opened.count() == 1
    page.keyboard.press("e")
    assert opened.count() == page.locator("details.day").count() > 1
    assert page.locator(".route svg circle").count() >= 3
    assert fits(page)
    page.set_viewport_size(PHONE)
    assert page.locator(TOUCHED).evaluate_all(TOO_SMALL) == []


def test_nothing_acts_while_somebody_types(sit, order):
    page = sit("wang", "主管")
    page.goto(f"orders/order/{order.pk}/change/")
    page.locator("textarea[name=text]").click()
    page.keyboard.type("1e")
    assert page.locator("textarea[name=text]").input_value() == "1e"
    assert page.evaluate("location.hash") == ""
    assert page.locator("details.day[open]").count() == 1


def form(page: Page, name: str) -> Locator:
    return page.locator(f"form[action$='/{name}/']")


def test_an_order_is_shipped_noted_reported_and_looked_at_from_its_page(sit):
    make_carrier("SF", aliases=["顺丰"])
    order = make_order("paid", order_no="A-1")
    page = sit("wang", "主管")
    page.goto(f"orders/order/{order.pk}/change/")
    form(page, "ship").get_by_label("承运商").fill("顺丰")
    form(page, "ship").get_by_label("运单号").fill("SF0000000000001")
    press(page, "发货")
    assert Shipment.objects.get().waybill_no == "SF0000000000001"
    page.get_by_text("报告物流进展").click()
    form(page, "report").get_by_label("地点").fill("上海市")
    press(page, "报告")
    page.get_by_label("添加备注").fill("买家要求周末送")
    press(page, "保存备注")
    assert "买家要求周末送" in page.locator("#notes").inner_text()
    page.get_by_text("查看完整信息").click()
    page.get_by_label("理由（会被记录）").fill("核对地址")
    press(page, "查看")
    assert "13812341234" in page.locator(".revealed").inner_text()
    assert fits(page)


def test_many_orders_are_previewed_acted_on_and_reported_by_row(sit, orders, tmp_path):
    page = sit("wang", "主管")
    page.goto("batch/")
    page.locator("textarea[name=numbers]").fill("A-1 A-2 A-3 NOPE")
    press(page, "查询")
    assert "NOPE" in page.locator(".missing").inner_text()
    page.select_option("select[name=mark-fact]", "cancelled")
    follow(page, page.locator("button[name=action][value=mark]"))
    assert "已付款 → 已取消" in page.inner_text("#batch-preview")
    assert not Order.objects.filter(status="cancelled").exists()
    press(page, "确认，处理 3 个")
    work()
    page.get_by_text(re.compile("完成 3")).first.wait_for()
    assert Order.objects.filter(status="cancelled").count() == 3
    follow(page, page.locator(".row-states").get_by_role("link", name="完成", exact=True))
    assert page.locator(".batch-job tbody tr").count() == 3
    path = tmp_path / "report.csv"
    taken(page, page.get_by_role("link", name="下载结果（CSV）")).save_as(path)
    assert path.read_text(encoding="utf-8-sig").count("A-") == 3
    page.goto("orders/order/?q=A-1")
    follow(page, order_links(page).first)
    follow(page, page.get_by_role("link", name="标记：3 个订单"))
    assert "/backoffice/batch/" in page.url


def test_pasted_waybills_are_shipped_and_taken_back_by_one_click(sit, orders):
    make_carrier("SF", aliases=["顺丰"])
    page = sit("wang", "主管")
    page.goto("batch/")
    page.locator("textarea[name=ship_rows]").fill("A-1 顺丰 SF0000000000001\nA-3 顺丰 SF0000000000003\nA-9 顺丰 SF1")
    press(page, "预览发货")
    assert page.locator("#batch-preview .tag-bad").count() == 1
    press(page, "确认，处理 2 个")
    work()
    page.get_by_role("button", name="撤销这个任务").wait_for()
    assert Order.objects.filter(status="shipped").count() == 2
    page.get_by_label("原因").fill("仓库贴错了单")
    press(page, "撤销这个任务")
    work()
    page.get_by_text("这是对").wait_for()
    page.locator("#batch-state", has_text="已完成").wait_for()
    assert Order.objects.filter(status="paid").count() == 3
    assert not Order.objects.filter(status="shipped").exists()
