"""Parcels that come later than promised or predicted: one alert for each delay, until it is over."""

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass

from frozenshop.kernel import clock
from logistics import anomalies
from logistics.models import Shipment, ShipmentStatus
from orders.models import AlertKind, Order, OrderStatus

S = ShipmentStatus

KINDS = (AlertKind.LATE_PROMISE, AlertKind.LATE_ETA)
SETTLED = frozenset({OrderStatus.DELIVERED, OrderStatus.RETURNED, OrderStatus.REFUNDED, OrderStatus.CANCELLED})
ON_THE_WAY = frozenset({S.NO_TRACE, S.PICKED_UP, S.IN_TRANSIT, S.OUT_FOR_DELIVERY, S.FORWARDED, S.CUSTOMS, S.UNKNOWN})
_THERE = frozenset({S.AWAITING_PICKUP, S.DELIVERED, S.RETURNING, S.RETURNED, S.CANCELLED})


@dataclass(frozen=True, slots=True)
class Late:
    kind: AlertKind
    since: dt.datetime
    detail: str


def find(shipment: Shipment, orders: Iterable[Order], now: dt.datetime) -> Late | None:
    """Return how a parcel on its way is late; one that is stopped or silent has another alert already."""
    if shipment.status not in ON_THE_WAY:
        return None
    promised_by, delayed_since = promise_of(orders), shipment.delayed_since
    if promised_by and promised_by < now:
        return Late(
            AlertKind.LATE_PROMISE, delayed_since or promised_by, f"承诺 {clock.short(promised_by)} 前送达，已超过"
        )
    if promised_by and delayed_since:
        return Late(
            AlertKind.LATE_PROMISE, delayed_since, f"承诺 {clock.short(promised_by)} 前送达，可能误期{_odds(shipment)}"
        )
    if delayed_since:
        return Late(AlertKind.LATE_ETA, delayed_since, "比预计的时间晚")
    limit = _eta_limit(shipment)
    if limit and limit <= now and shipment.eta_latest and not promised_by and shipment.stale_since is None:
        return Late(
            AlertKind.LATE_ETA, shipment.eta_latest, f"预计最晚 {clock.short(shipment.eta_latest)} 到达，已超过"
        )
    return None


def over(shipment: Shipment, found: Late | None) -> list[AlertKind]:
    """Return the kinds that are over; while the parcel is stopped, what was late stays late.

    That one delay is not told twice is the work of `delayed_since`, which ends only when it recovers by a margin.
    """
    stopped = shipment.status not in ON_THE_WAY | _THERE
    return [] if stopped else [kind for kind in KINDS if found is None or kind is not found.kind]


def look_again_at(shipment: Shipment, orders: Iterable[Order], now: dt.datetime) -> dt.datetime | None:
    """Return when the parcel becomes late unless it is heard of before."""
    if shipment.status not in ON_THE_WAY:
        return None
    instants = (promise_of(orders), _eta_limit(shipment))
    return min((instant for instant in instants if instant and instant > now), default=None)


def promise_of(orders: Iterable[Order]) -> dt.datetime | None:
    """Return the earliest promise among the orders that still wait."""
    promises = (order.promised_by for order in orders if order.status not in SETTLED)
    return min((promise for promise in promises if promise), default=None)


def _eta_limit(shipment: Shipment) -> dt.datetime | None:
    """Return from when the parcel misses its prediction; one that was over before it could be told can't be missed."""
    if shipment.eta_latest is None:
        return None
    limit = shipment.eta_latest + anomalies.ANOMALIES[AlertKind.LATE_ETA].limit_of(shipment.temperature_class)
    return limit if limit > shipment.recorded_at else None


def _odds(shipment: Shipment) -> str:
    return "" if shipment.late_probability is None else f"（{shipment.late_probability:.0%}）"
