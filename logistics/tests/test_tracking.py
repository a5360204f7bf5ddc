"""Recording reports: one transaction, the same end whatever the order, and nothing personal in what is kept."""

import datetime as dt
from unittest.mock import patch

import pytest
from django.db import OperationalError

from frozenshop.kernel import clock
from frozenshop.kernel.models import OutboxMessage
from logistics import shipping, tracking
from logistics.learning import learnt
from logistics.models import ShipmentStatus as S
from logistics.models import TrackingEvent, UnknownCode
from logistics.providers.base import Overall
from logistics.tests.factories import STAFF, event, make_report, make_shipment, report
from orders.models import Alert, OrderStatus
from orders.tests.factories import make_order

pytestmark = pytest.mark.django_db


def hours_ago(hours: float) -> dt.datetime:
    return clock.now() - dt.timedelta(hours=hours)


def open_kinds() -> set[str]:
    return set(Alert.objects.filter(resolved_at=None).values_list("kind", flat=True))


def record(shipment, *events, **fields):
    return tracking.record_events(shipment, make_report(*events, **fields), provider="kdniao")


def test_the_shipment_and_its_order_follow_a_report():
    shipment = report(make_shipment(), event("in_transit", location="杭州市"))
    assert (shipment.status, shipment.location, shipment.event_count) == (S.IN_TRANSIT, "杭州市", 1)
    assert shipment.orders.get().status == OrderStatus.IN_TRANSIT


def test_a_repeated_report_changes_nothing():
    shipment, scan = make_shipment(), event("in_transit")
    record(shipment, scan)
    version = shipment.orders.get().version
    again = record(shipment, scan)
    assert (again.new_events, again.changed, shipment.orders.get().version) == (0, False, version)


def test_one_event_twice_in_one_report_is_one_event():
    scan = event("in_transit")
    assert record(make_shipment(), scan, scan).new_events == 1


def test_what_shows_moves_the_version_of_the_order():
    shipment = report(make_shipment(), "in_transit")
    version = shipment.orders.get().version
    report(shipment, event("out_for_delivery"))
    assert shipment.orders.get().version > version


def test_the_history_says_when_the_carrier_saw_it_and_who_said_so():
    shipment = report(make_shipment(), event("in_transit", hours_ago(0.2)))
    row = shipment.orders.get().events.get(to_status="in_transit")
    assert (row.source, row.actor, row.occurred_at) == ("carrier", "kdniao", shipment.in_transit_at)


def test_an_overall_state_is_kept_but_is_no_scan():
    shipment = report(make_shipment(), overall=Overall(S.DELIVERED, "3", clock.now(), weak=True))
    assert (shipment.status, shipment.event_count, shipment.last_event_at) == (S.DELIVERED, 0, None)


def test_a_late_older_event_corrects_the_milestone_and_not_the_status():
    shipment = report(make_shipment(), event("delivered", hours_ago(0.1)))
    report(shipment, event("in_transit", earlier := hours_ago(0.3)))
    order = shipment.orders.get()
    assert (order.status, order.in_transit_at) == (OrderStatus.DELIVERED, earlier)


def test_the_consignee_is_masked_and_the_courier_is_not():
    shipment = make_shipment(make_order("paid", name="欧阳明月", phone="13812341234", address="世纪大道 1 号"))
    text = "欧阳明月 138 1234 1234 世纪大道 1 号，快递员李四 13900001111"
    report(shipment, event("out_for_delivery", text=text))
    kept = TrackingEvent.objects.get(text__startswith="欧").text
    assert kept == "欧* 138****1234 ****，快递员李四 13900001111"


def test_a_seal_that_is_broken_hides_every_number():
    shipment = make_shipment()
    shipment.orders.update(consignee_sealed="v1|lost|AAAA")
    report(shipment, event("out_for_delivery", text="快递员 13900001111"))
    assert TrackingEvent.objects.get(shipment=shipment).text == "快递员 ***********"


