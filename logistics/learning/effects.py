"""Additive effects of what parcels have in common, each shrunk by how little is known of it."""

from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass, field
from operator import mul

Effects = dict[str, float]


@dataclass(slots=True)
class Factor:
    """One thing that rows have in common: `codes` gives each row's key as an index into `names`.

    `pseudo` is the weight of rows that a key needs to count half. `effects` stay between fits, so that the next one
    starts where the last one ended.
    """

    name: str
    pseudo: float
    names: list[str]
    codes: list[int]
    effects: list[float] = field(default_factory=list)

    @classmethod
    def of(cls, name: str, pseudo: float, keys: Iterable[Hashable]) -> "Factor":
        seen: dict[Hashable, int] = {}
        codes = [seen.setdefault(key, len(seen)) for key in keys]
        return cls(name, pseudo, [str(key) for key in seen], codes, [0.0] * len(seen))

    def as_effects(self) -> Effects:
        """Return the effects by key, without those that say nothing."""
        return {name: round(effect, 5) for name, effect in zip(self.names, self.effects, strict=True) if effect}


def fit_effects(
    factors: Sequence[Factor],
    rows: Sequence[int],
    target: Sequence[float],
    weights: Sequence[float],
    *,
    mean: float,
    rounds: int,
    clip: float,
) -> list[float]:
    """Fit the effects to the rows' targets by backfitting, and return what they leave unexplained.

    In each round a row counts with no more than `clip` times the usual deviation, so that a parcel which was found
    after a month moves nothing.
    """
    coded = [[factor.codes[row] for row in rows] for factor in factors]
    known = [_totals(codes, weights, len(factor.names)) for factor, codes in zip(factors, coded, strict=True)]
    left = [value - mean for value in target]
    for factor, codes in zip(factors, coded, strict=True):
        own = factor.effects
        left = [value - own[code] for value, code in zip(left, codes, strict=True)]
    total = sum(weights)
    for _ in range(rounds):
        limit = clip * sum(map(mul, weights, map(abs, left))) / total
        tamed = [min(max(value, -limit), limit) for value in left]
        beyond = [value - kept for value, kept in zip(left, tamed, strict=True)]
        for factor, codes, own_weight in zip(factors, coded, known, strict=True):
            tamed = _step(factor, codes, own_weight, tamed, weights)
        left = [kept + rest for kept, rest in zip(tamed, beyond, strict=True)]
    return left


def shrunk_means(
    codes: Sequence[int], values: Sequence[float], weights: Sequence[float], *, size: int, pseudo: float
) -> list[float]:
    """Return each code's weighted mean, drawn towards zero by `pseudo`."""
    sums = _totals(codes, map(mul, weights, values), size)
    known = _totals(codes, weights, size)
    return [total / (weight + pseudo) for total, weight in zip(sums, known, strict=True)]


def weighted_median(values: Sequence[float], weights: Sequence[float]) -> float:
    half, reached = sum(weights) / 2, 0.0
    for value, weight in sorted(zip(values, weights, strict=True)):
        reached += weight
        if reached >= half:
            return value
    return 0.0


def _step(
    factor: Factor, codes: Sequence[int], known: Sequence[float], left: list[float], weights: Sequence[float]
) -> list[float]:
    """Move one factor's effects to where its rows lie, and return what is left then."""
    sums = _totals(codes, map(mul, weights, left), len(factor.names))
    before, pseudo = factor.effects, factor.pseudo
    factor.effects = [
        (total + weight * effect) / (weight + pseudo) for total, weight, effect in zip(sums, known, before, strict=True)
    ]
    moved = [new - old for new, old in zip(factor.effects, before, strict=True)]
    return [value - moved[code] for value, code in zip(left, codes, strict=True)]


def _totals(codes: Iterable[int], amounts: Iterable[float], size: int) -> list[float]:
    totals = [0.0] * size
    for code, amount in zip(codes, amounts, strict=True):
        totals[code] += amount
    return totals
