"""How often we ask about a parcel, by what it is doing and when news is expected."""

import datetime as dt
import math
from bisect import bisect_right
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.db.models import Exists, Min, OuterRef, Subquery

from frozenshop.kernel import clock
from logistics.carriers import is_manual
from logistics.learning import rhythm
from logistics.learning.gaps import Gap, usual_gap
from logistics.learning.rhythm import SLOTS, Rates, phase_of, stretch_of
from logistics.models import Shipment, ShipmentStatus, Subscription, TrackingEvent
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
    day news comes.
    """

    care: float
    usual: Gap
    waves: Sequence[float]


def _gap(p50: float, p90: float, p999: float) -> Gap:
    return Gap(dt.timedelta(hours=p50), dt.timedelta(hours=p90), dt.timedelta(hours=p999), 0)


_NO_NEWS = _gap(24, 48, 240)
PACE: dict[str, Pace] = {
    S.NO_TRACE: Pace(1, _gap(4, 20, 72), _SHOP),  # handed over, but the carrier has not scanned it
    S.PICKED_UP: Pace(1, _gap(3, 8, 48), _ROAD),
    S.IN_TRANSIT: Pace(1, _gap(4, 12, 60), _ROAD),
    S.OUT_FOR_DELIVERY: Pace(2, _gap(2, 6, 24), _DOOR),  # delivered the same day, or something is wrong
    S.AWAITING_PICKUP: Pace(1, _gap(6, 30, 96), _DOOR),  # a locker is not a freezer
    S.DELIVERY_FAILED: Pace(2, _gap(12, 26, 96), _DOOR),
    S.EXCEPTION: Pace(2, _gap(12, 40, 144), _ROAD),
    S.RETURNING: Pace(1, _gap(6, 24, 120), _ROAD),
    S.FORWARDED: Pace(1, _gap(4, 12, 60), _ROAD),
    S.CUSTOMS: Pace(0.5, _gap(12, 48, 240), _SHOP),
    S.UNKNOWN: Pace(1, _gap(4, 12, 60), _ROAD),
    S.DELIVERED: Pace(0, _NO_NEWS, _DOOR),
    S.RETURNED: Pace(0, _NO_NEWS, _DOOR),
    S.CANCELLED: Pace(0, _NO_NEWS, _DOOR),
}

THAW = {TemperatureClass.FROZEN: dt.timedelta(hours=48), TemperatureClass.CHILLED: dt.timedelta(hours=72)}
"""How long a box keeps cold from shipping on: by then it must be at the door."""
_NEARNESS = ((dt.timedelta(0), 1.3), (dt.timedelta(hours=12), 1.5), (dt.timedelta(hours=24), 1.2))
"""How much more news matters when no more than so long is left until the deadline."""

EAGERNESS = 1.2
"""How often we ask on the whole: calls grow with it, delays shrink."""
_SHARPNESS = 0.65
"""At 0.5 the mean delay is least for the same calls; more lowers the median, and 1 forgets what is rare."""
_PUSHED = 0.2
"""How much a look matters while a service promised to tell us by itself: every third one is left.

