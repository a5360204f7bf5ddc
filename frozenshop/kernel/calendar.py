"""The shop's calendar: which days it ships, which days carriers run, and instants counted by them.

Dates are Shanghai dates. Staff edit the rows; a process sees the change within a minute.
"""

import csv
import datetime as dt
import time
from dataclasses import dataclass, field
from pathlib import Path

from frozenshop.kernel import clock
from frozenshop.kernel.models import CalendarDay, ShopCalendar

Kind = CalendarDay.Kind
DATA = Path(__file__).parent / "data" / "calendar.csv"
FRESH_SECONDS = 60.0
ONE_DAY = dt.timedelta(days=1)
SATURDAY, SUNDAY = 5, 6
# No rule of a shop skips longer; a calendar that does was filled in by mistake.
LONGEST_SKIP_DAYS = 60


@dataclass(frozen=True, slots=True)
class Rule:
    """What the rows say, read at one moment."""

    ships_on_saturday: bool = True
    ships_on_sunday: bool = False
    cutoff_hour: int = 16
    holidays: frozenset[dt.date] = field(default_factory=frozenset)
    workdays: frozenset[dt.date] = field(default_factory=frozenset)
    carrier_stops: frozenset[dt.date] = field(default_factory=frozenset)

    def is_working_day(self, day: dt.date) -> bool:
        """A make-up day beats a holiday, and both beat the weekday's rule."""
        if day in self.workdays:
            return True
        if day in self.holidays:
            return False
        return {SATURDAY: self.ships_on_saturday, SUNDAY: self.ships_on_sunday}.get(day.weekday(), True)


_known: tuple[float, Rule] | None = None


def rule() -> Rule:
    """Return the rule, at most a minute old."""
    global _known
    if _known is None or time.monotonic() - _known[0] > FRESH_SECONDS:
        _known = time.monotonic(), _read()
    return _known[1]


def forget() -> None:
    """Read the rows again at the next question."""
    global _known
    _known = None


def is_working_day(day: dt.date) -> bool:
    return rule().is_working_day(day)


def carriers_run(day: dt.date) -> bool:
    return day not in rule().carrier_stops


def ship_by(paid_at: dt.datetime, working_days: int = 1) -> dt.datetime:
    """Return the end of the working day by which a payment must be shipped.

    The first counts from the day of payment when that is a working day and the cut-off hour has not come, else from
    the next working day.
    """
    current = rule()
    local = clock.shanghai(paid_at)
    day = local.date() if local.hour < current.cutoff_hour else local.date() + ONE_DAY
    day = _working_day_from(current, day)
    for _ in range(working_days - 1):
        day = _working_day_from(current, day + ONE_DAY)
    return clock.start_of_day(day + ONE_DAY)


def add_carrier_time(start: dt.datetime, duration: dt.timedelta) -> dt.datetime:
    """Return the instant when `duration` has passed, not counting days on which carriers stand still."""
    instant = start
    for _ in range(LONGEST_SKIP_DAYS + duration.days + 2):
        day = clock.shanghai(instant).date()
        midnight = clock.start_of_day(day + ONE_DAY)
        if carriers_run(day):
            if instant + duration <= midnight:
                return instant + duration
            duration -= midnight - instant
        instant = midnight
    return instant + duration


def load_calendar() -> int:
    """Write the published days that are missing, leaving what staff entered. Return how many were written."""
    ShopCalendar.objects.get_or_create(pk=1)
    with DATA.open(encoding="utf-8") as file:
        published = [CalendarDay(**row) for row in csv.DictReader(file)]
    before = CalendarDay.objects.count()
    CalendarDay.objects.bulk_create(published, ignore_conflicts=True)
    forget()
    return CalendarDay.objects.count() - before


def _working_day_from(current: Rule, day: dt.date) -> dt.date:
    for skipped in range(LONGEST_SKIP_DAYS):
        if current.is_working_day(day + skipped * ONE_DAY):
            return day + skipped * ONE_DAY
    return day


def _read() -> Rule:
    shop = ShopCalendar.objects.order_by("pk").first() or ShopCalendar()
    days: dict[str, set[dt.date]] = {kind: set() for kind in Kind.values}
    for day, kind in CalendarDay.objects.values_list("day", "kind"):
        days[kind].add(day)
    return Rule(
        ships_on_saturday=shop.ships_on_saturday,
        ships_on_sunday=shop.ships_on_sunday,
        cutoff_hour=shop.cutoff_hour,
        holidays=frozenset(days[Kind.HOLIDAY]),
        workdays=frozenset(days[Kind.WORKDAY]),
        carrier_stops=frozenset(days[Kind.CARRIER_STOP]),
    )
