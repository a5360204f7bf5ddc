"""Every address × everybody without business there, made from the URL configuration: a new route is entered here."""

import json
import re
from collections.abc import Callable, Iterator

import pytest
from django.http import HttpResponse
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver

from frozenshop.api.tests.client import Signer, log_in, shop
from logistics.tests.factories import make_shipment, report
from orders.models import Order
from orders.tests.factories import line, make_customer, make_order

PUBLIC = {
    "api/auth/login", "api/auth/sms-code", "api/shop", "api/schema/", "healthz", "readyz",
    "^(?:api|merchant|callbacks)/",
}  # fmt: skip
CALLBACKS = {
    "callbacks/wechat", "callbacks/kdniao", "callbacks/cainiao",
    *(f"callbacks/{name}/<str:secret>" for name in ("cainiao", "sf", "kuaidi100", "sms/aliyun", "sms/tencent")),
}  # fmt: skip
NEEDS_TOKEN = {"metrics"}
DRIVERS = {"d/<any:secret>"}
BUYERS_PAGES = {"m/", "m/<path:name>"}
OWN = {
    "api/orders", "api/orders/counts", "api/orders/statuses", "api/auth/logout", "api/auth/phone",
    "api/subscriptions", "api/subscriptions/advice", "api/me", "api/me/notifications",
}  # fmt: skip
BUYERS_ORDER = {f"api/orders/<any:order_no>{verb}" for verb in ("", "/refresh", "/confirm", "/wechat")}
SHOPS = {
    "merchant/orders", "merchant/orders/<any:order_no>", "merchant/orders/<any:order_no>/events",
    "merchant/orders/<any:order_no>/shipments", "merchant/orders/<any:order_no>/shipments/<any:waybill_no>/void",
    "merchant/orders/<any:order_no>/shipments/<any:waybill_no>/events",
}  # fmt: skip
LOGIN = {"admin/login/"}
ANY_STAFF = {
    "admin/", "admin/logout/", "admin/password_change/", "admin/password_change/done/", "admin/jsi18n/",
    *(f"admin/account/{page}" for page in ("", "again/", "verify/", "totp/", "passkey/", "recovery/", "logout/")),
    "admin/account/factors/<int:factor_id>/remove/", "admin/account/sessions/end/",
}  # fmt: skip
LISTS = {
    "kernel": ("outboxmessage", "jobrun", "calendarday", "shopcalendar", "auditentry", "merchantkey"),
    "orders": ("productcategory", "product", "customer", "order", "alert", "legalhold"),
    "logistics": (
        "carrier", "shipment", "providercall", "providermessage", "providernews", "providerstate", "unknowncode",
        "unreadtext", "archivedorder",
    ),
    "notifications": (
        "notice", "delivery", "messagetemplate", "consent", "smsbudget", "channelstate", "staffcontact",
        "webhookendpoint", "webhookmessage", "smspush",
    ),
    "backoffice": ("batch", "signinattempts"),
    "auth": ("user", "group"),
    "django_celery_beat": ("periodictask",),
}  # fmt: skip
PAGES = ("", "add/", *(f"<path:object_id>/{page}" for page in ("", "history/", "delete/", "change/")))
STAFF = {
    "admin/archive/", "admin/logistics/archivedorder/<int:order_id>/do/<slug:name>/",
    "admin/orders/legalhold/<int:hold_id>/release/",
    "admin/audit/", "admin/audit/export/", "admin/audit/order/<path:order_no>/", "admin/audit/person/<str:actor>/",
    "admin/import/", "admin/import/<int:batch_id>/", "admin/import/<int:batch_id>/report/",
    "admin/batch/", "admin/costs/", "admin/logs/", "admin/trail/", "admin/autocomplete/",
    "admin/r/<path:content_type_id>/<path:object_id>/",
    "admin/auth/user/<id>/password/", "admin/orders/order/<int:order_id>/do/<slug:name>/", "admin/(?P<url>.*)$",
    *(f"admin/orders/order/{page}" for page in ("find/", "find/forget/", "views/", "views/<int:view_id>/", "columns/")),
    "admin/backoffice/batch/export/<slug:what>/",
    *(f"admin/backoffice/batch/<int:batch_id>/{page}/" for page in ("progress", "report", "file", "do/<slug:name>")),
    "admin/orders/alert/statistics/", "admin/settlement/", "admin/settlement/<int:report_id>/",
    "admin/messages/", "admin/messages/person/<str:recipient>/", "admin/notifications/notice/<int:notice_id>/resend/",
    *(f"admin/notifications/messagetemplate/{page}" for page in ("preview/", "adopt/", "<int:template_id>/test/")),
    "admin/^(?P<app_label>kernel|orders|logistics|backoffice|notifications|auth|django_celery_beat)/$",
    *(f"admin/{app}/{model}/{page}" for app, models in LISTS.items() for model in models for page in PAGES),
}  # fmt: skip
PROGRAMS = PUBLIC | CALLBACKS | NEEDS_TOKEN | OWN | BUYERS_ORDER | SHOPS
TABLE = PROGRAMS | DRIVERS | BUYERS_PAGES | LOGIN | ANY_STAFF | STAFF
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
WITHOUT_DATA = {204, 301, 302, 400, 401, 403, 404, 405}
FISH = "蓝鳍金枪鱼大腹"

