"""What several parcels, taken together, make of an order."""

import datetime as dt

import pytest

from frozenshop.kernel import clock
from logistics.progress import Parcel, refresh_order, standing
from logistics.services import confirm_receipt, record_shop_fact
from logistics.tests.factories import STAFF, event, make_report, make_shipment, report
from logistics.tracking import record_events
from orders.models import Alert, OrderStatus
from orders.services import Fact, FactType
from orders.tests.factories import SHOP, line, make_order

O = OrderStatus  # noqa: E741
T = [dt.datetime(2026, 11, day, tzinfo=dt.UTC) for day in range(1, 20)]


def gone(*, moved=None, delivered=None, returned=None) -> Parcel:
    return Parcel(T[0], *(T[day] if day else None for day in (moved, delivered, returned)))


def status_of(*parcels: Parcel, complete: bool = True):
    return standing(parcels, complete=complete).status


@pytest.mark.parametrize(
    ("parcels", "status"),
    [
        ((), None),
        ((gone(),), O.SHIPPED),
        ((gone(), gone(moved=2)), O.IN_TRANSIT),
        ((gone(), gone(delivered=2)), O.IN_TRANSIT),
        ((gone(delivered=3), gone(delivered=2)), O.DELIVERED),
        ((gone(returned=3), gone(returned=2)), O.RETURNED),
        ((gone(delivered=3), gone(returned=2)), O.DELIVERED),
        ((gone(returned=3), gone(moved=2)), O.IN_TRANSIT),
    ],
)
def test_the_set_of_parcels_decides(parcels, status):
    assert status_of(*parcels) == status


def test_an_order_is_not_over_while_something_of_it_is_not_shipped():
    assert status_of(gone(delivered=2), complete=False) == O.IN_TRANSIT
    assert status_of(gone(returned=2), complete=False) == O.IN_TRANSIT


def test_of_a_cancelled_parcel_only_its_movement_counts():
    stopped = Parcel(T[0], in_transit_at=T[1], cancelled=True)
    assert status_of(stopped, complete=False) == O.IN_TRANSIT
    assert status_of(Parcel(T[0], cancelled=True), complete=False) is None
    assert status_of(stopped, gone(delivered=3)) == O.DELIVERED


def test_the_last_parcels_delivery_is_the_orders():
    milestones = standing([gone(moved=1, delivered=3), gone(delivered=5)], complete=True).milestones
    assert (milestones[O.IN_TRANSIT], milestones[O.DELIVERED]) == (T[1], T[5])


def test_a_milestone_that_no_parcel_reached_stays_empty():
    assert standing([gone(delivered=3)], complete=True).milestones[O.IN_TRANSIT] is None


def test_between_the_first_and_the_last_delivery_the_order_was_in_transit():
    assert standing([gone(delivered=3), gone(delivered=5)], complete=True).milestones[O.IN_TRANSIT] == T[3]


def two_lines(status="paid", **changes):
    return make_order(status, lines=[line(sku="A", quantity=1), line(sku="B", quantity=2)], **changes)


def open_kinds(order) -> set[str]:
    return set(Alert.objects.filter(order=order, resolved_at=None).values_list("kind", flat=True))


pytestmark = pytest.mark.django_db


def test_part_of_an_order_delivered_is_an_order_in_transit():
    report(make_shipment(order := two_lines(), lines={"A": 1}), "delivered")
    order.refresh_from_db()
    assert order.status == O.IN_TRANSIT


def test_the_order_is_delivered_with_its_last_parcel():
    order = two_lines()
    parcels = [make_shipment(order, lines={"A": 1}), make_shipment(order)]
    for parcel in parcels:
        report(parcel, "delivered")
    order.refresh_from_db()
    assert order.status == O.DELIVERED


def test_returned_and_delivered_mixed_is_delivered_with_an_alert():
    order = two_lines()
    parcels = [make_shipment(order, lines={"A": 1}), make_shipment(order)]
    report(parcels[0], "returned")
    report(parcels[1], "delivered")
    order.refresh_from_db()
    assert (order.status, "partly_returned" in open_kinds(order)) == (O.DELIVERED, True)


def test_a_parcel_that_the_carrier_cancelled_does_not_count():
    order = two_lines()
    report(make_shipment(order, lines={"A": 1}), "cancelled")
    report(make_shipment(order), "delivered")
    order.refresh_from_db()
    assert order.status == O.DELIVERED


