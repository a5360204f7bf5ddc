"""When a parcel will probably arrive: always an interval with a confidence and what it rests on."""

import datetime as dt
from dataclasses import dataclass

from django.db import models

from frozenshop.kernel import calendar, clock
from logistics.models import Carrier, Shipment, ShipmentStatus
from logistics.places import Distance, distance

S = ShipmentStatus


class EtaBasis(models.TextChoices):
    """What a prediction rests on (closed list, published by the API)."""

    DEFAULT = "default", "通常时效"
    STATUS = "status", "当前状态"
    LANE = "lane", "同线路历史"
    DESTINATION = "destination", "同目的地历史"
    CARRIER = "carrier", "承运商历史"
    MERCHANT = "merchant", "本店历史"
    PROVIDER = "provider", "服务商预测"


@dataclass(frozen=True, slots=True)
class Eta:
    earliest: dt.datetime
    latest: dt.datetime
    confidence: float
    basis: EtaBasis


def _hours(earliest: float, latest: float) -> tuple[dt.timedelta, dt.timedelta]:
    return dt.timedelta(hours=earliest), dt.timedelta(hours=latest)


# Hours in which carriers run, from the first scan to the door: wide on purpose, because nothing was measured yet.
TRANSIT = {
    Distance.SAME_CITY: _hours(12, 36),
    Distance.SAME_PROVINCE: _hours(18, 60),
    Distance.NEIGHBOURING: _hours(24, 84),
    Distance.FAR: _hours(36, 120),
    Distance.REMOTE: _hours(72, 192),
    Distance.UNKNOWN: _hours(24, 120),
}
COLD_CHAIN_FACTOR = 0.75
"""Carriers move cold chain goods with priority."""
HANDOVER = dt.timedelta(hours=24)
"""From our shipping to the carrier's first scan, at most."""
DEFAULT_CONFIDENCE = 0.5

_FIRST_HOUR, _LAST_HOUR = 8, 21
_NOTHING_TO_COME = frozenset({S.DELIVERED, S.RETURNED, S.RETURNING, S.CANCELLED, S.AWAITING_PICKUP})


def predict(
    shipment: Shipment, carrier: Carrier, *, province: str, city: str, origin: str = "", started_at: dt.datetime | None
) -> Eta | None:
    """Return when the parcel will probably be at the door, or None once it got there or turned back.

    `origin` is where the first scan was. `started_at` is the first scan; None: it still stands at the shop.
    """
    if shipment.voided_at is not None or shipment.status in _NOTHING_TO_COME:
        return None
    since = shipment.status_at or shipment.shipped_at
    if shipment.status == S.OUT_FOR_DELIVERY:
        return _today(since)
    if shipment.status in (S.DELIVERY_FAILED, S.EXCEPTION):
        return _interval(since, *_hours(12, 96), confidence=0.3, basis=EtaBasis.STATUS)
    earliest, latest = TRANSIT[distance(origin, province, city)]
    if carrier.cold_chain:
        earliest, latest = earliest * COLD_CHAIN_FACTOR, latest * COLD_CHAIN_FACTOR
    if started_at is None:
        latest += HANDOVER
    return _interval(
        started_at or shipment.shipped_at, earliest, latest, confidence=DEFAULT_CONFIDENCE, basis=EtaBasis.DEFAULT
    )


def _interval(
    start: dt.datetime, earliest: dt.timedelta, latest: dt.timedelta, *, confidence: float, basis: EtaBasis
) -> Eta:
    return Eta(
        _into_the_day(calendar.add_carrier_time(start, earliest), end=False),
        _into_the_day(calendar.add_carrier_time(start, latest), end=True),
        confidence,
        basis,
    )


def _today(since: dt.datetime) -> Eta:
    """A parcel out for delivery comes the same day; one that went out late may come the next."""
    evening = clock.shanghai(since).replace(hour=_LAST_HOUR, minute=0, second=0, microsecond=0)
    late = evening - since < dt.timedelta(hours=2)
    latest = evening + dt.timedelta(days=1) if late else evening
    return Eta(since + dt.timedelta(minutes=30), latest.astimezone(dt.UTC), 0.8, EtaBasis.STATUS)


def _into_the_day(instant: dt.datetime, *, end: bool) -> dt.datetime:
    """Move an instant into the hours in which doors are knocked at; an `end` becomes that day's last hour."""
    local = clock.shanghai(instant).replace(minute=0, second=0, microsecond=0)
    if end:
        day = local if local.hour > _FIRST_HOUR else local - dt.timedelta(days=1)
        return day.replace(hour=_LAST_HOUR).astimezone(dt.UTC)
    if local.hour >= _LAST_HOUR:
        local = (local + dt.timedelta(days=1)).replace(hour=_FIRST_HOUR)
    return local.replace(hour=max(local.hour, _FIRST_HOUR)).astimezone(dt.UTC)
