"""The archive in Debian's chromium, also phone-sized: found, read, held, released, restored in one click."""

import pytest
from playwright.sync_api import Page

from frozenshop.backoffice.subjects import erasure, person
from frozenshop.kernel.actor import SYSTEM
from logistics.archive.models import ArchivedOrder
from logistics.archive.tests.factories import archived
from orders.models import LegalHold, Order
from tests.browsing import beside_a_loop, browser, follow, press, said, screen, sit

__all__ = ["beside_a_loop", "browser", "screen", "sit"]

pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]
NUMBER = "FD20260101000077"


@pytest.fixture(autouse=True)
def order(sit):
    return archived(order_no=NUMBER, note="放门口")


def find(page: Page) -> None:
    """Find the archived order by its buyer's whole phone, and open it."""
    page.goto("orders/order/")
    page.locator("#searchbar").fill("13812341234")
    press(page, "搜索")
    assert "归档中找到" in page.locator(".archive-hits").inner_text()
    follow(page, page.get_by_role("link", name=NUMBER))


def test_an_archived_order_is_found_read_and_restored_in_one_click(sit):
    page = sit("wang", "主管")
    find(page)
    assert page.locator("h1 .tag").last.inner_text() == "已归档"
    assert page.locator(".steps .reached").count() == 5
    assert "138****1234" in page.locator("#content").inner_text()
    assert page.get_by_role("button", name="发货").count() == 0
    page.get_by_text("轨迹（").click()
    page.get_by_label("原因").fill("买家来电要补发票")
    press(page, "恢复这个订单")
    assert NUMBER in said(page)
    assert Order.objects.filter(order_no=NUMBER).exists()
    assert not ArchivedOrder.objects.exists()
    page.goto("archive/")
    assert "买家来电要补发票" in page.locator("#content").inner_text()


def test_a_consignee_in_the_archive_is_shown_for_a_reason(sit):
    page = sit("wang", "客服")
    find(page)
    page.get_by_text("查看完整信息").click()
    page.get_by_label("理由").fill("核对地址")
    press(page, "查看（会记录）")
    assert "13812341234" in page.locator(".revealed").inner_text()
    assert page.get_by_role("button", name="恢复这个订单").count() == 0


def test_a_hold_is_placed_from_the_archive_seen_and_released(sit):
    page = sit("wang", "主管")
    find(page)
    follow(page, page.get_by_role("link", name="设定法律保留"))
    page.get_by_label("依据").fill("案号 2026-77")
    press(page, "设定法律保留")
    assert "已设定法律保留" in said(page)
    follow(page, page.get_by_role("link", name=f"订单 {NUMBER}"))
    page.get_by_label("解除依据").fill("已结案")
    press(page, "解除法律保留")
    assert "已解除法律保留" in said(page)
    assert LegalHold.objects.get().released_at


def test_what_was_erased_says_so_and_keeps_its_facts(sit, order):
    erasure.erase(person.find(phone="13812341234"), actor=SYSTEM, reason="本人要求")
    page = sit("wang", "主管")
    page.goto(f"logistics/archivedorder/{order.pk}/change/")
    shown = page.locator("#content").inner_text()
    assert "已清除" in shown
    assert "虾仁" in shown
    assert "1234" not in shown
    assert page.get_by_text("查看完整信息").count() == 0


def test_the_accounts_of_the_archive_tell_months_terms_and_holds(sit):
    page = sit("wang", "审计")
    page.goto("archive/")
    assert all(page.get_by_role("heading", name=name).is_visible() for name in ("各月份的归档", "保存期限", "法律保留"))
    follow(page, page.get_by_role("link", name="归档订单", exact=True))
    assert NUMBER in page.locator("#result_list").inner_text()
