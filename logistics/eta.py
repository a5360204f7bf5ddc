"""When a parcel will probably arrive: always an interval with a confidence and what it rests on."""

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass, replace

from django.db import models

from frozenshop.kernel import calendar, clock
from logistics.cadence import GIVE_UP_AFTER
from logistics.learning import forecast
from logistics.learning.forecast import Forecast
from logistics.models import Carrier, Shipment, ShipmentStatus
from logistics.places import Distance, distance
from orders.models import Order, OrderStatus

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


LEARNT = frozenset({EtaBasis.LANE, EtaBasis.DESTINATION, EtaBasis.CARRIER, EtaBasis.MERCHANT})

Odds = Callable[[dt.datetime], float]
"""The probability that a parcel arrives by an instant."""


@dataclass(frozen=True, slots=True)
class Eta:
    """An interval that holds the arrival with `confidence`. `explanation` is a line for staff; `odds` as in `Odds`."""

    earliest: dt.datetime
    latest: dt.datetime
    confidence: float
    basis: EtaBasis
    likely: dt.datetime | None = None
    explanation: str = ""
    odds: Odds | None = None

    def late(self, promised_by: dt.datetime | None) -> float | None:
        """Return the probability of missing a promise; None without one."""
        if promised_by is None:
            return None
        on_time = self.odds(promised_by) if self.odds else self._on_time(promised_by)
        return round(1 - on_time, 3)

    def _on_time(self, promised_by: dt.datetime) -> float:
        """Spread the confidence evenly over the interval, and the rest evenly over both sides."""
        share = (promised_by - self.earliest) / max(self.latest - self.earliest, dt.timedelta(hours=1))
        return min(0.95, max(0.05, (1 - self.confidence) / 2 + self.confidence * share))


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
MERCHANT_EARLIEST = dt.timedelta(hours=18)
"""From now to the door, at the least, for what is not shipped yet."""
LATE_AT, RECOVERED_AT = 0.6, 0.3
"""The probability of missing the promise at which a delay begins, and below which it is over."""
TRUSTED = 0.8
"""The confidence from which a prediction is worth a notice."""
SLIP = dt.timedelta(hours=6)
LOOK = dt.timedelta(hours=3)
MAX_EXPLANATION = 120

_FIRST_HOUR, _LAST_HOUR = 8, 21
_NOTHING_TO_COME = frozenset({S.DELIVERED, S.RETURNED, S.RETURNING, S.CANCELLED, S.AWAITING_PICKUP})


def predict(
    shipment: Shipment,
    carrier: Carrier,
    *,
    province: str,
    city: str,
    origin: str = "",
    started_at: dt.datetime | None,
    now: dt.datetime | None = None,
) -> Eta | None:
    """Return when the parcel will probably be at the door, or None once it got there or turned back.

    `origin` is where the first scan was. `started_at` is the first scan; None: it still stands at the shop. Learnt
    where there is history, else by the provider's opinion, else by the table. With `now` silence counts: a parcel that
    should have come by then is expected later.
    """
    if shipment.voided_at is not None or shipment.status in _NOTHING_TO_COME:
        return None
    since = shipment.status_at or shipment.shipped_at
    if shipment.status in (S.DELIVERY_FAILED, S.EXCEPTION):
        return _interval(since, *_hours(12, 96), confidence=0.3, basis=EtaBasis.STATUS)
    if found := forecast.of_shipment(shipment, carrier, province=province, city=city, origin=origin, now=now or since):
        return _told(found)
    if shipment.status == S.OUT_FOR_DELIVERY:
        return _today(since)
    if shipment.provider_eta_at is not None and shipment.provider_eta_at > (now or since):
        return _of_provider(shipment.provider_eta_at)
    return _usual(shipment.shipped_at, carrier, distance(origin, province, city), started_at)


def first_told(shipment: Shipment, carrier: Carrier, *, province: str, city: str, origin: str = "") -> Eta | None:
    """Return the interval as it could be told at shipping: what a delay is measured against.

    None for a parcel that was to be there before we knew of it: nobody was told anything.
    """
    found = forecast.at_shipping(shipment, carrier, province=province, city=city, origin=origin)
    usual = _usual(shipment.shipped_at, carrier, distance(origin, province, city), None)
    told = _told(found) if found else usual
    return told if told.latest > shipment.recorded_at else None


def before_shipping(order: Order, now: dt.datetime) -> Eta | None:
    """Return when a paid order that is not shipped yet will probably arrive; None for any other."""
    if order.status != OrderStatus.PAID or order.paid_at is None:
        return None
    if found := forecast.of_order(order.paid_at, province=order.province, city=order.city, now=now):
        return _told(found)
    start = max(now, calendar.ship_by(order.paid_at))
    usual = _usual(start, Carrier(), distance("", order.province, order.city), None)
    return replace(usual, earliest=_into_the_day(now + MERCHANT_EARLIEST, end=False))


