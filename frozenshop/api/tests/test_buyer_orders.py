"""What a buyer reads and does; what isn't the buyer's own doesn't exist."""

import datetime as dt
import json

import pytest
import time_machine
from django.conf import settings
from django.core.cache import cache

from frozenshop.api import sessions, visible
from frozenshop.api.models import BuyerSession
from frozenshop.api.tests.client import code_of, log_in
from frozenshop.kernel import clock, redis_store
from logistics import refreshing
from logistics.document import CachedDocument
from orders.models import OrderStatus
from orders.services import bump
from orders.tests.factories import make_customer, make_order

pytestmark = pytest.mark.django_db
NOT_FOUND = (404, "order_not_found")


@pytest.fixture
def order(customer):
    return make_order("paid", buyer_openid=customer.openid)


def own(customer, **changes):
    return make_order(changes.pop("status", "placed"), buyer_openid=customer.openid, **changes)


def numbers(answer):
    return [row["order_no"] for row in answer.json()["results"]]


# --- who ------------------------------------------------------------------------------------------

ROUTES = [
    ("GET", "/api/orders/{}"),
    ("POST", "/api/orders/{}/refresh"),
    ("POST", "/api/orders/{}/confirm"),
]
SIGNED = [
    *ROUTES, ("GET", "/api/orders"), ("GET", "/api/orders/counts"), ("POST", "/api/orders/statuses"),
    ("POST", "/api/auth/phone"), ("POST", "/api/auth/logout"),
]  # fmt: skip


@pytest.mark.parametrize(("method", "route"), SIGNED)
class TestWho:
    def test_nobody(self, client, order, method, route):
        assert code_of(client.generic(method, route.format(order.order_no))) == (401, "unauthenticated")

    def test_an_expired_session(self, buyer, order, method, route):
        with time_machine.travel(clock.now() + dt.timedelta(days=8)):
            assert code_of(buyer.send(method, route.format(order.order_no))) == (401, "session_expired")

    def test_a_revoked_session(self, buyer, order, method, route):
        buyer.post("/api/auth/logout")
        assert code_of(buyer.send(method, route.format(order.order_no))) == (401, "session_expired")


@pytest.mark.parametrize(("method", "route"), ROUTES)
def test_somebody_elses_order_looks_like_none(order, method, route):
    stranger = log_in(make_customer())
    foreign, absent = (stranger.send(method, route.format(no)) for no in (order.order_no, "ABSENT"))
    assert code_of(foreign) == code_of(absent) == NOT_FOUND
    assert _without_ids(foreign) == _without_ids(absent)


def _without_ids(answer):
    body = answer.json()
    del body["error"]["request_id"]
    return body, {name: value for name, value in answer.items() if name != "X-Request-Id"}


STRANGE = [
    "", "A", "A" * 64, "A" * 65, "A" * 10_000, "counts2", "STATUSES", "%F0%9F%98%80", "%F0%A0%AE%B7",
    "%27%22", "%00", "a%00b", "..", "%2e%2e", "a%2Fb", "a/b/c", "a%0Ab", "%E8%AE%A2%E5%8D%95%201%2Fa", "a;b",
    "%25FF", "{}", "-a", "%EF%BC%91", "a+b",
]  # fmt: skip


@pytest.mark.parametrize("strange", STRANGE, ids=lambda text: text[:12])
def test_whatever_is_asked_for_an_absent_order_is_not_found(buyer, strange):
    answer = buyer.get(f"/api/orders/{strange}")
    assert code_of(answer) in ((404, "order_not_found"), (401, "signature_invalid"))
    assert (answer.status_code == 401) == (strange == "%25FF")


def test_order_numbers_compare_byte_by_byte(buyer, customer):
    own(customer, order_no="FDa1")
    assert buyer.get("/api/orders/FDA1").status_code == 404
    assert buyer.get("/api/orders/FDa1").status_code == 200


# --- the document ---------------------------------------------------------------------------------


