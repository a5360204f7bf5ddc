"""The learnt tables asked about one parcel: an interval of 80 %, what it rests on, and the odds of a promise."""

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass

from frozenshop.kernel import calendar, clock
from logistics.learning import learnt
from logistics.learning.fitting import SUPPORT_DAYS, support_keys
from logistics.learning.history import Stage, carrier_days, is_near, place_name
from logistics.learning.learnt import Learnt
from logistics.learning.parcels import Parcel, on_clock
from logistics.learning.transit import Prediction
from logistics.models import Carrier, Shipment, ShipmentStatus
from logistics.places import city_of, province_of

CONFIDENCE = 0.8
EARLY, LIKELY, LATE = 0.1, 0.5, 0.9
ENOUGH = 20
"""Parcels of the last SUPPORT_DAYS that a group needs to be what a prediction is said to rest on."""
HOUR = dt.timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Forecast:
    """`basis` is a value of `eta.EtaBasis`; `odds` gives the probability of arrival by an instant."""

    earliest: dt.datetime
    likely: dt.datetime
    latest: dt.datetime
    confidence: float
    basis: str
    explanation: str
    odds: Callable[[dt.datetime], float]


def of_shipment(
    shipment: Shipment, carrier: Carrier, *, province: str, city: str, origin: str, now: dt.datetime
) -> Forecast | None:
    """Return what was learnt of such a parcel, from its newest stage on and still out at `now`; None: nothing."""
    known = learnt.current()
    if known is None:
        return None
    lane = _Lane.of(known, carrier, origin, province + city)
    for stage, start in _starts(shipment, lane):
        if stage in known.stages:
            return _forecast(known, stage, lane, start, now)
    return None


def at_shipping(shipment: Shipment, carrier: Carrier, *, province: str, city: str, origin: str) -> Forecast | None:
    """Return what could be told when it was shipped, before any scan."""
    known = learnt.current()
    if known is None or Stage.SHIPPED not in known.stages:
        return None
    lane = _Lane.of(known, carrier, origin, province + city)
    return _forecast(known, Stage.SHIPPED, lane, shipment.shipped_at, shipment.shipped_at)


def of_order(paid_at: dt.datetime, *, province: str, city: str, now: dt.datetime) -> Forecast | None:
    """Return what was learnt from payment to the door, for an order that is not shipped at `now`."""
    known = learnt.current()
    if known is None or Stage.PAID not in known.stages:
        return None
    return _forecast(known, Stage.PAID, _Lane.of(known, None, "", province + city), paid_at, now)


@dataclass(frozen=True, slots=True)
class _Lane:
    carrier: Carrier | None
    origin: str
    destination: str

    @classmethod
    def of(cls, known: Learnt, carrier: Carrier | None, origin: str, destination: str) -> "_Lane":
        return cls(carrier, place_name(origin) or known.origin, place_name(destination))

    @property
    def key(self) -> str:
        return str(self.carrier.pk) if self.carrier else ""


def _starts(shipment: Shipment, lane: _Lane) -> list[tuple[Stage, dt.datetime]]:
    """Return the stages that the parcel has reached with their instants, the newest first."""
    reached = [(Stage.SHIPPED, shipment.shipped_at)]
    ends = province_of(lane.origin) or "", province_of(lane.destination) or ""
    if shipment.last_event_at and is_near(shipment.status, shipment.location, ends[1], ends[0]):
        reached.insert(0, (Stage.NEAR, shipment.last_event_at))
    if shipment.status == ShipmentStatus.OUT_FOR_DELIVERY and shipment.status_at:
        reached.insert(0, (Stage.OUT, shipment.status_at))
    return reached


def _forecast(known: Learnt, stage: Stage, lane: _Lane, start: dt.datetime, now: dt.datetime) -> Forecast:
    said = known.stages[stage].predict(Parcel(lane.origin, lane.destination, lane.key, on_clock(start)))
    waited = max(0.0, carrier_days(start, now))
    early, likely, late = (_after(start, said.quantile_after(waited, level)) for level in (EARLY, LIKELY, LATE))
    basis, explanation = _basis(known, lane)
    earliest = clock.shanghai(early).replace(minute=0, second=0, microsecond=0).astimezone(dt.UTC)
    latest = (clock.shanghai(late) + HOUR).replace(minute=0, second=0, microsecond=0).astimezone(dt.UTC)
    return Forecast(
        earliest, likely.replace(minute=0, second=0, microsecond=0), latest, CONFIDENCE, basis, explanation,
        _odds(said, start, waited),
    )  # fmt: skip


def _odds(said: Prediction, start: dt.datetime, waited: float) -> Callable[[dt.datetime], float]:
    return lambda instant: said.arrived_after(waited, carrier_days(start, instant))


def _after(start: dt.datetime, days: float) -> dt.datetime:
    return calendar.add_carrier_time(start, dt.timedelta(days=days))


def _basis(known: Learnt, lane: _Lane) -> tuple[str, str]:
    """Return the most special group with ENOUGH parcels, and the line that says so."""
    name = lane.carrier.name if lane.carrier else ""
    start, end = _short(lane.origin), _short(lane.destination)
    road = f"{start}→{end}" if start else f"到{end}"
    told = (("lane", f"{road} {name}"), ("lane", road), ("destination", f"到{end}"), ("carrier", name))
    for (basis, words), key in zip(told, support_keys(lane.key, lane.origin, lane.destination), strict=False):
        parcels = known.support.get(key, 0)
        if parcels >= ENOUGH and words.strip():
            return basis, f"{words.strip()}，{parcels} 件，近 {SUPPORT_DAYS} 天"
    return "merchant", f"本店全部包裹，{known.support.get('||', 0)} 件，近 {SUPPORT_DAYS} 天"


def _short(place: str) -> str:
    return city_of(place) or province_of(place) or place
