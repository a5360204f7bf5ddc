"""Deliveries week by week: how many kept their promise, and how long half and nine tenths of them took."""

import datetime as dt
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from frozenshop.backoffice import wording
from frozenshop.backoffice.dashboard import parcels
from frozenshop.backoffice.dashboard.models import Figure
from frozenshop.backoffice.dashboard.passages import Sums, total
from frozenshop.backoffice.dashboard.refreshing import stored

WEEKS = 12
WEEK = dt.timedelta(days=7)


@dataclass(frozen=True, slots=True)
class Cell:
    """Some deliveries of a stretch of time. `url` opens them, `late_url` those that broke their promise."""

    first: dt.date
    last: dt.date
    sums: Sums
    url: str
    late_url: str

    @property
    def count(self) -> int:
        return self.sums.count

    @property
    def late(self) -> int:
        return self.sums.promised - self.sums.kept

    @property
    def share(self) -> float | None:
        """Return the share that kept its promise, of those that had one."""
        return self.sums.kept / self.sums.promised if self.sums.promised else None

    @property
    def rate(self) -> str:
        return "—" if self.share is None else f"{100 * self.share:.1f}%"

    @property
    def median(self) -> float | None:
        return quantile(self.sums.hours, 0.5)

    @property
    def ninth(self) -> float | None:
        """Return within how many hours nine tenths arrived."""
        return quantile(self.sums.hours, 0.9)

    @property
    def median_shown(self) -> str:
        return shown(self.median)

    @property
    def ninth_shown(self) -> str:
        return shown(self.ninth)


@dataclass(frozen=True, slots=True)
class Series:
    """A carrier or a lane: its weeks, oldest first, and all of them together."""

    label: str
    weeks: list[Cell]
    whole: Cell


def quantile(hours: Mapping[int, int], share: float) -> float | None:
    """Return by how many hours a share of the parcels had arrived, to the middle of the hour; None without any."""
    need, seen = share * sum(hours.values()), 0
    for hour, parcels_in_it in sorted(hours.items()):
        seen += parcels_in_it
        if seen >= need:
            return hour + 0.5
    return None


def shown(hours: float | None) -> str:
    if hours is None:
        return "—"
    return wording.duration(dt.timedelta(hours=int(hours))) if hours >= 1 else "不到 1 小时"


def first_weeks(monday: dt.date) -> list[dt.date]:
    """Return the Mondays that are shown, oldest first."""
    return [monday - WEEK * n for n in reversed(range(WEEKS))]


def series(rows: Iterable[Figure], mondays: Sequence[dt.date], name: str, labels: Mapping[str, str]) -> list[Series]:
    """Return a series for each key of the rows, the largest first. `name`: by which part of the address it opens."""
    by_key: dict[str, dict[dt.date, Sums]] = defaultdict(dict)
    for row in rows:
        by_key[row.key][row.day] = stored(row)
    found = [_series(key, weeks, mondays, name, labels.get(key, key)) for key, weeks in by_key.items()]
    return sorted(found, key=lambda one: (-one.whole.count, one.label))


def _series(key: str, weeks: Mapping[dt.date, Sums], mondays: Sequence[dt.date], name: str, label: str) -> Series:
    given = {name: key} if key else {}
    cells = [_cell(day, day + WEEK - dt.timedelta(days=1), weeks.get(day, Sums()), given) for day in mondays]
    return Series(label, cells, _cell(cells[0].first, cells[-1].last, total(weeks.values()), given))


def _cell(first: dt.date, last: dt.date, sums: Sums, given: Mapping[str, str]) -> Cell:
    days = {parcels.FROM: first.isoformat(), parcels.TO: last.isoformat()}
    late = {parcels.PROMISE: "late"}
    return Cell(first, last, sums, parcels.url(**days, **given), parcels.url(**days, **given, **late))
