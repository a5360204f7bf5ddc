"""The status of a parcel is a function of the set of its reports."""

import datetime as dt
import itertools
import json
import random
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from logistics.derivation import REFINES_TRANSIT, Derived, Step, derive, step_of
from logistics.models import ShipmentStatus as S
from logistics.models import TrackingEvent
from logistics.providers import kdniao
from logistics.tracking import event_key

NOW = dt.datetime(2026, 11, 22, 12, tzinfo=dt.UTC)
SHIPPED = NOW - dt.timedelta(days=5)
FIXTURES = Path(__file__).parent / "fixtures"
STATUSES = [status.value for status in S]


@dataclass(frozen=True)
class Told:
    status: str
    hour: float
    overall: bool = False
    weak: bool = False
    repeat: bool = False
    code: str = "x"
    location: str = ""
    reason: str = ""

    @property
    def occurred_at(self) -> dt.datetime:
        return SHIPPED + dt.timedelta(hours=self.hour)

    @property
    def key(self) -> str:
        return f"{self.status}{self.hour}{self.overall}{self.weak}{self.code}{self.reason}"


def told(*reports: Told, now: dt.datetime = NOW) -> Derived:
    return derive(reports, shipped_at=SHIPPED, now=now)


def statuses(*names: str) -> S:
    """The end after scans of these statuses, an hour apart."""
    return told(*(Told(name, hour) for hour, name in enumerate(names, start=1))).status


reports = st.builds(
    Told,
    status=st.sampled_from(STATUSES),
    hour=st.sampled_from([-100.0, -80.0, *range(12), 119.5, 120.5, 122.0, 140.0]),
    overall=st.booleans(),
    weak=st.booleans(),
    code=st.sampled_from(["", "1", "2"]),
    location=st.sampled_from(["", "杭州市", "上海市"]),
    reason=st.sampled_from(["", "damaged", "refused"]),
)


@given(st.lists(reports, max_size=14), st.randoms(use_true_random=False))
@settings(max_examples=300, deadline=None)
def test_neither_order_nor_repetition_of_reports_matters(given_reports, shuffler):
    unique = list({report.key: report for report in given_reports}.values())
    again = unique + shuffler.choices(unique, k=5) if unique else []
    shuffler.shuffle(again)
    assert told(*again) == told(*unique)


def test_all_permutations_of_a_history_end_alike():
    history = [Told("picked_up", 1), Told("in_transit", 2), Told("out_for_delivery", 3), Told("delivery_failed", 4),
               Told("exception", 4, overall=True, weak=True), Told("delivered", 6)]  # fmt: skip
    assert {told(*order) for order in itertools.permutations(history)} == {told(*history)}


@given(st.lists(reports, max_size=10), reports)
@settings(max_examples=200, deadline=None)
def test_one_more_report_never_moves_the_step_back(given_reports, more):
    assert told(*given_reports, more).step >= told(*given_reports).step


@given(st.lists(reports.filter(lambda report: report.hour < 12), max_size=10))
@settings(max_examples=200, deadline=None)
def test_an_older_event_arriving_late_does_not_undo_delivery(older):
    ended = told(Told("delivered", 20), *older)
    if not any(report.status == "returned" for report in older):
        assert ended.status == S.DELIVERED


@pytest.mark.parametrize(
    "later", ["in_transit", "picked_up", "out_for_delivery", "no_trace", "forwarded", "customs", "unknown", "cancelled"]
)
def test_paper_work_after_delivery_changes_nothing(later):
    assert statuses("delivered", later) == S.DELIVERED


@pytest.mark.parametrize("later", ["awaiting_pickup", "delivery_failed", "exception", "returning", "returned"])
def test_a_newer_problem_after_delivery_is_news(later):
    assert statuses("delivered", later) == later


def test_the_step_stays_delivered_when_a_problem_follows():
    assert told(Told("delivered", 1), Told("exception", 2)).step is Step.DELIVERED


def test_signed_put_into_a_locker_and_signed_again_is_delivered_at_the_first_signing():
    ended = told(Told("delivered", 1), Told("awaiting_pickup", 2), Told("delivered", 3))
    assert (ended.status, ended.delivered_at) == (S.DELIVERED, SHIPPED + dt.timedelta(hours=1))


@pytest.mark.parametrize("later", [status for status in STATUSES if status != "returned"])
def test_nothing_follows_a_return(later):
    assert statuses("in_transit", "returned", later) == S.RETURNED


