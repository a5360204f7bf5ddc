"""Take the pictures docs/images/miniprogram-*.png from a running demo: `VAR_DIR=var python -m docs.phone_screenshots`.

The list and the settings are those of a new buyer of that demo; the orders are those that the unit tests are made with.
"""

import datetime as dt
import json
import os
from pathlib import Path
from urllib.parse import unquote

from playwright.sync_api import Browser, Page, sync_playwright

from docs.screenshots import ARGUMENTS, CHROMIUM, IMAGES, PHONE
from tests import buyer_page
from tests.buyer_page import Buyer, Phone, Shop, answers

ENGLISH = {"language": "en", "largeText": True}


def main() -> None:
    shop = Shop(json.loads((Path(os.environ.get("VAR_DIR") or "var") / "demo.json").read_text()))
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        guest = Phone(browser, shop, viewport=PHONE)
        keep(guest.open(), "welcome")
        guest.close()
        login = buyer_of(shop).login()
        own = Phone(browser, shop, login=login, viewport=PHONE)
        keep(own.open(), "list")
        keep(own.open("pages/me/index"), "me")
        own.close()
        made_up(browser, shop)
        browser.close()


def buyer_of(shop: Shop) -> Buyer:
    buyer = Buyer(shop)
    ages = (dt.timedelta(days=9), dt.timedelta(days=2), dt.timedelta(hours=20), dt.timedelta(hours=3))
    old, on_its_way, _, _ = buyer.orders(*({"age": age} for age in ages))
    buyer.order(paid_at=None)
    for order_no, status in ((old, "delivered"), (on_its_way, "out_for_delivery")):
        waybill_no = shop.ship(order_no)
        shop.scan(order_no, waybill_no, "in_transit", 30, "【上海市】快件到达【上海浦东集散中心】")
        shop.scan(order_no, waybill_no, status, 5, "【上海市】派送员吴师傅（电话 13900005725）")
    return buyer


def made_up(browser: Browser, shop: Shop) -> None:
    made = buyer_page.fixtures()
    by_number = {document["order_no"]: document for document in made["gallery"].values()}
    for settings, dark, orders in (
        (
            {"language": "zh", "largeText": False},
            False,
            {"forty": "order", "parcel-awaiting_pickup": "pickup", "full": "parcels"},
        ),
        ({"language": "zh", "largeText": False}, True, {"alert-damaged": "damaged-dark"}),
        (ENGLISH, False, {"order-in_transit": "english"}),
    ):
        phone = Phone(
            browser,
            shop,
            login={"token": "t", "sign_secret": "0" * 64},
            keeps={"settings": settings},
            viewport=PHONE,
            color_scheme="dark" if dark else "light",
        )
        phone.page.clock.set_fixed_time(made["now"] / 1000)
        phone.answer("/api/shop$", lambda route: answers(route, {"name": "冻品小店", "phone": "021-58001234"}))
        phone.answer("/api/orders/", lambda route: answers(route, by_number[unquote(route.request.url.split("/")[-1])]))
        for made_as, name in orders.items():
            page = phone.open_order(made["gallery"][made_as]["order_no"])
            page.locator(".head .title").wait_for()
            keep(page, name)
        phone.close()


def keep(page: Page, name: str) -> None:
    page.wait_for_load_state("networkidle")
    page.screenshot(path=IMAGES / f"miniprogram-{name}.png")


if __name__ == "__main__":
    main()
