"""Silence becomes an alert, counted by the carriers' days; what was reported from the future comes true."""

import datetime as dt
from unittest.mock import patch

import pytest
import time_machine

from frozenshop.kernel import calendar, clock, outbox
from frozenshop.kernel.models import CalendarDay, OutboxMessage
from logistics import staleness, tasks
from logistics.anomalies import SILENCE, stale_after
from logistics.cadence import FINAL, PACE, next_poll_at
from logistics.models import Carrier, Shipment, ShipmentStatus
from logistics.tests.factories import event, make_shipment, report
from orders import alerting
from orders.models import Alert, OrderStatus
from orders.tests.factories import SHOP, line, make_order

pytestmark = pytest.mark.django_db
NOON = dt.datetime(2026, 11, 18, 4, tzinfo=dt.UTC)


@pytest.fixture(autouse=True)
def _frozen():
    with time_machine.travel(NOON, tick=False) as traveller:
        yield traveller


@pytest.fixture
def later(_frozen):
    def go(**after) -> dt.datetime:
        _frozen.shift(dt.timedelta(**after))
        return clock.now()

    return go


def open_kinds() -> list[str]:
    return sorted(Alert.objects.filter(resolved_at=None).values_list("kind", flat=True))


def test_every_status_has_a_pace():
    assert set(PACE) == set(ShipmentStatus)


def test_frozen_goods_may_be_silent_for_a_shorter_time():
    assert all(rule.frozen < rule.limit for rule in SILENCE.values())


def test_every_status_but_the_last_ones_has_a_limit():
    assert set(SILENCE) == set(ShipmentStatus) - FINAL


def test_silence_beyond_the_limit_opens_an_alert_once(later):
    report(make_shipment(), "in_transit")
    later(hours=25)
    staleness.find_stale()
    assert (open_kinds(), staleness.find_stale()) == (["stale"], 0)


def test_silence_within_the_limit_is_none(later):
    report(make_shipment(), "in_transit")
    later(hours=23)
    assert (staleness.find_stale(), open_kinds()) == (0, [])


def test_a_silent_parcel_says_so_in_the_document_until_it_is_heard_of(later):
    shipment = report(make_shipment(), "in_transit")
    order, version = shipment.orders.get(), shipment.orders.get().version
    later(hours=25)
    staleness.find_stale()
    shipment.refresh_from_db()
    order.refresh_from_db()
    assert (shipment.stale_since is not None, order.version > version) == (True, True)
    assert report(shipment, "out_for_delivery").stale_since is None
    assert open_kinds() == []


def test_an_older_event_arriving_late_does_not_end_the_silence(later):
    shipment = report(make_shipment(), event("in_transit", NOON))
    later(hours=25)
    staleness.find_stale()
    report(shipment, event("picked_up", NOON - dt.timedelta(minutes=5)))
    assert open_kinds() == ["stale"]


def test_frozen_goods_in_a_locker_are_alerted_after_hours(later):
    report(make_shipment(), "awaiting_pickup")
    later(hours=5)
    staleness.find_stale()
    assert open_kinds() == ["locker_waiting"]


def test_goods_that_keep_may_wait_in_a_locker_for_a_day(later):
    report(make_shipment(make_order("paid", lines=[line(temperature_class="ambient")])), "awaiting_pickup")
    later(hours=5)
    assert staleness.find_stale() == 0


def test_a_reminder_from_the_locker_does_not_start_the_time_anew(later):
    shipment = report(make_shipment(), "awaiting_pickup")
    later(hours=3)
    assert report(shipment, event("awaiting_pickup", text="请及时取件")).stale_after == NOON + dt.timedelta(hours=4)


def test_the_locker_alert_ends_when_the_parcel_was_taken(later):
    shipment = report(make_shipment(), "awaiting_pickup")
    later(hours=5)
    staleness.find_stale()
    report(shipment, "delivered")
    assert open_kinds() == []


def test_days_on_which_carriers_stop_are_not_silence():
    for day in range(19, 24):
        CalendarDay.objects.create(day=dt.date(2026, 11, day), kind=CalendarDay.Kind.CARRIER_STOP)
    calendar.forget()
    shipment = report(make_shipment(), "in_transit")
    calendar.forget()
    assert shipment.stale_after == NOON + dt.timedelta(days=6)


def test_after_a_month_of_silence_contact_is_lost(later):
    shipment = report(make_shipment(), "in_transit")
    later(days=31)
    staleness.find_stale()
    shipment.refresh_from_db()
    assert (open_kinds(), shipment.stale_after) == (["lost_contact"], None)


def walk(later, hours: int) -> list[list[str]]:
    """What is open after each look at a parcel that stays silent for so many hours."""
    seen = [open_kinds()]
    for _ in range(hours):
        later(hours=1)
        if staleness.find_stale() and open_kinds() != seen[-1]:
            seen.append(open_kinds())
    return seen