@pytest.mark.parametrize("later", ["in_transit", "picked_up", "forwarded", "customs", "cancelled", "no_trace"])
def test_transport_on_the_way_back_is_still_the_way_back(later):
    assert statuses("in_transit", "returning", later) == S.RETURNING


@pytest.mark.parametrize(
    "later", ["returned", "delivered", "out_for_delivery", "awaiting_pickup", "delivery_failed", "exception"]
)
def test_a_return_can_end_or_turn_round(later):
    assert statuses("in_transit", "returning", later) == later


def test_a_parcel_sent_out_again_travels_normally_again():
    assert statuses("returning", "out_for_delivery", "in_transit") == S.IN_TRANSIT


@pytest.mark.parametrize("silent", ["unknown", "no_trace"])
def test_what_says_nothing_replaces_nothing(silent):
    assert statuses("in_transit", silent) == S.IN_TRANSIT


def test_a_scan_without_a_code_is_unknown_and_no_progress():
    ended = told(Told("unknown", 1, code=""))
    assert (ended.status, ended.step, ended.in_transit_at) == (S.UNKNOWN, Step.SHIPPED, None)


def test_a_scan_without_a_code_still_is_the_first_scan():
    assert told(Told("unknown", 1, code="")).picked_up_at == SHIPPED + dt.timedelta(hours=1)


def test_at_one_instant_a_coded_scan_beats_a_weak_overall_state():
    assert (
        told(Told("in_transit", 1, overall=True, weak=True), Told("out_for_delivery", 1)).status == S.OUT_FOR_DELIVERY
    )


@pytest.mark.parametrize("read", sorted(REFINES_TRANSIT))
def test_at_one_instant_a_weak_in_transit_does_not_undo_a_reading_that_says_more(read):
    assert told(Told("in_transit", 1, overall=True, weak=True), Told(read, 1, code="")).status == read


@pytest.mark.parametrize("overall", ["delivered", "exception", "picked_up"])
def test_at_one_instant_another_weak_overall_state_counts_more_than_a_reading(overall):
    assert told(Told(overall, 1, overall=True, weak=True), Told("out_for_delivery", 1, code="")).status == overall


def test_at_one_instant_a_weak_in_transit_counts_more_than_a_reading_that_says_less():
    assert told(Told("in_transit", 1, overall=True, weak=True), Told("picked_up", 1, code="")).status == S.IN_TRANSIT


def test_at_one_instant_a_strong_overall_state_beats_the_scan():
    assert told(Told("returning", 1, overall=True), Told("delivered", 1)).status == S.RETURNING


def test_at_one_instant_the_further_scan_counts():
    assert told(Told("delivered", 1), Told("awaiting_pickup", 1)).status == S.DELIVERED


def test_a_weak_problem_does_not_undo_a_delivery():
    assert told(Told("delivered", 1), Told("exception", 2, overall=True, weak=True)).status == S.DELIVERED


def test_a_weak_problem_yields_to_a_later_scan():
    assert told(Told("exception", 1, overall=True, weak=True), Told("in_transit", 2)).status == S.IN_TRANSIT


def test_overall_trouble_without_a_scan_moves_nothing():
    ended = told(Told("exception", 1, overall=True))
    assert (ended.status, ended.step, ended.picked_up_at) == (S.EXCEPTION, Step.SHIPPED, None)


def test_events_of_an_earlier_life_do_not_count():
    ended = told(Told("delivered", -73))
    assert (ended.status, ended.scans, ended.only_earlier_life) == (S.NO_TRACE, 0, True)


def test_an_event_up_to_three_days_before_shipping_counts():
    assert told(Told("picked_up", -72)).status == S.PICKED_UP


def test_a_report_from_the_future_counts_when_its_time_has_come():
    ahead = Told("delivered", 123)
    early, later = told(ahead), told(ahead, now=ahead.occurred_at)
    assert (early.status, early.recheck_at, early.clock_anomaly) == (S.NO_TRACE, ahead.occurred_at, True)
    assert (later.status, later.clock_anomaly) == (S.DELIVERED, False)


def test_a_clock_that_is_an_hour_fast_is_tolerated():
    assert told(Told("delivered", 121)).status == S.DELIVERED


def test_a_skipped_milestone_stays_empty():
    assert told(Told("delivered", 1)).in_transit_at is None


