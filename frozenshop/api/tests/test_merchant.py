"""The shop's system: orders, facts and parcels, each once, each refused by field."""

import pytest
from django.db import OperationalError

from frozenshop.api.tests.client import code_of, shop
from frozenshop.api.views import merchant as merchant_views
from frozenshop.kernel import clock
from frozenshop.kernel.models import AuditEntry, IdempotencyKey
from logistics.models import Carrier
from orders.models import Alert, Order, OrderEvent
from orders.tests.factories import make_order, order_payload

pytestmark = pytest.mark.django_db


@pytest.fixture
def carrier():
    return Carrier.objects.create(code="SF", name="顺丰速运", aliases=["顺丰"], kdniao_code="SF")


def parcel(**changes):
    return {"carrier_code": "顺丰", "waybill_no": "SF1234567890", "shipped_at": clock.now().isoformat(), **changes}


def fact(**changes):
    return {"type": "paid", "occurred_at": clock.now().isoformat(), "reference": "p-1", **changes}


# --- rights ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "url", "scope"),
    [("POST", "/merchant/orders", "orders:write"), ("GET", "/merchant/orders/X", "orders:read"),
     ("POST", "/merchant/orders/X/events", "events:write"), ("POST", "/merchant/orders/X/shipments", "shipments:write"),
     ("POST", "/merchant/orders/X/shipments/Y/void", "shipments:write"),
     ("POST", "/merchant/orders/X/shipments/Y/events", "shipments:write")],
)  # fmt: skip
def test_each_call_needs_its_scope(client, method, url, scope):
    assert code_of(client.generic(method, url)) == (401, "unauthenticated")
    assert code_of(shop("other").send(method, url, b"{}")) == (403, "forbidden")
    assert shop(scope).send(method, url, b"{}").status_code in (400, 404)


def test_a_buyers_session_is_no_key(buyer):
    assert code_of(buyer.get("/merchant/orders/X")) == (401, "unauthenticated")


# --- orders ---------------------------------------------------------------------------------------


def test_an_order_is_created_once_and_then_brought_up_to_date(merchant):
    data = order_payload(order_no="FD1")
    assert merchant.post("/merchant/orders", data).status_code == 201
    again = merchant.post("/merchant/orders", data)
    assert (again.status_code, again.json()) == (200, {"order_no": "FD1", "result": "unchanged"})
    assert merchant.post("/merchant/orders", data | {"note": "放冰袋"}).json()["result"] == "updated"


@pytest.mark.django_db(transaction=True)
def test_a_write_that_lost_to_a_deadlock_is_done_again_under_its_key(merchant, monkeypatch):
    def unlucky(*args, **kwargs):
        monkeypatch.setattr(merchant_views, "take_order", take_order)
        take_order(*args, **kwargs)
        raise OperationalError(1213, "Deadlock found when trying to get lock")

    take_order = merchant_views.take_order
    monkeypatch.setattr(merchant_views, "take_order", unlucky)
    answer = merchant.post("/merchant/orders", order_payload(), Idempotency_Key="k-1")
    assert (answer.status_code, answer.json()["result"], Order.objects.count()) == (201, "created", 1)


def test_an_order_is_refused_by_field(merchant):
    answer = merchant.post("/merchant/orders", order_payload(order_no="a b", colour="red"))
    assert code_of(answer) == (400, "invalid")
    assert {"order_no", "colour"} <= answer.json()["error"]["fields"].keys()


def test_a_list_gives_a_result_for_each_row(merchant):
    rows = [
        order_payload(order_no="FD1"),
        order_payload(order_no="no good"),
        7,
        {"order_no": "\ud800"},
        order_payload(order_no="FD1"),
    ]
    answer = merchant.post("/merchant/orders", rows).json()
    assert [row["result"] for row in answer["results"]] == ["created", "refused", "refused", "refused", "updated"]
    assert answer["results"][1]["errors"].keys() == {"order_no"}


@pytest.mark.parametrize("rows", [[], [{}] * 501])
def test_a_list_holds_1_to_500_orders(merchant, rows):
    assert code_of(merchant.post("/merchant/orders", rows)) == (400, "invalid")


def test_what_comes_too_late_is_not_possible_and_told_to_staff(merchant):
    order = make_order("shipped", order_no="FD1")
    for headers in ({}, {"Idempotency_Key": "k"}):
        answer = merchant.post("/merchant/orders", order_payload(order_no="FD1", name="李四"), **headers)
        assert code_of(answer) == (409, "not_possible")
        assert Alert.objects.filter(order=order).delete()[0]


def test_paying_what_was_shipped_unpaid_lets_the_parcels_count(merchant, carrier):
    data = order_payload(order_no="FD1")
    merchant.post("/merchant/orders", data)
    merchant.post("/merchant/orders/FD1/shipments", parcel())
    assert Order.objects.get().status == "placed"
    merchant.post("/merchant/orders", data | {"paid_at": clock.now().isoformat()})
    assert Order.objects.get().status == "shipped"


