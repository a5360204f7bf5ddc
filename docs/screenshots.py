"""Take the pictures of docs/images from a running demo: `VAR_DIR=var python -m docs.screenshots` (needs chromium)."""

import json
import os
from pathlib import Path
from typing import Any

from playwright.sync_api import Page, sync_playwright

IMAGES = Path(__file__).parent / "images"
CHROMIUM = "/usr/bin/chromium"
ARGUMENTS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking"]
SIZE = {"width": 1280, "height": 860}
PHONE = {"width": 390, "height": 844}
NUMBERS = "#result_list tbody th a"
MOST_BYTES = 150_000
HEIGHTS = (860, 760, 660, 560, 460)


def main() -> None:
    """Log in as the demo's staff and take each picture. On the way it ships one order and makes a link for a driver."""
    demo = json.loads((Path(os.environ.get("VAR_DIR") or "var") / "demo.json").read_text())
    IMAGES.mkdir(exist_ok=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        page = browser.new_page(viewport=SIZE, locale="zh-CN", timezone_id="Asia/Shanghai")  # type: ignore[arg-type]
        admin = demo["urls"]["admin"]
        page.goto(admin)
        page.fill("#id_username", demo["staff"]["username"])
        page.fill("#id_password", demo["staff"]["password"])
        page.click("input[type=submit]")
        keep(page, "admin-index")
        page.locator("#board-passages").evaluate("board => board.scrollIntoView()")
        keep(page, "admin-dashboard")
        page.goto(f"{admin}orders/order/")
        keep(page, "admin-orders")
        numbers = [link.inner_text() for link in page.locator(NUMBERS).all()][:7]
        page.goto(f"{admin}orders/alert/")
        keep(page, "admin-alerts")
        for todo in ("problems", "lockers", "returned", "stale"):
            page.goto(f"{admin}orders/order/?todo={todo}")
            if page.locator(NUMBERS).count():
                break
        page.locator(NUMBERS).first.click()
        keep(page, "admin-order")
        page.set_viewport_size(PHONE)  # type: ignore[arg-type]
        keep(page, "admin-order-phone")
        page.set_viewport_size(SIZE)  # type: ignore[arg-type]
        page.goto(f"{admin}orders/order/?status__exact=in_transit")
        page.locator(NUMBERS).first.click()
        page.locator("summary:has-text('司机链接')").first.click()
        page.locator("form[action$='driver-link/'] button:not(.danger)").first.click()
        driver = browser.new_page(viewport=PHONE, locale="zh-CN", timezone_id="Asia/Shanghai")  # type: ignore[arg-type]
        driver.goto(page.input_value("input[aria-label=司机链接]"))
        keep(driver, "driver")
        page.goto(f"{admin}orders/order/?status__exact=paid")
        paid = page.locator(NUMBERS).last.inner_text()  # the sandbox ships the newest by itself
        page.goto(f"{admin}batch/")
        page.fill("textarea[name=numbers]", "\n".join([paid, *numbers, "FD-NOT-OURS"]))
        page.click("button:has-text('查询')")
        rows = [f"{paid} 顺丰 SF1390000{paid[-6:]}", f"{paid} 某某快递 123456", f"{numbers[0]} 顺丰"]
        page.fill("textarea[name=ship_rows]", "\n".join(rows))
        page.on("dialog", lambda dialog: dialog.accept())
        page.click("button[value=ship]")
        keep(page, "admin-batch")
        messages(page, demo)
        webhooks(page, demo)
        settlement(page, demo)
        page.goto(demo["urls"]["sandbox"])
        keep(page, "sandbox")
        browser.close()


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


def act(page: Page, url: str, action: str) -> None:
    """Do something with the first row of a list."""
    page.goto(url)
    page.locator("#result_list tbody input.action-select").first.check()
    page.select_option("select[name=action]", action)
    page.click("button[name=index]")
    page.wait_for_load_state("networkidle")


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
