"""Two phones at once, and a tap against the parcel's end: one effect, nothing half."""

import pytest

from frozenshop.kernel import clock
from logistics import manual
from logistics.driver_links import issue
from logistics.manual import Heard, Step, report_by_driver
from logistics.models import DriverLink, Shipment, ShipmentStatus, TrackingEvent
from logistics.shipping import void
from logistics.tests.factories import STAFF, event, make_carrier, make_report, make_shipment
from logistics.tracking import record_events
from orders.models import Order
from orders.tests.factories import SHOP
from orders.tests.test_races import at_once

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def shipment() -> Shipment:
    return make_shipment(carrier=make_carrier("OWN_FLEET", kdniao_code=""))


def tapping(shipment, name, **more):
    link = DriverLink.objects.filter(shipment=shipment).last() or issue(shipment, by=STAFF)[0]
    return lambda: report_by_driver(link, name, turn=0, **more)


def test_one_step_tapped_on_eight_phones_counts_once(shipment):
    heard = at_once(*[tapping(shipment, "delivered")] * 8)
    assert sorted(heard) == sorted([Heard.RECORDED, *[Heard.ENDED] * 7])
    assert TrackingEvent.objects.count() == 1
    assert Order.objects.get().events.filter(to_status="delivered", from_status="shipped").count() == 1


def test_of_two_phones_that_say_different_things_at_once_one_must_look_again(shipment):
    one, other = tapping(shipment, "arriving"), tapping(shipment, "failed", reason="refused")
    heard = at_once(one, one, other, other)
    assert heard.count(Heard.RECORDED) == 1
    assert TrackingEvent.objects.count() == 1


def test_a_reference_told_eight_times_at_once_is_recorded_once(shipment):
    step = Step(ShipmentStatus.DELIVERED, clock.now(), "r-1")
    results = at_once(*[lambda: manual.report(Shipment.objects.get(pk=shipment.pk), step, by=SHOP)] * 8)
    assert sum(results) == 1
    assert TrackingEvent.objects.count() == 1


def test_a_tap_and_the_end_of_the_parcel_do_not_wait_for_each_other_in_vain(shipment):
    tap = tapping(shipment, "arriving")
    end = make_report(event("delivered"))
    at_once(tap, lambda: record_events(Shipment.objects.get(pk=shipment.pk), end, provider="kdniao"), tap)
    assert Shipment.objects.get().status == "delivered"
    assert DriverLink.objects.get().revoked_at


def test_a_new_link_made_while_the_parcel_ends_is_not_left_open(shipment):
    def making():
        try:
            return issue(Shipment.objects.get(pk=shipment.pk), by=STAFF)
        except manual.NotPossible:
            return None

    def ending():
        return void(Shipment.objects.get(pk=shipment.pk), order=Order.objects.get(), reason="x", actor=STAFF)

    at_once(making, ending, making)
    assert not DriverLink.objects.filter(revoked_at=None).exists()
