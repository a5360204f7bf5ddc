"""Money and pace: counted exactly, foretold for the month, and spent on what is urgent first."""

import datetime as dt
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal

import pytest
from django.db import connection

from frozenshop.kernel import clock
from logistics import asking, breaker, budget, costs, polling, rationing
from logistics.models import ProviderCall, ProviderState, ProviderUsage, Shipment
from logistics.models import ShipmentStatus as S
from logistics.providers.base import Concerns, ProviderError
from logistics.tests.tracked import queued, tracked
from orders.models import Alert

TODAY = dt.date(2026, 11, 22)
DAY, HOUR, MINUTE = dt.timedelta(days=1), dt.timedelta(hours=1), dt.timedelta(minutes=1)
pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("frozen")]


def spend(**fields) -> None:
    breaker.state_of("kdniao")
    ProviderState.objects.update(**fields)


def call(operation: str = "query", error: ProviderError | None = None) -> None:
    asking.settle(asking.admit("kdniao", operation, "SF1"), error)


# --- counting -------------------------------------------------------------------------------------


@pytest.mark.parametrize(("operation", "error", "failures", "fen"), [
    ("query", None, 0, "1.50"),
    ("query", ProviderError("没有按时回答"), 1, "1.50"),
    ("query", ProviderError("手机尾号不能为空", permanent=True), 1, "0"),
    ("subscribe", None, 0, "0"),
])  # fmt: skip
def test_each_call_is_counted_with_its_day_and_its_cost(operation, error, failures, fen):
    spend(price_fen="1.50")
    call(operation, error)
    row = ProviderUsage.objects.get()
    assert (row.provider, row.used_on, row.operation) == ("kdniao", TODAY, operation)
    assert (row.calls, row.failures, row.cost_fen) == (1, failures, Decimal(fen))
    assert ProviderCall.objects.get().cost_fen == Decimal(fen)


def test_a_call_at_midnight_counts_with_the_day_it_began(frozen):
    frozen.move_to("2026-11-22T23:59:59+08:00")
    ticket = asking.admit("kdniao", "query", "SF1")
    frozen.shift(5)
    asking.settle(ticket)
    assert ProviderUsage.objects.get().used_on == TODAY


def test_a_new_price_changes_nothing_of_what_was_spent():
    spend(price_fen="1.00")
    call()
    spend(price_fen="3.00")
    call()
    assert ProviderUsage.objects.get().cost_fen == 4
    assert list(ProviderCall.objects.order_by("pk").values_list("cost_fen", flat=True)) == [1, 3]


@pytest.mark.parametrize("parts", [1, 3, 7, 10])
def test_shares_add_up_to_the_cost(parts):
    assert sum(costs.shares(Decimal("1.00"), parts)) == 1


@pytest.mark.django_db(transaction=True)
def test_calls_that_end_at_once_are_all_counted():
    """On SQLite and on MariaDB alike: the first ones race for the day's row, the others for its counters."""
    spend(price_fen="0.50")
    tickets = [asking.Ticket("kdniao", "query", (f"SF{n}",), clock.now()) for n in range(40)]

    def settle(ticket: asking.Ticket) -> None:
        try:
            asking.settle(ticket, None if int(ticket.waybill_nos[0][2:]) % 4 else ProviderError("慢"))
        finally:
            connection.close()

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(settle, tickets))
    row = ProviderUsage.objects.get()
    assert (row.calls, row.failures, row.cost_fen, ProviderCall.objects.count()) == (40, 10, 20, 40)


