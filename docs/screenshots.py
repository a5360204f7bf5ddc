"""Take the pictures of docs/images from a running demo: `VAR_DIR=var python -m docs.screenshots [part …]`
(needs chromium); the parts are the functions below.
"""

import datetime as dt
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from playwright.sync_api import FilePayload, Page, sync_playwright

ROOT = Path(__file__).resolve().parent.parent
IMAGES = ROOT / "docs/images"
CHROMIUM = "/usr/bin/chromium"
ARGUMENTS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking"]
SIZE = {"width": 1280, "height": 860}
PHONE = {"width": 390, "height": 844}
NUMBERS = "#result_list tbody th a"
PATIENCE = 120_000
MOST_BYTES = 150_000
HEIGHTS = (860, 760, 660, 560, 460)


def main() -> None:
    """Log in as the demo's staff and take the pictures of the parts that are named, or of all.

    On the way it archives what was delivered a fortnight ago, ships one order and makes a link for a driver.
    """
    demo = json.loads((Path(os.environ.get("VAR_DIR") or "var") / "demo.json").read_text())
    IMAGES.mkdir(exist_ok=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        page = browser.new_page(viewport=SIZE, locale="zh-CN", timezone_id="Asia/Shanghai")  # type: ignore[arg-type]
        page.set_default_timeout(PATIENCE)
        page.on("dialog", lambda dialog: dialog.accept())
        page.goto(demo["urls"]["admin"])
        keep(page, "admin-signin")
        page.fill("#id_username", demo["staff"]["username"])
        page.fill("#id_password", demo["staff"]["password"])
        page.click("input[type=submit]")
        for name in sys.argv[1:] or PARTS:
            PARTS[name](page, demo)
        browser.close()


def dashboard(page: Page, demo: dict[str, Any]) -> None:
    manage("refresh_figures")
    page.goto(demo["urls"]["admin"])
    keep(page, "admin-index")
    on_phone(page, "admin-index-phone")
    page.locator("#board-passages").evaluate("board => board.scrollIntoView()")
    keep(page, "admin-dashboard")


def orders(page: Page, demo: dict[str, Any]) -> None:
    """Look at the lists, at what is found by the end of a phone and a name, and at an order that needs a person."""
    admin = demo["urls"]["admin"]
    page.goto(f"{admin}orders/order/")
    keep(page, "admin-orders")
    on_phone(page, "admin-orders-phone")
    page.fill("#searchbar", f"{demo['buyer']['phone'][-4:]} 林")
    page.click("#changelist-search input[type=submit]")
    keep(page, "admin-search")
    page.goto(f"{admin}orders/alert/")
    keep(page, "admin-alerts")
    on_phone(page, "admin-alerts-phone")
    for todo in ("problems", "lockers", "returned", "stale"):
        page.goto(f"{admin}orders/order/?todo={todo}")
        if page.locator(NUMBERS).count():
            break
    page.locator(NUMBERS).first.click()
    keep(page, "admin-order")
    on_phone(page, "admin-order-phone")


def driver(page: Page, demo: dict[str, Any]) -> None:
    """Make a link for a driver, and look at what it shows."""
    page.goto(f"{demo['urls']['admin']}orders/order/?status__exact=in_transit")
    page.locator(NUMBERS).first.click()
    page.locator("summary:has-text('司机链接')").first.click()
    page.locator("form[action$='driver-link/'] button:not(.danger)").first.click()
    page.goto(page.input_value("input[aria-label=司机链接]"))
    on_phone(page, "driver")


def many(page: Page, demo: dict[str, Any]) -> None:
    """Ship by pasted rows, some of them wrong; preview what would become of some orders, do it, look at the report."""
    admin = demo["urls"]["admin"]
    page.goto(f"{admin}orders/order/")
    numbers = [link.inner_text() for link in page.locator(NUMBERS).all()][:7]
    page.goto(f"{admin}orders/order/?status__exact=paid")
    paid = page.locator(NUMBERS).last.inner_text()  # the sandbox ships the newest by itself
    page.goto(f"{admin}batch/")
    page.fill("textarea[name=numbers]", "\n".join([paid, *numbers, "FD-NOT-OURS"]))
    page.click("button:has-text('查询')")
    rows = [f"{paid} 顺丰 SF1390000{paid[-6:]}", f"{paid} 某某快递 123456", f"{numbers[0]} 顺丰"]
    page.fill("textarea[name=ship_rows]", "\n".join(rows))
    page.click("button[value=ship]")
    keep(page, "admin-batch")
    page.select_option("select[name=mark-fact]", "returned")
    page.click("button[name=action][value=mark]")
    page.click("#batch-preview button[name=action]")
    page.locator("#batch-state:has-text('已完成')").wait_for()
    keep(page, "admin-batch-job")


def files(page: Page, demo: dict[str, Any]) -> None:
    """Take an export from its form to its file; check a file of waybills that is full of mistakes."""
    admin = demo["urls"]["admin"]
    page.goto(f"{admin}orders/order/?status__exact=delivered")
    page.click("a:text-is('导出')")
    page.click("button:has-text('开始导出')")
    page.locator("#batch-progress a.button").wait_for()
    keep(page, "admin-export-job")
    page.goto(f"{admin}orders/order/?status__exact=paid")
    paid = [link.inner_text() for link in page.locator(NUMBERS).all()][-3:]
    page.goto(f"{admin}orders/order/?status__exact=delivered")
    gone = page.locator(NUMBERS).first.inner_text()
    rows = [f"{number},顺丰,SF13990000{number[-5:]}" for number in [*paid, gone, "FD-NOT-OURS"]]
    rows += [f"{paid[0]},顺丰,7.73E+14", f"{paid[0]},圆通,SF1399000012345"]
    content = "\n".join(["订单编号,物流公司,快递单号", *rows]).encode()
    page.goto(f"{admin}import/")
    page.click("label:has-text('按文件发货')")
    given = FilePayload(name="发货.csv", mimeType="text/csv", buffer=content)
    page.set_input_files("input[type=file]", given)
    page.click("button:has-text('上传')")
    page.click("button[value=check]")
    page.locator(".importing table").wait_for()
    keep(page, "admin-import-check")


def looking_back(page: Page, demo: dict[str, Any]) -> None:
    """Look at one order in the archive, at the audit, and at the audit of one order."""
    manage("archive_orders", "--before", f"{dt.datetime.now(dt.UTC) - dt.timedelta(days=14):%Y-%m-%d}")
    admin = demo["urls"]["admin"]
    page.goto(f"{admin}logistics/archivedorder/")
    page.locator(NUMBERS).first.click()
    keep(page, "admin-archived-order")
    page.goto(f"{admin}orders/order/?status__exact=in_transit")
    page.locator(NUMBERS).first.click()
    page.click("summary:has-text('查看完整信息')")
    page.fill("form[action$='unmask/'] input[name=reason]", "买家来电核对地址")
    page.click("form[action$='unmask/'] button")
    page.goto(f"{admin}audit/")
    keep(page, "admin-audit")
    page.goto(f"{admin}audit/?action=order.unmasked")
    page.locator("table a.mono").first.click()
    keep(page, "admin-audit-order")


def messages(page: Page, demo: dict[str, Any]) -> None:
    """Break a template's rule and look at its preview; then at one buyer's messages, one of them, and the phones."""
    admin = demo["urls"]["admin"]
    page.goto(f"{admin}notifications/messagetemplate/?channel=wechat_subscribe")
    page.locator("#result_list tbody th a").first.click()
    page.fill("input[name=fields_text] >> nth=1", "{订单号} {lines}")
    page.fill("input[name=fields_name] >> nth=5", "phrase6")
    page.fill("input[name=fields_text] >> nth=5", "订单{order_no}")
    page.wait_for_selector("[data-preview] .errorlist")
    keep(page, "admin-template")
    page.goto(f"{admin}messages/")
    keep(page, "admin-messages")
    page.fill("#who", demo["buyer"]["phone"])
    page.click("input[value=查找]")
    keep(page, "admin-person")
    fallen = page.locator("tr:has(.tag-bad):has-text('已告知') td:nth-child(3) a")
    (fallen if fallen.count() else page.locator("table.told td:nth-child(3) a")).first.click()
    keep(page, "admin-notice")
    page.goto(f"{demo['urls']['sandbox']}phones")
    keep(page, "sandbox-phones")


def webhooks(page: Page, demo: dict[str, Any]) -> None:
    """Let the shop's endpoint answer 410, so that a message dies; mend it, send the dead one again, see it arrive."""
    admin, control = demo["urls"]["admin"], f"{demo['urls']['sandbox']}webhook"
    endpoints, sent = f"{admin}notifications/webhookendpoint/", f"{admin}notifications/webhookmessage/"
    page.request.put(control, data={"status": 410})
    act(page, endpoints, "send_test")
    page.goto(f"{sent}?state__exact=dead")
    while not page.locator(NUMBERS).count():
        page.wait_for_timeout(1000)
        page.reload()
    number = page.locator(NUMBERS).first.inner_text()
    page.request.put(control, data={"status": 200})
    keep(page, "admin-webhook-dead")
    act(page, endpoints, "switch_on")
    act(page, f"{sent}?q={number}", "replay")
    while page.locator("td.field-state:has-text('已送达')").count() == 0:
        page.wait_for_timeout(1000)
        page.goto(f"{sent}?q={number}")
    page.locator(NUMBERS).first.click()
    keep(page, "admin-webhook-replayed")


def settlement(page: Page, demo: dict[str, Any]) -> None:
    """Look at the money held back, at one payment (one that needs a person first), and at a presale."""
    start = f"{demo['urls']['admin']}settlement/"
    page.goto(start)
    keep(page, "admin-settlement")
    urgent = page.locator("tr:has(.tag-bad) a")
    (urgent if urgent.count() else page.locator("tr:has-text('等买家确认收货') a")).first.click()
    keep(page, "admin-settlement-report")
    page.goto(start)
    page.locator("tr:has-text('还没有发货') a").first.click()
    page.fill("input[name=day]", page.get_attribute("input[name=day]", "min") or "")
    page.click("input[value=预览]")
    keep(page, "admin-settlement-presale")


def sandbox(page: Page, demo: dict[str, Any]) -> None:
    page.goto(demo["urls"]["sandbox"])
    keep(page, "sandbox")


PARTS: dict[str, Callable[[Page, dict[str, Any]], None]] = {
    part.__name__: part
    for part in (dashboard, orders, driver, many, files, looking_back, messages, webhooks, settlement, sandbox)
}


def act(page: Page, url: str, action: str) -> None:
    """Do something with the first row of a list."""
    page.goto(url)
    page.locator("#result_list tbody input.action-select").first.check()
    page.select_option("select[name=action]", action)
    page.click("button[name=index]")
    page.wait_for_load_state("networkidle")


def on_phone(page: Page, name: str) -> None:
    page.set_viewport_size(PHONE)  # type: ignore[arg-type]
    keep(page, name)
    page.set_viewport_size(SIZE)  # type: ignore[arg-type]


def manage(*command: str) -> None:
    subprocess.run([sys.executable, "manage.py", *command], cwd=ROOT, check=True)  # noqa: S603


def keep(page: Page, name: str) -> None:
    """Keep what the window shows, or as much of it from the top as is light enough for a page of docs."""
    page.wait_for_load_state("networkidle")
    size = page.viewport_size or {"width": 1280, "height": HEIGHTS[0]}
    for height in HEIGHTS:
        clip = {"x": 0, "y": 0, "width": size["width"], "height": min(height, size["height"])}
        picture = page.screenshot(clip=clip)  # type: ignore[arg-type]
        if len(picture) <= MOST_BYTES:
            break
    (IMAGES / f"{name}.png").write_bytes(picture)


if __name__ == "__main__":
    main()
