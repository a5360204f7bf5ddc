"""How many questions a day (Shanghai's) a provider may be asked: each answer costs money."""

import datetime as dt

from django.db.models import F, Q

from frozenshop.kernel import clock
from logistics.breaker import NotNow, state_of
from logistics.models import ProviderState


def take(provider: str) -> bool:
    """Count one question of today, exactly, however many processes ask; return whether it is the day's first.

    Raises NotNow once the day's questions are used up.
    """
    state_of(provider)
    today = clock.shanghai(clock.now()).date()
    row = ProviderState.objects.filter(provider=provider, daily_budget__gt=0)
    same_day = row.filter(budget_on=today, calls_today__lt=F("daily_budget"))
    new_day = row.filter(~Q(budget_on=today) | Q(budget_on__isnull=True))
    for _ in range(2):  # Twice: another process may begin the new day between our two looks.
        if same_day.update(calls_today=F("calls_today") + 1):
            return False
        if new_day.update(budget_on=today, calls_today=1):
            return True
    raise NotNow("今日查询次数已用完", clock.start_of_day(today + dt.timedelta(days=1)))


def left(provider: str) -> int:
    """Return how many questions may still be asked today."""
    state = state_of(provider)
    return max(state.daily_budget - used(state), 0)


def used(state: ProviderState) -> int:
    """Return how many questions of today are counted."""
    return state.calls_today if state.budget_on == clock.shanghai(clock.now()).date() else 0
