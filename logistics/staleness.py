"""Parcels that are silent for too long, wait in a locker, or whose reported future has come."""

import datetime as dt
from collections.abc import Callable, Iterable

import structlog
from django.db import transaction

from frozenshop.kernel import calendar, clock
from frozenshop.kernel.actor import Actor, Source
from logistics import cadence, problems, tracking
from logistics.models import Shipment, ShipmentStatus
from orders import alerting
from orders.models import AlertKind, Order, OrderStatus
from orders.versions import bump

logger = structlog.get_logger(__name__)

BATCH = 200
STAND_BACK = dt.timedelta(hours=1)
"""How long a row that failed waits, so that it can't block the others."""
SETTLED = frozenset({OrderStatus.DELIVERED, OrderStatus.RETURNED, OrderStatus.REFUNDED, OrderStatus.CANCELLED})


def find_stale(batch: int = BATCH) -> int:
    """Open alerts for what has been silent too long, oldest first; returns how many rows were due."""
    due = Shipment.objects.filter(stale_after__lte=clock.now()).order_by("stale_after", "id")
    return _each(due.values_list("pk", flat=True)[:batch], notice, "stale_after")


def recheck(batch: int = BATCH) -> int:
    """Count what was reported from the future and has come true; returns how many rows were due."""
    due = Shipment.objects.filter(recheck_at__lte=clock.now()).order_by("recheck_at", "id")
    return _each(due.values_list("pk", flat=True)[:batch], _settle, "recheck_at")


def notice(shipment: Shipment) -> None:
    """Open the alert that a locked shipment's silence deserves, and set the next look."""
    now = clock.now()
    orders = tracking.orders_of(shipment)
    if shipment.stale_after is None or shipment.stale_after > now:
        return
    if cadence.is_over(shipment) or (orders and all(order.status in SETTLED for order in orders)):
        Shipment.objects.filter(pk=shipment.pk).update(stale_after=None)
        return
    _open(shipment, orders, now)
    limit = cadence.silence_limit(shipment.status, shipment.temperature_class) or STAND_BACK
    lost = now - cadence.heard_at(shipment) > cadence.GIVE_UP_AFTER
    Shipment.objects.filter(pk=shipment.pk).update(
        stale_since=shipment.stale_since or shipment.stale_after,
        stale_after=None if lost else calendar.add_carrier_time(now, limit),
    )
    bump(order.pk for order in orders)


def _open(shipment: Shipment, orders: list[Order], now: dt.datetime) -> None:
    silent = now - cadence.heard_at(shipment)
    waiting = shipment.status == ShipmentStatus.AWAITING_PICKUP
    kind = AlertKind.LOCKER_WAITING if waiting else AlertKind.STALE
    if silent > cadence.GIVE_UP_AFTER:
        kind = AlertKind.LOST_CONTACT
    label = ShipmentStatus(shipment.status).label
    detail = f"运单 {shipment.waybill_no}：{label}，{_duration(silent)}没有新轨迹"
    alerting.open_alert(kind, subject=problems.subject(shipment), order=orders[0] if orders else None, detail=detail)


def _settle(shipment: Shipment) -> None:
    tracking.settle(shipment, tracking.orders_of(shipment), actor=Actor(Source.CARRIER))


def _each(ids: Iterable[int], act: Callable[[Shipment], None], column: str) -> int:
    """Handle each row in a transaction of its own; one that fails stands back."""
    done = 0
    for shipment_id in list(ids):
        done += 1
        try:
            with transaction.atomic():
                act(Shipment.objects.select_for_update().get(pk=shipment_id))
        except Exception:
            logger.exception("staleness.failed", column=column, shipment_id=shipment_id)
            Shipment.objects.filter(pk=shipment_id).update(**{column: clock.now() + STAND_BACK})
    return done


def _duration(silent: dt.timedelta) -> str:
    hours = int(silent.total_seconds() // 3600)
    return f"{hours // 24} 天 {hours % 24} 小时" if hours >= 24 else f"{hours} 小时"
