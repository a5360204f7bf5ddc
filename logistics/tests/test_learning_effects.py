"""Effects are found where they are, and believed by how much is known of them."""

import pytest

from logistics.learning.effects import Factor, fit_effects, shrunk_means, weighted_median


def fitted(keys, target, *, pseudo=0.001, clip=10.0):
    factor = Factor.of("carrier", pseudo, keys)
    left = fit_effects([factor], range(len(keys)), target, [1.0] * len(keys), mean=0.0, rounds=5, clip=clip)
    return factor.as_effects(), left


def test_an_effect_is_what_its_rows_have_in_common():
    effects, left = fitted(["SF", "SF", "JD", "JD"], [1.0, 1.0, -1.0, -1.0])
    assert effects["SF"] == pytest.approx(1, abs=0.01)
    assert max(map(abs, left)) < 0.01


def test_little_knowledge_is_drawn_towards_nothing():
    effects, _ = fitted(["SF"] * 100 + ["JD"], [1.0] * 101, pseudo=10)
    assert effects["SF"] > 0.85
    assert effects["JD"] < 0.15


def test_one_parcel_that_was_found_after_a_month_moves_nothing():
    effects, _ = fitted(["SF"] * 50, [0.1, -0.1] * 24 + [0.0, 300.0], clip=3.0)
    assert abs(effects["SF"]) < 1.5


def test_a_key_without_rows_says_nothing():
    factor = Factor.of("carrier", 1.0, ["SF", "JD"])
    fit_effects([factor], [0], [1.0], [1.0], mean=0.0, rounds=1, clip=10)
    assert "JD" not in factor.as_effects()


def test_means_are_shrunk():
    assert shrunk_means([0, 0, 1], [2.0, 2.0, 2.0], [1.0, 1.0, 1.0], size=2, pseudo=2) == [1.0, pytest.approx(2 / 3)]


def test_the_median_is_weighted():
    assert weighted_median([1.0, 2.0, 3.0], [1.0, 1.0, 5.0]) == 3.0