def test_a_parcel_that_the_carrier_cancelled_is_handed_to_a_person_until_it_moves_again():
    shipment = report(make_shipment(order := make_order("paid")), "picked_up", "cancelled")
    assert open_kinds(order) == {"exception"}
    report(shipment, event("in_transit", clock.now() + dt.timedelta(seconds=1)))
    assert open_kinds(order) == set()


def test_goods_that_travel_unpaid_are_recorded_and_alerted():
    report(make_shipment(order := make_order("placed")), "in_transit")
    order.refresh_from_db()
    facts = order.events.filter(source="carrier").values_list("from_status", "to_status", "kind")
    assert (order.status, list(facts)) == (O.PLACED, [(O.PLACED, O.PLACED, "in_transit")])
    assert open_kinds(order) == {"shipped_unpaid"}


def test_payment_lets_the_order_catch_up_with_its_parcels():
    report(make_shipment(order := make_order("placed")), "delivered")
    record_shop_fact(order, Fact(FactType.PAID, clock.now(), "p-1"), SHOP)
    assert (order.status, order.shipped_at is not None, open_kinds(order)) == (O.DELIVERED, True, set())


def test_goods_shipped_after_cancelling_are_recorded_and_alerted():
    make_shipment(order := make_order("cancelled"))
    order.refresh_from_db()
    assert (order.status, open_kinds(order)) == (O.CANCELLED, {"shipped_after_cancelled"})


def test_a_refund_on_the_way_is_no_conflict_with_the_parcel():
    shipment = report(make_shipment(order := make_order("paid")), "in_transit")
    record_shop_fact(order, Fact(FactType.REFUNDED, clock.now(), "r-1", 10_000), SHOP)
    report(shipment, "delivered")
    assert order.events.filter(kind="delivered").count() == 1
    assert "shipped_after_cancelled" not in open_kinds(order)


def test_the_same_step_of_a_stuck_order_is_recorded_once():
    shipment = make_shipment(order := make_order("cancelled"))
    for minute in range(3):
        report(shipment, event("in_transit", clock.now() - dt.timedelta(minutes=minute)))
    assert order.events.filter(kind="in_transit").count() == 1


def test_the_buyer_confirms_and_repeats_it():
    make_shipment(order := make_order("paid"))
    for _ in range(2):
        confirm_receipt(order, SHOP)
    assert (order.status, order.events.filter(kind="confirmed").count()) == (O.DELIVERED, 1)


@pytest.mark.parametrize("status", ["placed", "paid", "cancelled", "refunded", "returned"])
def test_what_is_not_under_way_can_not_be_confirmed(status):
    from frozenshop.kernel.errors import NotPossible

    with pytest.raises(NotPossible):
        confirm_receipt(make_order(status), SHOP)


def test_the_earlier_of_confirmation_and_signing_is_the_delivery():
    shipment = make_shipment(order := make_order("paid"))
    confirm_receipt(order, SHOP)
    report(shipment, event("delivered", signed_at := clock.now() - dt.timedelta(minutes=9)))
    order.refresh_from_db()
    assert order.delivered_at == signed_at


def test_confirmation_and_an_earlier_parcel_in_transit_agree():
    shipment = make_shipment(order := make_order("paid"))
    confirm_receipt(order, SHOP)
    delivered_at = order.delivered_at
    report(shipment, event("in_transit", clock.now() - dt.timedelta(minutes=9)))
    order.refresh_from_db()
    assert (order.status, order.delivered_at) == (O.DELIVERED, delivered_at)


def test_refreshing_changes_nothing_when_nothing_is_new():
    report(make_shipment(order := make_order("paid")), "in_transit")
    order.refresh_from_db()
    assert not refresh_order(order, actor=STAFF)
    assert type(order).objects.get(pk=order.pk).version == order.version


def test_an_order_without_parcels_keeps_what_the_shop_said():
    order = make_order("delivered")
    shipped_at = order.shipped_at
    refresh_order(order, actor=STAFF)
    assert order.shipped_at == shipped_at


def test_a_report_of_a_parcel_of_a_returned_order_does_not_move_it():
    shipment = report(make_shipment(order := make_order("paid")), "returned")
    record_events(shipment, make_report(event("delivered")), provider="kdniao")
    order.refresh_from_db()
    assert order.status == O.RETURNED
