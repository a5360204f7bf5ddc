"""Every kind stands in one table; one trouble has one name; limits follow the lane within bounds."""

import datetime as dt

import pytest

from docs import anomaly_tables
from docs.build import ROOT, replaced
from frozenshop.kernel import clock
from logistics import anomalies, problems
from logistics.anomalies import ANOMALIES, BY_REASON, SILENCE, Acts, kind_of
from logistics.learning.gaps import Gap
from logistics.models import Reason, Shipment, ShipmentStatus
from logistics.tests.factories import event, make_shipment, report
from orders.alerting import KINDS
from orders.models import Alert, AlertKind

HOUR = dt.timedelta(hours=1)


def silent(status: str = "in_transit", temperature_class: str = "ambient") -> Shipment:
    now = clock.now()
    return Shipment(status=status, temperature_class=temperature_class, shipped_at=now, recorded_at=now)


@pytest.fixture
def lane(monkeypatch):
    """What is learnt of the lane, in hours."""

    def learnt(p50: float, p90: float, p999: float) -> None:
        gap = Gap(p50 * HOUR, p90 * HOUR, p999 * HOUR, 500)
        monkeypatch.setattr(anomalies, "usual_gap", lambda shipment: gap)

    monkeypatch.setattr(anomalies, "usual_gap", lambda shipment: None)
    return learnt


def open_kinds() -> list[str]:
    return sorted(Alert.objects.filter(resolved_at=None).values_list("kind", flat=True))


# --- the table ------------------------------------------------------------------------------------


def test_every_kind_has_its_row():
    assert set(ANOMALIES) == set(KINDS) == set(AlertKind)


def test_every_row_says_who_acts_and_when_it_opens():
    assert all(row.acts in Acts and row.opens for row in ANOMALIES.values())


def test_frozen_goods_never_wait_longer():
    assert all(row.frozen < row.limit for row in ANOMALIES.values() if row.limit and row.frozen)


def test_a_box_in_a_locker_is_urgent_within_hours():
    assert SILENCE[ShipmentStatus.AWAITING_PICKUP].frozen <= 4 * HOUR
    assert (KINDS[AlertKind.LOCKER_WAITING].severity, KINDS[AlertKind.LOCKER_WAITING].due) == ("1urgent", HOUR)


def test_the_page_says_what_the_table_says():
    page = (ROOT / "docs/anomalies.md").read_text(encoding="utf-8")
    made = replaced(replaced(page, "kinds", anomaly_tables.kinds()), "silence", anomaly_tables.silence())
    assert made == page, "out of date: run `make docs`"


# --- names ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("reason", BY_REASON)
def test_a_stopped_parcel_is_named_after_its_reason(reason):
    assert kind_of("exception", reason) == kind_of("delivery_failed", reason) == BY_REASON[reason]


def test_a_stopped_parcel_without_a_reason_of_its_own_is_named_after_its_status():
    assert [kind_of(status, "") for status in ("exception", "delivery_failed")] == ["exception", "delivery_failed"]
    assert kind_of("exception", Reason.WEATHER) == "exception"


def test_harm_is_told_while_the_parcel_moves_on():
    assert [kind_of("in_transit", reason) for reason in ("damaged", "missorted", "unreachable")] == [
        "damaged",
        "missorted",
        None,
    ]


def test_of_a_signed_for_box_only_damage_is_told():
    assert [kind_of("delivered", reason) for reason in ("damaged", "refused", "")] == ["damaged", None, None]


@pytest.mark.django_db
def test_one_trouble_has_one_alert():
    report(make_shipment(), event("exception", reason="damaged", location="郑州市"))
    assert open_kinds() == ["damaged"]
    assert "问题件（破损） 郑州市" in Alert.objects.get().detail


@pytest.mark.django_db
def test_a_trouble_that_becomes_another_leaves_one_alert():
    shipment = report(make_shipment(), event("delivery_failed", clock.now() - HOUR / 4, reason="unreachable"))
    assert open_kinds() == ["unreachable"]
    report(shipment, event("delivery_failed", reason="refused"))
    assert open_kinds() == ["refused"]
    report(shipment, "delivered")
    assert open_kinds() == []


@pytest.mark.django_db
def test_a_trouble_began_when_it_happened():
    began = clock.now() - HOUR / 4
    report(make_shipment(), event("exception", began, reason="damaged"))
    assert Alert.objects.get().occurred_at == began


@pytest.mark.django_db
def test_withdrawing_a_number_ends_all_that_was_open_about_it():
    assert set(BY_REASON.values()) | {rule.kind for rule in SILENCE.values()} <= set(problems.ALL_KINDS)


# --- limits ---------------------------------------------------------------------------------------


def test_without_history_the_tables_floor_holds(lane):
    assert anomalies.silence_limit(silent()) == SILENCE[ShipmentStatus.IN_TRANSIT].limit
    assert anomalies.silence_limit(silent(temperature_class="frozen")) == SILENCE[ShipmentStatus.IN_TRANSIT].frozen


def test_a_quick_lane_does_not_lower_the_floor(lane):
    lane(2, 6, 20)
    assert anomalies.silence_limit(silent()) == SILENCE[ShipmentStatus.IN_TRANSIT].limit


def test_a_slow_lane_raises_the_limit_but_not_for_ever(lane):
    lane(20, 30, 60)
    assert anomalies.silence_limit(silent()) == 45 * HOUR
    lane(90, 200, 400)
    assert anomalies.silence_limit(silent()) == 72 * HOUR


def test_what_waits_for_a_person_learns_nothing_from_the_road(lane):
    lane(90, 200, 400)
    waiting = silent("awaiting_pickup", "frozen")
    assert anomalies.silence_limit(waiting) == 4 * HOUR


@pytest.mark.django_db
def test_lost_is_silence_beyond_the_lanes_999_of_1000(lane):
    moving = silent()
    assert anomalies.lost_after(moving) - moving.shipped_at == 120 * HOUR
    lane(20, 60, 200)
    assert anomalies.lost_after(moving) - moving.shipped_at == 200 * HOUR
    lane(20, 60, 9_999)
    assert anomalies.lost_after(moving) - moving.shipped_at == dt.timedelta(days=30)


def test_what_never_moved_or_waits_to_be_fetched_is_not_lost(lane):
    assert [anomalies.lost_after(silent(status)) for status in ("no_trace", "awaiting_pickup", "delivered")] == [
        None,
        None,
        None,
    ]