def test_silence_climbs_from_stale_to_lost_to_no_longer_asked(later):
    report(make_shipment(), "in_transit")
    assert walk(later, 24 * 31) == [[], ["stale"], ["lost"], ["lost_contact"]]


def test_each_rung_keeps_the_owner_of_the_one_before(later, django_user_model):
    report(make_shipment(), "in_transit")
    walk(later, 25)
    alerting.take(Alert.objects.get(), user := django_user_model.objects.create(username="li"))
    walk(later, 24 * 4)
    assert Alert.objects.get(resolved_at=None).owner == user
    assert Alert.objects.get(kind="stale").outcome == "other"


def test_what_was_never_picked_up_has_its_own_name(later):
    make_shipment()
    assert walk(later, 24 * 6) == [[], ["no_pickup"]]


def test_out_for_delivery_too_long_counts_from_the_first_attempt(later):
    shipment = report(make_shipment(), "out_for_delivery")
    later(hours=7)
    report(shipment, "out_for_delivery")
    assert walk(later, 2) == [[], ["out_too_long"]]
    assert report(shipment, "delivered").stale_since is None
    assert open_kinds() == []


def test_silence_after_a_trouble_is_no_second_trouble(later):
    shipment = report(make_shipment(), event("exception", reason="damaged"))
    assert walk(later, 24) == [["damaged"]]
    shipment.refresh_from_db()
    assert shipment.stale_since is not None


def test_silence_began_with_the_last_scan(later):
    report(make_shipment(), event("in_transit", NOON))
    walk(later, 25)
    assert Alert.objects.get().occurred_at == NOON


def test_what_a_person_has_dealt_with_climbs_only_to_the_next_rung(later, django_user_model):
    report(make_shipment(), "in_transit")
    walk(later, 25)
    alerting.resolve(Alert.objects.get(), "网点说明天到", django_user_model.objects.create(username="li"))
    assert walk(later, 24 * 4) == [[], ["lost"]]


def test_a_parcel_that_the_buyer_confirmed_is_not_looked_for(later):
    from logistics.services import confirm_receipt

    shipment = report(make_shipment(), "in_transit")
    confirm_receipt(shipment.orders.get(), SHOP)
    later(hours=25)
    staleness.find_stale()
    assert (open_kinds(), staleness.find_stale()) == ([], 0)


def test_a_row_that_fails_does_not_block_the_others(later):
    first, second = (report(make_shipment(), "in_transit") for _ in range(2))
    later(hours=25)
    notice = staleness.notice

    def fails_on_first(shipment):
        if shipment.pk == first.pk:
            raise RuntimeError
        notice(shipment)

    with patch.object(staleness, "notice", fails_on_first):
        staleness.find_stale()
    first.refresh_from_db()
    assert Alert.objects.get().subject == f"shipment:{second.pk}"
    assert first.stale_after > clock.now()


def test_a_scan_takes_the_oldest_of_a_bounded_batch(later):
    first, _ = report(make_shipment(), "in_transit"), report(make_shipment(), event("in_transit", later(minutes=9)))
    later(hours=25)
    assert staleness.find_stale(batch=1) == 1
    assert Alert.objects.get().subject == f"shipment:{first.pk}"


def test_the_future_is_counted_when_it_has_come(later):
    shipment = report(make_shipment(), event("delivered", NOON + dt.timedelta(hours=3)))
    assert staleness.recheck() == 0
    later(hours=3)
    staleness.recheck()
    assert (shipment.orders.get().status, open_kinds()) == (OrderStatus.DELIVERED, [])


def test_jobs_are_closed_and_ask_for_another_run_while_there_is_more(later, monkeypatch):
    monkeypatch.setattr(staleness, "BATCH", 1)
    monkeypatch.setattr(staleness, "find_stale", lambda: 1)
    assert tasks
    outbox.enqueue("logistics.find_stale", {"slot": "x"}, key="one")
    outbox.deliver(OutboxMessage.objects.get(key="one").pk)
    assert list(OutboxMessage.objects.filter(topic="logistics.find_stale").values_list("status", flat=True)) == [
        "done",
        "pending",
    ]


def test_questions_are_denser_near_delivery_and_rarer_in_silence():
    now, sent = clock.now(), {"carrier": Carrier(code="SF"), "shipped_at": clock.now() - dt.timedelta(days=6)}
    moving = Shipment(status="in_transit", **sent, last_event_at=now)
    near = Shipment(status="out_for_delivery", **sent, last_event_at=now)
    silent = Shipment(status="in_transit", **sent, last_event_at=now - dt.timedelta(days=5))
    assert next_poll_at(near, now) < next_poll_at(moving, now) < next_poll_at(silent, now)


@pytest.mark.parametrize("status", ["delivered", "returned", "cancelled"])
def test_nothing_is_expected_after_the_end(status):
    over = Shipment(status=status, shipped_at=clock.now())
    assert (stale_after(over), next_poll_at(over, clock.now())) == (None, None)