def test_the_status_holds_since_the_first_report_of_its_run():
    ended = told(Told("in_transit", 1), Told("in_transit", 2, code="y"))
    assert (ended.status_at, ended.status_code) == (SHIPPED + dt.timedelta(hours=1), "y")


@pytest.mark.parametrize("status", STATUSES)
def test_every_status_stands_for_a_step(status):
    plain = {"no_trace": Step.SHIPPED, "unknown": Step.SHIPPED, "cancelled": Step.SHIPPED,
             "delivered": Step.DELIVERED, "returned": Step.RETURNED}  # fmt: skip
    assert step_of(status) is plain.get(status, Step.IN_TRANSIT)


def derived_from(name: str, index: int = 0) -> Derived:
    """What the provider's own payload amounts to, for a parcel that was shipped shortly before its first trace."""
    payload = json.loads((FIXTURES / f"kdniao_{name}.json").read_text())
    if "push" in payload:
        report = kdniao.parse(payload["push"]["raw_body"].encode())[index]
    else:
        report = kdniao._report(payload["response"], said_at=NOW)
    rows = [
        TrackingEvent(provider="kdniao", status=e.status, code=e.code, occurred_at=e.occurred_at, text=e.text)
        for e in report.events
    ]
    if o := report.overall:
        rows.append(
            TrackingEvent(
                provider="kdniao", overall=True, weak=o.weak, status=o.status, code=o.code, occurred_at=o.as_of
            )
        )
    for row in rows:
        row.key = event_key(row)
    random.Random(7).shuffle(rows)
    first = min((row.occurred_at for row in rows), default=NOW)
    return derive(rows, shipped_at=first, now=max(NOW, *(row.occurred_at for row in rows), NOW))


@pytest.mark.parametrize(
    ("name", "index", "status", "step"),
    [
        ("query_no_trace_success_true_state0", 0, S.NO_TRACE, Step.SHIPPED),
        ("query_no_trace_success_false_reason_null", 0, S.NO_TRACE, Step.SHIPPED),
        ("query_out_of_order_slash_dates_state_int", 0, S.DELIVERED, Step.DELIVERED),
        ("query_many_cities_same_waybill", 0, S.IN_TRANSIT, Step.IN_TRANSIT),
        ("map_8003_stateex_304", 0, S.DELIVERED, Step.DELIVERED),
        ("push_101_basic", 0, S.IN_TRANSIT, Step.IN_TRANSIT),
        ("push_102_multi_package", 0, S.OUT_FOR_DELIVERY, Step.IN_TRANSIT),
        ("push_102_multi_package", 1, S.IN_TRANSIT, Step.IN_TRANSIT),
        ("push_102_returned_to_sender", 0, S.RETURNED, Step.RETURNED),
        ("push_102_problem_then_signed", 0, S.DELIVERED, Step.DELIVERED),
        ("push_102_failed_query", 0, S.EXCEPTION, Step.SHIPPED),
    ],
)
def test_each_payload_of_kdniao_gives_its_status(name, index, status, step):
    ended = derived_from(name, index)
    assert (ended.status, ended.step) == (status, step)


def test_a_return_is_not_a_delivery():
    assert derived_from("push_102_returned_to_sender").delivered_at is None


def reason(*given: Told) -> str:
    return told(*given).reason


def test_the_reason_is_that_of_the_report_which_set_the_status():
    assert reason(Told("exception", 1, reason="damaged")) == "damaged"
    assert reason(Told("exception", 1, reason="damaged"), Told("in_transit", 2)) == ""
    assert reason(Told("exception", 1, reason="damaged"), Told("delivery_failed", 2, reason="refused")) == "refused"


def test_why_a_parcel_stands_still_holds_until_it_moves_on():
    stopped = Told("exception", 1, reason="damaged")
    assert reason(stopped, Told("exception", 1, overall=True)) == "damaged"
    assert reason(stopped, Told("exception", 3)) == "damaged"
    assert reason(Told("delivered", 1, reason="damaged"), Told("delivered", 2)) == "damaged"


def test_of_a_parcel_that_moves_each_scan_says_anew_how_it_is():
    astray = Told("in_transit", 1, reason="missorted")
    assert reason(astray, Told("in_transit", 1, overall=True)) == "missorted"
    assert reason(astray, Told("in_transit", 2)) == ""
