"""What is predicted was known when it was said."""

import dataclasses
import random

import pytest

from logistics.learning.learner import Learner
from logistics.learning.parcels import Parcel
from logistics.learning.shapes import WIDE
from logistics.learning.transit import Transit

TODAY = 20_660  # in July 2026, far from every festival


def history(count=1500, *, days=120, seed=1, slow_lane=1.0, lost=0.01):
    rng = random.Random(seed)
    parcels = []
    for _ in range(count):
        destination, carrier = rng.choice(["北京", "上海", "广东"]), rng.choice(["SF", "ZTO"])
        took = {"北京": 3.0, "上海": 1.5, "广东": 2.0}[destination] * (1 if carrier == "SF" else 1.3)
        took += slow_lane if (destination, carrier) == ("北京", "ZTO") else 0
        start = TODAY - days * rng.random()
        parcels.append(
            Parcel("浙江", destination, carrier, start, None if rng.random() < lost else took * rng.gauss(1, 0.1))
        )
    return parcels


def replayed(parcels, begin=TODAY - 60):
    learner = Learner(parcels)
    said = {learner.parcels[i]: prediction for i, prediction in learner.replay(begin, TODAY + 1, step=2)}
    return learner, said


def parcel(destination="北京", carrier="SF", start=TODAY + 0.6):
    return Parcel("浙江", destination, carrier, start)


def test_a_lane_s_own_time_is_learnt():
    learner, _ = replayed(history())
    assert learner.model.predict(parcel("北京")).quantile(0.5) == pytest.approx(3.0, abs=0.3)
    assert learner.model.predict(parcel("上海")).quantile(0.5) == pytest.approx(1.5, abs=0.2)


def test_a_lane_that_no_sum_explains_is_learnt():
    learner, _ = replayed(history())
    assert learner.model.predict(parcel("北京", "ZTO")).quantile(0.5) == pytest.approx(4.9, abs=0.5)


def test_eighty_percent_means_eighty_percent():
    _, said = replayed(history(3000, lost=0))
    late = {one: p for one, p in said.items() if one.start > TODAY - 30}
    inside = sum(p.quantile(0.1) <= one.days <= p.quantile(0.9) for one, p in late.items())
    assert 0.76 <= inside / len(late) <= 0.86


def test_an_unknown_lane_is_told_by_what_is_known():
    learner, _ = replayed(history())
    said = learner.model.predict(Parcel("火星", "月球", "??", TODAY + 0.5))
    assert 1.2 < said.quantile(0.5) < 4


def test_what_had_not_happened_yet_changes_nothing():
    begin, cut = TODAY - 60, TODAY - 30
    parcels = history()
    _, said = replayed(parcels)
    changed = [dataclasses.replace(one, days=one.days + 50) if one.days and one.end >= cut else one for one in parcels]
    _, said_again = replayed(changed)
    before = {(one.start, one.carrier): p.quantile(0.9) for one, p in said.items() if one.start < cut}
    again = {(one.start, one.carrier): p.quantile(0.9) for one, p in said_again.items() if one.start < cut}
    assert before == again
    assert len(before) > 200, begin


def test_a_parcel_that_was_never_delivered_teaches_nothing():
    parcels = history(lost=0)
    strays = [Parcel("浙江", "北京", "SF", TODAY - 50 + i / 10) for i in range(300)]
    assert replayed(parcels)[0].model.mean == pytest.approx(replayed(parcels + strays)[0].model.mean, abs=0.01)


def test_with_hardly_any_history_the_answer_is_wide():
    learner, _ = replayed(history(12))
    assert learner.model.shapes[""] == list(WIDE)
    said = learner.model.predict(parcel())
    assert said.quantile(0.9) / said.quantile(0.1) > 2


def test_a_change_of_the_last_weeks_is_followed():
    parcels = [
        dataclasses.replace(one, days=one.days and one.days * 1.5) if one.start > TODAY - 25 else one
        for one in history(3000)
    ]
    learner, _ = replayed(parcels)
    assert learner.model.predict(parcel("上海")).quantile(0.5) == pytest.approx(2.25, abs=0.25)


def test_a_model_is_kept_as_json():
    model = replayed(history())[0].model
    kept = Transit.from_json(model.as_json())
    assert kept.predict(parcel()).quantile(0.9) == pytest.approx(model.predict(parcel()).quantile(0.9), abs=0.01)


def test_waiting_moves_the_whole_interval():
    said = replayed(history())[0].model.predict(parcel())
    late = said.quantile(0.95)
    assert said.quantile_after(late, 0.1) >= late
    assert said.quantile_after(late, 0.9) > said.quantile(0.9)
    assert said.quantile_after(0, 0.5) == pytest.approx(said.quantile(0.5))


def test_the_chance_to_keep_a_promise_falls_with_waiting():
    said = replayed(history())[0].model.predict(parcel())
    promise = said.quantile(0.8)
    assert said.arrived_after(0, promise) == pytest.approx(0.8, abs=0.01)
    assert said.arrived_after(said.quantile(0.7), promise) < 0.5
    assert said.arrived_after(promise + 1, promise) == 0
