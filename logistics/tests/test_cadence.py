"""When to ask: where news is expected, never within the floor, never after the end."""

import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.journeys import parcels
from benchmarks.polling import as_eager, every, learn, ours, simulate
from frozenshop.kernel import clock
from logistics import cadence
from logistics.cadence import FLOOR, GIVE_UP_AFTER, Outlook, look_again_in, next_poll_at, urgency
from logistics.learning import learnt, rhythm
from logistics.learning.gaps import Gap
from logistics.learning.rhythm import SLOTS, STRETCHES, Stay
from logistics.models import Shipment, ShipmentStatus, Subscription, TransitModel
from logistics.tests.factories import event, make_shipment, report
from orders.models import Order

HOUR = dt.timedelta(hours=1)
NOON = dt.datetime(2026, 11, 18, 4, tzinfo=dt.UTC)  # 12:00 in Shanghai
EVENING = NOON + 10 * HOUR


def gap(p50: float, p90: float, p999: float) -> Gap:
    return Gap(p50 * HOUR, p90 * HOUR, p999 * HOUR, 100)


def wait(
    status: str = "in_transit", *, now: dt.datetime = NOON, silent: float = 0, rates=None, **known
) -> float | None:
    """Return the hours until the next question about a parcel that is silent for so many hours."""
    found = look_again_in(Outlook(status, now - silent * HOUR, **known), now, rates or {})
    return None if found is None else found / HOUR


OUTLOOKS = st.builds(
    Outlook,
    status=st.sampled_from(ShipmentStatus.values),
    heard_at=st.timedeltas(-3 * HOUR, GIVE_UP_AFTER * 2).map(lambda silent: NOON - silent),
    gap=st.none() | st.lists(st.floats(0, 300), min_size=3, max_size=3).map(lambda hours: gap(*sorted(hours))),
    deadline=st.none() | st.timedeltas(-100 * HOUR, 100 * HOUR).map(lambda left: NOON + left),
    pushed=st.booleans(),
    left=st.booleans(),
    near=st.booleans(),
)


def test_a_scan_by_a_clock_before_ours_is_no_long_silence():
    assert [rhythm.stretch_of(hours, 0.5, 1.0) for hours in (-0.9, 0, 1.0)] == [0, 0, 10]


@given(OUTLOOKS, st.floats(0.01, 50), st.booleans())
def test_never_within_the_floor_and_never_after_a_day(outlook, eagerness, busy):
    rates = {"in_transit": [[99.0 if busy else 0.0] * SLOTS] * STRETCHES}
    found = look_again_in(outlook, NOON, rates, eagerness=eagerness)
    over = outlook.status in cadence.FINAL or NOON - outlook.heard_at > GIVE_UP_AFTER
    assert (found is None) == over
    assert found is None or FLOOR <= found <= 24.5 * HOUR


@pytest.mark.parametrize("status", ["delivered", "returned", "cancelled"])
def test_nothing_is_asked_after_the_end(status):
    assert wait(status) is None


def test_after_long_silence_the_watchdog_stops():
    assert wait(silent=30 * 24 + 1) is None


def test_the_longer_the_usual_gap_the_later():
    assert wait(gap=gap(2, 4, 20)) < wait(gap=gap(8, 16, 80))


def test_beyond_the_usual_gap_questions_get_rarer():
    assert wait(silent=1) < wait(silent=70)


def test_at_night_nobody_stands_at_the_door():
    assert wait("out_for_delivery") < 2
    assert 8 < wait("out_for_delivery", now=EVENING) < 12


def test_near_the_deadline_is_sooner():
    assert wait(deadline=NOON + 10 * HOUR) < wait(deadline=NOON + 80 * HOUR) == wait()


def test_a_promised_push_leaves_about_every_third_question():
    assert 2 < wait(pushed=True) / wait() < 5


def test_a_lost_callback_is_found_at_the_door_within_the_floor():
    assert wait("out_for_delivery", pushed=True, silent=3) == 0.5


def test_trouble_is_asked_about_more_than_what_goes_well():
    same = gap(4, 12, 60)
    assert wait("exception", gap=same) < wait("in_transit", gap=same)


# --- what is learnt -------------------------------------------------------------------------------


def test_questions_wait_for_the_hours_in_which_news_was_seen():
    stays = [Stay("in_transit", gap(18, 20, 24), 12, 18.0)] * 100  # reached at noon, gone on at six in the morning
    rates = rhythm.learn(stays)
    assert wait(rates=rates, gap=gap(18, 20, 24)) > 12
    assert wait(rates=rates, gap=gap(18, 20, 24), silent=17, now=NOON + 17 * HOUR) < 3


