"""What any shop could say of its parcels: the quantiles of the last 90 days."""

from bisect import bisect_left, insort
from collections.abc import Iterable, Sequence

from logistics.learning.parcels import Parcel
from logistics.learning.scoring import QUANTILES, Quantiles, quantile

WINDOW_DAYS = 90
LEAST = 20
UNKNOWN: Quantiles = (1.0, 1.2, 3.0, 7.0, 9.0)
"""Days, before anything at all was delivered."""
_ALL = ("all",)


class RollingQuantiles:
    """The quantiles of what was delivered in the 90 days before an instant, to the moment.

    `quantiles_of` must be asked in order of time.
    """

    def __init__(self, parcels: Iterable[Parcel]) -> None:
        self._done = sorted((one for one in parcels if one.days is not None), key=lambda one: one.end)
        self._came = self._left = 0
        self._took: dict[tuple[str, ...], list[float]] = {_ALL: []}

    def quantiles_of(self, parcel: Parcel) -> tuple[Quantiles, Quantiles]:
        """Return what its lane told at its start (else its destination, else all; LEAST parcels), and what all told."""
        self._move_to(parcel.start)
        everything = self._took[_ALL]
        own = next((took for key in _keys(parcel) if len(took := self._took.get(key, [])) >= LEAST), everything)
        return _quantiles(own), _quantiles(everything)

    def _move_to(self, now: float) -> None:
        while self._came < len(self._done) and self._done[self._came].end < now:
            for key in _keys(self._done[self._came]):
                insort(self._took.setdefault(key, []), self._done[self._came].days or 0.0)
            self._came += 1
        while self._left < self._came and self._done[self._left].end < now - WINDOW_DAYS:
            for key in _keys(self._done[self._left]):
                took = self._took[key]
                del took[bisect_left(took, self._done[self._left].days or 0.0)]
            self._left += 1


def _keys(parcel: Parcel) -> tuple[tuple[str, ...], ...]:
    return (parcel.origin, parcel.destination), (parcel.destination,), _ALL


def _quantiles(took: Sequence[float]) -> Quantiles:
    if not took:
        return UNKNOWN
    q05, q10, q50, q90, q95 = (quantile(took, level) for level in QUANTILES)
    return q05, q10, q50, q90, q95
