"""The order document: its shape, its queries, what it hides, and how its cache stays true."""

import base64
import datetime as dt
import json

import pytest
from django.core.cache import cache
from structlog.testing import capture_logs

from frozenshop.kernel import caching, clock
from frozenshop.kernel.tests import stores
from logistics import document, problems
from logistics.providers.base import Overall
from logistics.tests.factories import event, make_report, make_shipment, report
from logistics.tracking import record_events
from orders.models import Alert, Order
from orders.tests.factories import line, make_order

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _empty_cache():
    cache.clear()


def hours_ago(hours: float) -> dt.datetime:
    return clock.now() - dt.timedelta(hours=hours)


def shown(order: Order) -> dict:
    order.refresh_from_db()
    return document.build(order)


def keep(order: Order) -> document.CachedDocument:
    return document.store(order, document.build(order))


def kept(order_no: str) -> document.CachedDocument | None:
    return document.kept_in(caching.get_many(document.cache_keys(order_no)), order_no)


def busy_order() -> Order:
    order = make_order("paid", lines=[line(sku=f"S{n}", quantity=1) for n in range(4)])
    for number in range(4):
        shipment = make_shipment(order, lines={f"S{number}": 1})
        report(shipment, *(event("in_transit", hours_ago(0.01 * n), text=f"到达 {n}") for n in range(12)))
    report(shipment, "exception")
    return Order.objects.get(pk=order.pk)


def test_a_document_has_exactly_the_published_fields():
    built = shown(busy_order())
    assert list(built) == ["order_no", "status", "status_label", "placed_at", "total_fen", "version", "updated_at",
                           "consignee", "lines", "milestones", "history", "shipments", "alerts",
                           "archived"]  # fmt: skip
    assert list(built["shipments"][0]) == ["carrier", "waybill_no", "status", "status_label", "location", "eta",
                                           "last_event_at", "stale", "checked_at", "events"]  # fmt: skip
    assert list(built["shipments"][0]["eta"]) == ["earliest", "latest", "confidence", "basis", "likely", "explanation"]
    assert list(built["lines"][0]) == ["sku", "name", "quantity", "unit_price_fen", "temperature_class"]
    assert list(built["history"][0]) == ["from", "to", "occurred_at", "recorded_at", "source"]
    assert list(built["alerts"][0]) == ["kind", "message", "since"]


def test_a_lost_key_empties_the_consignee_says_so_and_shows_the_rest(settings):
    order = busy_order()
    settings.FIELD_ENCRYPTION_KEYS = "t2:" + base64.b64encode(b"another key of thirty-two bytes!").decode()
    with capture_logs() as logs:
        built = json.loads(keep(order).body)
    assert built["consignee"] == {"name": "", "phone": "", "address": ""}
    assert len(built["shipments"]) == 4
    assert [(entry["event"], entry["log_level"]) for entry in logs] == [("document.consignee_sealed", "error")]
    assert document.unmask(built, order)["consignee"] == built["consignee"]
    assert kept(order.order_no) is None


def test_a_document_takes_five_queries_however_much_is_in_it(django_assert_num_queries):
    order = busy_order()
    with django_assert_num_queries(5):
        document.build(order)


def test_summaries_take_two_queries_for_any_number_of_orders(django_assert_num_queries):
    orders = [busy_order() for _ in range(3)]
    with django_assert_num_queries(2):
        listed = document.summaries(orders)
    assert [(one["order_no"], len(one["shipments"]), one["alert_count"]) for one in listed] == [
        (order.order_no, 4, 1) for order in orders
    ]


def test_instants_are_shanghais():
    order = make_order("paid", placed_at="2026-11-20T16:30:00Z")
    assert shown(order)["placed_at"] == "2026-11-21T00:30:00+08:00"


def test_the_consignee_is_masked():
    order = make_order("paid", name="张三", phone="13812341234")
    assert shown(order)["consignee"] == {"name": "张*", "phone": "138****1234", "address": "上海市浦东新区****"}


def test_unmasking_shows_the_consignee_in_full():
    order = make_order("paid", name="张三", phone="13812341234", address="世纪大道 1 号")
    full = document.unmask(shown(order), order)["consignee"]
    assert full == {"name": "张三", "phone": "13812341234", "address": "上海市浦东新区世纪大道 1 号"}


def test_prices_can_be_left_out_without_touching_the_document():
    bare = document.without_prices(whole := shown(make_order("paid")))
    assert (bare["total_fen"], bare["lines"][0]["unit_price_fen"]) == (None, None)
    assert (whole["total_fen"], whole["lines"][0]["unit_price_fen"]) == (10_000, 5000)


def test_milestones_are_the_five_steps_and_the_way_out_that_was_taken():
    steps = [step["status"] for step in shown(make_order("cancelled"))["milestones"]]
    assert steps == ["placed", "paid", "shipped", "in_transit", "delivered", "cancelled"]


