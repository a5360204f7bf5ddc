"""Parcels that are silent for too long, wait in a locker, or whose reported future has come."""

import datetime as dt
from collections.abc import Callable, Iterable

import structlog
from django.db import transaction

from frozenshop.kernel import calendar, clock
from frozenshop.kernel.actor import Actor, Source
from logistics import anomalies, cadence, problems, tracking
from logistics.lateness import SETTLED
from logistics.models import Shipment, ShipmentStatus
from orders import alerting
from orders.models import AlertKind, AlertOutcome, Order
from orders.versions import bump

logger = structlog.get_logger(__name__)

BATCH = 200
STAND_BACK = dt.timedelta(hours=1)
"""How long a row that failed waits, so that it can't block the others."""


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
    Shipment.objects.filter(pk=shipment.pk).update(
        stale_since=shipment.stale_since or shipment.stale_after, stale_after=_next_look(shipment, now)
    )
    bump(order.pk for order in orders)


def _kind(shipment: Shipment, now: dt.datetime) -> AlertKind:
    if now - cadence.heard_at(shipment) > cadence.GIVE_UP_AFTER:
        return AlertKind.LOST_CONTACT
    lost_after = anomalies.lost_after(shipment)
    return AlertKind.LOST if lost_after and lost_after <= now else anomalies.SILENCE[shipment.status].kind


def _open(shipment: Shipment, orders: list[Order], now: dt.datetime) -> None:
    """Open what the silence is called by now, in place of what it was called before."""
    kind, about = _kind(shipment, now), problems.subject(shipment)
    if kind is AlertKind.STALE and alerting.open_alerts(about, problems.TROUBLE):
        return  # A person has been told already of what it waits for.
    former = [] if kind in problems.WAITING else alerting.open_alerts(about, problems.LADDER)
    since = anomalies.silent_since(shipment)
    label, silent = ShipmentStatus(shipment.status).label, _duration(now - since)
    trouble = problems.Trouble(f"{label}，{silent}没有新轨迹", since)
    owner_id = next((alert.owner_id for alert in former if alert.owner_id), None)
    problems.open_about(shipment, kind, orders, trouble, owner_id=owner_id)
    outgrown = [rung for rung in problems.LADDER if rung is not kind]
    if kind not in problems.WAITING:
        alerting.resolve_alerts(about, outgrown, resolution=f"转为{kind.label}", outcome=AlertOutcome.OTHER)


def _next_look(shipment: Shipment, now: dt.datetime) -> dt.datetime | None:
    """Return when the silence may be called something else, at the latest after its limit once more."""
    given_up_at = cadence.heard_at(shipment) + cadence.GIVE_UP_AFTER
    if given_up_at < now:
        return None
    again = calendar.add_carrier_time(now, anomalies.silence_limit(shipment) or STAND_BACK)
    lost_after = anomalies.lost_after(shipment)
    return min(again, lost_after) if lost_after and lost_after > now else again


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
