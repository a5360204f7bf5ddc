"""Several parcels in one call: one call of the pace, the budget and the price, then each parcel for itself."""

import datetime as dt
from decimal import Decimal

import pytest

from frozenshop.kernel import clock
from logistics import breaker, cadence, polling, turns
from logistics.models import ProviderCall, ProviderState, ProviderUsage, Shipment
from logistics.models import ShipmentStatus as S
from logistics.tests.sandboxed import WORK, deliver
from logistics.tests.tracked import queued

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("frozen")]
HOUR = dt.timedelta(hours=1)


@pytest.fixture
def due(wire, frozen):
    """Make so many parcels of 顺丰 due that 顺丰 itself is asked about first."""

    def make(count: int, *providers: str) -> list[Shipment]:
        numbers = [f"SF{n:013}" for n in range(1, count + 1)]
        for number in numbers:
            wire.story(number, "SF")
        parcels = [wire.parcel(number, "SF", *(providers or ("sf", "kdniao")), ago=0) for number in numbers]
        frozen.shift(12 * HOUR)
        Shipment.objects.update(next_poll_at=clock.now())
        breaker.state_of("sf")
        ProviderState.objects.filter(provider="sf").update(price_fen="2.00")
        return parcels

    return make


def work() -> None:
    polling.claim_due()
    while deliver(*(topic for topic in WORK if topic != "logistics.subscribe")):
        pass


def answered() -> int:
    return Shipment.objects.exclude(status=S.NO_TRACE).count()


def test_ten_parcels_share_one_call(due, wire):
    due(12)
    polling.claim_due()
    assert len(queued("logistics.sync_batch")) == 2
    work()
    assert (wire.asked, answered()) == (["sf", "sf"], 12)
    assert all(shipment.next_poll_at >= clock.now() + cadence.FLOOR for shipment in Shipment.objects.all())


def test_a_batch_counts_and_costs_one_call(due):
    due(3)
    work()
    usage = ProviderUsage.objects.get()
    assert (usage.calls, usage.cost_fen, breaker.state_of("sf").calls_today) == (1, 2, 1)
    assert sorted(ProviderCall.objects.values_list("cost_fen", flat=True)) == [
        Decimal("0.66"), Decimal("0.67"), Decimal("0.67")
    ]  # fmt: skip


def test_one_parcel_is_asked_about_alone(due, wire):
    due(1)
    polling.claim_due()
    assert len(queued("logistics.sync_shipment")) == 1


def test_a_provider_that_takes_one_at_a_time_gets_no_batch(due):
    due(3, "kdniao", "sf")
    polling.claim_due()
    assert (len(queued("logistics.sync_batch")), len(queued("logistics.sync_shipment"))) == (0, 3)


def test_a_batch_that_fails_goes_on_to_the_next_provider_one_by_one(due, wire):
    due(3)
    wire.fault("sf")
    work()
    assert (wire.asked, answered()) == (["sf", *["kdniao"] * 3], 3)


def test_a_batch_that_fails_without_another_provider_is_tried_again_after_the_floor(due, wire, frozen):
    parcels = due(3, "sf")
    wire.fault("sf")
    work()
    assert (wire.asked, answered()) == (["sf"], 0)
    assert all(
        cadence.FLOOR <= shipment.next_poll_at - clock.now() <= 1.5 * cadence.FLOOR
        for shipment in Shipment.objects.filter(pk__in=[parcel.pk for parcel in parcels])
    )


def test_behind_an_open_breaker_a_batch_goes_on_without_a_call(due, wire):
    due(3)
    ProviderState.objects.filter(provider="sf").update(failures=5, open_until=clock.now() + HOUR)
    work()
    assert (wire.asked, answered()) == (["kdniao"] * 3, 3)


def test_a_parcel_asked_about_a_moment_ago_is_left_out_of_the_batch(due, wire):
    first, *_ = due(3)
    polling.claim_due()
    Shipment.objects.filter(pk=first.pk).update(checked_at=clock.now())
    work()
    assert ProviderCall.objects.filter(waybill_no=first.waybill_no).count() == 0
    assert (wire.asked, answered()) == (["sf"], 2)


def test_a_repeated_task_asks_nothing_twice(due, wire):
    due(3)
    polling.claim_due()
    (row,) = queued("logistics.sync_batch")
    deliver("logistics.sync_batch")
    type(row).objects.filter(pk=row.pk).update(status="pending", done_at=None)
    deliver("logistics.sync_batch")
    assert wire.asked == ["sf"]


def test_groups_are_no_larger_than_the_provider_takes(due):
    parcels = list(Shipment.objects.select_related("carrier").filter(pk__in=[parcel.pk for parcel in due(23)]))
    assert [(name, len(group)) for name, group in turns.together(parcels)] == [("sf", 10), ("sf", 10), ("sf", 3)]
