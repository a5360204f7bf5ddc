"""From a list to its file in Debian's chromium, also phone-sized: masked by oneself, in full by two people."""

import re

import openpyxl
import pytest
from playwright.sync_api import Locator, Page

from frozenshop.backoffice.batches.tests.doing import work
from frozenshop.kernel.models import AuditEntry
from orders.tests.factories import make_order
from tests.browsing import beside_a_loop, browser, follow, press, said, screen, sit, taken

__all__ = ["beside_a_loop", "browser", "screen", "sit"]

pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]
PAID = "orders/order/?status__exact=paid"


@pytest.fixture(autouse=True)
def orders(sit):
    for n in range(3):
        make_order("paid", order_no=f"A-{n}", name="欧阳雪", phone="13812347788")
    make_order("placed", order_no="B-1")


def begin(page: Page) -> None:
    page.goto(PAID)
    follow(page, page.get_by_role("link", name="导出"))
    assert page.locator("#content strong").inner_text() == "3"


def file_link(page: Page) -> Locator:
    """Wait until the page has shown by itself that the file is there."""
    link = page.get_by_role("link", name=re.compile("^下载 .*xlsx"))
    link.wait_for()
    return link


def rows(page: Page, folder) -> list[tuple]:
    path = folder / "taken.xlsx"
    taken(page, file_link(page)).save_as(path)
    return list(openpyxl.load_workbook(path).active.values)


def test_a_list_is_exported_watched_and_downloaded(sit, tmp_path):
    page = sit("wang", "主管")
    begin(page)
    press(page, "开始导出")
    assert page.get_by_role("progressbar", name="进度").get_attribute("value") == "0"
    work()
    found = rows(page, tmp_path)
    assert sorted(row[0] for row in found[1:]) == ["A-0", "A-1", "A-2"]
    assert "138****7788" in found[1]
    assert "13812347788" not in str(found)
    assert page.get_by_role("progressbar", name="进度").get_attribute("value") == "100"


def test_in_full_only_when_a_second_person_has_approved_and_marked(sit, tmp_path):
    page = sit("wang", "主管")
    begin(page)
    page.get_by_role("radio", name="不打码").check()
    page.get_by_label("原因（不打码时必填）").fill("保险理赔 2026-11")
    press(page, "开始导出")
    assert page.get_by_role("button", name="批准", exact=True).count() == 0
    address = page.url
    work()

    second = sit("li", "主管")
    second.goto("backoffice/batch/")
    follow(second, second.locator("#result_list tbody th a").first)
    assert second.url.rpartition("/admin/")[2] == address.rpartition("/admin/")[2]
    assert "保险理赔 2026-11" in second.locator(".facts").inner_text()
    press(second, "批准")
    assert "已批准" in said(second)
    work()
    second.reload()
    assert "文件只能由发起人下载" in second.locator("#batch-progress").inner_text()

    found = rows(page, tmp_path)
    assert "未打码" in str(found[0])
    assert all(who in str(found[0]) for who in ("wang", "li"))
    people = [row for row in found if row[0] in ("A-0", "A-1", "A-2")]
    assert len(people) == 3
    assert all("13812347788" in row and "wang" in str(row[-1]) for row in people)
    assert AuditEntry.objects.filter(action="order.exported_unmasked").exists()


def test_who_may_not_approve_is_told_why_nothing_happens(sit):
    page = sit("wang", "主管")
    begin(page)
    page.get_by_role("radio", name="不打码").check()
    press(page, "开始导出")
    assert "原因" in said(page)
