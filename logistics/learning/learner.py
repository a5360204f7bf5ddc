"""Learning as time goes by: at each step from what was delivered by then, and from how former predictions did."""

import math
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from itertools import pairwise
from operator import mul

from logistics.learning import festivals
from logistics.learning.effects import Factor, fit_effects, shrunk_means, weighted_median
from logistics.learning.parcels import Parcel, date_of
from logistics.learning.shapes import WIDE, Weighted, blend, shape_of
from logistics.learning.transit import COMMON, LATELY, Keys, Prediction, Transit, days_of, scale_of, slowed

LEAST = 20
"""Fewer finished parcels than this teach nothing."""
HALF_LIFE, WINDOW = 45.0, 180.0
"""Days: how fast a parcel's weight falls, and beyond which it teaches nothing but festivals."""
PATIENT_HALF_LIFE, PATIENT_WINDOW = 90.0, 400.0
"""The same, where the last half-year brought less than PATIENT_BELOW parcels."""
PATIENT_BELOW = 2_500
POOL_HALF_LIFE, POOL_WINDOW = 14.0, 70.0
"""Days: of the predictions' own errors, from which the shapes are made."""
RIPE, POOL_RIPE = 0.9, 0.95
"""A parcel teaches once so many like it are expected to have arrived, whether it did or not.

Else the latest days would teach by their fast parcels alone.
"""
MARGIN = 0.011
"""How much more than asked the shapes cover, since the weeks to come differ from those that taught."""
CLIP, SPREAD_CLIP = 4.0, 6.0
WEEK_PSEUDO = 8.0
SPREAD_EVERY = 3.0
FESTIVALS_EVERY, FESTIVALS_EVERY_THEN = 7.0, 2.0

FESTIVAL_PARCELS = 30_000
GROUP_LEAST, GROUP_PSEUDO = 40, 150.0
CENTRED = 0.7
AFTER_FESTIVAL = 0.1
"""The weight of festival days for what is lately true of ordinary ones."""


