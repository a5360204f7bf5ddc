"""Two connections at once: the second one sees what the first one did."""

import datetime as dt

import pytest

from frozenshop.kernel import clock
from frozenshop.kernel.errors import NotPossible
from logistics.models import Shipment, TrackingEvent
from logistics.services import confirm_receipt
from logistics.shipping import ship, void
from logistics.tests.factories import STAFF, event, make_carrier, make_report, make_shipment, waybill_no
from logistics.tracking import record_events
from orders.models import Order, OrderStatus
from orders.tests.factories import SHOP, line, make_order
from orders.tests.test_races import at_once

pytestmark = pytest.mark.django_db(transaction=True)


def fresh(order) -> Order:
    return Order.objects.get(pk=order.pk)


def tell(shipment, *scans):
    return lambda: record_events(shipment, make_report(*scans), provider="kdniao")


def shipping(order, number, **changes):
    carrier, at = make_carrier(), clock.now()

    def run():
        try:
            return ship(fresh(order), carrier=carrier, waybill_no=number, shipped_at=at, actor=STAFF, **changes).pk
        except NotPossible:
            return None

    return run


def test_two_parcels_delivered_at_once_deliver_the_order():
    order = make_order("paid", lines=[line(sku=sku, quantity=1) for sku in "ABCD"])
    parcels = [make_shipment(order, lines={sku: 1}) for sku in "ABCD"]
    at_once(*(tell(parcel, event("delivered")) for parcel in parcels))
    assert fresh(order).status == OrderStatus.DELIVERED
    assert order.events.filter(to_status="delivered", from_status="in_transit").count() == 1


def test_one_report_told_eight_times_at_once_is_kept_once():
    shipment = make_shipment()
    scans = [event("in_transit", clock.now() - dt.timedelta(minutes=n), text=str(n)) for n in range(5)]
    results = at_once(*[tell(shipment, *scans)] * 8)
    assert sorted(result.new_events for result in results) == [0] * 7 + [5]
    assert TrackingEvent.objects.count() == Shipment.objects.get().event_count == 5


def test_a_waybill_registered_eight_times_at_once_is_one_shipment():
    order = make_order("paid")
    assert len(set(at_once(*[shipping(order, "SF0000000000777")] * 8))) == 1
    assert Shipment.objects.get().links.get().lines.get().quantity == 2


def test_two_orders_put_into_one_box_at_once_share_it():
    orders = [make_order("paid") for _ in range(4)]
    assert len(set(at_once(*(shipping(order, "SF0000000000778") for order in orders)))) == 1
    assert Shipment.objects.get().orders.count() == 4


def test_the_same_goods_are_not_shipped_twice_by_two_people():
    order = make_order("paid")
    results = at_once(*(shipping(order, waybill_no(), lines={"XR-1": 2}) for _ in range(4)))
    assert sum(result is not None for result in results) == 1


def test_a_waybill_is_voided_or_scanned_and_never_both():
    order = make_order("paid")
    shipment = make_shipment(order)

    def voiding():
        try:
            return void(shipment, order=fresh(order), reason="填错", actor=STAFF) is not None
        except NotPossible:
            return False

    voided, _ = at_once(voiding, tell(shipment, event("picked_up")))
    assert fresh(order).status == (OrderStatus.PAID if voided else OrderStatus.IN_TRANSIT)


def test_buyer_and_carrier_deliver_at_once():
    shipment = make_shipment(order := make_order("paid"))
    at_once(tell(shipment, event("delivered")), lambda: confirm_receipt(fresh(order), SHOP))
    assert fresh(order).status == OrderStatus.DELIVERED


def test_merged_boxes_reported_at_once_do_not_lock_each_other_out():
    orders = [make_order("paid", lines=[line(quantity=4)]) for _ in range(2)]
    boxes = [waybill_no() for _ in range(4)]
    for order in orders:
        shipments = [make_shipment(order, waybill_no=box, lines={"XR-1": 1}) for box in boxes]
    at_once(*(tell(shipment, event("delivered")) for shipment in shipments))
    assert {fresh(order).status for order in orders} == {OrderStatus.DELIVERED}
