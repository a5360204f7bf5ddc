"""A shape says how likely a value is, and which value is how likely."""

import random

import pytest

from logistics.learning.shapes import LEVELS, WIDE, at_level, blend, doubted, level_at, shape_of

NORMAL = shape_of(
    [(random.Random(1).gauss(0, 1), 1.0)] * 1 + [(random.Random(i).gauss(0, 1), 1.0) for i in range(4000)], margin=0.0
)


def test_there_is_a_value_for_each_level():
    assert len(WIDE) == len(LEVELS) == len(NORMAL)


@pytest.mark.parametrize("level", [0.01, 0.05, 0.1, 0.42, 0.5, 0.77, 0.9, 0.95, 0.99, 0.9995])
def test_level_and_value_are_inverse(level):
    assert level_at(NORMAL, at_level(NORMAL, level)) == pytest.approx(level, abs=1e-6)


def test_the_tail_goes_on_beyond_what_was_seen():
    assert at_level(NORMAL, 0.9999) > NORMAL[-1]
    assert level_at(NORMAL, NORMAL[-1] + 5) < 1


def test_a_sample_gives_its_own_quantiles():
    assert at_level(NORMAL, 0.5) == pytest.approx(0, abs=0.06)
    assert at_level(NORMAL, 0.9) == pytest.approx(1.28, abs=0.08)


def test_a_margin_reaches_farther_on_both_sides():
    sample = [(float(value), 1.0) for value in range(1000)]
    assert at_level(shape_of(sample, margin=0.01), 0.9) == pytest.approx(910, abs=2)
    assert at_level(shape_of(sample, margin=0.01), 0.1) == pytest.approx(90, abs=2)


def test_what_weighs_more_counts_more():
    assert at_level(shape_of([(0.0, 9.0), (1.0, 1.0)], margin=0.0), 0.5) < 0.1


def test_a_small_group_stays_near_its_parent():
    assert blend([1.0], [0.0], known=10, pseudo=90) == [pytest.approx(0.1)]


def test_doubt_reaches_later_only():
    wider = doubted(NORMAL, 0.5)
    assert wider[0] == NORMAL[0]
    assert wider[-1] > NORMAL[-1]
