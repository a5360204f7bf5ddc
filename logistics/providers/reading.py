"""Reading what providers wrote: texts that any database takes, wall clocks of Shanghai, lists of objects, scans."""

import datetime as dt
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from frozenshop.kernel import clock
from logistics.providers.base import Overall, ProviderError, ProviderEvent, Question

# `2026-11-22 06:10:00`, and as seen: slashes, no seconds, no blank before the hour, `T` between.
_WALL_CLOCK = re.compile(
    r"(\d{4})[-/](\d{1,2})[-/](\d{1,2})[ T]*(\d{1,2}):(\d{1,2})(?::(\d{1,2}))?(?:\.\d+)?", re.ASCII
)
_EPOCH_MILLISECONDS = re.compile(r"\d{12,13}", re.ASCII)
LONGEST_NUMBER = 64
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


def waybill_no(value: Any) -> str:
    """Return a waybill's number; empty for what can be none."""
    number = text(value)
    return number if len(number) <= LONGEST_NUMBER else ""


def check_answered(told: str, question: Question) -> None:
    """Raise ProviderError where an answer speaks of another waybill than was asked about."""
    if told.casefold() != question.waybill_no.casefold():
        raise ProviderError("答复的运单号与所问不符")


def said_today() -> dt.datetime:
    """Return when an answer without a time of its own was said.

    The day is enough, and keeps repeated answers without scans one report.
    """
    return clock.start_of_day(clock.shanghai(clock.now()).date())


def in_order(events: Iterable[ProviderEvent]) -> tuple[ProviderEvent, ...]:
    """Return the scans oldest first, without exact repeats; those of one instant stay as they came."""
    once: dict[tuple[dt.datetime, str, str], ProviderEvent] = {}
    for event in events:
        once.setdefault((event.occurred_at, event.text, event.code), event)
    return tuple(sorted(once.values(), key=lambda event: event.occurred_at))


def unknown_codes(
    events: Iterable[ProviderEvent], overall: Overall | None, known: Callable[[str], object]
) -> tuple[tuple[str, str], ...]:
    """Return each code that `known` knows nothing of, with a sample text where a scan has one."""
    told = ([(overall.code, "")] if overall else []) + [(event.code, event.text) for event in events]
    return tuple({code: sample[:200] for code, sample in told if code and not known(code)}.items())
