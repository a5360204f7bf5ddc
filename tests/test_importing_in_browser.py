"""A file of waybills from its upload to its undo, and many orders by group, in Debian's chromium, also phone-sized."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.conf import settings as configured
from django.contrib.auth.models import User
from django.test import Client
from playwright.sync_api import Browser, Page

from frozenshop.backoffice.batches.tests.doing import work
from frozenshop.backoffice.tests.conftest import proved_now
from logistics.tests.factories import make_carrier
from orders.models import Order
from orders.tests.factories import make_order
from orders.tests.test_importing import as_csv
from tests.test_browser import PHONE, browser

__all__ = ["browser"]

pytestmark = [pytest.mark.slow, pytest.mark.timeout(400), pytest.mark.django_db(transaction=True)]
PICTURES = os.environ.get("IMPORT_PICTURES", "")
WIDE = {"width": 1280, "height": 900}


@pytest.fixture(scope="module", autouse=True)
def beside_a_loop() -> Iterator[None]:
    """Playwright keeps an event loop in this thread, in which Django would refuse its database."""
    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"
    yield
    del os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"]


@pytest.fixture(params=["wide", "phone"])
def page(request, live_server, browser: Browser, settings) -> Iterator[Page]:
    """A page of an administrator who has just signed in; what its console says fails the test."""
    settings.SESSION_COOKIE_SECURE = settings.CSRF_COOKIE_SECURE = False
    client = Client()
    client.force_login(User.objects.create_superuser("wang", password="a long enough one"))
    proved_now(client)
    size = PHONE if request.param == "phone" else WIDE
    context = browser.new_context(base_url=live_server.url, locale="zh-CN", viewport=size)
    name = configured.SESSION_COOKIE_NAME
    context.add_cookies([{"name": name, "value": client.cookies[name].value, "url": live_server.url}])
    page, wrong = context.new_page(), []
    page.on("console", lambda said: wrong.append(said.text) if said.type == "error" else None)
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on("dialog", lambda dialog: dialog.accept())
    page.label = request.param
    yield page
    context.close()
    assert wrong == []


def looked_at(page: Page, name: str) -> None:
    """Nothing stands beyond the edge of the screen; keep a picture where one is wanted."""
    assert page.evaluate("document.documentElement.scrollWidth - window.innerWidth") <= 1, name
    if PICTURES:
        page.screenshot(path=Path(PICTURES) / f"{name}-{page.label}.png", full_page=True)


@pytest.fixture
def waybills(tmp_path) -> str:
    make_carrier("SF", aliases=["顺丰"])
    for n in range(3):
        make_order("paid", order_no=f"A-{n}")
    path = tmp_path / "发货.csv"
    rows = [["订单编号", "物流公司", "快递单号"], *[[f"A-{n}", "顺丰", f"SF000000000000{n}"] for n in range(4)]]
    path.write_text(as_csv(rows))
    return str(path)


def test_waybills_are_imported_and_taken_back(page, waybills):
    page.goto("/admin/import/")
    looked_at(page, "import-upload")
    page.get_by_text("按文件发货").click()
    page.set_input_files("input[type=file]", waybills)
    page.get_by_role("button", name="上传", exact=True).click()
    looked_at(page, "import-match")
    page.get_by_role("button", name="检查", exact=True).click()
    page.wait_for_selector("progress")
    work()
    page.wait_for_selector(".importing table")  # the page looks again by itself
    assert "没有这个订单" in page.inner_text(".importing table")
    looked_at(page, "import-checked")
    page.get_by_role("button", name="只导入没有问题的").click()
    page.wait_for_url("**/backoffice/batch/**")
    work()
    assert Order.objects.filter(status="shipped").count() == 3
    page.goto(page.url)
    looked_at(page, "import-done")


def test_many_orders_are_seen_and_acted_on(page, waybills):
    page.goto("/admin/batch/")
    page.fill("textarea[name=numbers] >> nth=0", "A-0 A-1 A-2 NOPE")
    page.get_by_role("button", name="查询", exact=True).click()
    looked_at(page, "batch-found")
    page.select_option("select[name=mark-fact]", "cancelled")
    page.locator("button[name=action][value=mark]").click()
    assert "已付款 → 已取消" in page.inner_text("#batch-preview")
    looked_at(page, "batch-preview")
    page.locator("#batch-preview button[name=action]").click()
    page.wait_for_url("**/backoffice/batch/**")
    work()
    assert Order.objects.filter(status="cancelled").count() == 3