def delayed_since(
    shipment: Shipment, eta: Eta | None, promised_by: dt.datetime | None, first: Callable[[], Eta | None]
) -> dt.datetime | None:
    """Return since when the parcel is delayed: one instant from its first notice until it recovers.

    A delay begins when the promise will more likely than not be missed (LATE_AT), or when the arrival has slipped
    SLIP behind all that was first told. It ends when it is over by a clear margin, or the parcel is there.
    """
    if eta is None:
        return None
    delayed = is_delayed(eta, promised_by, first, already=shipment.delayed_since is not None)
    return (shipment.delayed_since or clock.now()) if delayed else None


def is_delayed(
    eta: Eta, promised_by: dt.datetime | None, first: Callable[[], Eta | None], *, already: bool = False
) -> bool:
    """Return whether an arrival counts as delayed; one that is `already` must recover by a margin.

    A prediction that hardly knows neither begins a delay nor ends one.
    """
    if eta.confidence < TRUSTED:
        return already
    late = eta.late(promised_by)
    if late is not None:
        return late >= (RECOVERED_AT if already else LATE_AT)
    told = first()
    if told is None:
        return already
    return eta.earliest > (told.latest - SLIP if already else told.latest + SLIP)


def look_again_at(shipment: Shipment, now: dt.datetime) -> dt.datetime | None:
    """Return when silence alone will have moved the prediction: from its likely instant on, every LOOK."""
    if shipment.eta_likely is None or shipment.eta_basis not in LEARNT or now - shipment.shipped_at > GIVE_UP_AFTER:
        return None
    return max(shipment.eta_likely, now + LOOK)


def take(
    shipment: Shipment, found: Eta | None, promised_by: dt.datetime | None, first: Callable[[], Eta | None]
) -> None:
    """Write a prediction, its odds and whether it is a delay into a shipment (not saved).

    `first` gives what was first told, and is asked only where there is no promise to measure by.
    """
    shipment.eta_earliest, shipment.eta_likely, shipment.eta_latest = (
        (found.earliest, found.likely, found.latest) if found else (None, None, None)
    )
    shipment.eta_confidence = found.confidence if found else None
    shipment.eta_basis = found.basis if found else ""
    shipment.eta_explanation = found.explanation[:MAX_EXPLANATION] if found else ""
    shipment.late_probability = found.late(promised_by) if found else None
    shipment.delayed_since = delayed_since(shipment, found, promised_by, first)


def _told(found: Forecast) -> Eta:
    return Eta(
        found.earliest,
        found.latest,
        found.confidence,
        EtaBasis(found.basis),
        found.likely,
        found.explanation,
        found.odds,
    )


def _of_provider(instant: dt.datetime) -> Eta:
    earliest, latest = instant - dt.timedelta(hours=12), instant + dt.timedelta(hours=18)
    return Eta(earliest, latest, DEFAULT_CONFIDENCE, EtaBasis.PROVIDER, instant, "服务商预计")


def _usual(start: dt.datetime, carrier: Carrier, far: Distance, started_at: dt.datetime | None) -> Eta:
    """Return what is usual of a road in the table: wide, because nothing was learnt yet."""
    earliest, latest = TRANSIT[far]
    if carrier.cold_chain:
        earliest, latest = earliest * COLD_CHAIN_FACTOR, latest * COLD_CHAIN_FACTOR
    if started_at is None:
        latest += HANDOVER
    return _interval(started_at or start, earliest, latest, confidence=DEFAULT_CONFIDENCE, basis=EtaBasis.DEFAULT)


def _interval(
    start: dt.datetime, earliest: dt.timedelta, latest: dt.timedelta, *, confidence: float, basis: EtaBasis
) -> Eta:
    begin = _into_the_day(calendar.add_carrier_time(start, earliest), end=False)
    end = _into_the_day(calendar.add_carrier_time(start, latest), end=True)
    return Eta(begin, end, confidence, basis, begin + (end - begin) / 2)


def _today(since: dt.datetime) -> Eta:
    """A parcel out for delivery comes the same day; one that went out late may come the next."""
    evening = clock.shanghai(since).replace(hour=_LAST_HOUR, minute=0, second=0, microsecond=0)
    late = evening - since < dt.timedelta(hours=2)
    latest = evening + dt.timedelta(days=1) if late else evening
    earliest = since + dt.timedelta(minutes=30)
    return Eta(earliest, latest.astimezone(dt.UTC), 0.8, EtaBasis.STATUS, earliest + (latest - earliest) / 2)


def _into_the_day(instant: dt.datetime, *, end: bool) -> dt.datetime:
    """Move an instant into the hours in which doors are knocked at; an `end` becomes that day's last hour."""
    local = clock.shanghai(instant).replace(minute=0, second=0, microsecond=0)
    if end:
        day = local if local.hour > _FIRST_HOUR else local - dt.timedelta(days=1)
        return day.replace(hour=_LAST_HOUR).astimezone(dt.UTC)
    if local.hour >= _LAST_HOUR:
        local = (local + dt.timedelta(days=1)).replace(hour=_FIRST_HOUR)
    return local.replace(hour=max(local.hour, _FIRST_HOUR)).astimezone(dt.UTC)
