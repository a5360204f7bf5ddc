"""Several connections at the same order: one effect, one row of history, and nobody hears of a lock."""

import datetime as dt
from itertools import pairwise

import pytest

from frozenshop.kernel import clock, outbox
from frozenshop.kernel.actor import Actor, Source
from frozenshop.kernel.errors import NotPossible
from frozenshop.kernel.models import OutboxMessage
from logistics import messages, tasks
from logistics.models import ProviderMessage, Shipment, TrackingEvent
from logistics.services import confirm_receipt, record_shop_fact
from logistics.shipping import ship
from logistics.tests.factories import event, make_carrier, make_report, make_shipment, waybill_no
from logistics.tests.test_kdniao import parcel, push_of, trace
from logistics.tracking import record_events
from orders.facts import Fact, FactType
from orders.models import Alert, AlertKind, Order
from orders.tests.factories import SHOP, make_order
from orders.tests.test_races import at_once

assert tasks  # registers the consumers
pytestmark = pytest.mark.django_db(transaction=True)
BUYER = Actor(Source.BUYER, "customer:1")
ROUNDS = range(5)


def order_of(order: Order) -> Order:
    return Order.objects.get(pk=order.pk)


def arrows(order: Order) -> list[tuple[str, str]]:
    """Return the steps that moved the order, in the order written."""
    rows = order.events.order_by("pk").values_list("from_status", "to_status")
    return [(origin, to) for origin, to in rows if origin != to]


def chained(order: Order) -> bool:
    rows = list(order.events.order_by("pk").values_list("from_status", "to_status"))
    return all(a[1] == b[0] for a, b in pairwise(rows)) and rows[-1][1] == order_of(order).status


def fact(order: Order, kind: FactType, reference: str = "one"):
    return lambda: record_shop_fact(order_of(order), Fact(kind, clock.now(), reference), SHOP).applied


def shipping(order: Order, carrier, number: str):
    def run() -> bool:
        ship(order_of(order), carrier=carrier, waybill_no=number, shipped_at=clock.now(), actor=SHOP)
        return True

    return run


def confirming(order: Order):
    def run() -> bool:
        try:
            confirm_receipt(order_of(order), BUYER)
        except NotPossible:
            return False
        return True

    return run


@pytest.mark.parametrize("_round", ROUNDS)
def test_shipping_against_cancelling_ends_one_way_and_tells_staff_if_goods_are_gone(_round):
    order, carrier = make_order("paid"), make_carrier()
    _, cancelled = at_once(shipping(order, carrier, waybill_no()), fact(order, FactType.CANCELLED))
    assert arrows(order)[1:] == [("paid", "cancelled" if cancelled else "shipped")]
    assert chained(order)
    kind = AlertKind.SHIPPED_AFTER_CANCELLED if cancelled else AlertKind.MONEY_CONFLICT
    assert Alert.objects.filter(kind=kind, order=order, resolved_at=None).count() == 1
    assert order.events.filter(kind="cancelled").count() == order.events.filter(kind="shipped").count() == 1


@pytest.mark.parametrize("_round", ROUNDS)
def test_confirming_against_returning_ends_returned_with_one_row_each(_round):
    order = make_order("paid")
    parcel = make_shipment(order)
    record_events(parcel, make_report(event("in_transit")), provider="kdniao")
    confirmed, returned = at_once(confirming(order), fact(order, FactType.RETURNED))
    steps = ["delivered", "returned"] if confirmed else ["returned"]
    assert [to for _, to in arrows(order)][3:] == steps
    assert returned
    assert chained(order)
    assert order.events.filter(kind="confirmed").count() == confirmed


@pytest.mark.parametrize("_round", ROUNDS)
def test_one_push_in_eight_threads_is_kept_and_applied_once(_round):
    order = make_order("paid")
    shipment = make_shipment(order)
    at = clock.shanghai(clock.now() - dt.timedelta(minutes=5))
    scans = [trace(f"{at:%Y-%m-%d %H:%M:%S}", "已签收", "3"), trace(f"{at:%Y-%m-%d %H:%M}:00", "派送中", "202")]
    body = push_of(parcel(*scans, LogisticCode=shipment.waybill_no, State="3"))
    assert {reply.status for reply in at_once(*[lambda: messages.receive("kdniao", body)] * 8)} == {200}
    message = ProviderMessage.objects.get()
    row = OutboxMessage.objects.get(topic="logistics.apply_message")
    at_once(*[lambda: outbox.deliver(row.pk)] * 8)
    row.refresh_from_db()
    message.refresh_from_db()
    assert (row.status, row.attempts, message.outcome) == ("done", 0, "applied")
    assert TrackingEvent.objects.filter(overall=False).count() == Shipment.objects.get().event_count == 2
    assert [to for _, to in arrows(order)].count("delivered") == 1
    assert chained(order)


@pytest.mark.parametrize("_round", ROUNDS)
def test_the_same_events_recorded_in_eight_threads_move_the_order_once(_round):
    order = make_order("paid")
    shipment = make_shipment(order)
    scans = [
        event(status, clock.now() - dt.timedelta(minutes=m)) for m, status in ((9, "in_transit"), (1, "delivered"))
    ]
    record = [lambda: record_events(shipment, make_report(*scans), provider="kdniao").new_events] * 8
    assert sorted(at_once(*record)) == [0] * 7 + [2]
    assert [to for _, to in arrows(order)].count("delivered") == 1
    assert chained(order)


def test_paying_refunding_shipping_and_reporting_at_once_leave_a_chain():
    order, carrier = make_order(), make_carrier()
    box = make_shipment(make_order("paid"), waybill_no="SF0000000000999")
    at_once(
        *[fact(order, kind) for kind in (FactType.PAID, FactType.PAID, FactType.REFUNDED, FactType.CANCELLED)],
        shipping(order, carrier, "SF0000000000999"), confirming(order),
        lambda: record_events(box, make_report(event("in_transit")), provider="kdniao"),
    )  # fmt: skip
    assert chained(order)
    assert order.events.filter(kind="paid").count() == 1
    assert order.events.filter(kind="refunded").count() == 1
    keys = list(Alert.objects.filter(resolved_at=None).values_list("kind", "subject"))
    assert len(keys) == len(set(keys))
