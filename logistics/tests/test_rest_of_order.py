"""Of a partly shipped order the rest must leave too, or a person hears of it."""

import datetime as dt

import pytest
import time_machine

from frozenshop.kernel import clock
from logistics.shipping import void
from logistics.tests.factories import STAFF, make_shipment, report
from orders import tasks
from orders.models import Alert
from orders.tests.factories import line, make_order

pytestmark = pytest.mark.django_db
TWO_LINES = [line(sku="A"), line(sku="B")]


@pytest.fixture
def order():
    return make_order("paid", lines=TWO_LINES)


def late(order, **after) -> list[str]:
    """The open alerts of the order, once the job has run so long after its rest was due."""
    order.refresh_from_db()
    with time_machine.travel((order.not_shipped_after or clock.now()) + dt.timedelta(minutes=1)):
        for one in tasks.late_orders():
            tasks._open_not_shipped(one)
    return list(Alert.objects.filter(order=order, resolved_at=None).values_list("kind", flat=True))


def test_the_rest_that_never_leaves_is_told(order):
    make_shipment(order, lines={"A": 2})
    assert late(order) == ["not_shipped"]
    assert "其余商品" in Alert.objects.get().detail


def test_the_first_parcels_progress_does_not_hide_it(order):
    shipment = make_shipment(order, lines={"A": 2})
    report(shipment, "in_transit")
    assert late(order) == ["not_shipped"]
    report(shipment, "delivered")
    assert late(order) == ["not_shipped"]


def test_an_order_that_left_as_a_whole_waits_for_nothing(order):
    make_shipment(order)
    order.refresh_from_db()
    assert order.not_shipped_after is None


def test_the_alert_ends_when_the_rest_leaves(order):
    make_shipment(order, lines={"A": 2})
    assert late(order) == ["not_shipped"]
    make_shipment(order)
    order.refresh_from_db()
    assert (late(order), order.not_shipped_after) == ([], None)


def test_a_withdrawn_second_parcel_is_waited_for_again(order):
    make_shipment(order, lines={"A": 2})
    second = make_shipment(order)
    void(second, order=order, reason="贴错", actor=STAFF)
    assert late(order) == ["not_shipped"]


def test_a_withdrawn_only_parcel_leaves_a_paid_order(order):
    void(make_shipment(order, lines={"A": 2}), order=order, reason="贴错", actor=STAFF)
    order.refresh_from_db()
    assert (order.status, order.not_shipped_after is not None) == ("paid", True)
