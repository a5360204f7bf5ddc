"""A parcel as learning sees it: its lane, when its clock started, and how long it took."""

import datetime as dt
from dataclasses import dataclass
from functools import lru_cache

from logistics.places import province_of

_SHANGHAI_SECONDS = 8 * 3600
_DAY_SECONDS = 86_400


@dataclass(frozen=True, slots=True)
class Parcel:
    """`start` is days of Shanghai's wall clock since 1970. `days`: until it was delivered; None: not yet, or never.

    `lead` is how many days after the start it was promised, None without a promise.
    """

    origin: str
    destination: str
    carrier: str
    start: float
    days: float | None = None
    lead: float | None = None

    @property
    def end(self) -> float:
        """Return when it was delivered; never, for one that was not."""
        return float("inf") if self.days is None else self.start + self.days

    @property
    def lane(self) -> str:
        return f"{self.origin}|{self.destination}"


def on_clock(instant: dt.datetime) -> float:
    """Return an aware instant as days of Shanghai's wall clock since 1970."""
    return (instant.timestamp() + _SHANGHAI_SECONDS) / _DAY_SECONDS


def date_of(start: float) -> dt.date:
    return dt.date.fromordinal(719_163 + int(start))


@lru_cache(maxsize=10_000)
def region_of(place: str) -> str:
    """Return the province of a place, or the place itself where its text tells none."""
    return province_of(place) or place
