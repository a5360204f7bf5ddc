"""All pages of the admin: nothing inline, nothing unmasked, and none without the second factor where it is enforced."""

import pytest
from django.contrib.auth.models import User
from django.test import Client

from frozenshop.backoffice.models import OrderNote
from frozenshop.backoffice.roles import ROLES
from logistics.tests.factories import make_shipment, report
from orders.alerting import open_alert
from orders.models import AlertKind, Order
from orders.tests.factories import line, make_order
from tests.crawling import Page, body_of, walk
from tests.test_roles import client_of, pages
from tests.test_routes import address

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("own_stores"), pytest.mark.timeout(400)]
NAME, PHONE, STREET = "慕容蓝鲸", "15566667777", "金丝雀路 99 弄"
CANARIES = (NAME, PHONE, STREET, "5566667777", "容蓝鲸")
WITHOUT_FACTOR = {"login", "signin_account", "signin_verify", "signin_totp", "signin_passkey"}


@pytest.fixture
def order() -> Order:
    """An order of somebody whose every trait is a canary, with whatever the program hangs on an order."""
    who = {"name": NAME, "phone": PHONE, "address": STREET, "district": "静安区"}
    order = make_order("paid", order_no="CANARY-1", buyer_openid="canary", lines=[line(name="带鱼")], **who)
    shipment = make_shipment(order, waybill_no="SF0009990009990")
    report(shipment, "in_transit")
    open_alert(AlertKind.STALE, subject=order.order_no, order=order)
    OrderNote.objects.create(order_no=order.order_no, author="staff:1", text="已联系")
    return order


def every_page(order: Order) -> list[str]:
    found = [address(route, order) for route, name in sorted(set(pages())) if "logout" not in route]
    lists = [url for url in found if url.count("/") == 4]
    asked = (NAME, PHONE, "7777 慕", "CANARY-1", "SF0009990009990", "静安")
    return [*found, *(f"{url}?q={typed}" for url in lists for typed in asked if "orders/" in url or "shipment" in url)]


def told(url: str, body: str) -> list[str]:
    """Return which canaries a page shows, beyond what was typed into its own search."""
    return [canary for canary in CANARIES if canary in body and not any(part in url for part in (NAME, PHONE))] or [
        canary for canary in CANARIES if canary in body and canary not in (NAME, PHONE, "5566667777", "容蓝鲸")
    ]


@pytest.mark.slow
@pytest.mark.parametrize("role", [None, "查看", "主管", "审计"], ids=["root", "viewer", "lead", "auditor"])
def test_no_page_shows_anybody_unmasked_or_holds_anything_inline(order, role):
    client, wrong, seen = client_of(role), [], 0
    for url, answer, body in walk(client, ["/admin/", *every_page(order)]):
        seen += answer.status_code == 200
        if found := told(url, body):
            wrong.append((url, "shows", found))
        if answer["Content-Type"].startswith("text/html"):
            if inline := Page(body).inline:
                wrong.append((url, "holds inline", inline))
            if answer.status_code == 200 and "script-src 'self'" not in answer.get("Content-Security-Policy", ""):
                wrong.append((url, "has no policy"))
    assert wrong == []
    assert seen > 40


@pytest.mark.parametrize("role", sorted(set(ROLES) - {"客服", "主管", "管理员"}))
def test_who_may_not_unmask_gets_nothing_by_asking(order, role):
    answer = client_of(role).post(f"/admin/orders/order/{order.pk}/do/unmask/", {"reason": "看看"})
    assert answer.status_code == 403
    assert told("", body_of(answer)) == []


def test_who_may_does(order):
    """So that the canaries are known to be there to be seen."""
    answer = client_of("客服").post(f"/admin/orders/order/{order.pk}/do/unmask/", {"reason": "来电核对"})
    assert {NAME, PHONE, STREET} <= set(told("", body_of(answer)))


def test_the_batch_tables_file_is_masked(order):
    given = {"action": "export", "numbers": order.order_no, "order_nos": order.order_no}
    for role in ROLES:
        assert told("", body_of(client_of(role).post("/admin/batch/", given))) == []


# --- the second factor ----------------------------------------------------------------------------


@pytest.fixture
def half(settings) -> Client:
    """Somebody who may everything, has given the password, and has no second factor yet."""
    settings.STAFF_SECOND_FACTOR = "required"
    User.objects.create_superuser("half", password="x")
    client = Client()
    client.post("/admin/login/", {"username": "half", "password": "x"})
    return client


@pytest.mark.slow
def test_no_page_opens_without_the_second_factor_where_it_is_enforced(order, half):
    session, let_in = half.cookies["sessionid"].value, []
    for route, name in sorted(set(pages())):
        for method in ("GET", "POST"):
            half.cookies["sessionid"] = session
            answer = half.generic(method, address(route, order), b"", content_type="application/x-www-form-urlencoded")
            out = answer.status_code == 302 and answer["Location"].startswith(("/admin/login/", "/admin/account/"))
            if not (out or answer.status_code == 405 or name in WITHOUT_FACTOR | {"logout", "signin_leave"}):
                let_in.append((method, name, answer.status_code))
            assert told("", body_of(answer)) == []
        if name == "signin_leave":
            half.post("/admin/login/", {"username": "half", "password": "x"})
            session = half.cookies["sessionid"].value
    assert let_in == []
