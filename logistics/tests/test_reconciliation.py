"""Pushes that get lost on the way are found and made up for by the watchdog."""

import datetime as dt
import random

import pytest

from frozenshop.kernel import clock
from logistics import breaker
from logistics.models import ProviderState, Shipment, TrackingEvent
from logistics.models import ShipmentStatus as S
from logistics.providers import kdniao
from logistics.providers.kdniao_codes import CODES
from logistics.tests.sandboxed import Wire

MINUTE = dt.timedelta(minutes=1)
TICK, SHOP_HOURS = dt.timedelta(minutes=10), range(8, 20)
pytestmark = [pytest.mark.django_db, pytest.mark.timeout(600)]


class Thief:
    """Takes one push in a hundred, of deliveries more: no later push makes up for those."""

    def __init__(self) -> None:
        self.rng, self.pushes, self.taken = random.Random(1), 0, list[tuple[str, str]]()

    def __call__(self, body: bytes) -> bool:
        self.pushes += 1
        (told,) = kdniao.parse(body)
        status = told.events[-1].status
        if self.rng.random() >= (0.05 if status == S.DELIVERED else 0.005):
            return False
        self.taken.append((told.waybill_no, status))
        return True


def play(wire: Wire, frozen, parcels: int) -> None:
    """Let parcels leave all through a day, and time pass until the last story has been over for half a day."""
    numbers = [f"YT{n:013}" for n in range(parcels)]
    waiting, last = numbers[::-1], clock.now()
    while waiting or clock.now() < last + dt.timedelta(hours=12):
        for _ in range(-(-parcels * TICK // dt.timedelta(hours=10))):
            if waiting:
                number = waiting.pop()
                wire.story(number)
                wire.parcel(number, "YTO", "kdniao", ago=0)
                last = max(last, dt.datetime.fromtimestamp(wire.world.shipments[number].story[-1].at, dt.UTC))
        wire.minute()
        frozen.shift(TICK)


# Of SQLite only the longer one asks; of the services the shorter one.
@pytest.mark.parametrize(
    "parcels",
    [pytest.param(40, marks=[pytest.mark.services, pytest.mark.long]), pytest.param(240, marks=pytest.mark.slow)],
)
def test_one_push_in_a_hundred_is_lost_and_nothing_of_the_truth(wire, frozen, parcels):
    wire.lost = thief = Thief()
    breaker.state_of("kdniao")  # All that is due in a tick is asked about at one instant: the pace is another test's.
    ProviderState.objects.update(calls_per_minute=60_000, daily_budget=100_000)
    play(wire, frozen, parcels)
    delivered = [no for no, status in thief.taken if status == S.DELIVERED]
    assert 0.003 * thief.pushes < len(thief.taken) < 0.02 * thief.pushes
    assert delivered, "the test means nothing unless deliveries got lost"
    truth = {no: CODES[found.story[-1].code] for no, found in wire.world.shipments.items()}
    assert dict(Shipment.objects.values_list("waybill_no", "status")) == truth
    late = {no: notice(no) for no in truth if seen_out_for_delivery(no)}
    assert max(late.values()) <= dt.timedelta(minutes=30)
    assert set(delivered) & set(late), "some of those were out for delivery"
    told = {no: TrackingEvent.objects.filter(shipment__waybill_no=no, overall=False).count() for no in truth}
    assert told == {no: len(found.story) for no, found in wire.world.shipments.items()}


def notice(waybill_no: str) -> dt.timedelta:
    """Return for how much of the shop's time a delivery went unnoticed: at night nobody asks and nobody delivers."""
    scan = TrackingEvent.objects.filter(shipment__waybill_no=waybill_no, overall=False, status=S.DELIVERED).get()
    unnoticed = (scan.recorded_at - scan.occurred_at) // MINUTE
    minutes = (clock.shanghai(scan.occurred_at + n * MINUTE) for n in range(unnoticed))
    return sum(minute.hour in SHOP_HOURS for minute in minutes) * MINUTE


def seen_out_for_delivery(waybill_no: str) -> bool:
    """Return whether we knew in shop hours, before the delivery, that the parcel was out for delivery."""
    scans = TrackingEvent.objects.filter(shipment__waybill_no=waybill_no, overall=False)
    end = scans.get(status=S.DELIVERED).occurred_at
    known = scans.filter(status=S.OUT_FOR_DELIVERY, recorded_at__lt=end).exists()
    return known and clock.shanghai(end).hour in SHOP_HOURS
