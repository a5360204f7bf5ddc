"""How often we ask about a parcel and how long it may be silent, by what it is doing."""

import datetime as dt
import math
from collections.abc import Sequence
from dataclasses import dataclass

from django.db.models import Count, Min, Q

from frozenshop.kernel import calendar, clock
from logistics.learning.gaps import Gap, usual_gap
from logistics.models import Shipment, ShipmentStatus
from orders.models import TemperatureClass

S = ShipmentStatus

FINAL = frozenset({S.DELIVERED, S.RETURNED, S.CANCELLED})
GIVE_UP_AFTER = dt.timedelta(days=30)
"""A parcel that is silent for so long is no longer asked about; a person has long had the alert."""
FLOOR = dt.timedelta(minutes=30)
"""No waybill is asked about twice within it, whoever wants it: services lock numbers that are."""

# When news comes, for every two hours of Shanghai's day, against the day's mean: hubs work all night, people by day.
_ROAD = (1.1, 1.1, 1.2, 1.3, 1.2, 0.8, 0.7, 0.8, 0.8, 0.9, 1.0, 1.1)
_SHOP = (0.1, 0.1, 0.1, 0.4, 0.8, 1.2, 1.0, 1.4, 2.2, 2.4, 1.8, 0.5)
_DOOR = (0.0, 0.0, 0.0, 0.4, 1.8, 2.3, 1.7, 2.1, 2.1, 1.2, 0.4, 0.0)


@dataclass(frozen=True, slots=True)
class Pace:
    """What is expected of a parcel by what it is doing.

    `care`: how much news of it matters. `usual`: the gap to its next scan while nothing is learnt. `waves`: when in the
    day news comes. `longest`: between two questions, whatever is expected. `silence`: until it is stale; None: silence
    is expected. `frozen_silence` is the limit while goods thaw.
    """

    care: float
    usual: Gap
    waves: Sequence[float]
    longest: dt.timedelta
    silence: dt.timedelta | None
    frozen_silence: dt.timedelta | None


def _gap(p50: float, p90: float, p999: float) -> Gap:
    return Gap(dt.timedelta(hours=p50), dt.timedelta(hours=p90), dt.timedelta(hours=p999), 0)


def _hours(hours: float | None) -> dt.timedelta | None:
    return None if hours is None else dt.timedelta(hours=hours)


def _pace(
    care: float, usual: Gap, waves: Sequence[float], longest: float, silence: float | None, frozen: float | None
) -> Pace:
    return Pace(care, usual, waves, dt.timedelta(hours=longest), _hours(silence), _hours(frozen))


_NO_NEWS = _gap(24, 48, 240)
PACE: dict[str, Pace] = {
    S.NO_TRACE: _pace(1, _gap(4, 20, 72), _SHOP, 12, 24, 12),  # handed over, but the carrier has not scanned it
    S.PICKED_UP: _pace(1, _gap(3, 8, 48), _ROAD, 8, 24, 18),
    S.IN_TRANSIT: _pace(1, _gap(4, 12, 60), _ROAD, 8, 36, 24),
    S.OUT_FOR_DELIVERY: _pace(2, _gap(2, 6, 24), _DOOR, 0.5, 12, 8),  # delivered the same day, or something is wrong
    S.AWAITING_PICKUP: _pace(1, _gap(6, 30, 96), _DOOR, 4, 24, 4),  # a locker is not a freezer
    S.DELIVERY_FAILED: _pace(2, _gap(12, 26, 96), _DOOR, 4, 24, 8),
    S.EXCEPTION: _pace(2, _gap(12, 40, 144), _ROAD, 4, 24, 8),
    S.RETURNING: _pace(1, _gap(6, 24, 120), _ROAD, 12, 72, 48),
    S.FORWARDED: _pace(1, _gap(4, 12, 60), _ROAD, 8, 36, 24),
    S.CUSTOMS: _pace(0.5, _gap(12, 48, 240), _SHOP, 12, 72, 48),
    S.UNKNOWN: _pace(1, _gap(4, 12, 60), _ROAD, 8, 36, 24),
    S.DELIVERED: _pace(0, _NO_NEWS, _DOOR, 24, None, None),
    S.RETURNED: _pace(0, _NO_NEWS, _DOOR, 24, None, None),
    S.CANCELLED: _pace(0, _NO_NEWS, _DOOR, 24, None, None),
}

THAW = {TemperatureClass.FROZEN: dt.timedelta(hours=48), TemperatureClass.CHILLED: dt.timedelta(hours=72)}
"""How long a box keeps cold from shipping on: by then it must be at the door."""
_NEARNESS = ((dt.timedelta(0), 3.0), (dt.timedelta(hours=12), 2.0), (dt.timedelta(hours=24), 1.5))
"""How much more news matters when no more than so long is left until the deadline."""

EAGERNESS = 0.9
"""How often we ask on the whole: calls grow with it, delays shrink."""
_PUSHED = 1 / 9
"""How much a look matters while the service promised to tell us by itself: every third one is left."""
_AWAKE = 0.5
"""In hours with less news than this, nothing needs to be asked."""
_STEP = 0.5
_SLOWEST = 24.0
_HOUR = dt.timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Outlook:
    """What is known of a parcel when the next look at it is set.

    `gap`: to the next scan, as it usually is; None: not learnt. `deadline`: by when it must be at the door.
    `pushed`: a service promised to tell us by itself.
    """

    status: str
    heard_at: dt.datetime
    gap: Gap | None = None
    deadline: dt.datetime | None = None
    pushed: bool = False


