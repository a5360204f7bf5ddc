"""All pages of the admin: nothing inline, nothing unmasked, and none without the second factor where it is enforced."""

import pytest
from django.contrib import admin
from django.contrib.auth.models import User
from django.test import Client

from frozenshop.backoffice.batches import files
from frozenshop.backoffice.batches.models import BatchFile
from frozenshop.backoffice.batches.tests.doing import work
from frozenshop.backoffice.models import OrderNote
from frozenshop.backoffice.roles import ROLES
from frozenshop.backoffice.signin import login, totp
from frozenshop.backoffice.site import StaffSite
from logistics.tests.factories import make_shipment, report
from orders.alerting import open_alert
from orders.models import AlertKind, Order
from orders.tests.factories import line, make_order
from tests.crawling import Page, body_of, walk
from tests.test_roles import client_of, pages
from tests.test_routes import METHODS, address, routes

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


@pytest.mark.slow
def test_every_answer_of_html_has_a_policy_errors_too(order, settings, monkeypatch):
    root, nobody = client_of(None), Client(raise_request_exception=False)
    strict = Client(enforce_csrf_checks=True)
    answers = {
        f"{method} /{route}": nobody.generic(method, address(route, order)) for route in routes() for method in METHODS
    }
    answers |= {f"root POST {url}": root.post(url) for url in every_page(order) if "logout" not in url}
    answers |= {
        url: nobody.get(url)
        for url in ("/nothing", "/admin/nothing/", "/m/nothing", "/d/nothing", "/static/nothing.html")
    }
    answers["no token"] = strict.post("/admin/login/", {"username": "x"})
    answers["another host"] = nobody.get("/admin/login/", headers={"host": "evil.example"})
    with monkeypatch.context() as patched:
        patched.setattr(login, "login_view", lambda *args, **kwargs: 1 / 0)
        answers["an error"] = nobody.get("/admin/login/")
    assert [answers[name].status_code for name in ("no token", "another host", "an error")] == [403, 400, 500]
    html = {what: one for what, one in answers.items() if one.get("Content-Type", "").startswith("text/html")}
    policies = {what: one.get("Content-Security-Policy", "") for what, one in html.items()}
    assert [what for what, policy in policies.items() if "default-src 'none'" not in policy] == []
    assert [what for what, policy in policies.items() if "unsafe" in policy] == []
    assert [what for what, one in html.items() if Page(body_of(one)).inline] == []
    assert len(html) > 100


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
    work()
    made = list(BatchFile.objects.all())
    assert made
    assert [told("", b"".join(files.read(file)).decode()) for file in made] == [[]] * len(made)


# --- the second factor ----------------------------------------------------------------------------


@pytest.fixture
def half(settings) -> Client:
    """Somebody who may everything, has given the password, and has no second factor yet."""
    settings.STAFF_SECOND_FACTOR = "required"
    User.objects.create_superuser("half", password="x")
    return come_in()


def come_in() -> Client:
    client = Client()
    client.post("/admin/login/", {"username": "half", "password": "x"})
    return client


def open_pages(half: Client, order: Order, only: set[str] | None = None) -> list[tuple[str, str, int]]:
    """Ask for every address by every method; return what lets in somebody who has shown the password only."""
    let_in = []
    for route, name in sorted(one for one in set(pages()) if only is None or one[1] in only):
        for method in METHODS:
            if half.session.get("_auth_user_id") is None:
                half = come_in()
            answer = half.generic(method, address(route, order), b"", content_type="application/x-www-form-urlencoded")
            out = answer.status_code == 302 and answer["Location"].startswith(("/admin/login/", "/admin/account/"))
            if not (out or answer.status_code == 405 or name in WITHOUT_FACTOR | {"logout", "signin_leave"}):
                let_in.append((method, name, answer.status_code))
            if told("", body_of(answer)):
                let_in.append((method, name, 0))
    return let_in


@pytest.mark.slow
@pytest.mark.parametrize("enrolled", [False, True])
def test_no_page_opens_without_the_second_factor_where_it_is_enforced(order, half, enrolled):
    if enrolled:
        totp.add(User.objects.get(username="half"), totp.new_secret(), 0)
    assert open_pages(half, order) == []


@pytest.mark.slow
def test_a_page_that_forgot_to_ask_would_be_found(order, half, monkeypatch):
    monkeypatch.setattr(StaffSite, "has_permission", admin.AdminSite.has_permission)
    asked = {"index", "orders_order_change", "audit", "archive", "import", "backoffice_batch_export", "batch"}
    assert {name for _method, name, _status in open_pages(half, order, asked)} == asked


def test_the_buyers_own_and_the_programs_addresses_know_no_staff(order, half):
    """What is no page of staff's takes no session of theirs, whole or half."""
    for route in sorted(set(routes())):
        if not route.startswith("admin/"):
            assert told("", body_of(half.get(address(route, order)))) == []
