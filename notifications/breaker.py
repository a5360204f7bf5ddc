"""The circuit breaker of a channel: what is out of order is left alone, but for one letter from time to time.

All in one row and by conditional updates, so that every process sees the same and only one of them probes. A channel
that refuses our account (`trouble`) stays open longer, opens an alert, and lets its letters go another way.
"""

import datetime as dt
from dataclasses import dataclass

from django.db.models import F, QuerySet

from frozenshop.kernel import clock
from notifications.models import Channel, ChannelState
from orders import alerting
from orders.models import AlertKind

THRESHOLD = 5
FIRST_PAUSE = dt.timedelta(seconds=15)
LONGEST_PAUSE = dt.timedelta(minutes=1)
"""So short that what waited through an outage is told soon after it."""
TROUBLE_PAUSE = dt.timedelta(minutes=5)
PROBE_TIME = dt.timedelta(seconds=30)
PROBES_BEFORE_ALERT = 3


@dataclass(frozen=True, slots=True)
class Lanes:
    """`clear` channels, `closed` ones, of these the ones in `trouble`; `probing`: one letter may try each."""

    clear: frozenset[str]
    closed: frozenset[str]
    trouble: frozenset[str]
    probing: frozenset[str] = frozenset()


def lanes(*, probe: bool = False) -> Lanes:
    """Return which channels may be used now; with `probe` those whose pause is over are ours to try."""
    now = clock.now()
    rows = {row.channel: row for row in ChannelState.objects.exclude(open_until=None)}
    over = [row for row in rows.values() if row.open_until and row.open_until <= now] if probe else []
    probing = frozenset(row.channel for row in over if _won(row, now))
    closed = frozenset(rows) - probing
    trouble = frozenset(name for name in closed if rows[name].trouble)
    return Lanes(frozenset(Channel.values) - closed - probing, closed, trouble, probing)


def succeeded(channel: str) -> None:
    """Forget past failures, and close the alert if there was one."""
    if _row(channel).filter(failures__gt=0).update(failures=0, open_until=None, last_error="", trouble=""):
        alerting.resolve_alerts(_subject(channel), [AlertKind.MESSAGING], resolution="渠道已恢复")


def failed(channel: str, reason: str, *, probe: bool) -> None:
    """Count a failure that may pass; the breaker opens after several in a row.

    Letters that were under way when it opened don't count again, lest a burst of them opens it for too long.
    """
    ChannelState.objects.get_or_create(channel=channel)
    counted = _row(channel) if probe else _row(channel).filter(open_until=None)
    if not counted.update(failures=F("failures") + 1, last_error=reason[:300]):
        return
    failures = _row(channel).values_list("failures", flat=True).get()
    if failures >= THRESHOLD:
        counted.update(open_until=clock.now() + pause(failures))
    if failures >= THRESHOLD + PROBES_BEFORE_ALERT:
        tell(channel, f"连续出错：{reason}。恢复后会自动补发；持续出错请检查网络和服务商公告")


def refused(channel: str, trouble: str) -> None:
    """Open the breaker because a person must act first."""
    ChannelState.objects.get_or_create(channel=channel)
    _row(channel).update(
        failures=F("failures") + 1,
        last_error=trouble[:300],
        trouble=trouble[:300],
        open_until=clock.now() + TROUBLE_PAUSE,
    )
    tell(channel, trouble)


def tell(channel: str, trouble: str) -> None:
    """Open the channel's alert, saying what a person must mend."""
    detail = f"{Channel(channel).label}：{trouble}"
    alerting.open_alert(AlertKind.MESSAGING, subject=_subject(channel), detail=detail)


def pause(failures: int) -> dt.timedelta:
    """Return how long the breaker stays open after so many failures in a row."""
    return min(FIRST_PAUSE * (1 << min(max(failures - THRESHOLD, 0), 10)), LONGEST_PAUSE)


def _won(row: ChannelState, now: dt.datetime) -> bool:
    return bool(_row(row.channel).filter(open_until=row.open_until).update(open_until=now + PROBE_TIME))


def _row(channel: str) -> QuerySet[ChannelState]:
    return ChannelState.objects.filter(channel=channel)


def _subject(channel: str) -> str:
    return f"channel:{channel}"