def test_on_the_road_is_another_phase_than_in_a_hub():
    stays = [Stay("in_transit+left", gap(4, 12, 60), 12, 12.0)] * 60 + [
        Stay("in_transit", gap(4, 12, 60), 12, 2.0)
    ] * 200
    rates = rhythm.learn(stays)
    assert wait(rates=rates, gap=gap(4, 12, 60), left=True) > wait(rates=rates, gap=gap(4, 12, 60))


def test_what_was_watched_for_too_little_teaches_nothing():
    assert rhythm.learn([Stay("customs", gap(4, 12, 60), 12, 5.0)]) == {}


@pytest.mark.parametrize(
    ("text", "left"),
    [("快件离开【杭州中转部】，发往【深圳中心】", True), ("快件到达【深圳中心】", False), ("快件已发车", True),
     ("快件在【服装城点】装车,正发往【石狮站】", True), ("已签收", False), ("", False)],
)  # fmt: skip
def test_a_text_says_whether_the_parcel_left(text, left):
    assert rhythm.leaves(text) is left


def test_half_the_delay_of_a_fixed_interval_for_the_same_calls():
    """A small copy of the benchmark, whose figures stand in benchmarks/README.md."""
    taught, shipped = learn(list(parcels(1500, days=14, seed=21))), list(parcels(150, days=14, seed=22, first_day=14))
    fixed = simulate(shipped, every(2), seed=1)
    policy = simulate(shipped, ours(taught, as_eager(shipped, taught, fixed.calls_per_day, seed=1)), seed=1)
    assert policy.calls_per_day == pytest.approx(fixed.calls_per_day, rel=0.05)
    assert sorted(policy.events)[len(policy.events) // 2] < 0.65 * sorted(fixed.events)[len(fixed.events) // 2]


# --- the rows ---------------------------------------------------------------------------------------


@pytest.mark.django_db
@pytest.mark.usefixtures("frozen")
def test_the_promise_and_the_subscription_are_read_in_one_query(django_assert_num_queries):
    shipment = make_shipment(shipped_at=clock.now() - HOUR)
    next_poll_at(shipment, clock.now())
    plain = next_poll_at(shipment, clock.now())
    with django_assert_num_queries(1):
        next_poll_at(shipment, clock.now())
    Order.objects.filter(shipments=shipment).update(promised_by=clock.now() + HOUR)
    urgent = next_poll_at(shipment, clock.now())
    Subscription.objects.create(shipment=shipment, provider="kdniao")
    assert urgent < plain
    assert next_poll_at(shipment, clock.now()) > urgent


@pytest.mark.django_db
@pytest.mark.usefixtures("frozen")
def test_an_ended_subscription_is_no_promise():
    shipment = make_shipment()
    before = next_poll_at(shipment, clock.now())
    Subscription.objects.create(shipment=shipment, provider="kdniao", ended_at=clock.now())
    assert next_poll_at(shipment, clock.now()) == before


@pytest.mark.django_db
@pytest.mark.usefixtures("frozen")
def test_the_rhythm_is_learnt_from_parcels_that_ended(monkeypatch):
    monkeypatch.setattr(rhythm, "LEAST_HOURS", 1.0)
    gaps = {f"|||{status}": [4, 12, 60, 50] for status in ("no_trace", "in_transit", "out_for_delivery")}
    start = clock.now() - 20 * HOUR
    scans = event("in_transit", start + 2 * HOUR, text="快件已发车"), event("out_for_delivery", start + 12 * HOUR)
    report(make_shipment(shipped_at=start), *scans, event("delivered", start + 14 * HOUR))
    rates = rhythm.from_history(clock.now(), gaps)
    assert set(rates) == {"no_trace", "in_transit+left", "out_for_delivery"}


@pytest.mark.django_db
@pytest.mark.usefixtures("frozen")
def test_what_was_learnt_decides_when_to_ask_next():
    shipment = make_shipment()
    before = next_poll_at(shipment, clock.now())
    body = {"gaps": {"|||no_trace": [4, 12, 60, 50]}, "rhythm": {"no_trace": [[9.0] * SLOTS] * STRETCHES}}
    TransitModel.objects.create(body=body, since_at=clock.now(), until_at=clock.now())
    learnt.forget()
    assert next_poll_at(shipment, clock.now()) == clock.now() + FLOOR < before
    learnt.forget()


def test_urgency_rises_with_trouble_the_thaw_and_a_late_forecast():
    now = NOON
    fresh = Shipment(status="in_transit", shipped_at=now)
    thawing = Shipment(status="in_transit", shipped_at=now - 40 * HOUR)
    late = Shipment(status="in_transit", shipped_at=now, late_probability=0.8)
    trouble = Shipment(status="exception", shipped_at=now)
    over = Shipment(status="delivered", shipped_at=now)
    ranks = [urgency(one, now) for one in (over, fresh, thawing)]
    assert ranks == sorted(set(ranks))
    assert min(urgency(late, now), urgency(trouble, now)) > urgency(fresh, now)
