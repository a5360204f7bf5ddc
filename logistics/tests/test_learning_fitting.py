"""The daily fit learns from the merchant's own shipments, and is used from then on."""

import datetime as dt
import random

import pytest
import time_machine

from frozenshop.kernel import calendar, clock, outbox
from frozenshop.kernel.models import CalendarDay, OutboxMessage
from frozenshop.kernel.outbox.consuming import deliver
from logistics import tasks  # noqa: F401 (registers the job)
from logistics.learning import fitting, history, learnt
from logistics.learning.gaps import usual_gap
from logistics.learning.history import Stage, carrier_days, place_name
from logistics.models import Shipment, TrackingEvent, TransitModel
from logistics.tests.factories import make_carrier, make_shipment, report
from orders.tests.factories import make_order

pytestmark = pytest.mark.django_db
NOON = dt.datetime(2026, 8, 18, 4, tzinfo=dt.UTC)
HOUR = dt.timedelta(hours=1)


@pytest.fixture(autouse=True)
def travel():
    with time_machine.travel(NOON, tick=False) as traveller:
        yield traveller


def finished(count, *, days=40, destination="上海市上海市", took=48.0):
    """Make delivered shipments with three scans each, spread over the last days."""
    carrier, rng = make_carrier(), random.Random(4)
    for number in range(count):
        shipped_at = NOON - dt.timedelta(days=3 + days * number / count)
        hours = took * rng.uniform(0.85, 1.15)
        shipment = Shipment.objects.create(
            carrier=carrier,
            waybill_no=f"SF{destination[:1]}{number:09}",
            status="delivered",
            origin="浙江省杭州市",
            destination=destination,
            shipped_at=shipped_at,
            delivered_at=shipped_at + hours * HOUR,
        )
        scans = [
            (0.1, "picked_up", "杭州市"),
            (0.6, "in_transit", "上海市"),
            (0.9, "out_for_delivery", "上海市"),
            (1.0, "delivered", "上海市"),
        ]
        TrackingEvent.objects.bulk_create(
            TrackingEvent(
                shipment=shipment,
                key=f"{shipment.pk}-{share}",
                provider="kdniao",
                status=status,
                occurred_at=shipped_at + share * hours * HOUR,
                location=place,
            )
            for share, status, place in scans
        )


def test_too_little_history_changes_nothing():
    finished(10)
    assert fitting.fit() is None
    assert learnt.current() is None


def test_a_fit_is_a_version_and_the_only_active_one():
    finished(120)
    first, second = fitting.fit(), fitting.fit()
    assert list(TransitModel.objects.filter(active=True)) == [second]
    assert (first.parcels, second.until_at) == (120, NOON)
    assert second.score["shipped"]["n"] > 50
    assert set(learnt.current().stages) == {Stage.SHIPPED, Stage.NEAR, Stage.OUT}


def test_old_versions_go(monkeypatch):
    monkeypatch.setattr(fitting, "KEPT", 2)
    finished(40)
    for _ in range(4):
        fitting.fit()
    assert TransitModel.objects.count() == 2


def test_what_was_learnt_is_told_of_the_next_parcel():
    finished(200)
    fitting.fit()
    shipment = make_shipment(make_order("paid", province="上海市", city="上海市"))
    assert shipment.eta_basis == "lane"
    assert "200 件" in shipment.eta_explanation
    assert shipment.eta_likely - shipment.shipped_at == pytest.approx(48 * HOUR, abs=4 * HOUR)
    out = report(shipment, "picked_up", "out_for_delivery")
    assert out.eta_latest - NOON < 12 * HOUR


def test_usual_gaps_are_learnt_with_it():
    finished(60)
    fitting.fit()
    gap = usual_gap(Shipment.objects.all()[0])
    assert gap is None  # nothing follows a delivery
    gap = usual_gap(Shipment(carrier=make_carrier(), origin="杭州市", destination="上海市", status="picked_up"))
    assert (gap.n, gap.p50) == (60, pytest.approx(24 * HOUR, abs=3 * HOUR))
    assert gap.p999 >= 2 * gap.p90


def test_only_scans_from_its_own_province_on_are_near():
    assert history.is_near("in_transit", "上海市青浦区", "上海", "浙江")
    assert not history.is_near("in_transit", "杭州市", "上海", "浙江")
    assert not history.is_near("in_transit", "上海市", "上海", "上海")
    assert not history.is_near("out_for_delivery", "上海市", "上海", "浙江")


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("广东省广州市", "广东广州"),
        ("【广州市】天河", "广东广州"),
        ("上海市上海市", "上海"),
        ("四川省", "四川"),
        ("SP", "SP"),
        ("", ""),
    ],
)
def test_a_place_has_one_name_however_it_is_written(text, name):
    assert place_name(text) == name


def test_days_on_which_carriers_stand_still_don_t_count():
    CalendarDay.objects.create(day=dt.date(2026, 8, 20), kind=CalendarDay.Kind.CARRIER_STOP)
    calendar.forget()
    assert carrier_days(NOON, NOON + dt.timedelta(days=4)) == 3
    assert carrier_days(NOON, NOON + dt.timedelta(days=1)) == 1


def test_the_job_fits_and_may_run_twice():
    finished(60)
    for _ in range(2):
        outbox.enqueue("logistics.fit_eta", {"slot": clock.now().isoformat()})
        deliver(OutboxMessage.objects.latest("id").pk)
    assert TransitModel.objects.filter(active=True).count() == 1
    assert set(OutboxMessage.objects.filter(topic="logistics.fit_eta").values_list("status", flat=True)) == {"done"}