def look_again_in(outlook: Outlook, now: dt.datetime, *, eagerness: float = EAGERNESS) -> dt.timedelta | None:
    """Return how long to wait before asking again; None: there is nothing more to hear.

    For a given number of calls the delay of noticing is least if questions stand as densely as the square root of how
    likely news is. So attention gathers at that rate, hour by hour, and when it has come to one, we ask.
    """
    silent = now - outlook.heard_at
    if outlook.status in FINAL or silent > GIVE_UP_AFTER:
        return None
    pace = PACE[outlook.status]
    slow_watch = outlook.pushed and outlook.status != S.OUT_FOR_DELIVERY
    weight = pace.care * nearness(outlook.deadline, now) * (_PUSHED if slow_watch else 1)
    expected, zeal = _Hazard(outlook.gap or pace.usual), eagerness * math.sqrt(weight)
    least = 0.0 if slow_watch else _HOUR / pace.longest
    local = clock.shanghai(now)
    hour, heard, waited, attention = local.hour + local.minute / 60, silent / _HOUR, 0.0, 0.0
    while waited < _SLOWEST:
        wave = pace.waves[int(hour + waited) // 2 % 12]
        density = zeal * math.sqrt(expected.rate(heard + waited) * wave)
        if wave >= _AWAKE and density < least:
            density = least
        if attention + density * _STEP >= 1:
            waited += (1 - attention) / density
            break
        attention += density * _STEP
        waited += _STEP
    return max(FLOOR, dt.timedelta(hours=waited))


class _Hazard:
    """How many scans an hour are to be expected after so many hours of silence: even between the known quantiles."""

    __slots__ = ("_ends", "_rates")

    def __init__(self, gap: Gap) -> None:
        p50, p90, p999 = gap.p50 / _HOUR, gap.p90 / _HOUR, gap.p999 / _HOUR
        self._ends = (p50, p90, p999)
        early, late, last = max(p50, _STEP), max(p90 - p50, _STEP), max(p999 - p90, _STEP)
        self._rates = (math.log(2) / early, math.log(5) / late, math.log(100) / last, 1 / (2 * max(p999, 24)))

    def rate(self, silent: float) -> float:
        p50, p90, p999 = self._ends
        return self._rates[0 if silent < p50 else 1 if silent < p90 else 2 if silent < p999 else 3]


def nearness(deadline: dt.datetime | None, now: dt.datetime) -> float:
    """Return how much more news matters for being so near to the deadline, or past it."""
    if deadline is None:
        return 1.0
    return next((factor for left, factor in _NEARNESS if deadline - now <= left), 1.0)


def next_poll_at(shipment: Shipment, now: dt.datetime) -> dt.datetime | None:
    """Return when to ask next; None when it is over or was silent for too long. Costs one query while under way."""
    if is_over(shipment):
        return None
    promised_by, pushed = _promise_and_push(shipment)
    deadlines = [instant for instant in (promised_by, thaws_at(shipment)) if instant is not None]
    outlook = Outlook(
        shipment.status, heard_at(shipment), usual_gap(shipment), min(deadlines, default=None), pushed=pushed
    )
    wait = look_again_in(outlook, now)
    return None if wait is None else now + wait


def urgency(shipment: Shipment, now: dt.datetime) -> int:
    """Return how much a look at the parcel matters, 0 and up: what is least urgent is asked about last. No query."""
    if is_over(shipment):
        return 0
    late = 2 if (shipment.late_probability or 0) >= 0.5 or shipment.delayed_since else 1
    return round(10 * PACE[shipment.status].care * late * nearness(thaws_at(shipment), now))


def thaws_at(shipment: Shipment) -> dt.datetime | None:
    """Return until when the box keeps its cold; None for goods that need none."""
    limit = THAW.get(TemperatureClass(shipment.temperature_class))
    return shipment.shipped_at + limit if limit else None


def _promise_and_push(shipment: Shipment) -> tuple[dt.datetime | None, bool]:
    if shipment._state.adding:
        return None, False
    alive = Count("subscriptions", filter=Q(subscriptions__ended_at=None))
    found = Shipment.objects.filter(pk=shipment.pk).aggregate(promised_by=Min("orders__promised_by"), pushing=alive)
    return found["promised_by"], bool(found["pushing"])


def is_over(shipment: Shipment) -> bool:
    """Return whether nothing more is expected of the parcel."""
    return shipment.voided_at is not None or shipment.status in FINAL


def silence_limit(status: str, temperature_class: str) -> dt.timedelta | None:
    """Return how long a parcel may be silent, in hours that carriers run; None: for ever."""
    pace = PACE[status]
    return pace.frozen_silence if temperature_class == TemperatureClass.FROZEN else pace.silence


def heard_at(shipment: Shipment) -> dt.datetime:
    """Return when the parcel was last heard of: its newest scan, else its shipping."""
    latest = [instant for instant in (shipment.last_event_at, shipment.status_at) if instant is not None]
    return max([shipment.shipped_at, *latest])


def stale_after(shipment: Shipment) -> dt.datetime | None:
    """Return the instant from which silence is an alert. In a locker, time counts from the day it was put there."""
    limit = None if is_over(shipment) else silence_limit(shipment.status, shipment.temperature_class)
    if limit is None:
        return None
    waiting = shipment.status == S.AWAITING_PICKUP and shipment.status_at is not None
    start = shipment.status_at if waiting and shipment.status_at else heard_at(shipment)
    return calendar.add_carrier_time(start, limit)
