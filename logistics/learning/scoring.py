"""How good predicted intervals were: how far off, how often right, how wide. All in days."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass

QUANTILES = (0.05, 0.1, 0.5, 0.9, 0.95)
Quantiles = tuple[float, float, float, float, float]
_DIGITS = 4


@dataclass(frozen=True, slots=True)
class Score:
    """`coverage80` is the share that arrived between the quantiles .1 and .9, `coverage90` between .05 and .95."""

    n: int
    mae_days: float
    p90_error_days: float
    coverage80: float
    width80_days: float
    coverage90: float
    width90_days: float
    pinball: float

    def as_json(self) -> dict[str, float]:
        return asdict(self)


def score(took: Sequence[float], predicted: Sequence[Quantiles]) -> Score:
    """Return the score of at least one prediction against what the parcels really took."""
    pairs, n = list(zip(took, predicted, strict=True)), len(took)
    errors = sorted(abs(days - quantiles[2]) for days, quantiles in pairs)

    def mean(values: Sequence[float]) -> float:
        return round(sum(values) / n, _DIGITS)

    return Score(
        n=n,
        mae_days=mean(errors),
        p90_error_days=round(quantile(errors, 0.9), _DIGITS),
        coverage80=mean([q[1] <= days <= q[3] for days, q in pairs]),
        width80_days=mean([q[3] - q[1] for _, q in pairs]),
        coverage90=mean([q[0] <= days <= q[4] for days, q in pairs]),
        width90_days=mean([q[4] - q[0] for _, q in pairs]),
        pinball=mean([_pinball(days, q) for days, q in pairs]),
    )


def quantile(ordered: Sequence[float], level: float) -> float:
    """Return a quantile of ordered values, with the line between two neighbours (as spreadsheets do)."""
    place = (len(ordered) - 1) * level
    below = int(place)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (place - below) * (ordered[above] - ordered[below])


def _pinball(days: float, quantiles: Quantiles) -> float:
    """Return the mean over QUANTILES of what each is charged: its level when too low, the rest when too high."""
    charged = [
        level * (days - value) if days >= value else (1 - level) * (value - days)
        for level, value in zip(QUANTILES, quantiles, strict=True)
    ]
    return sum(charged) / len(charged)
