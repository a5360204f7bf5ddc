"""Days on which carriers are slow each year: which of them is near, and by how many days."""

import datetime as dt
import math
from collections.abc import Iterator, Mapping
from functools import lru_cache

SPRING_FESTIVALS = tuple(
    dt.date.fromisoformat(day)
    for day in [
        "2015-02-19",
        "2016-02-08",
        "2017-01-28",
        "2018-02-16",
        "2019-02-05",
        "2020-01-25",
        "2021-02-12",
        "2022-02-01",
        "2023-01-22",
        "2024-02-10",
        "2025-01-29",
        "2026-02-17",
        "2027-02-06",
        "2028-01-26",
        "2029-02-13",
        "2030-02-03",
        "2031-01-23",
        "2032-02-11",
        "2033-01-31",
        "2034-02-19",
        "2035-02-08",
        "2036-01-28",
    ]
)
"""First day of the lunar year, which no formula gives. Source: the published almanacs."""

# Month and day, how many days before and after it are felt.
FIXED = {
    "national_day": (10, 1, 4, 10),
    "labour_day": (5, 1, 3, 7),
    "new_year": (1, 1, 2, 4),
    "singles_day": (11, 11, 2, 10),
    "midyear_sale": (6, 18, 2, 7),
    "december_sale": (12, 12, 1, 5),
}
BEFORE_SPRING, AFTER_SPRING = 14, 16


@lru_cache(maxsize=4096)
def near(day: dt.date) -> tuple[str, int] | None:
    """Return the festival that a parcel shipped on this day feels, and how many days after its first day it is."""
    for first in SPRING_FESTIVALS:
        if -BEFORE_SPRING <= (day - first).days <= AFTER_SPRING:
            return "spring", (day - first).days
    for name, (month, of_month, before, after) in FIXED.items():
        for year in (day.year, day.year + 1):
            offset = (day - dt.date(year, month, of_month)).days
            if -before <= offset <= after:
                return name, offset
    return None


EXPECTED = {"spring": (0.8, 0.8), "national_day": (0.25, 0.3), "singles_day": (0.25, 0.3), "midyear_sale": (0.1, 0.2)}
"""Before a festival was seen: days that its core costs, and how much farther the late side reaches for not knowing."""
MOST_DAYS = 8.0
CORE_DAYS = range(-6, 7)
PSEUDO_PARCELS = 25.0
_NEIGHBOUR = 0.35
_CALM_REACH_DAYS = 40
_CALM_DECAY_DAYS = 15.0


def learn(by_day: Mapping[int, tuple[float, float]]) -> dict[str, list[float]]:
    """Return how many days longer parcels take on each day of each festival, by name and offset, and the doubt.

    `by_day`: per day (since 1970) how many days its parcels took beyond what was expected, summed, and their number.
    A day is compared with the calm weeks around it, joined with its neighbours and with former years.
    """
    felt: dict[tuple[str, int], tuple[float, float]] = {}
    for day, (total, known) in by_day.items():
        if found := near(_date(day)):
            more, parcels = felt.get(found, (0.0, 0.0))
            felt[found] = more + total - known * _calm_level(by_day, day), parcels + known
    return {f"{name}|{offset}": _effect(felt, name, offset) for name, offset in _all_days()}


def _effect(felt: Mapping[tuple[str, int], tuple[float, float]], name: str, offset: int) -> list[float]:
    more = parcels = 0.0
    for other, share in ((offset - 1, _NEIGHBOUR), (offset, 1.0), (offset + 1, _NEIGHBOUR)):
        of_day = felt.get((name, other), (0.0, 0.0))
        more, parcels = more + share * of_day[0], parcels + share * of_day[1]
    expected, doubt = EXPECTED.get(name, (0.0, 0.0)) if offset in CORE_DAYS else (0.0, 0.0)
    unknown = PSEUDO_PARCELS / (parcels + PSEUDO_PARCELS)
    return [round(more / (parcels + PSEUDO_PARCELS) + expected * unknown, 4), round(doubt * unknown, 4)]


def _calm_level(by_day: Mapping[int, tuple[float, float]], day: int) -> float:
    """Return the mean of the ordinary days around a day, the nearest counting most."""
    total = weight = 0.0
    for other in range(day - _CALM_REACH_DAYS, day + _CALM_REACH_DAYS + 1):
        if other in by_day and near(_date(other)) is None:
            nearness = math.exp(-abs(other - day) / _CALM_DECAY_DAYS)
            total += nearness * by_day[other][0]
            weight += nearness * by_day[other][1]
    return total / weight if weight else 0.0


def _all_days() -> Iterator[tuple[str, int]]:
    yield from (("spring", offset) for offset in range(-BEFORE_SPRING, AFTER_SPRING + 1))
    for name, (_, _, before, after) in FIXED.items():
        yield from ((name, offset) for offset in range(-before, after + 1))


def _date(day: int) -> dt.date:
    return dt.date.fromordinal(719_163 + day)
