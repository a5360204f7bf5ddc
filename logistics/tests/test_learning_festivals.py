"""Festivals slow carriers, each on its own days, as far as former years tell."""

import datetime as dt

import pytest

from logistics.learning import festivals
from logistics.learning.festivals import learn, near

FIRST_2026 = dt.date(2026, 2, 17)


def days_since_1970(day: dt.date) -> int:
    return (day - dt.date(1970, 1, 1)).days


@pytest.mark.parametrize(
    ("day", "expected"),
    [
        ("2026-02-17", ("spring", 0)),
        ("2025-01-27", ("spring", -2)),
        ("2026-10-01", ("national_day", 0)),
        ("2025-12-31", ("new_year", -1)),
        ("2026-11-12", ("singles_day", 1)),
        ("2026-08-05", None),
    ],
)
def test_each_festival_has_its_days(day, expected):
    assert near(dt.date.fromisoformat(day)) == expected


def test_a_festival_that_was_never_seen_is_doubted():
    more, doubt = learn({})["spring|0"]
    assert more > 0
    assert doubt > 0.5


def test_what_was_seen_replaces_what_was_expected():
    first = days_since_1970(FIRST_2026)
    by_day = dict.fromkeys(range(first - 60, first - 14), (0.0, 100.0))
    by_day |= dict.fromkeys(range(first - 3, first + 4), (250.0, 100.0))
    more, doubt = learn(by_day)["spring|0"]
    assert more == pytest.approx(2.3, abs=0.2)
    assert doubt < 0.2


def test_calm_weeks_around_are_the_measure():
    first = days_since_1970(FIRST_2026)
    by_day = dict.fromkeys(range(first - 60, first + 40), (100.0, 100.0))
    assert learn(by_day)["spring|0"][0] < 0.2


def test_every_spring_festival_of_the_table_is_in_season():
    assert all(dt.date(day.year, 1, 20) < day < dt.date(day.year, 2, 22) for day in festivals.SPRING_FESTIVALS)
