"""How often we ask about a parcel and how long it may be silent, by what it is doing."""

import datetime as dt
from dataclasses import dataclass

from frozenshop.kernel import calendar
from logistics.models import Shipment, ShipmentStatus
from orders.models import TemperatureClass

S = ShipmentStatus

FINAL = frozenset({S.DELIVERED, S.RETURNED, S.CANCELLED})
GIVE_UP_AFTER = dt.timedelta(days=30)
"""A parcel that is silent for so long is no longer asked about; a person has long had the alert."""
_SLOWEST_GAP = dt.timedelta(hours=24)


@dataclass(frozen=True, slots=True)
class Pace:
    """`poll`: between two questions while there is news. `silence`: until it is stale; None: silence is expected.

    `frozen_silence` is the limit while goods thaw.
    """

    poll: dt.timedelta
    silence: dt.timedelta | None
    frozen_silence: dt.timedelta | None


def _hours(poll: float, silence: float | None, frozen: float | None) -> Pace:
    return Pace(
        dt.timedelta(hours=poll),
        None if silence is None else dt.timedelta(hours=silence),
        None if frozen is None else dt.timedelta(hours=frozen),
    )


PACE: dict[str, Pace] = {
    S.NO_TRACE: _hours(4, 24, 12),  # handed over, but the carrier has not scanned it
    S.PICKED_UP: _hours(4, 24, 18),
    S.IN_TRANSIT: _hours(4, 36, 24),
    S.OUT_FOR_DELIVERY: _hours(1, 12, 8),  # delivered the same day, or something is wrong
    S.AWAITING_PICKUP: _hours(2, 24, 4),  # a locker is not a freezer
    S.DELIVERY_FAILED: _hours(2, 24, 8),
    S.EXCEPTION: _hours(2, 24, 8),
    S.RETURNING: _hours(8, 72, 48),
    S.FORWARDED: _hours(4, 36, 24),
    S.CUSTOMS: _hours(8, 72, 48),
    S.UNKNOWN: _hours(4, 36, 24),
    S.DELIVERED: _hours(24, None, None),
    S.RETURNED: _hours(24, None, None),
    S.CANCELLED: _hours(24, None, None),
}


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


def next_poll_at(shipment: Shipment, now: dt.datetime) -> dt.datetime | None:
    """Return when to ask next: faster near delivery, slower the longer nothing was heard; None when it is over."""
    silence = now - heard_at(shipment)
    if is_over(shipment) or silence > GIVE_UP_AFTER:
        return None
    gap = PACE[shipment.status].poll
    return now + min(max(gap, silence / 8), _SLOWEST_GAP)