But at the door, where there are hours and not days to act on a callback that was lost: there it is asked all the time.
"""
_AWAKE = 0.5
"""In hours with less news than this, nobody stands at the door."""
_STEP = 0.5
_SLOWEST = 24.0
_HOUR = dt.timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Outlook:
    """What is known of a parcel when the next look at it is set.

    `left`: its newest scan left a place; `near`: it is in the region of its consignee. `gap`: to the next scan, as it
    usually is; None: not learnt. `deadline`: by when it must be at the door. `pushed`: a service promised to tell us.
    """

    status: str
    heard_at: dt.datetime
    left: bool = False
    near: bool = False
    gap: Gap | None = None
    deadline: dt.datetime | None = None
    pushed: bool = False


def look_again_in(
    outlook: Outlook, now: dt.datetime, rates: Rates, *, eagerness: float = EAGERNESS
) -> dt.timedelta | None:
    """Return how long to wait before asking again; None: there is nothing more to hear.

    The delay of noticing is least, for a number of calls, if questions stand the denser the likelier news is (by a
    power below 1). So attention gathers at that rate, hour by hour, and when it has come to one, we ask.
    """
    silent = now - outlook.heard_at
    if outlook.status in FINAL or silent > GIVE_UP_AFTER:
        return None
    pace, local = PACE[outlook.status], clock.shanghai(now)
    zeal = eagerness * (pace.care * nearness(outlook.deadline, now) * (_PUSHED if outlook.pushed else 1)) ** _SHARPNESS
    least = _HOUR / FLOOR if outlook.pushed and outlook.status == S.OUT_FOR_DELIVERY else 0.0
    expected = _expected(outlook, pace, rates)
    heard, hour, waited, attention = silent / _HOUR, local.hour + local.minute / 60, 0.0, 0.0
    while waited < _SLOWEST:
        slot = int(hour + waited) // 2 % SLOTS
        density = zeal * expected(heard + waited, slot) ** _SHARPNESS
        if density < least and pace.waves[slot] >= _AWAKE:
            density = least
        if attention + density * _STEP >= 1:
            waited += (1 - attention) / density
            break
        attention += density * _STEP
        waited += _STEP
    return max(FLOOR, dt.timedelta(hours=waited))


def _expected(outlook: Outlook, pace: Pace, rates: Rates) -> Callable[[float, int], float]:
    """Return how many scans an hour to expect after so many hours of silence in a slot of the day."""
    gap = outlook.gap or pace.usual
    p50, p90 = rhythm.bounds(gap)
    if table := rates.get(phase_of(outlook.status, left=outlook.left, near=outlook.near)):
        return lambda silent, slot: table[stretch_of(silent, p50, p90)][slot]
    # Nothing learnt: even between the quantiles of the gap, and the day's usual waves.
    ends = (p50, p90, max(gap.p999 / _HOUR, p90 + _STEP))
    even = (
        math.log(2) / ends[0],
        math.log(5) / (ends[1] - ends[0]),
        math.log(100) / (ends[2] - ends[1]),
        0.5 / ends[2],
    )
    return lambda silent, slot: even[bisect_right(ends, silent)] * pace.waves[slot]


def nearness(deadline: dt.datetime | None, now: dt.datetime) -> float:
    """Return how much more news matters for being so near to the deadline, or past it."""
    if deadline is None:
        return 1.0
    return next((factor for left, factor in _NEARNESS if deadline - now <= left), 1.0)


def next_poll_at(shipment: Shipment, now: dt.datetime, around: Mapping[str, Any] | None = None) -> dt.datetime | None:
    """Return when to ask next; None when it is over, was silent for too long, or is nobody's to ask about.

    Costs one query while under way, unless `around` tells of it what `surroundings` found.
    """
    if is_over(shipment) or is_manual(shipment.carrier):
        return None
    if around is None:
        around = {} if shipment._state.adding else surroundings([shipment.pk]).get(shipment.pk, {})
    wait = look_again_in(_outlook(shipment, around), now, rhythm.current())
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


def _outlook(shipment: Shipment, around: Mapping[str, Any]) -> Outlook:
    deadlines = [instant for instant in (around.get("promised_by"), thaws_at(shipment)) if instant is not None]
    return Outlook(
        shipment.status,
        heard_at(shipment),
        left=rhythm.leaves(around.get("text") or ""),
        near=rhythm.is_near(shipment.location, shipment.destination),
        gap=usual_gap(shipment),
        deadline=min(deadlines, default=None),
        pushed=bool(around.get("pushing")),
    )


def surroundings(shipment_ids: Iterable[int]) -> dict[int, dict[str, Any]]:
    """Return what stands beside each row: the earliest promise, whether a push is promised, the newest scan's text."""
    newest = TrackingEvent.objects.filter(shipment=OuterRef("pk"), overall=False).order_by("-occurred_at", "-key")
    rows = Shipment.objects.filter(pk__in=list(shipment_ids)).annotate(
        promised_by=Min("orders__promised_by"),
        pushing=Exists(Subscription.objects.filter(shipment=OuterRef("pk"), ended_at=None)),
        text=Subquery(newest.values("text")[:1]),
    )
    return {row["pk"]: dict(row) for row in rows.values("pk", "promised_by", "pushing", "text")}


def is_over(shipment: Shipment) -> bool:
    """Return whether nothing more is expected of the parcel."""
    return shipment.voided_at is not None or shipment.status in FINAL


def heard_at(shipment: Shipment) -> dt.datetime:
    """Return when the parcel was last heard of: its newest scan, else since when we have listened.

    One that was shipped so long before it was registered that it is given up is not listened for.
    """
    latest = [instant for instant in (shipment.last_event_at, shipment.status_at) if instant is not None]
    if latest or shipment.recorded_at - shipment.shipped_at > GIVE_UP_AFTER:
        return max([shipment.shipped_at, *latest])
    return max(shipment.shipped_at, shipment.recorded_at)