def test_a_body_over_4_megabytes_is_refused(merchant):
    body = b'"' + b"x" * (4 * 1024 * 1024) + b'"'
    assert code_of(merchant.send("POST", "/merchant/orders", body)) == (413, "too_large")


# --- once -----------------------------------------------------------------------------------------


def test_a_repeated_write_gets_the_same_answer_and_has_no_effect(merchant):
    data = order_payload(order_no="FD1")
    first, second = (merchant.post("/merchant/orders", data, Idempotency_Key="k-1") for _ in range(2))
    assert (first.status_code, second.status_code) == (201, 201)
    assert first.content == second.content
    assert OrderEvent.objects.count() == 1


def test_a_key_is_good_for_one_request_only(merchant):
    merchant.post("/merchant/orders", order_payload(), Idempotency_Key="k-1")
    answer = merchant.post("/merchant/orders", order_payload(), Idempotency_Key="k-1")
    assert code_of(answer) == (409, "idempotency_mismatch")


def test_a_twin_under_way_is_told_so(merchant):
    merchant.post("/merchant/orders", data := order_payload(), Idempotency_Key="k-1")
    IdempotencyKey.objects.update(response_status=None)
    assert code_of(merchant.post("/merchant/orders", data, Idempotency_Key="k-1")) == (409, "in_progress")


def test_what_was_refused_may_be_sent_again_under_its_key(merchant):
    bad = merchant.post("/merchant/orders", order_payload(order_no="a b"), Idempotency_Key="k-1")
    assert bad.status_code == 400
    assert merchant.post("/merchant/orders", order_payload(), Idempotency_Key="k-1").status_code == 201


def test_two_systems_may_use_the_same_key(merchant):
    merchant.post("/merchant/orders", order_payload(), Idempotency_Key="k-1")
    assert shop().post("/merchant/orders", order_payload(), Idempotency_Key="k-1").status_code == 201


@pytest.mark.parametrize("key", ["", "x" * 256, "é" * 10])
def test_a_key_that_is_none(merchant, key):
    answer = merchant.post("/merchant/orders", order_payload(), Idempotency_Key=key)
    assert answer.status_code in (201, 400)


# --- facts ----------------------------------------------------------------------------------------


def test_a_fact_moves_the_order_once(merchant):
    order = make_order()
    url = f"/merchant/orders/{order.order_no}/events"
    assert merchant.post(url, fact()).json() == {"applied": True}
    assert merchant.post(url, fact()).json() == {"applied": False, "reason": "repeated"}
    order.refresh_from_db()
    assert order.status == "paid"
    assert order.events.get(kind="paid").source == "shop"


@pytest.mark.parametrize(
    ("field", "value"),
    [("type", "lost"), ("type", None), ("occurred_at", "now"), ("reference", ""), ("reference", 5),
     ("amount_fen", -1), ("amount_fen", 10**30), ("amount_fen", 1.5), ("amount_fen", True), ("more", 1)],
)  # fmt: skip
def test_a_fact_is_refused_by_field(merchant, field, value):
    answer = merchant.post(f"/merchant/orders/{make_order().order_no}/events", fact(**{field: value}))
    assert code_of(answer) == (400, "invalid")
    assert list(answer.json()["error"]["fields"]) == [field]


def test_a_fact_of_no_order(merchant):
    assert code_of(merchant.post("/merchant/orders/ABSENT/events", fact())) == (404, "order_not_found")


# --- parcels --------------------------------------------------------------------------------------


def test_shipping_takes_our_code_a_name_or_an_alias(merchant, carrier):
    order = make_order("paid")
    answer = merchant.post(f"/merchant/orders/{order.order_no}/shipments", parcel())
    assert answer.status_code == 201
    assert (
        answer.json().items() >= {"carrier_code": "SF", "waybill_no": "SF1234567890", "order_status": "shipped"}.items()
    )


def test_an_unknown_carrier_is_named(merchant, carrier):
    order = make_order("paid")
    answer = merchant.post(f"/merchant/orders/{order.order_no}/shipments", parcel(carrier_code="顺风"))
    assert code_of(answer) == (400, "invalid")
    assert list(answer.json()["error"]["fields"]) == ["carrier_code"]


def test_a_part_of_the_lines_may_be_shipped(merchant, carrier):
    order = make_order("paid")
    url = f"/merchant/orders/{order.order_no}/shipments"
    assert merchant.post(url, parcel(lines=[{"sku": "XR-1", "quantity": 1}])).status_code == 201
    too_many = parcel(waybill_no="SF2234567890", lines=[{"sku": "XR-1", "quantity": 2}])
    assert code_of(merchant.post(url, too_many)) == (409, "not_possible")


