"""Distributions kept as their values at fixed probabilities."""

import math
from bisect import bisect_left
from collections.abc import Sequence

LEVELS = (
    *(0.002, 0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5),
    *(0.6, 0.7, 0.8, 0.85, 0.9, 0.925, 0.95, 0.975, 0.99, 0.995, 0.998),
)
"""The probabilities at which a shape is kept."""
WIDE = (
    *(-3.9, -3.5, -3.2, -2.7, -2.3, -2.0, -1.75, -1.4, -1.15, -0.7, -0.33, 0.0),
    *(0.4, 0.8, 1.3, 1.65, 2.05, 2.3, 2.65, 3.2, 3.8, 4.2, 4.7),
)
"""Before anything was predicted: wide, and longer on the late side, as times on the road are."""
_SHORT_TAIL = 0.05

Shape = Sequence[float]
Weighted = tuple[float, float]


def at_level(shape: Shape, level: float) -> float:
    """Return the value at a probability; beyond the last one the tail goes on as it ended."""
    if level <= LEVELS[0]:
        return shape[0]
    if level >= LEVELS[-1]:
        return shape[-1] + _tail(shape) * math.log((1 - LEVELS[-1]) / max(1 - level, 1e-6))
    above = bisect_left(LEVELS, level)
    share = (level - LEVELS[above - 1]) / (LEVELS[above] - LEVELS[above - 1])
    return shape[above - 1] + share * (shape[above] - shape[above - 1])


def level_at(shape: Shape, value: float) -> float:
    """Return the probability below a value: the inverse of `at_level`."""
    if value <= shape[0]:
        return 0.0
    if value >= shape[-1]:
        return 1 - (1 - LEVELS[-1]) * math.exp(-(value - shape[-1]) / _tail(shape))
    above = bisect_left(shape, value)
    step = shape[above] - shape[above - 1]
    share = (value - shape[above - 1]) / step if step > 0 else 1.0
    return LEVELS[above - 1] + share * (LEVELS[above] - LEVELS[above - 1])


def shape_of(sample: Sequence[Weighted], *, margin: float) -> list[float]:
    """Return the shape of (value, weight) pairs, `margin` wider in probability on both sides than they lie."""
    values, places = _places(sample)
    shape = []
    for level in LEVELS:
        asked = _farther_out(level, margin)
        above = bisect_left(places, asked)
        if above in (0, len(places)):
            shape.append(values[min(above, len(values) - 1)])
            continue
        share = (asked - places[above - 1]) / (places[above] - places[above - 1])
        shape.append(values[above - 1] + share * (values[above] - values[above - 1]))
    return shape


def blend(own: Shape, parent: Shape, *, known: float, pseudo: float) -> list[float]:
    """Return a shape between a group's own and its parent's, by how much is known of the group."""
    share = known / (known + pseudo)
    return [share * mine + (1 - share) * theirs for mine, theirs in zip(own, parent, strict=True)]


def doubted(shape: Shape, doubt: float) -> Shape:
    """Return a shape whose late side reaches farther by this share."""
    middle = shape[LEVELS.index(0.5)]
    return [value + doubt * max(0.0, value - middle) for value in shape] if doubt else shape


def _farther_out(level: float, margin: float) -> float:
    """Return the level `margin` beyond this one at the quantiles .1 and .9; of the tails no more than a fifth goes."""
    if level < 0.5:
        return 1 - _farther_out(1 - level, margin)
    return min(0.5 + (level - 0.5) * (1 + 2.5 * margin), 1 - 0.8 * (1 - level))


def _tail(shape: Shape) -> float:
    """Return how far the value moves while the probability of still being out falls to 1/e."""
    return max(_SHORT_TAIL, (shape[-1] - shape[-3]) / math.log((1 - LEVELS[-3]) / (1 - LEVELS[-1])))


def _places(sample: Sequence[Weighted]) -> tuple[list[float], list[float]]:
    total, reached = sum(weight for _, weight in sample), 0.0
    values, places = [], []
    for value, weight in sorted(sample):
        values.append(value)
        places.append((reached + weight / 2) / total)
        reached += weight
    return values, places