Send = Callable[[str, str], HttpResponse]
pytestmark = [
    pytest.mark.django_db,
    pytest.mark.usefixtures("own_stores"),
    pytest.mark.timeout(300),
    pytest.mark.long,  # who is refused is refused by code
]


def routes(resolver: URLResolver | None = None, before: str = "") -> Iterator[str]:
    for one in (resolver or get_resolver()).url_patterns:
        route = before + str(one.pattern)
        if isinstance(one, URLPattern):
            yield route
        else:
            yield from routes(one, route)


def test_every_route_stands_in_the_table_and_nothing_else_does():
    assert set(routes()) == TABLE


# --- the victim and the visitors ------------------------------------------------------------------


@pytest.fixture
def victim() -> Order:
    who = {"name": "慕容绝", "phone": "15566667777", "district": "静安区"}
    order = make_order("paid", order_no="VICTIM-1", buyer_openid="victim", lines=[line(name=FISH)], **who)
    report(make_shipment(order, waybill_no="SF0009990009990"), "in_transit")
    return order


@pytest.fixture
def nobody() -> Callable[[], Send]:
    return lambda: Client(raise_request_exception=False).generic


@pytest.fixture
def other_buyer() -> Callable[[], Send]:
    def arrive() -> Send:
        signer = log_in(make_customer(phone="13800138000"))
        return lambda method, url: signer.send(method, url, body_for(url, method))

    return arrive


@pytest.fixture
def powerless_staff(login) -> Callable[[], Send]:
    client = login()
    client.raise_request_exception = False
    user = client.get("/admin/").context["user"]

    def arrive() -> Send:
        client.force_login(user)
        return lambda method, url: client.generic(method, url, body_for(url, method), content_type="application/json")

    return arrive


@pytest.fixture
def powerless_shop() -> Callable[[], Send]:
    signer = shop("nothing")
    return lambda: lambda method, url: Signer.send(signer, method, url, body_for(url, method))


def body_for(url: str, method: str) -> bytes:
    return json.dumps({"order_nos": ["VICTIM-1"]}).encode() if "statuses" in url and method == "POST" else b""


def address(route: str, order: Order) -> str:
    """Return an address of the route that leads to the victim's things, where it leads to any."""
    key = order.pk if "orders/order" in route else order.shipments.get().pk if "shipment/" in route else 1
    given = {
        "<path:order_no>": order.order_no, "<str:actor>": "staff:1",
        "<any:order_no>": order.order_no, "<any:waybill_no>": "SF0009990009990", "<path:object_id>": key,
        "<int:order_id>": order.pk, "<slug:name>": "unmask", "<id>": 1, "<path:content_type_id>": 1,
        "<int:view_id>": 1, "<int:report_id>": 1, "<int:notice_id>": 1, "<int:template_id>": 1,
        "<str:recipient>": "customer:1",
        "<int:factor_id>": 1, "<int:batch_id>": 1, "<slug:what>": "orders", "<int:hold_id>": 1,
        "(?P<url>.*)$": "nothing", "<str:secret>": "guessed", "<any:secret>": "guessed", "<path:name>": "nothing.js",
        "^(?:api|merchant|callbacks)/": "api/nothing",
        "^(?P<app_label>kernel|orders|logistics|backoffice|notifications|auth|django_celery_beat)/$": "orders/",
    }  # fmt: skip
    for part, value in given.items():
        route = route.replace(part, str(value))
    assert not re.search(r"[<>^$(]", route), route
    return f"/{route}"


