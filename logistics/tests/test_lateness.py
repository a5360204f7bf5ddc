"""One alert for each delay: opened when the promise or the prediction fails, over when the parcel is there."""

import datetime as dt

import pytest
import time_machine

from frozenshop.kernel import clock
from logistics import lateness, staleness
from logistics.models import Shipment
from logistics.tests.factories import make_shipment, report
from logistics.tracking import orders_of
from orders.models import Alert
from orders.tests.factories import make_order

pytestmark = pytest.mark.django_db
NOON = dt.datetime(2026, 11, 18, 4, tzinfo=dt.UTC)
HOUR = dt.timedelta(hours=1)


@pytest.fixture(autouse=True)
def travel():
    with time_machine.travel(NOON, tick=False) as traveller:
        yield traveller


def promised(hours: float) -> Shipment:
    order = make_order("paid", promised_by=(clock.now() + hours * HOUR).isoformat())
    return report(make_shipment(order), "in_transit")


def predicted(shipment: Shipment, **columns) -> Shipment:
    for name, value in ({"recorded_at": NOON - 24 * HOUR} | columns).items():
        setattr(shipment, name, value)
    return shipment


def late(shipment: Shipment) -> str | None:
    found = lateness.find(shipment, orders_of(shipment), clock.now())
    return found.kind if found else None


def open_kinds() -> list[str]:
    return sorted(Alert.objects.filter(resolved_at=None).values_list("kind", flat=True))


def test_a_promise_that_passes_is_told_at_its_instant(travel):
    promised(5)
    assert (staleness.recheck(), open_kinds()) == (0, [])
    travel.shift(5 * HOUR + dt.timedelta(minutes=1))
    staleness.recheck()
    assert open_kinds() == ["late_promise"]
    assert Alert.objects.get().occurred_at == NOON + 5 * HOUR


def test_one_delay_has_one_alert_until_the_parcel_is_there(travel):
    shipment = promised(5)
    travel.shift(6 * HOUR)
    report(shipment, "in_transit")
    travel.shift(HOUR)
    report(shipment, "out_for_delivery")
    assert (open_kinds(), Alert.objects.count()) == (["late_promise"], 1)
    report(shipment, "delivered")
    assert open_kinds() == []


def test_a_promise_that_will_probably_be_missed_is_told_and_its_recovery_too():
    shipment = predicted(promised(30), delayed_since=NOON, late_probability=0.8)
    assert late(shipment) == "late_promise"
    assert "late_promise" in lateness.over(predicted(shipment, delayed_since=None), None)


def test_without_a_promise_the_prediction_is_what_is_missed():
    shipment = report(make_shipment(), "in_transit")
    assert late(predicted(shipment, eta_latest=NOON - 5 * HOUR)) is None
    assert late(predicted(shipment, eta_latest=NOON - 7 * HOUR)) == "late_eta"
    assert late(predicted(shipment, eta_latest=NOON + HOUR, delayed_since=NOON)) == "late_eta"


def test_a_prediction_that_was_over_before_the_parcel_was_known_is_not_missed():
    shipment = report(make_shipment(), "in_transit")
    assert late(predicted(shipment, eta_latest=NOON - 31 * HOUR)) is None


def test_a_delay_that_recovers_is_over_and_one_that_is_stopped_is_not():
    shipment = predicted(report(make_shipment(), "in_transit"), eta_latest=NOON + HOUR)
    assert "late_eta" in lateness.over(shipment, None)
    assert lateness.over(predicted(shipment, status="exception"), None) == []
    assert "late_eta" in lateness.over(predicted(shipment, status="awaiting_pickup"), None)


@pytest.mark.parametrize("status", ["exception", "delivery_failed", "awaiting_pickup", "returning", "delivered"])
def test_what_has_another_trouble_or_is_there_is_not_late_as_well(status):
    shipment = predicted(report(make_shipment(), status), eta_latest=NOON - 9 * HOUR)
    assert late(shipment) is None


def test_a_silent_parcel_has_its_own_alert():
    shipment = report(make_shipment(), "in_transit")
    assert late(predicted(shipment, eta_latest=NOON - 9 * HOUR, stale_since=NOON - HOUR)) is None


def test_a_promise_to_who_has_confirmed_receipt_is_kept():
    shipment = promised(5)
    order = shipment.orders.get()
    type(order).objects.filter(pk=order.pk).update(status="delivered", promised_by=NOON - HOUR)
    assert late(shipment) is None


def test_the_next_look_is_at_what_passes_first():
    shipment = predicted(promised(5), eta_latest=NOON - HOUR)
    assert lateness.look_again_at(shipment, orders_of(shipment), NOON) == NOON + 5 * HOUR
