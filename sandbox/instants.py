"""Time inside the sandbox is Unix seconds from an injected source; carriers write Shanghai's wall clock."""

import datetime as dt
from collections.abc import Callable
from zoneinfo import ZoneInfo

SHANGHAI = ZoneInfo("Asia/Shanghai")
Clock = Callable[[], float]


def shanghai(instant: float) -> dt.datetime:
    return dt.datetime.fromtimestamp(instant, SHANGHAI)


def wall_clock(instant: float) -> str:
    """Return `yyyy-MM-dd HH:mm:ss`, cut to the second, so that it never lies ahead of the instant."""
    return shanghai(instant).strftime("%Y-%m-%d %H:%M:%S")


def isoformat(instant: float) -> str:
    return shanghai(instant).isoformat(timespec="seconds")