def test_text_that_no_database_takes_is_kept_readable():
    report(shipment := make_shipment(), event("in_transit", text="到达\ud800\0杭州"))
    assert TrackingEvent.objects.get(shipment=shipment).text == "到达? 杭州"


def test_a_long_text_is_cut():
    report(shipment := make_shipment(), event("in_transit", text="长" * 900))
    assert len(TrackingEvent.objects.get(shipment=shipment).text) == 500


@pytest.mark.parametrize("status", ["exception", "delivery_failed", "returning", "returned"])
def test_a_problem_opens_an_alert(status):
    report(make_shipment(), status)
    assert open_kinds() == {status}


@pytest.mark.parametrize("status", ["exception", "delivery_failed", "returning"])
def test_the_next_good_event_resolves_it(status):
    shipment = report(make_shipment(), event(status, hours_ago(0.3)))
    report(shipment, "delivered")
    assert open_kinds() == set()


def test_a_problem_after_delivery_leaves_the_order_delivered_and_opens_an_alert():
    shipment = report(make_shipment(), event("delivered", hours_ago(0.2)), event("awaiting_pickup", hours_ago(0.1)))
    shipment = report(shipment, "exception")
    assert (shipment.status, shipment.orders.get().status) == (S.EXCEPTION, OrderStatus.DELIVERED)
    assert open_kinds() == {"exception"}


def test_only_an_earlier_life_is_alerted_and_not_counted():
    shipment = report(make_shipment(), event("delivered", hours_ago(24 * 40)))
    assert (shipment.status, shipment.event_count, open_kinds()) == (S.NO_TRACE, 0, {"earlier_life"})


def test_the_first_own_event_resolves_the_earlier_life():
    shipment = report(make_shipment(), event("delivered", hours_ago(24 * 40)))
    report(shipment, "picked_up")
    assert open_kinds() == set()


def test_an_event_from_the_future_waits_and_is_alerted():
    shipment = report(make_shipment(), event("delivered", ahead := hours_ago(-3)))
    assert (shipment.status, shipment.recheck_at, open_kinds()) == (S.NO_TRACE, ahead, {"clock_anomaly"})


def test_an_unknown_code_is_counted_once_per_new_event_and_shown_to_staff():
    shipment = make_shipment()
    scan = event("unknown", code="999", text="什么")
    for _ in range(2):
        record(shipment, scan, unknown_codes=(("999", "什么"),))
    assert (UnknownCode.objects.get().count, open_kinds()) == (1, {"unknown_code"})


@pytest.mark.parametrize(
    ("phone", "told", "kept"),
    [
        ("021-12345678", "(021)1234-5678", "(021****5678"),
        ("021-12345678-9", "请拨 12345678 转 9", "请拨 ****5678 转 9"),
        ("+85291234567", "联系 9123 4567", "联系 ****4567"),
        ("+886912345678", "联系 912345678", "联系 ****5678"),
        ("021-12345678", "包裹 9912345678", "包裹 9912345678"),
        ("13812341234", "12341234", "12341234"),
    ],
)
def test_a_number_is_masked_without_its_area_too(phone, told, kept):
    report(make_shipment(make_order("paid", phone=phone)), event("in_transit", text=told))
    assert TrackingEvent.objects.get().text == kept


def test_a_voided_shipment_keeps_its_events_and_moves_no_order():
    shipment = make_shipment()
    order = shipment.orders.get()
    from logistics.shipping import void

    void(shipment, order=order, reason="填错", actor=STAFF)
    report(shipment, "delivered")
    order.refresh_from_db()
    assert (order.status, TrackingEvent.objects.count(), open_kinds()) == (OrderStatus.PAID, 1, {"exception"})


def test_a_box_of_two_orders_moves_both():
    shipment = make_shipment()
    make_shipment(other := make_order("paid"), waybill_no=shipment.waybill_no)
    report(shipment, "delivered")
    other.refresh_from_db()
    assert {order.status for order in shipment.orders.all()} == {OrderStatus.DELIVERED}


