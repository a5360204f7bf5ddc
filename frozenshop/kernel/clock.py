"""Now, and the shop's zone. Every module asks here, so that tests can freeze one thing."""

import datetime as dt
from zoneinfo import ZoneInfo

from django.utils import timezone

SHANGHAI = ZoneInfo("Asia/Shanghai")


def now() -> dt.datetime:
    """Return the current instant, aware, in UTC."""
    return timezone.now()


def shanghai(instant: dt.datetime) -> dt.datetime:
    """Return the same instant as the shop's wall clock shows it."""
    return instant.astimezone(SHANGHAI)


def isoformat(instant: dt.datetime | None) -> str | None:
    """Return `YYYY-MM-DDTHH:MM:SS+08:00`, the one form in which instants leave this program."""
    return None if instant is None else shanghai(instant).isoformat(timespec="seconds")


def short(instant: dt.datetime) -> str:
    """Return month, day, hour and minute as the shop's wall clock shows them, for staff."""
    return f"{shanghai(instant):%m-%d %H:%M}"


def start_of_day(day: dt.date) -> dt.datetime:
    """Return the first instant of a Shanghai date, in UTC."""
    return dt.datetime.combine(day, dt.time.min, SHANGHAI).astimezone(dt.UTC)
