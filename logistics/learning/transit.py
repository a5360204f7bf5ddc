"""How long a parcel takes: a location, a spread around it, and the shape of what is left.

Times are measured on a scale on which effects add up (`scale_of`). The location is a sum of effects with the latest
changes on top, the spread is such a sum too, and the shape is how former predictions really missed.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Self

from logistics.learning import festivals
from logistics.learning.effects import Effects
from logistics.learning.parcels import Parcel, date_of, region_of
from logistics.learning.shapes import WIDE, at_level, doubted, level_at

SHORTEST = 0.02
"""Days: below half an hour the clock of whoever scanned tells more than the road."""
_OFFSET = 0.3
_LARGEST = 6.0
_LEAST_SPREAD, _MOST_SPREAD = 0.3, 3.0

Key = Callable[[Parcel], str]


@dataclass(frozen=True, slots=True)
class Common:
    """Something that parcels have in common, with the pseudo-counts of its effect on location and spread."""

    name: str
    key: Key
    pseudo: float
    spread_pseudo: float


@dataclass(frozen=True, slots=True)
class Lately:
    """Something that may have changed lately: what is older than `half_life` days counts half."""

    name: str
    key: Key
    half_life: float
    pseudo: float


def weekday(parcel: Parcel) -> int:
    return (int(parcel.start) + 3) % 7


def _quarter_of_day(parcel: Parcel) -> int:
    return int(parcel.start % 1 * 4)


def _lead(parcel: Parcel) -> str:
    """Return a class of how early it was promised: what the shop knew of the lane when it promised."""
    return "" if parcel.lead is None else str(round(2 * math.sqrt(max(0.0, parcel.lead))))


def _carrier_lane(parcel: Parcel) -> str:
    return f"{parcel.carrier}|{parcel.lane}"


def _carrier_region(parcel: Parcel) -> str:
    return f"{parcel.carrier}|{region_of(parcel.destination)}"


COMMON = (
    Common("region", lambda p: region_of(p.destination), 4, 15),
    Common("destination", lambda p: p.destination, 6, 30),
    Common("origin", lambda p: p.origin, 6, 30),
    Common("carrier", lambda p: p.carrier, 4, 20),
    Common("lane", lambda p: p.lane, 6, 30),
    Common("carrier_region", _carrier_region, 8, 40),
    Common("carrier_lane", _carrier_lane, 5, 30),
    Common("weekday", lambda p: str(weekday(p)), 20, 60),
    Common("hour", lambda p: str(int(p.start % 1 * 12)), 30, 100),
    Common("weekday_hour", lambda p: f"{weekday(p)}|{_quarter_of_day(p)}", 30, 150),
    Common("carrier_weekday", lambda p: f"{p.carrier}|{weekday(p)}", 40, 150),
    Common("lead", _lead, 30, 100),
)
LATELY = (
    Lately("all", lambda p: "", 5, 8),
    Lately("carrier", lambda p: p.carrier, 8, 15),
    Lately("region", lambda p: region_of(p.destination), 14, 15),
    Lately("carrier_lane", _carrier_lane, 18, 6),
)


def scale_of(days: float) -> float:
    return math.log(max(days, SHORTEST) + _OFFSET)


def days_of(value: float) -> float:
    return max(SHORTEST, math.exp(min(value, _LARGEST)) - _OFFSET)


def slowed(location: float, days: float) -> float:
    """Return where a location lies once so many days are added."""
    return scale_of(days_of(location) + days)


def festival_of(parcel: Parcel) -> str:
    """Return which day of which festival a parcel starts on, "" on an ordinary day."""
    found = festivals.near(date_of(parcel.start))
    return f"{found[0]}|{found[1]}" if found else ""


def groups_of(parcel: Parcel) -> tuple[str, ...]:
    """Return the groups that may have a shape of their own, the widest first; each is the parent of the next."""
    return ("", parcel.carrier, _carrier_region(parcel), _carrier_lane(parcel))


@dataclass(frozen=True, slots=True)
class Keys:
    """All that is looked up about a parcel, made once."""

    common: tuple[str, ...]
    lately: tuple[str, ...]
    groups: tuple[str, ...]
    festival: str

    @classmethod
    def of(cls, parcel: Parcel) -> Self:
        common = tuple(one.key(parcel) for one in COMMON)
        lately = tuple(one.key(parcel) for one in LATELY)
        return cls(common, lately, groups_of(parcel), festival_of(parcel))


@dataclass(frozen=True, slots=True)
class Prediction:
    """Where a parcel's time lies on the scale, how wide, and the shape around it."""

    location: float
    spread: float
    shape: Sequence[float]
    calm_location: float
    """Where it would lie without a festival."""

    def quantile(self, level: float) -> float:
        """Return the days within which the parcel arrives with this probability."""
        return days_of(self.location + self.spread * at_level(self.shape, level))

    def arrived(self, days: float) -> float:
        """Return the probability that the parcel has arrived after so many days."""
        return level_at(self.shape, (scale_of(days) - self.location) / self.spread) if days > 0 else 0.0

    def quantile_after(self, waited: float, level: float) -> float:
        """Return the same quantile for a parcel that has not arrived after `waited` days, counted from its start."""
        gone = min(self.arrived(waited), 0.9995)
        return max(waited, self.quantile(gone + (1 - gone) * level))

    def arrived_after(self, waited: float, days: float) -> float:
        """Return the probability of arrival within `days` of the start, for a parcel still out after `waited`."""
        gone = min(self.arrived(waited), 0.9995)
        return max(0.0, (self.arrived(days) - gone) / (1 - gone))


@dataclass(slots=True)
class Transit:
    """What was learnt, as it predicts. Effects are by the names of COMMON and LATELY, shapes by group."""

    mean: float = scale_of(2.5)
    common: dict[str, Effects] = field(default_factory=dict)
    lately: dict[str, Effects] = field(default_factory=dict)
    festival: dict[str, list[float]] = field(default_factory=dict)
    spread: float = 0.35
    spreads: dict[str, Effects] = field(default_factory=dict)
    shapes: dict[str, list[float]] = field(default_factory=lambda: {"": list(WIDE)})

    def predict(self, parcel: Parcel) -> Prediction:
        return self.predict_by(Keys.of(parcel))

    def predict_by(self, keys: Keys) -> Prediction:
        calm = self.mean + _sum(self.common, COMMON, keys.common) + _sum(self.lately, LATELY, keys.lately)
        wider = 1 + _sum(self.spreads, COMMON, keys.common)
        spread = self.spread * min(_MOST_SPREAD, max(_LEAST_SPREAD, wider))
        shape = next(self.shapes[group] for group in reversed(keys.groups) if group in self.shapes)
        if found := self.festival.get(keys.festival):
            more, doubt = found
            return Prediction(slowed(calm, more), spread, doubted(shape, doubt), calm)
        return Prediction(calm, spread, shape, calm)

    def as_json(self) -> dict[str, Any]:
        shapes = {group: [round(value, 4) for value in shape] for group, shape in self.shapes.items()}
        plain = {name: getattr(self, name) for name in ("mean", "common", "lately", "festival", "spread", "spreads")}
        return plain | {"shapes": shapes}

    @classmethod
    def from_json(cls, body: Mapping[str, Any]) -> Self:
        return cls(**body)


def _sum(tables: Mapping[str, Effects], named: Sequence[Common | Lately], keys: Sequence[str]) -> float:
    total = 0.0
    for one, key in zip(named, keys, strict=True):
        if one.name in tables:
            total += tables[one.name].get(key, 0.0)
    return total