def test_arrival_silence_and_next_question_are_set():
    shipment = report(make_shipment(), "in_transit")
    assert shipment.eta_earliest < shipment.eta_latest
    assert shipment.stale_after > clock.now()
    assert shipment.next_poll_at > clock.now()


def test_nothing_more_is_expected_of_a_delivered_parcel():
    shipment = report(make_shipment(), "delivered")
    assert (shipment.eta_latest, shipment.stale_after, shipment.next_poll_at) == (None, None, None)


@pytest.mark.django_db(transaction=True)
def test_a_deadlock_is_tried_again():
    shipment, insert = make_shipment(), tracking._insert
    answers = iter([OperationalError(1213, "Deadlock found"), None])

    def sometimes(*args):
        if error := next(answers):
            raise error
        return insert(*args)

    with patch.object(tracking, "_insert", sometimes):
        assert record(shipment, event("delivered")).shipment.status == S.DELIVERED


def test_a_failure_leaves_nothing_half_written():
    shipment = make_shipment()
    with patch.object(tracking.problems, "review", side_effect=RuntimeError), pytest.raises(RuntimeError):
        record(shipment, event("delivered"))
    assert (TrackingEvent.objects.count(), shipment.orders.get().status) == (0, OrderStatus.SHIPPED)


def test_recording_takes_few_queries(django_assert_max_num_queries):
    shipment = make_shipment()
    learnt.current()
    with django_assert_max_num_queries(27):
        record(shipment, *(event("in_transit", hours_ago(0.01 * n), text=f"到达 {n}") for n in range(30)))


def test_a_repeat_takes_fewer_still(django_assert_max_num_queries):
    record(shipment := make_shipment(), scan := event("in_transit"))
    with django_assert_max_num_queries(6):
        record(shipment, scan)


def test_shipping_asks_for_pushes_and_for_what_was_held():
    make_shipment()
    topics = set(OutboxMessage.objects.values_list("topic", flat=True))
    assert {"logistics.subscribe", "logistics.apply_held"} <= topics


def test_what_was_told_before_an_order_joined_the_box_is_masked_for_it_too():
    told = event("in_transit", hours_ago(0.1), text="请联系李四光 13900001111", location="李四光处")
    shipment = report(make_shipment(make_order("paid", name="张三")), told)
    make_shipment(make_order("paid", name="李四光", phone="13900001111"), waybill_no=shipment.waybill_no)
    report(shipment, told)
    (kept,) = TrackingEvent.objects.all()
    assert (kept.text, kept.location) == ("请联系李* 139****1111", "李*处")


def test_two_tellings_that_masking_makes_one_are_kept_as_one():
    at = hours_ago(0.1)
    tellings = [event("in_transit", at, text=text) for text in ("李四光 已收", "李* 已收")]
    shipment = report(make_shipment(), *tellings)
    make_shipment(make_order("paid", name="李四光"), waybill_no=shipment.waybill_no)
    assert [kept.text for kept in TrackingEvent.objects.all()] == ["李* 已收"]


def test_goods_under_a_withdrawn_waybill_are_told_while_their_order_waits():
    shipment = make_shipment(order := make_order("paid"))
    shipping.void(shipment, order=order, reason="不发了", actor=STAFF)
    report(shipment, "no_trace")
    assert open_kinds() == set()
    report(shipment, "picked_up")
    order.refresh_from_db()
    assert (order.status, open_kinds()) == (OrderStatus.PAID, {"exception"})
    make_shipment(order, waybill_no=shipment.waybill_no)
    assert open_kinds() == set()


def test_a_strangers_goods_under_a_mistyped_waybill_are_nobodys_work():
    shipment = make_shipment(order := make_order("paid"))
    other = (shipment.carrier, "SF9999999999999")
    shipping.void(shipment, order=order, reason="填错", actor=STAFF, replacement=other)
    report(shipment, "picked_up", "delivered")
    order.refresh_from_db()
    assert (order.status, open_kinds()) == (OrderStatus.SHIPPED, set())
