"""The circuit breaker of a provider: stop asking one that fails, and let one question through from time to time.

    closed ──(5 failures in a row, or a refusal of the account)──▶ open ──(its time is over)──▶ one probe ─┬▶ closed
                                                                     ▲──────(longer each time)─────────────┘

All in one row and by conditional updates, so that every process sees the same and only one of them probes.
"""

import datetime as dt

from django.conf import settings
from django.db.models import F, QuerySet

from frozenshop.kernel import clock
from logistics.models import ProviderState

THRESHOLD = 5
FIRST_PAUSE = dt.timedelta(seconds=30)
LONGEST_PAUSE = dt.timedelta(minutes=30)
PROBE_TIME = dt.timedelta(seconds=30)
"""How long a probe may take before another one is let through."""
REFUSED_PAUSE = dt.timedelta(minutes=15)
"""After a refusal of the account: long enough to waste nothing, short enough to notice a mended key."""
DEFAULT_BUDGET = 3000


class NotNow(Exception):
    """We don't ask at present, by our own rule. `until`: when to try again."""

    def __init__(self, reason: str, until: dt.datetime) -> None:
        super().__init__(reason)
        self.reason = reason
        self.until = until


def state_of(provider: str) -> ProviderState:
    """Return the provider's row, made on first use with the budget of its setting."""
    budget = getattr(settings, f"{provider.upper()}_DAILY_BUDGET", DEFAULT_BUDGET)
    return ProviderState.objects.get_or_create(provider=provider, defaults={"daily_budget": budget})[0]


def admit(provider: str) -> bool:
    """Let a question pass; return whether it is the probe of an open breaker. Raises NotNow."""
    state, now = state_of(provider), clock.now()
    if state.open_until is None:
        return False
    if state.open_until > now:
        raise NotNow("服务商连续出错，暂停查询", state.open_until)
    won = _row(provider).filter(open_until=state.open_until).update(open_until=now + PROBE_TIME)
    if not won:
        raise NotNow("正在试探服务商是否恢复", now + PROBE_TIME)
    return True


def succeeded(provider: str) -> bool:
    """Forget past failures; return whether the breaker was open until now."""
    closed = _row(provider).filter(open_until__isnull=False).update(failures=0, open_until=None, last_error="")
    if not closed:
        _row(provider).filter(failures__gt=0).update(failures=0, last_error="")
    return bool(closed)


def failed(provider: str, reason: str, *, probe: bool) -> bool:
    """Count a failure that may pass; return whether the breaker is open because of it.

    Questions that were under way when it opened don't count again, lest a burst of them opens it for too long.
    """
    counted = _row(provider) if probe else _row(provider).filter(open_until__isnull=True)
    if not counted.update(failures=F("failures") + 1, last_error=reason[:300]):
        return False
    failures = state_of(provider).failures
    if failures < THRESHOLD:
        return False
    return bool(counted.update(open_until=clock.now() + pause(failures)))


def refused(provider: str, reason: str) -> None:
    """Open the breaker because the account itself was refused: only a person can mend it."""
    _row(provider).update(failures=F("failures") + 1, last_error=reason[:300], open_until=clock.now() + REFUSED_PAUSE)


def pause(failures: int) -> dt.timedelta:
    """Return how long the breaker stays open after so many failures in a row."""
    doublings = min(max(failures - THRESHOLD, 0), 20)
    return min(FIRST_PAUSE * (1 << doublings), LONGEST_PAUSE)


def _row(provider: str) -> QuerySet[ProviderState]:
    return ProviderState.objects.filter(provider=provider)
