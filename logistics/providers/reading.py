"""Reading what strangers wrote: texts that any database takes, wall clocks of Shanghai, lists of objects."""

import datetime as dt
import re
from collections.abc import Mapping
from typing import Any

from frozenshop.kernel import clock

# `2026-11-22 06:10:00`, and as seen: slashes, no seconds, no blank before the hour, `T` between.
_WALL_CLOCK = re.compile(
    r"(\d{4})[-/](\d{1,2})[-/](\d{1,2})[ T]*(\d{1,2}):(\d{1,2})(?::(\d{1,2}))?(?:\.\d+)?", re.ASCII
)
_EPOCH_MILLISECONDS = re.compile(r"\d{12,13}", re.ASCII)
_UNSTORABLE = re.compile("[\x00-\x1f\x7f\ud800-\udfff]+")


def wall_clock(value: Any) -> dt.datetime | None:
    """Return the instant of a wall-clock time of Asia/Shanghai, or None where it can't be read."""
    match = _WALL_CLOCK.fullmatch(text(value))
    if match is None or int(match[1]) < 2000:
        return None
    try:
        year, month, day, hour, minute, second = (int(part or 0) for part in match.groups())
        local = dt.datetime(year, month, day, hour, minute, second, tzinfo=clock.SHANGHAI)
    except ValueError:
        return None
    return local.astimezone(dt.UTC)


def instant(value: Any) -> dt.datetime | None:
    """Return the instant of milliseconds since 1970 (a number or its digits), else of a wall-clock time."""
    written = text(value)
    if _EPOCH_MILLISECONDS.fullmatch(written):
        return dt.datetime.fromtimestamp(int(written) / 1000, dt.UTC)
    return wall_clock(written)


def text(value: Any) -> str:
    """Return a scalar as text that any database takes, stripped; empty for anything else."""
    return _UNSTORABLE.sub(" ", scalar(value)).strip()


def scalar(value: Any) -> str:
    """Return a text or whole number as it was written; empty for anything else."""
    return str(value) if isinstance(value, str | int) and not isinstance(value, bool) else ""


def mappings(values: Any) -> list[Mapping[str, Any]]:
    """Return the objects of a list, leaving out what is none; nothing for what is no list."""
    return [value for value in values if isinstance(value, dict)] if isinstance(values, list) else []
