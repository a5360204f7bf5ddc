"""Taking in an order whose parcels are known already."""

import pytest

from frozenshop.kernel import clock
from logistics.services import take_order
from logistics.tests.factories import make_shipment
from orders.intake import parse_order
from orders.models import Alert, AlertKind, Order, OrderStatus
from orders.services import ChangedTooLate
from orders.tests.factories import SHOP, make_order, order_payload

pytestmark = pytest.mark.django_db


def test_what_was_shipped_unpaid_counts_with_its_payment():
    payload = order_payload(order_no="A1")
    order = take_order(parse_order(payload), SHOP).order
    make_shipment(order)
    assert Order.objects.get().status == OrderStatus.PLACED
    taken = take_order(parse_order(payload | {"paid_at": clock.isoformat(clock.now())}), SHOP)
    assert (taken.result, taken.paid, Order.objects.get().status) == ("updated", True, OrderStatus.SHIPPED)


def test_a_change_that_comes_too_late_is_refused_and_its_alert_stays():
    make_shipment(make_order(OrderStatus.PAID, order_no="A1"))
    changed = order_payload(order_no="A1", total_fen=1)
    with pytest.raises(ChangedTooLate):
        take_order(parse_order(changed), SHOP)
    assert Alert.objects.filter(kind=AlertKind.ORDER_CHANGED_AFTER_SHIPPING, resolved_at=None).count() == 1
    assert Order.objects.get().total_fen != 1
