import datetime as dt

import pytest

from frozenshop.kernel import clock
from notifications import quiet


def at(text: str) -> dt.datetime:
    return dt.datetime.fromisoformat(f"2026-11-{text}+08:00")


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ("22T12:00:00", "22T12:00:00"),
        ("22T08:00:00", "22T08:00:00"),
        ("22T21:59:59", "22T21:59:59"),
        ("22T22:00:00", "23T08:00:00"),
        ("22T23:59:59", "23T08:00:00"),
        ("23T00:00:00", "23T08:00:00"),
        ("23T07:59:59", "23T08:00:00"),
    ],
)
def test_the_night_lasts_from_ten_to_eight(asked, told):
    assert quiet.over_at(at(asked)) == at(told)


def test_the_shops_night_counts_whatever_the_zone():
    assert quiet.over_at(at("22T23:00:00").astimezone(dt.UTC)) == at("23T08:00:00")
    assert quiet.over_at(clock.now()) >= clock.now() - dt.timedelta(seconds=1)
