"""A provider's limits: breaker, budget, pace, and what is written down of each question."""

import datetime as dt

import pytest

from logistics import asking, breaker, budget
from logistics.asking import NotNow
from logistics.models import ProviderCall, ProviderState
from logistics.providers.base import Concerns, ProviderError
from logistics.tests.factories import make_carrier
from orders.models import Alert

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("frozen")]
SILENT = ProviderError("没有按时回答", concerns=Concerns.ACCOUNT)
BAD_KEY = ProviderError("非法参数", permanent=True, concerns=Concerns.ACCOUNT)
ODD_WAYBILL = ProviderError("未知错误")


def put(error: ProviderError | None = None, times: int = 1) -> None:
    """Put questions that all end so, a second apart from the limits' point of view."""
    for _ in range(times):
        asking.settle(asking.Ticket("kdniao", "query", ("SF1",), asking.clock.now()), error)


def admit() -> asking.Ticket:
    return asking.admit("kdniao", "query", "SF1")


def state() -> ProviderState:
    return breaker.state_of("kdniao")


# --- breaker --------------------------------------------------------------------------------------


def test_five_failures_in_a_row_open_the_breaker_and_tell_a_person():
    admit()
    put(SILENT, 4)
    admit()
    put(SILENT)
    with pytest.raises(NotNow) as caught:
        admit()
    assert caught.value.until == asking.clock.now() + breaker.FIRST_PAUSE
    assert Alert.objects.get().subject == "provider:kdniao"


def test_a_success_between_failures_keeps_it_closed():
    admit()
    put(SILENT, 4)
    put()
    put(SILENT, 4)
    admit()


def test_an_odd_waybill_is_not_the_providers_failure():
    admit()
    put(ODD_WAYBILL, 10)
    admit()


def test_failures_under_way_while_it_opens_do_not_lengthen_the_pause():
    admit()
    put(SILENT, 12)
    assert state().open_until == asking.clock.now() + breaker.FIRST_PAUSE


def test_after_the_pause_one_probe_passes_and_closes_it(frozen):
    admit()
    put(SILENT, 5)
    frozen.shift(breaker.FIRST_PAUSE)
    probe = admit()
    with pytest.raises(NotNow):
        admit()
    asking.settle(probe)
    assert (state().failures, state().open_until) == (0, None)
    assert Alert.objects.get().resolved_at


def test_a_failed_probe_opens_it_for_longer_up_to_half_an_hour(frozen):
    admit()
    put(SILENT, 5)
    pauses = []
    for _ in range(9):
        frozen.move_to(state().open_until)
        asking.settle(admit(), SILENT)
        pauses.append(state().open_until - asking.clock.now())
    assert pauses == sorted(pauses)
    assert (pauses[0], pauses[-1]) == (2 * breaker.FIRST_PAUSE, breaker.LONGEST_PAUSE)


def test_a_probe_that_never_ends_makes_room_for_another(frozen):
    admit()
    put(SILENT, 5)
    frozen.shift(breaker.FIRST_PAUSE)
    admit()
    frozen.shift(breaker.PROBE_TIME)
    assert admit().probe


def test_a_refused_account_stops_all_questions_and_tells_a_person():
    admit()
    put(BAD_KEY)
    with pytest.raises(NotNow):
        admit()
    assert Alert.objects.get().detail == "非法参数"


# --- budget ---------------------------------------------------------------------------------------


def spend(calls: int) -> None:
    breaker.state_of("kdniao")
    ProviderState.objects.update(daily_budget=calls)


def test_the_budget_is_that_of_the_setting_and_then_of_the_row(settings):
    settings.KDNIAO_DAILY_BUDGET = 7
    assert budget.left("kdniao") == 7
    settings.KDNIAO_DAILY_BUDGET = 9
    assert budget.left("kdniao") == 7


def test_no_more_is_asked_than_the_day_allows_and_a_person_is_told():
    spend(2)
    admit()
    admit()
    with pytest.raises(NotNow) as caught:
        admit()
    assert (state().calls_today, budget.left("kdniao")) == (2, 0)
    assert caught.value.until == dt.datetime(2026, 11, 22, 16, tzinfo=dt.UTC)
    assert Alert.objects.get().subject == "provider:kdniao:budget"


def test_a_new_day_in_shanghai_has_a_new_budget(frozen):
    spend(1)
    admit()
    with pytest.raises(NotNow):
        admit()
    frozen.move_to("2026-11-23T00:00:00+08:00")
    admit()
    assert Alert.objects.get().resolved_at


def test_a_subscription_costs_no_budget():
    spend(0)
    asking.admit("kdniao", "subscribe", "SF1")


def test_a_budget_of_nothing_allows_nothing_and_alarms_nobody():
    spend(0)
    with pytest.raises(NotNow):
        admit()
    assert not Alert.objects.exists()


# --- pace and record ------------------------------------------------------------------------------


def test_questions_come_no_faster_than_the_provider_allows(frozen):
    for _ in range(10):
        admit()
    with pytest.raises(NotNow):
        admit()
    frozen.shift(dt.timedelta(seconds=1))
    admit()


def test_what_is_not_asked_is_not_counted():
    for _ in range(10):
        admit()
    with pytest.raises(NotNow):
        admit()
    assert state().calls_today == 10


@pytest.mark.parametrize(
    ("error", "outcome", "detail"),
    [(None, "ok", ""), (SILENT, "failed", "没有按时回答"), (BAD_KEY, "refused", "非法参数")],
    ids=["answered", "failed", "refused"],
)
def test_each_question_leaves_a_row(frozen, error, outcome, detail):
    ticket = admit()
    frozen.shift(dt.timedelta(milliseconds=250))
    asking.settle(ticket, error)
    call = ProviderCall.objects.get()
    assert (call.provider, call.operation, call.waybill_no) == ("kdniao", "query", "SF1")
    assert (call.outcome, call.detail, call.elapsed_ms) == (outcome, detail, 250)


def test_a_carrier_unknown_to_every_provider_cannot_be_asked_about():
    assert asking.providers_of(make_carrier("SF")) == ["kdniao"]
    assert asking.providers_of(make_carrier("OWN", kdniao_code="")) == []


def test_without_keys_nobody_can_be_asked(settings):
    settings.KDNIAO_API_KEY = ""
    assert asking.providers_of(make_carrier("SF")) == []