# --- pace -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("a_minute", [1, 7, 60, 90, 600])
def test_no_minute_sees_more_calls_than_it_may(frozen, a_minute):
    spend(calls_per_minute=a_minute, daily_budget=100_000)
    passed, started = [], clock.now()
    while clock.now() - started < 3 * MINUTE:
        try:
            asking.admit("kdniao", "subscribe", "SF1")
            passed.append(clock.now())
        except asking.Paced as refusal:
            frozen.move_to(refusal.until)
    most = max(sum(at <= other < at + MINUTE for other in passed) for at in passed)
    assert most == a_minute
    assert len(passed) >= 3 * (a_minute - a_minute // 60)


# --- the day's rest -------------------------------------------------------------------------------


def due(count: int, status: str, *, first: int, checked: dt.timedelta | None = None) -> list[int]:
    """Make so many parcels due now; `checked` ago they were asked about."""
    ids = [tracked(f"SF{first + n:013}").pk for n in range(count)]
    checked_at = clock.now() - checked if checked else None
    Shipment.objects.filter(pk__in=ids).update(status=status, next_poll_at=clock.now(), checked_at=checked_at)
    return ids


def claimed() -> set[int]:
    polling.claim_due()
    return {row.payload["shipment_id"] for row in queued("logistics.sync_shipment")}


def test_while_the_budget_will_do_nobody_waits():
    ids = due(3, S.IN_TRANSIT, first=1, checked=DAY)
    spend(daily_budget=12)
    assert claimed() == set(ids)
    assert not Alert.objects.filter(kind="provider_trouble").exists()


def test_what_is_least_urgent_waits_until_tomorrow_and_a_person_is_told():
    slow = due(3, S.CUSTOMS, first=1, checked=DAY)
    urgent = due(2, S.OUT_FOR_DELIVERY, first=10, checked=DAY)
    spend(daily_budget=2)
    assert claimed() == set(urgent)
    midnight = clock.start_of_day(TODAY + DAY)
    for parcel in Shipment.objects.filter(pk__in=slow):
        assert midnight <= parcel.next_poll_at <= midnight + rationing.MORNING
    assert Alert.objects.get(kind="provider_trouble").subject == "provider:kdniao:budget"


def test_what_will_be_due_later_today_has_its_share_kept():
    slow = due(1, S.CUSTOMS, first=1, checked=DAY)
    later = due(2, S.OUT_FOR_DELIVERY, first=10)
    Shipment.objects.filter(pk__in=later).update(next_poll_at=clock.now() + 11 * HOUR)
    spend(daily_budget=2)
    assert (claimed(), slow) == (set(), slow)


def test_what_is_over_takes_no_share():
    slow = due(1, S.CUSTOMS, first=1, checked=DAY)
    due(5, S.DELIVERED, first=10)
    spend(daily_budget=1)
    assert claimed() == set(slow)


def test_a_budget_that_is_used_up_is_left_to_the_next_provider():
    """Nothing is left to ration: each parcel finds out, and goes on to who may be asked."""
    ids = due(2, S.IN_TRANSIT, first=1)
    spend(daily_budget=0)
    assert claimed() == set(ids)


@pytest.mark.parametrize(("asked", "calls"), [(None, 4), (0.5, 25), (1, 13), (24, 1)])
def test_how_often_a_parcel_will_be_asked_about_until_midnight(asked, calls):
    asked_at = clock.now() - asked * HOUR if asked else None
    assert rationing.expected_calls(clock.now(), asked_at, clock.now(), clock.now() + 12 * HOUR) == calls


# --- the month ------------------------------------------------------------------------------------


def used(ago: int, calls: int = 10, fen: int = 100) -> None:
    ProviderUsage.objects.create(
        provider="kdniao", used_on=TODAY - ago * DAY, operation="query", calls=calls, cost_fen=fen
    )


def month() -> costs.Month:
    (found,) = costs.months(TODAY.replace(day=1))
    return found


def test_the_forecast_goes_on_from_the_last_complete_days():
    for ago in range(1, 8):
        used(ago)
    assert (month().total.queries, month().forecast_queries, month().forecast_fen) == (70, 70 + 9 * 10, 1600)


def test_the_forecast_of_the_first_day_goes_on_from_its_hours():
    used(0, calls=5, fen=50)
    assert (month().forecast_queries, month().forecast_fen) == (10 + 8 * 10, 900)


def test_a_day_without_calls_counts_for_the_mean():
    used(4, calls=40, fen=400)
    assert month().forecast_queries == 40 + 9 * 10


def test_a_busy_day_is_not_taken_back():
    used(1)
    used(0, calls=90, fen=900)
    assert month().forecast_queries == 100 + 8 * 10


def test_a_cap_is_near_from_eight_tenths_on():
    spend(daily_budget=10, budget_on=TODAY, calls_today=7)
    (cap,) = costs.caps()
    assert (cap.near, cap.reached, cap.left) == (False, False, 3)
    budget.take("kdniao")
    assert costs.caps()[0].near


def test_an_account_without_a_name_is_no_secret_in_a_call_row():
    call(error=ProviderError("号码 13812349876 不对", permanent=True, concerns=Concerns.WAYBILL))
    assert "13812349876" not in ProviderCall.objects.get().detail