class Learner:
    """A walk through the history: `fit` at an instant, `predict_between` it and the next, and so on.

    Nothing is read of a parcel that had not happened at the instant of the fit.
    """

    def __init__(self, parcels: Sequence[Parcel]) -> None:
        self.parcels = sorted(parcels, key=lambda parcel: parcel.start)
        self.starts = [parcel.start for parcel in self.parcels]
        self.ends = [parcel.end for parcel in self.parcels]
        self.values = [0.0 if parcel.days is None else scale_of(parcel.days) for parcel in self.parcels]
        self.keys = [Keys.of(parcel) for parcel in self.parcels]
        self.said: list[Prediction | None] = [None] * len(self.parcels)
        self.ripe = [math.inf] * len(self.parcels)
        self.pool_ripe = list(self.ripe)
        self.base = [scale_of(2.5)] * len(self.parcels)
        self.model = Transit()
        self._effects = [
            Factor.of(one.name, one.pseudo, (keys.common[at] for keys in self.keys)) for at, one in enumerate(COMMON)
        ]
        self._effects = [factor for factor in self._effects if len(factor.names) > 1]
        self._weeks = Factor.of("week", WEEK_PSEUDO, (int(start) // 7 for start in self.starts))
        self._lately = [
            Factor.of(one.name, one.pseudo, (keys.lately[at] for keys in self.keys)) for at, one in enumerate(LATELY)
        ]
        pseudo = {one.name: one.spread_pseudo for one in COMMON}
        self._spreads = [
            Factor(factor.name, pseudo[factor.name], factor.names, factor.codes, list(factor.effects))
            for factor in self._effects
        ]
        self._fitted = False
        self._spread_at = self._festivals_at = -math.inf

    def replay(self, begin: float, until: float, *, step: float) -> Iterator[tuple[int, Prediction]]:
        """Fit every `step` days, and yield what is predicted of each parcel (its index) that starts meanwhile."""
        if not self._fitted:
            self._take_as_read(begin)
        count = max(1, math.ceil((until - begin) / step))
        for now, soon in pairwise([begin + step * i for i in range(count)] + [until]):
            self.fit(now)
            yield from self.predict_between(now, soon)

    def fit(self, as_of: float) -> Transit:
        """Learn from all that had happened at an instant. With less than LEAST finished parcels nothing changes."""
        rows, values = self._taught(as_of)
        if len(rows) < LEAST:
            return self.model
        calm = festivals.near(date_of(as_of)) is None
        if as_of - self._festivals_at >= (FESTIVALS_EVERY if calm else FESTIVALS_EVERY_THEN):
            self._fit_festivals(as_of)
        left = self._fit_location(rows, values, as_of)
        left = self._fit_lately(rows, left, as_of)
        if as_of - self._spread_at >= SPREAD_EVERY:
            self._fit_spread(rows, left, as_of)
        self._fit_shapes(as_of)
        self._fitted = True
        return self.model

    def predict_between(self, begin: float, end: float) -> Iterator[tuple[int, Prediction]]:
        """Yield the index and prediction of what starts from `begin` on and before `end`, and remember it."""
        for index in range(bisect_left(self.starts, begin), bisect_left(self.starts, end)):
            said = self.said[index] = self.model.predict_by(self.keys[index])
            self.base[index] = said.calm_location
            self.ripe[index] = self.starts[index] + said.quantile(RIPE)
            self.pool_ripe[index] = self.starts[index] + said.quantile(POOL_RIPE)
            yield index, said

    def _take_as_read(self, begin: float) -> None:
        """Let what started before the replay teach as soon as nearly all of its time would have arrived."""
        before = range(bisect_left(self.starts, begin))
        took = sorted(self.parcels[i].days or 0.0 for i in before if self.ends[i] < begin)
        slow = took[int(len(took) * 0.97)] if took else math.inf
        for index in before:
            self.ripe[index] = self.starts[index] + slow

    def _taught(self, as_of: float) -> tuple[list[int], list[float]]:
        """Return the rows that teach at an instant, oldest first, with their times on the scale."""
        recent = bisect_left(self.starts, as_of) - bisect_left(self.starts, as_of - WINDOW)
        self._half_life, window = (
            (HALF_LIFE, WINDOW) if recent >= PATIENT_BELOW else (PATIENT_HALF_LIFE, PATIENT_WINDOW)
        )
        rows, values = [], []
        for index in range(bisect_left(self.starts, as_of - window), bisect_left(self.starts, as_of)):
            if self.ripe[index] <= as_of and self.ends[index] < as_of:
                rows.append(index)
                values.append(self.values[index])
        return rows, values

    def _fit_location(self, rows: Sequence[int], values: Sequence[float], as_of: float) -> list[float]:
        """Fit the lasting effects, and return what they leave; what changed with the weeks is left, too."""
        weights = self._weights(rows, as_of, self._half_life)
        target = [value - self._festival_share(row) for row, value in zip(rows, values, strict=True)]
        if not self._fitted:
            self.model.mean = weighted_median(target, weights)
        left = fit_effects(
            [*self._effects, self._weeks], rows, target, weights,
            mean=self.model.mean, rounds=1 if self._fitted else 5, clip=CLIP,
        )  # fmt: skip
        self.model.common = {factor.name: factor.as_effects() for factor in self._effects}
        weeks = self._weeks
        return [value + weeks.effects[weeks.codes[row]] for row, value in zip(rows, left, strict=True)]

    def _fit_lately(self, rows: Sequence[int], left: Sequence[float], as_of: float) -> list[float]:
        """Fit what is true of the latest weeks, the widest groups first, and return what is left."""
        limit = CLIP * sum(map(abs, left)) / len(left)
        left = [min(max(value, -limit), limit) for value in left]
        for factor, one in zip(self._lately, LATELY, strict=True):
            codes = [factor.codes[row] for row in rows]
            weights = self._calm_weights(rows, as_of, one.half_life)
            own = factor.effects = shrunk_means(codes, left, weights, size=len(factor.names), pseudo=one.pseudo)
            left = [value - own[code] for value, code in zip(left, codes, strict=True)]
        self.model.lately = {factor.name: factor.as_effects() for factor in self._lately}
        return left

    def _fit_spread(self, rows: Sequence[int], left: Sequence[float], as_of: float) -> None:
        weights = self._calm_weights(rows, as_of, self._half_life)
        off = [abs(value) for value in left]
        usual = self.model.spread = max(0.01, sum(map(mul, weights, off)) / sum(weights))
        relative = [value / usual for value in off]
        fit_effects(self._spreads, rows, relative, weights, mean=1.0, rounds=2, clip=SPREAD_CLIP)
        self.model.spreads = {factor.name: factor.as_effects() for factor in self._spreads}
        self._spread_at = as_of

    def _fit_shapes(self, as_of: float) -> None:
        by_group: dict[str, list[Weighted]] = {"": []}
        parents: dict[str, str] = {}
        calm = festivals.near(date_of(as_of)) is None
        for index in range(bisect_left(self.starts, as_of - POOL_WINDOW), bisect_left(self.starts, as_of)):
            missed = self._missed_by(index, as_of)
            if missed is None:
                continue
            weight = math.exp((self.starts[index] - as_of) * math.log(2) / POOL_HALF_LIFE)
            keys = self.keys[index]
            pair = missed, weight * AFTER_FESTIVAL if calm and keys.festival else weight
            by_group[""].append(pair)
            for parent, group in pairwise(keys.groups):
                parents[group] = parent
                by_group.setdefault(group, []).append(pair)
        self.model.shapes = _shapes(by_group, parents)

    def _missed_by(self, index: int, as_of: float) -> float | None:
        """Return by how many spreads a prediction missed; None if it can't be told yet, or never."""
        said = self.said[index]
        if said is None or self.pool_ripe[index] > as_of:
            return None
        return (self.values[index] - said.location) / said.spread if self.ends[index] < as_of else None

    def _fit_festivals(self, as_of: float) -> None:
        """Compare festival days with the calm days around them, through the whole history."""
        rows = [i for i in range(bisect_left(self.starts, as_of)) if self.ripe[i] <= as_of and self.ends[i] < as_of]
        rows = rows[-FESTIVAL_PARCELS:]
        values, weights = [self.values[row] for row in rows], [1.0] * len(rows)
        names = ("region", "carrier", "lane", "carrier_lane", "weekday")
        plain = [
            Factor(factor.name, factor.pseudo, factor.names, factor.codes, [0.0] * len(factor.names))
            for factor in self._effects
            if factor.name in names
        ]
        mean = weighted_median(values, weights)
        left = fit_effects(plain, rows, values, weights, mean=mean, rounds=2, clip=CLIP)
        by_day: dict[int, tuple[float, float]] = {}
        for row, value, rest in zip(rows, values, left, strict=True):
            self.base[row] = value - rest
            more = min(days_of(value) - days_of(value - rest), festivals.MOST_DAYS)
            total, known = by_day.get(int(self.starts[row]), (0.0, 0.0))
            by_day[int(self.starts[row])] = total + more, known + 1
        self.model.festival = festivals.learn(by_day)
        self._festivals_at = as_of

    def _festival_share(self, row: int) -> float:
        """Return how much of a parcel's time, on the scale, its festival is thought to have cost."""
        more = self.model.festival.get(self.keys[row].festival)
        return slowed(self.base[row], more[0]) - self.base[row] if more else 0.0

    def _weights(self, rows: Sequence[int], as_of: float, half_life: float) -> list[float]:
        rate = math.log(2) / half_life
        return [math.exp((self.starts[row] - as_of) * rate) for row in rows]

    def _calm_weights(self, rows: Sequence[int], as_of: float, half_life: float) -> list[float]:
        """Return the weights for what is true of ordinary days, if this is one."""
        weights = self._weights(rows, as_of, half_life)
        if festivals.near(date_of(as_of)):
            return weights
        return [
            weight * AFTER_FESTIVAL if self.keys[row].festival else weight
            for row, weight in zip(rows, weights, strict=True)
        ]


def _shapes(by_group: dict[str, list[Weighted]], parents: dict[str, str]) -> dict[str, list[float]]:
    """Return each group's shape, drawn towards its parent's where it is small."""
    everything = by_group[""]
    shapes = {"": list(WIDE)}
    if len(everything) < LEAST:
        return shapes
    shapes[""] = blend(_centred(everything), WIDE, known=_weight(everything), pseudo=10)
    for group, sample in by_group.items():
        if group and len(sample) >= GROUP_LEAST:
            parent = shapes.get(parents[group], shapes[""])
            shapes[group] = blend(_centred(sample), parent, known=_weight(sample), pseudo=GROUP_PSEUDO)
    return shapes


def _centred(sample: Sequence[Weighted]) -> list[float]:
    """Return a sample's shape without most of its mean: the location has learnt from the same misses since."""
    mean = sum(weight * min(max(value, -CLIP), CLIP) for value, weight in sample) / _weight(sample)
    return [value - CENTRED * mean for value in shape_of(sample, margin=MARGIN)]


def _weight(sample: Sequence[Weighted]) -> float:
    return sum(weight for _, weight in sample)