def test_the_document_is_masked(buyer, order):
    shown = buyer.get(f"/api/orders/{order.order_no}").json()
    assert shown["consignee"] == {"name": "张*", "phone": "138****1234", "address": "上海市浦东新区****"}
    assert (shown["total_fen"], shown["lines"][0]["unit_price_fen"]) == (10_000, 5000)


def test_prices_are_hidden_where_another_openid_placed_the_order():
    order = make_order(phone="13812341234", buyer_openid="giver")
    receiver = log_in(make_customer(phone="13812341234"))
    for _ in range(2):
        shown = receiver.get(f"/api/orders/{order.order_no}").json()
        assert (shown["total_fen"], shown["lines"][0]["unit_price_fen"]) == (None, None)
    (row,) = receiver.get("/api/orders").json()["results"]
    assert row["total_fen"] is None
    giver = log_in(order.customer)
    assert giver.get(f"/api/orders/{order.order_no}").json()["total_fen"] == 10_000


def test_prices_are_shown_where_no_openid_placed_the_order():
    order = make_order(phone="13812341234")
    receiver = log_in(make_customer(phone="13812341234"))
    for _ in range(2):
        assert receiver.get(f"/api/orders/{order.order_no}").json()["total_fen"] == 10_000


@pytest.mark.parametrize(("days", "seen"), [(89, True), (91, False)])
def test_by_phone_alone_only_the_last_90_days_are_seen(days, seen):
    placed_at = clock.now() - dt.timedelta(days=days)
    order = make_order(phone="13812341234", placed_at=placed_at.isoformat())
    log_in(make_customer()).get(f"/api/orders/{order.order_no}")
    receiver = log_in(make_customer(phone="13812341234"))
    for _ in range(2):
        assert (receiver.get(f"/api/orders/{order.order_no}").status_code == 200) is seen


def test_a_change_shows_at_once(buyer, order, django_capture_on_commit_callbacks):
    before = buyer.get(f"/api/orders/{order.order_no}").json()
    with django_capture_on_commit_callbacks(execute=True):
        bump([order.pk])
    assert buyer.get(f"/api/orders/{order.order_no}").json()["version"] == before["version"] + 1


@pytest.mark.skipif(bool(settings.REDIS_URL), reason="where all processes share a cache, the one that changes says so")
def test_a_change_of_another_process_shows_at_once(buyer, order):
    before = buyer.get(f"/api/orders/{order.order_no}").json()
    bump([order.pk])  # its commit hook never reaches this process
    assert buyer.get(f"/api/orders/{order.order_no}").json()["version"] == before["version"] + 1


def test_a_cold_document_takes_six_queries_and_a_warm_one_none(buyer, order, django_assert_max_num_queries):
    cache.clear() if not settings.REDIS_URL else None
    with django_assert_max_num_queries(7 if not settings.REDIS_URL else 6):
        cold = buyer.get(f"/api/orders/{order.order_no}")
    with django_assert_max_num_queries(0 if settings.REDIS_URL else 2):
        warm = buyer.get(f"/api/orders/{order.order_no}")
    assert cold.content == warm.content


# --- the list -------------------------------------------------------------------------------------


