"""Members of staff at Debian's chromium, on a wide screen or a phone's, where nothing goes wrong unseen."""

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, cast

import pytest
from django.conf import settings as configured
from django.contrib.auth.models import Group, User
from django.test import Client
from playwright.sync_api import Browser, Download, Locator, Page, Request, ViewportSize, sync_playwright

from frozenshop.backoffice.roles import ensure_roles
from frozenshop.backoffice.tests.conftest import proved_now

CHROMIUM = Path("/usr/bin/chromium")
ARGUMENTS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking"]
PHONE: ViewportSize = {"width": 390, "height": 844}
WIDE: ViewportSize = {"width": 1280, "height": 900}
SCREENS = {"wide": WIDE, "phone": PHONE}
OVER = "document.scrollingElement.scrollWidth - innerWidth"
TELL_OVER = f"addEventListener('load', () => {OVER} > 1 && console.error(`${{{OVER}}} px beyond the edge`))"

PATIENCE = 120_000
"""Milliseconds that a busy machine may take for one step."""

Sit = Callable[..., Page]
"""`sit("wang", "主管")` signs that person in, at a browser of their own."""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    if not CHROMIUM.exists():
        sentence = f"{CHROMIUM} is absent (apt-get install chromium)"
        if os.environ.get("REQUIRE_SERVICES") == "1":
            pytest.fail(sentence)
        pytest.skip(sentence)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def beside_a_loop() -> Iterator[None]:
    """Playwright keeps an event loop in this thread, in which Django would refuse its database."""
    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"
    yield
    del os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"]


@pytest.fixture(params=SCREENS)
def screen(request: pytest.FixtureRequest) -> ViewportSize:
    return SCREENS[request.param]


@pytest.fixture
def sit(
    beside_a_loop: None, transactional_db: None, live_server: Any, browser: Browser, settings: Any, screen: ViewportSize
) -> Iterator[Sit]:
    settings.SESSION_COOKIE_SECURE = settings.CSRF_COOKIE_SECURE = False
    ensure_roles()
    with ExitStack() as left:

        def make(name: str, role: str) -> Page:
            return left.enter_context(_signed_in(browser, live_server.url, _person(name, role), screen))

        yield make


def _person(name: str, role: str) -> Client:
    user = User.objects.create_user(name, is_staff=True)
    user.groups.add(Group.objects.get(name=role))
    client = Client()
    client.force_login(user)
    proved_now(client)
    return client


@contextmanager
def _signed_in(browser: Browser, url: str, client: Client, screen: ViewportSize) -> Iterator[Page]:
    context = browser.new_context(
        base_url=f"{url}/admin/", locale="zh-CN", timezone_id="Asia/Shanghai", viewport=screen
    )
    name = configured.SESSION_COOKIE_NAME
    context.add_cookies([{"name": name, "value": client.cookies[name].value, "url": url}])
    context.add_init_script(TELL_OVER)
    context.set_default_timeout(PATIENCE)
    page = context.new_page()
    wrong = watched(page)
    yield page
    assert fits(page)
    context.close()
    assert wrong == []


def watched(page: Page) -> list[str]:
    """Return what goes wrong on a page from now on: in scripts, on the console (where what the policy of pages forbids
    is told, too), in what it asks the server for."""
    wrong: list[str] = []
    page.on("pageerror", lambda error: wrong.append(f"{page.url}: {error}"))
    page.on(
        "console", lambda said: wrong.append(f"{page.url}: {said.text}") if said.type in ("error", "warning") else None
    )
    page.on("response", lambda answer: wrong.append(f"{answer.status} {answer.url}") if answer.status >= 400 else None)
    page.on("requestfailed", lambda request: wrong.append(request.url) if _failed(request) else None)
    page.on("dialog", lambda dialog: dialog.accept())
    return wrong


def _failed(request: Request) -> bool:
    """A question that its own page breaks off by going on, or an answer that is a file, is no failure."""
    return "ERR_ABORTED" not in (request.failure or "")


def fits(page: Page) -> bool:
    """Say whether nothing stands beyond the right edge of the screen."""
    return cast("bool", page.evaluate(f"{OVER} <= 1"))


def follow(page: Page, link: Locator) -> None:
    """Click what leads to another page, and be there."""
    with page.expect_navigation():
        link.click()


def press(page: Page, name: str) -> None:
    """Press the button of that name, which leads to another page."""
    follow(page, page.get_by_role("button", name=name, exact=True))


def taken(page: Page, link: Locator) -> Download:
    """Click what gives a file."""
    with page.expect_download() as waiting:
        link.click()
    return waiting.value


def said(page: Page) -> str:
    return page.locator(".messagelist").inner_text()


def order_links(page: Page) -> Locator:
    return page.locator("#result_list tbody th a")