def tells(answer: HttpResponse) -> bool:
    """Say whether an answer holds anything of the victim's."""
    body = b"".join(answer.streaming_content) if answer.streaming else answer.content
    return any(mark.encode() in body for mark in (FISH, "SF0009990009990", "慕*", "155****7777", "静安区"))


def let_in(
    visitor: Callable[[], Send], order: Order, answering: set[str], methods: tuple[str, ...] = METHODS
) -> list[tuple[str, str, int]]:
    """Try every route by the methods; return what broke, told something, or let in where it isn't `answering`."""
    wrong, send = [], visitor()
    for route in sorted(set(routes())):
        for method in methods:
            answer = send(method, address(route, order))
            if method == "OPTIONS" and answer.status_code == 200 and not answer.content:
                continue
            fine = WITHOUT_DATA | ({200} if route in answering else set())
            if answer.status_code not in fine or tells(answer):
                wrong.append((method, route, answer.status_code))
        if "logout" in route:
            send = visitor()
    return wrong


OPEN_TO_ALL = PUBLIC | LOGIN | BUYERS_PAGES


def test_nobody_gets_in_anywhere(victim, nobody):
    assert let_in(nobody, victim, OPEN_TO_ALL) == []


def test_another_buyer_gets_in_nowhere_but_to_their_own(victim, other_buyer):
    assert let_in(other_buyer, victim, OPEN_TO_ALL | OWN) == []


@pytest.mark.parametrize(
    "methods", [("GET", "POST"), pytest.param(METHODS, marks=pytest.mark.slow)], ids=["two", "all"]
)
def test_staff_without_rights_get_in_nowhere(victim, powerless_staff, methods):
    assert let_in(powerless_staff, victim, OPEN_TO_ALL | ANY_STAFF, methods) == []


def test_a_shops_key_without_scopes_gets_in_nowhere(victim, powerless_shop):
    assert let_in(powerless_shop, victim, OPEN_TO_ALL) == []


def test_the_victims_own_buyer_and_a_shop_do_get_in(victim):
    """So that the addresses of the table are known to lead somewhere."""
    owner = log_in(victim.customer)
    assert all(tells(owner.get(address(route, victim))) for route in ("api/orders", "api/orders/<any:order_no>"))
    assert tells(shop("orders:read").get(address("merchant/orders/<any:order_no>", victim)))


def test_full_rights_do_get_in(victim, login):
    root = login(superuser=True)
    assert all(tells(root.get(address(f"admin/orders/order/{page}", victim))) for page in ("", PAGES[-1]))


def test_the_answers_without_an_owner_are_the_right_ones(victim, nobody, other_buyer, powerless_staff, powerless_shop):
    def said(visitor, group, method="GET"):
        return {visitor()(method, address(route, victim)).status_code for route in group}

    assert said(nobody, OWN | BUYERS_ORDER | SHOPS) == said(powerless_staff, OWN | BUYERS_ORDER | SHOPS) == {401}
    assert said(powerless_shop, SHOPS - {"merchant/orders/<any:order_no>"}, "POST") == {403}
    assert said(other_buyer, SHOPS) == {401}
    assert said(other_buyer, NEEDS_TOKEN) == said(powerless_staff, NEEDS_TOKEN) == {404}
    assert said(nobody, STAFF) == said(other_buyer, STAFF) == {302}
    assert said(powerless_staff, {r for r in STAFF if r.endswith("change/")}) == {403}


@pytest.mark.parametrize("route", sorted(BUYERS_ORDER))
def test_absent_and_foreign_orders_look_the_same(victim, other_buyer, route):
    def look(method: str, order_no: str) -> tuple:
        answer = other_buyer()(method, address(route, victim).replace("VICTIM-1", order_no))
        body = re.sub(rb'"request_id":"[^"]*"', b"", answer.content)
        return answer.status_code, body, {k: v for k, v in answer.items() if k != "X-Request-Id"}

    for method in METHODS:
        foreign = look(method, "VICTIM-1")
        assert foreign == look(method, "ABSENT-1") == look(method, "VICTIM-2") == look(method, "victim-1"), method
        assert foreign[0] in (404, 405)