def test_the_list_is_newest_first_and_pages_by_cursor(buyer, customer):
    now = clock.now()
    made = [own(customer, placed_at=(now - dt.timedelta(hours=h // 2)).isoformat()).order_no for h in range(7)]
    seen, url = [], "/api/orders?limit=3"
    while url:
        page = buyer.get(url)
        seen += numbers(page)
        url = page.json()["next"] and f"/api/orders?limit=3&cursor={page.json()['next']}"
    assert sorted(seen) == sorted(made)
    assert seen == [
        order.order_no for order in sorted(customer.orders.all(), key=lambda o: (o.placed_at, o.pk), reverse=True)
    ]


def test_the_list_takes_four_queries_at_most(buyer, customer, django_assert_max_num_queries):
    for _ in range(5):
        own(customer)
    with django_assert_max_num_queries(4):
        assert len(numbers(buyer.get("/api/orders"))) == 5


def test_the_list_holds_nothing_of_others(buyer, customer):
    make_order(buyer_openid="another")
    assert numbers(buyer.get("/api/orders")) == []


def test_filters(buyer, customer):
    old = own(customer, placed_at="2026-01-31T23:59:59+08:00").order_no
    new = own(customer, placed_at="2026-02-01T00:00:00+08:00", status="paid").order_no
    assert numbers(buyer.get("/api/orders?to=2026-01-31")) == [old]
    assert numbers(buyer.get("/api/orders?from=2026-02-01&to=2026-02-01")) == [new]
    assert numbers(buyer.get("/api/orders?status=paid")) == [new]
    assert numbers(buyer.get(f"/api/orders?q={old}")) == [old]
    assert numbers(buyer.get("/api/orders?q=%00%F0%A0%AE%B7")) == []
    assert numbers(buyer.get("/api/orders?status=&q=&from=&to=&cursor=&limit=")) == [new, old]


@pytest.mark.parametrize(
    ("field", "value"),
    [("limit", "0"), ("limit", "51"), ("limit", "-1"), ("limit", "x"), ("limit", "1.0"), ("limit", "9" * 5000),
     ("limit", "%EF%BC%91"), ("status", "lost"), ("status", "PAID"), ("from", "2026-13-01"), ("to", "yesterday"),
     ("to", "9999-12-31"), ("from", "0001-01-01"), ("from", "20260101"), ("cursor", "x"), ("cursor", "MS4y=="),
     ("cursor", "%00"), ("cursor", "A" * 9000), ("cursor", "LTk5OTk5OTk5OTk5OTk5OTk5LjE"),
     ("cursor", "MDAxLjE")],
)  # fmt: skip
def test_a_filter_that_makes_no_sense_is_invalid(buyer, field, value):
    answer = buyer.get(f"/api/orders?{field}={value}")
    assert code_of(answer) == (400, "invalid")
    assert list(answer.json()["error"]["fields"]) == [field]


def test_a_cursor_of_another_buyer_shows_nothing_of_theirs(buyer, customer):
    stranger = make_customer()
    for _ in range(2):
        own(stranger)
    cursor = log_in(stranger).get("/api/orders?limit=1").json()["next"]
    assert numbers(buyer.get(f"/api/orders?cursor={cursor}")) == []


def test_counts(buyer, customer):
    own(customer)
    own(customer, status="paid")
    make_order("paid")
    counted = buyer.get("/api/orders/counts").json()
    assert counted == {status.value: 0 for status in OrderStatus} | {"placed": 1, "paid": 1}


# --- statuses, refresh, confirm -------------------------------------------------------------------


def test_statuses_of_own_orders_and_the_rest_is_missing(buyer, order):
    other = make_order().order_no
    asked = [order.order_no, other, "不存在", "", "a\0b", "x" * 10_000, order.order_no, "counts"]
    answer = buyer.post("/api/orders/statuses", {"order_nos": asked}).json()
    assert [row["order_no"] for row in answer["results"]] == [order.order_no]
    assert answer["results"][0]["status_label"] == "已付款"
    assert answer["missing"] == [other, "不存在", "", "a\0b", "x" * 10_000, "counts"]


def test_a_lone_surrogate_is_missing_like_any_other_text(buyer):
    answer = buyer.send("POST", "/api/orders/statuses", b'{"order_nos":["\\ud800"]}')
    assert answer.json() == {"results": [], "missing": ["\ud800"]}


@pytest.mark.parametrize("asked", [None, [], ["x"] * 101, "x", [1], [None], [["x"]], {"a": 1}])
def test_a_list_of_statuses_that_makes_no_sense_is_invalid(buyer, asked):
    answer = buyer.post("/api/orders/statuses", {"order_nos": asked})
    assert code_of(answer) == (400, "invalid")


def test_refresh_says_whether_the_carrier_was_asked(buyer, order, monkeypatch):
    until = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
    monkeypatch.setattr(refreshing, "refresh_now", lambda order: refreshing.Refreshed(False, until))
    answer = buyer.post(f"/api/orders/{order.order_no}/refresh")
    assert answer.json() == {"refreshed": False, "next_allowed_at": "2026-01-01T08:00:00+08:00"}


def test_confirming_delivers_and_may_be_repeated(buyer, customer):
    order = own(customer, status="in_transit")
    for _ in range(2):
        shown = buyer.post(f"/api/orders/{order.order_no}/confirm").json()
        assert (shown["status"], shown["history"][-1]["source"]) == ("delivered", "buyer")


def test_what_is_not_shipped_cannot_be_confirmed(buyer, order):
    assert code_of(buyer.post(f"/api/orders/{order.order_no}/confirm")) == (409, "not_possible")


# --- bodies and methods ---------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND"])
def test_a_method_that_is_none_of_ours(buyer, method):
    answer = buyer.send(method, "/api/orders")
    assert code_of(answer) == (405, "method_not_allowed")
    assert answer["Allow"] == "GET, HEAD"


def test_a_body_over_64_kilobytes_is_refused_before_it_is_read(buyer):
    body = json.dumps({"order_nos": ["x" * (64 * 1024)]}).encode()
    assert code_of(buyer.send("POST", "/api/orders/statuses", body)) == (413, "too_large")
    assert code_of(buyer.client.generic("POST", "/api/auth/login", body)) == (413, "too_large")


def test_deep_json_is_refused(buyer):
    for depth in (101, 900, 20_000):
        body = b'{"order_nos":' + b"[" * depth + b"]" * depth + b"}"
        assert code_of(buyer.send("POST", "/api/orders/statuses", body)) == (400, "invalid")


@pytest.mark.parametrize(
    "path", ["/api/", "/api/nothing", "/merchant/", "/merchant/%FF", "/callbacks/unknown", "/api/orders%00"]
)
def test_an_unknown_address_is_not_found(client, path):
    assert code_of(client.get(path)) == (404, "not_found")


def test_every_answer_names_its_request(buyer, client):
    answer = client.get("/api/orders", headers={"X-Request-Id": "my-own-request-1"})
    assert answer.json()["error"]["request_id"] == answer["X-Request-Id"] == "my-own-request-1"
    assert buyer.get("/api/orders")["X-Request-Id"]


def test_the_shop_is_known_to_everybody(client):
    assert client.get("/api/shop").json() == {"name": settings.SHOP_NAME, "phone": settings.SHOP_PHONE}


def test_a_fault_of_ours_is_told_in_the_same_shape(buyer, monkeypatch):
    monkeypatch.setattr("frozenshop.api.lists.counts", lambda rows: 1 / 0)
    assert code_of(buyer.get("/api/orders/counts")) == (500, "internal")


def test_sessions_are_known_by_their_digest_only(buyer):
    token = buyer.identity["Authorization"].split()[1]
    assert not BuyerSession.objects.filter(token_digest__contains=token).exists()


@pytest.mark.parametrize(("newer", "stays"), [(1, True), (0, True), (-1, False)])
def test_a_row_that_is_behind_takes_no_newer_document_back(customer, order, newer, stays):
    buyer = sessions.Buyer(1, customer.pk, "", None, None, "")
    kept = CachedDocument(order.version + newer, None, None, clock.now(), b"{}")
    assert (visible.read(buyer, order.order_no, kept) == b"{}") is stays


@pytest.mark.services("redis")
def test_a_warm_document_asks_redis_once(buyer, order, monkeypatch):
    for _ in range(2):
        buyer.get(f"/api/orders/{order.order_no}")
    line, asked = redis_store.current().line, []
    ask = line.ask
    monkeypatch.setattr(line, "ask", lambda *commands: asked.append(commands) or ask(*commands))
    assert buyer.get(f"/api/orders/{order.order_no}").status_code == 200
    assert [[command[0] for command in commands] for commands in asked] == [["MGET", "EVALSHA"]]