def test_events_are_newest_first_without_overall_states():
    shipment = make_shipment()
    overall = Overall("in_transit", "2", clock.now())
    record_events(
        shipment,
        make_report(event("picked_up", hours_ago(0.4)), event("in_transit", hours_ago(0.2)), overall=overall),
        provider="kdniao",
    )
    (box,) = shown(shipment.orders.get())["shipments"]
    assert [scan["status"] for scan in box["events"]] == ["in_transit", "picked_up"]


def test_events_of_another_life_or_of_the_future_are_not_shown():
    shipment = report(make_shipment(), event("delivered", hours_ago(900)), event("delivered", hours_ago(-5)))
    assert shown(shipment.orders.get())["shipments"][0]["events"] == []


def test_a_scan_told_with_and_without_a_code_shows_once():
    at = hours_ago(0.2)
    shipment = report(make_shipment(), event("unknown", at, code="", text="到达"), event("in_transit", at, text="到达"))
    (scan,) = shown(shipment.orders.get())["shipments"][0]["events"]
    assert scan["status"] == "in_transit"


def test_a_voided_parcel_is_not_shown():
    from logistics.shipping import void
    from logistics.tests.factories import STAFF

    shipment = make_shipment(order := make_order("paid"))
    void(shipment, order=order, reason="填错", actor=STAFF)
    assert shown(order)["shipments"] == []


def test_the_buyer_reads_of_problems_and_not_of_our_bookkeeping():
    shipment = report(make_shipment(), "exception", event("in_transit", hours_ago(-5)))
    assert set(Alert.objects.values_list("kind", flat=True)) == {"exception", "clock_anomaly"}
    assert [alert["kind"] for alert in shown(shipment.orders.get())["alerts"]] == ["exception"]


def test_a_problem_of_a_shared_box_shows_on_each_order():
    shipment = make_shipment()
    make_shipment(other := make_order("paid"), waybill_no=shipment.waybill_no)
    report(shipment, "exception")
    assert [alert["kind"] for alert in shown(other)["alerts"]] == ["exception"]
    assert [one["alert_count"] for one in document.summaries(list(shipment.orders.all()))] == [1, 1]


def test_an_arrival_that_has_passed_is_no_prediction():
    shipment = report(make_shipment(), "in_transit")
    type(shipment).objects.update(eta_latest=hours_ago(1))
    assert shown(shipment.orders.get())["shipments"][0]["eta"] is None


def test_a_warm_document_takes_no_query(django_assert_num_queries):
    order = busy_order()
    first = keep(order)
    with django_assert_num_queries(0):
        assert kept(order.order_no) == first


def test_the_cache_keeps_what_decides_who_may_see_it():
    order = make_order("paid", buyer_openid="o-1")
    keep(order)
    found = kept(order.order_no)
    told = (found.customer_id, found.phone_index, found.placed_at)
    assert told == (order.customer_id, order.phone_index, order.placed_at)
    assert json.loads(found.body)["order_no"] == order.order_no


def test_a_change_is_seen_at_once(django_capture_on_commit_callbacks):
    shipment = make_shipment()
    order = shipment.orders.get()
    keep(order)
    with django_capture_on_commit_callbacks(execute=True):
        report(shipment, "delivered")
    assert kept(order.order_no) is None
    assert shown(order)["status"] == "delivered"


def test_a_document_built_before_a_change_is_not_believed_after_it(django_capture_on_commit_callbacks):
    shipment = make_shipment()
    order = shipment.orders.get()
    late = document.build(order)
    with django_capture_on_commit_callbacks(execute=True):
        report(shipment, "delivered")
    document.store(order, late)
    assert kept(order.order_no) is None


@pytest.mark.parametrize("order_no", ["", "没有", "x" * 65, "x" * 10_000, "a b", "'", "\0", "counts/../x", "😀𠮷"])
def test_no_order_number_breaks_anything(order_no, django_assert_num_queries):
    with django_assert_num_queries(0):
        assert kept(order_no) is None


def test_a_cache_that_is_down_costs_time_not_answers(monkeypatch):
    order = make_order("paid")
    stores.take_cache_away(monkeypatch)
    assert keep(order).body
    assert kept(order.order_no) is None


def test_a_problem_of_a_shared_box_that_a_person_resolved_leaves_each_order(django_user_model):
    shipment = make_shipment()
    make_shipment(make_order("paid"), waybill_no=shipment.waybill_no)
    report(shipment, "exception")
    orders = list(shipment.orders.all())
    assert all(shown(order)["alerts"] for order in orders)
    problems.resolve(Alert.objects.get(), "已联系网点", django_user_model.objects.create_user("客服"))
    assert not any(shown(order)["alerts"] for order in orders)
