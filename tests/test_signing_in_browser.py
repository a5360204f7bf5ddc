"""Signing in with an app and a security key in Debian's chromium, which also says what the policy of pages forbids."""

import base64
import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.hashes import SHA1
from cryptography.hazmat.primitives.twofactor.totp import TOTP
from django.contrib import admin
from django.contrib.auth.models import User
from django.urls import NoReverseMatch, reverse
from playwright.sync_api import Browser, BrowserContext, Error, Page

from frozenshop.backoffice.roles import PAGES
from logistics.tests.factories import make_shipment, report
from orders.tests.factories import make_order
from tests.browsing import PATIENCE, PHONE, beside_a_loop, browser, fits, follow

__all__ = ["beside_a_loop", "browser"]

pytestmark = [
    *(pytest.mark.slow, pytest.mark.timeout(400)),
    *(pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("beside_a_loop")),
]
PASSWORD = "a long enough one"
KEY = {
    "protocol": "ctap2",
    "transport": "internal",
    "automaticPresenceSimulation": True,
    "hasResidentKey": True,
    "hasUserVerification": True,
    "isUserVerified": True,
}


@pytest.fixture
def order():
    order = make_order("paid", order_no="BROWSER-1")
    report(make_shipment(order), "in_transit")
    return order


@pytest.fixture
def base(live_server, settings, order) -> str:
    settings.STAFF_SECOND_FACTOR = "required"
    settings.PUBLIC_URL = live_server.url
    settings.SESSION_COOKIE_SECURE = settings.CSRF_COOKIE_SECURE = False
    User.objects.create_superuser("wang", password=PASSWORD)
    return f"{live_server.url}/admin/"


@pytest.fixture
def context(base, browser: Browser) -> Iterator[BrowserContext]:
    context = browser.new_context(base_url=base, locale="zh-CN", timezone_id="Asia/Shanghai")
    context.set_default_timeout(PATIENCE)
    yield context
    context.close()


@pytest.fixture
def page(context: BrowserContext) -> Iterator[Page]:
    """A page with a security key at hand; what its console says fails the test."""
    page, wrong = context.new_page(), []
    page.on("console", lambda said: wrong.append(f"{page.url}: {said.text}") if said.type == "error" else None)
    page.on("pageerror", lambda error: wrong.append(f"{page.url}: {error}"))
    page.on("dialog", lambda dialog: dialog.accept())
    devices = context.new_cdp_session(page)
    devices.send("WebAuthn.enable")
    devices.send("WebAuthn.addVirtualAuthenticator", {"options": KEY})
    yield page
    assert wrong == []


def password(page: Page) -> None:
    page.goto("")
    page.get_by_label("用户名").fill("wang")
    page.get_by_label("密码").fill(PASSWORD)
    follow(page, page.get_by_role("button", name="登录"))


def add_app(page: Page) -> None:
    follow(page, page.get_by_role("link", name="添加验证器应用"))
    shot(page, "totp")
    secret = page.locator(".secret").inner_text()
    code = TOTP(base64.b32decode(secret), 6, SHA1(), 30).generate(int(time.time())).decode()
    page.get_by_label("6 位数字").fill(code)
    follow(page, page.get_by_role("button", name="添加"))


def shot(page: Page, name: str) -> None:
    """Leave pictures, broad and narrow, where SHOTS names a folder."""
    if folder := os.environ.get("SHOTS"):
        page.screenshot(path=Path(folder) / f"{name}.png", full_page=True)
        size = page.viewport_size
        page.set_viewport_size(PHONE)
        page.screenshot(path=Path(folder) / f"{name}-phone.png", full_page=True)
        page.set_viewport_size(size)


def test_from_the_first_password_to_a_key_and_back_in(page):
    password(page)
    assert page.get_by_text("进入后台之前").is_visible()
    shot(page, "enrol")
    add_app(page)
    assert page.locator(".codes li").count() == 10
    shot(page, "codes")
    follow(page, page.get_by_role("link", name="已经保存好"))
    follow(page, page.get_by_role("link", name="添加安全密钥"))
    shot(page, "passkey")
    page.get_by_label("名称").fill("测试密钥")
    follow(page, page.get_by_role("button", name="添加"))
    assert page.get_by_text("已添加：测试密钥").is_visible()
    shot(page, "account")
    follow(page, page.get_by_role("button", name="注销"))
    password(page)
    assert page.get_by_text("密码正确").is_visible()
    shot(page, "verify")
    follow(page, page.get_by_role("button", name="使用安全密钥"))
    assert page.get_by_role("heading", name="今日工作").is_visible()


def test_the_second_factor_is_asked_for_again_on_a_phone_and_the_act_goes_on(page, settings, order):
    password(page)
    add_app(page)
    page.set_viewport_size(PHONE)
    settings.STAFF_REAUTH_MINUTES = 0
    page.goto(f"orders/order/{order.pk}/change/")
    page.get_by_text("查看完整信息").click()
    page.get_by_label("理由（会被记录）").fill("买家来电核对地址")
    follow(page, page.get_by_role("button", name="查看", exact=True))
    assert page.get_by_text("请再确认一次身份").first.is_visible()
    assert fits(page)
    shot(page, "again")
    page.get_by_label("密码").fill(PASSWORD)
    follow(page, page.get_by_role("button", name="确认并继续"))
    assert page.locator(".revealed").is_visible()


def addresses() -> list[str]:
    lists = [f"{m._meta.app_label}/{m._meta.model_name}/{page}" for m in admin.site._registry for page in ("", "add/")]
    own = []
    for name in PAGES:
        try:
            own.append(reverse(f"admin:{name}").removeprefix("/admin/"))
        except NoReverseMatch:
            continue
    return [*lists, *(one for one in own if "log" not in one or one == "logs/")]


def test_no_page_asks_for_what_its_policy_forbids(page, order):
    password(page)
    add_app(page)
    refused: list[str] = []
    quiet, shown = page.context.new_page(), 0
    quiet.on("console", lambda said: refused.append(f"{quiet.url} {said.text}") if "Policy" in said.text else None)
    for address in [*addresses(), f"orders/order/{order.pk}/change/", "auth/user/1/change/"]:
        try:
            answer = quiet.goto(address)
        except Error:  # nothing to show: a page that is only posted to
            continue
        shown += answer is not None and "default-src 'none'" in answer.headers.get("content-security-policy", "")
    assert refused == []
    assert shown > 60
