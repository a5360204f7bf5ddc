"""How many SMS may go out in a day (Shanghai's), for all together: each costs money."""

import datetime as dt
from collections.abc import Iterable

from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import F

from frozenshop.kernel import clock
from notifications.models import SmsBudget
from orders import alerting
from orders.models import AlertKind

NOTICES = "notices"
WARN_AT = 0.8


def take(wanted: int, *, purpose: str = NOTICES, limit: int | None = None, day: dt.date | None = None) -> int:
    """Count messages of a day (today) before they are sent; return how many of those wanted are granted.

    Exact, however many processes ask: the day's row is changed under its lock, in the caller's transaction.
    """
    row = row_of(day or day_of(clock.now()), purpose)
    limit = settings.SMS_DAILY_BUDGET if limit is None else limit
    for count in range(wanted, 0, -1):
        if SmsBudget.objects.filter(pk=row.pk, used__lte=limit - count).update(used=F("used") + count):
            return count
    return 0


def give_back(day: dt.date, count: int = 1, *, purpose: str = NOTICES) -> None:
    """Count messages out again that were never taken by the service."""
    SmsBudget.objects.filter(used_on=day, purpose=purpose, used__gte=count).update(used=F("used") - count)


def day_of(instant: dt.datetime) -> dt.date:
    """Return the day on which a message of this instant is counted."""
    return clock.shanghai(instant).date()


def today_began() -> dt.datetime:
    return clock.start_of_day(day_of(clock.now()))


def tell_exhausted() -> None:
    """Open the day's alert: no more SMS before tomorrow."""
    detail = f"今天的短信预算 {settings.SMS_DAILY_BUDGET} 条已用完，今天不再发送短信。可提高 SMS_DAILY_BUDGET"
    alerting.open_alert(AlertKind.MESSAGING, subject=_stopped(day_of(clock.now())), detail=detail)


def review() -> None:
    """Open an alert before the day's budget is used up, and close those of former days."""
    today = day_of(clock.now())
    used = SmsBudget.objects.filter(used_on=today, purpose=NOTICES).values_list("used", flat=True).first() or 0
    if used >= settings.SMS_DAILY_BUDGET * WARN_AT > 0:
        detail = f"今天的短信预算 {settings.SMS_DAILY_BUDGET} 条已用 {used} 条，用完后今天不再发送短信"
        alerting.open_alert(AlertKind.MESSAGING, subject=_subject(today), detail=detail)
    _close(today - dt.timedelta(days=days) for days in (1, 2, 3))


def _close(days: Iterable[dt.date]) -> None:
    for day in days:
        for subject in (_subject(day), _stopped(day)):
            alerting.resolve_alerts(subject, [AlertKind.MESSAGING], resolution="新的一天")


def row_of(day: dt.date, purpose: str) -> SmsBudget:
    """Return the day's row, made where it is missing."""
    known = SmsBudget.objects.filter(used_on=day, purpose=purpose).first()
    if known is not None:
        return known
    try:
        with transaction.atomic():
            return SmsBudget.objects.create(used_on=day, purpose=purpose)
    except IntegrityError:  # Another process began the day between the look and the insert.
        return SmsBudget.objects.get(used_on=day, purpose=purpose)


def _subject(day: dt.date) -> str:
    return f"sms-budget:{day:%Y-%m-%d}"


def _stopped(day: dt.date) -> str:
    return f"sms-stopped:{day:%Y-%m-%d}"