def test_a_waybill_is_corrected_before_its_first_scan(merchant, carrier):
    order = make_order("paid")
    url = f"/merchant/orders/{order.order_no}/shipments"
    merchant.post(url, parcel())
    replacement = {"carrier_code": "SF", "waybill_no": "SF9876543210"}
    answer = merchant.post(f"{url}/SF1234567890/void", {"reason": "填错", "replacement": replacement})
    assert answer.json()["waybill_no"] == "SF9876543210"
    assert merchant.post(f"{url}/SF9876543210/void", {"reason": "不发了"}).json()["order_status"] == "paid"


def test_a_waybill_of_another_order_is_not_found(merchant, carrier):
    order, other = make_order("paid"), make_order("paid")
    merchant.post(f"/merchant/orders/{order.order_no}/shipments", parcel())
    answer = merchant.post(f"/merchant/orders/{other.order_no}/shipments/SF1234567890/void", {"reason": "x"})
    assert code_of(answer) == (404, "not_found")


# --- the document ---------------------------------------------------------------------------------


def test_a_key_without_the_scope_reads_the_masked_document():
    order = make_order()
    shown = shop("orders:read").get(f"/merchant/orders/{order.order_no}").json()
    assert shown["consignee"]["phone"] == "138****1234"
    assert not AuditEntry.objects.exists()


def test_reading_unmasked_is_recorded(merchant):
    order = make_order()
    shown = merchant.get(f"/merchant/orders/{order.order_no}").json()
    assert shown["consignee"]["phone"] == "13812341234"
    entry = AuditEntry.objects.get()
    assert (entry.subject, entry.action) == (order.order_no, "order.unmasked")
    assert merchant.identity["X-Key-Id"] in entry.actor


# --- what a parcel does ---------------------------------------------------------------------------


def step(**changes):
    return {"status": "out_for_delivery", "occurred_at": clock.now().isoformat(), "reference": "t-1", **changes}


@pytest.fixture
def steps_of(merchant, carrier):
    """The address for news of one order's parcel."""
    order = make_order("paid", order_no="FD1")
    merchant.post(f"/merchant/orders/{order.order_no}/shipments", parcel())
    return "/merchant/orders/FD1/shipments/SF1234567890/events"


def test_the_shop_tells_what_a_parcel_does_once_per_reference(merchant, steps_of):
    assert merchant.post(steps_of, step(description="三号车", location="虹口")).json() == {"applied": True}
    assert merchant.post(steps_of, step()).json() == {"applied": False, "reason": "repeated"}
    assert merchant.post(steps_of, step(status="delivered")).json() == {"applied": True}
    assert Order.objects.get().status == "delivered"
    shown = merchant.get("/merchant/orders/FD1").json()["shipments"][0]
    assert [row["status"] for row in shown["events"]] == ["delivered", "out_for_delivery"]
    entry = AuditEntry.objects.filter(action="shipment.reported").first()
    assert (entry.subject, merchant.identity["X-Key-Id"] in entry.actor) == ("FD1", True)


@pytest.mark.parametrize(
    ("field", "value"),
    [("status", "flying"), ("status", None), ("status", 5), ("occurred_at", "now"), ("occurred_at", None),
     ("reference", ""), ("reference", None), ("reference", "x" * 101), ("description", "x" * 201),
     ("description", "a\x00b"), ("location", 5), ("colour", "red"),
     ("occurred_at", "2020-01-01T00:00:00+08:00"), ("occurred_at", "2099-01-01T00:00:00+08:00")],
)  # fmt: skip
def test_a_step_is_refused_by_field(merchant, steps_of, field, value):
    answer = merchant.post(steps_of, step(**{field: value}))
    assert code_of(answer) == (400, "invalid")
    assert list(answer.json()["error"]["fields"]) == [field]


def test_a_step_of_no_parcel_of_that_order_is_not_found(merchant, steps_of):
    make_order("paid", order_no="FD2")
    for url in (steps_of.replace("FD1", "FD2"), steps_of.replace("SF1", "SF2")):
        assert code_of(merchant.post(url, step())) == (404, "not_found")
    assert code_of(merchant.post(steps_of.replace("FD1", "FD9"), step())) == (404, "order_not_found")


def test_a_step_of_a_withdrawn_waybill_is_not_possible(merchant, steps_of):
    merchant.post(steps_of.replace("/events", "/void"), {"reason": "填错"})
    assert code_of(merchant.post(steps_of, step())) == (409, "not_possible")


def test_a_step_under_an_idempotency_key_gets_the_same_answer(merchant, steps_of):
    body = step()
    first, second = (merchant.post(steps_of, body, Idempotency_Key="k-1") for _ in range(2))
    assert first.content == second.content == b'{"applied":true}'
