"""How far an order has come: what its parcels, taken together, amount to."""

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from django.db import transaction
from django.db.models import QuerySet, Sum

from frozenshop.kernel.actor import Actor, Source
from logistics.derivation import Step
from logistics.models import Shipment, ShipmentLine, ShipmentStatus
from orders import alerting, lifecycle
from orders.contention import retried
from orders.models import AlertKind, Order, OrderEvent, OrderLine, OrderStatus

O = OrderStatus  # noqa: E741

Instant = dt.datetime | None


@dataclass(frozen=True, slots=True)
class Parcel:
    """One parcel's first reports. `cancelled`: the carrier doesn't carry it, or not any further."""

    shipped_at: dt.datetime
    in_transit_at: Instant = None
    delivered_at: Instant = None
    returned_at: Instant = None
    cancelled: bool = False

    @property
    def step(self) -> Step:
        if self.returned_at:
            return Step.RETURNED
        if self.delivered_at:
            return Step.DELIVERED
        return Step.IN_TRANSIT if self.in_transit_at else Step.SHIPPED

    @property
    def moved_at(self) -> Instant:
        return _earliest(self.in_transit_at, self.delivered_at, self.returned_at)


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a set of parcels brings an order; `status` is None without a parcel that counts."""

    status: OrderStatus | None
    milestones: Mapping[OrderStatus, Instant]
    partly_returned: bool = False

    @property
    def occurred_at(self) -> Instant:
        return self.milestones[self.status] if self.status else None


def standing(parcels: Sequence[Parcel], *, complete: bool) -> Standing:
    """Return where its parcels bring an order. `complete`: every line of it is in a parcel that counts.

    A pure function of the set: a skipped milestone stays empty, and an order of several parcels is in transit from
    the first parcel's move until the last one's end. Of a cancelled parcel only that it had moved counts.
    """
    live = [parcel for parcel in parcels if not parcel.cancelled]
    parcels = [parcel for parcel in parcels if not parcel.cancelled or parcel.moved_at]
    over = complete and arrived(live)
    returned_at = delivered_at = None
    if over:
        kept = [parcel for parcel in live if parcel.step is Step.DELIVERED]
        delivered_at = _latest(parcel.delivered_at for parcel in kept or live)
        returned_at = None if kept else _latest(parcel.returned_at for parcel in live)
    moved_at = _earliest(*(parcel.moved_at for parcel in parcels))
    skipped = not any(parcel.in_transit_at for parcel in parcels) and moved_at in (delivered_at, returned_at)
    milestones: dict[OrderStatus, Instant] = {
        O.SHIPPED: _earliest(*(parcel.shipped_at for parcel in parcels)),
        O.IN_TRANSIT: None if skipped else moved_at,
        O.DELIVERED: delivered_at,
        O.RETURNED: returned_at,
    }
    if not parcels:
        return Standing(None, milestones)
    if over:
        mixed = any(parcel.step is Step.RETURNED for parcel in live) and returned_at is None
        return Standing(O.RETURNED if returned_at else O.DELIVERED, milestones, mixed)
    return Standing(O.IN_TRANSIT if moved_at else O.SHIPPED, milestones)


def arrived(live: Sequence[Parcel]) -> bool:
    """Say whether nothing is under way any more."""
    return bool(live) and all(parcel.step >= Step.DELIVERED for parcel in live)


_RANK = {O.PAID: 0, O.SHIPPED: 1, O.IN_TRANSIT: 2, O.DELIVERED: 3, O.RETURNED: 4}


def live_shipments(order: Order) -> QuerySet[Shipment]:
    """Return the parcels of an order that count: neither voided by us nor cancelled by the carrier."""
    shipments = Shipment.objects.filter(links__order=order, voided_at=None)
    return shipments.exclude(status=ShipmentStatus.CANCELLED)


def remaining(order: Order) -> dict[OrderLine, int]:
    """Return what of each line is not in a live parcel yet, in the order of the lines; nothing for a line that is."""
    shipped = dict(
        ShipmentLine.objects.filter(link__order=order, link__shipment__voided_at=None)
        .exclude(link__shipment__status=ShipmentStatus.CANCELLED)
        .values_list("order_line_id")
        .annotate(total=Sum("quantity"))
    )
    left = {line: line.quantity - shipped.get(line.pk, 0) for line in order.lines.order_by("position")}
    return {line: quantity for line, quantity in left.items() if quantity > 0}


@retried
def refresh_order(order: Order, *, actor: Actor, reason: str = "") -> bool:
    """Move the order to where its parcels are, if that is further, and set its milestones. Returns whether it moved.

    The order's row is locked first, so that of two parcels reported at once the second one sees both. Where an unpaid,
    cancelled or refunded order can't move, the fact is recorded and an alert opened.
    """
    with transaction.atomic():
        order.refresh_from_db(from_queryset=Order.objects.select_for_update())
        parcels = _parcels(order)
        live = [parcel for parcel in parcels if not parcel.cancelled]
        now_at = standing(parcels, complete=arrived(live) and not remaining(order))
        moved = _advance(order, now_at, actor, reason)
        lifecycle.set_milestones(order, _milestones(order, now_at))
        if moved or now_at.status is None or now_at.partly_returned:
            _review(order, now_at)
        return moved


def _advance(order: Order, now_at: Standing, actor: Actor, reason: str) -> bool:
    target, occurred_at = now_at.status, now_at.occurred_at
    if target is None or occurred_at is None:
        return False
    told_by = actor if target is O.SHIPPED or actor.source is Source.CARRIER else Actor(Source.CARRIER)
    current = OrderStatus(order.status)
    if current not in _RANK:
        _record_stuck(order, now_at, target, occurred_at, told_by)
        return False
    if _RANK[target] <= _RANK[current]:
        return False
    return lifecycle.move(order, target, kind=target.value, occurred_at=occurred_at, actor=told_by, reason=reason)


def _record_stuck(order: Order, now_at: Standing, target: OrderStatus, occurred_at: dt.datetime, actor: Actor) -> None:
    """Record, once per step, that the goods went on while the order can't."""
    if getattr(order, lifecycle.MILESTONES[target]) is not None:
        return
    label = f"{OrderStatus(order.status).label}的订单：包裹{target.label}"
    lifecycle.record_still(
        order,
        kind=target.value,
        occurred_at=occurred_at,
        actor=actor,
        reason=label,
        reference=f"progress:{order.status}:{target.value}",
    )
    shipped_at = now_at.milestones[O.SHIPPED]
    if order.status == O.PLACED:
        kind = AlertKind.SHIPPED_UNPAID
    elif order.status == O.CANCELLED or (shipped_at and order.refunded_at and shipped_at > order.refunded_at):
        kind = AlertKind.SHIPPED_AFTER_CANCELLED
    else:
        return
    alerting.open_alert(kind, subject=order.order_no, order=order, detail=label, occurred_at=occurred_at)


def _review(order: Order, now_at: Standing) -> None:
    if now_at.partly_returned:
        alerting.open_alert(
            AlertKind.PARTLY_RETURNED,
            subject=order.order_no,
            order=order,
            detail="部分包裹签收，部分包裹退回",
            occurred_at=now_at.occurred_at,
        )
    over = [] if now_at.partly_returned else [AlertKind.PARTLY_RETURNED]
    if order.status != O.PLACED or now_at.status is None:
        over.append(AlertKind.SHIPPED_UNPAID)
    if now_at.status is not None and order.not_shipped_after is None:
        over.append(AlertKind.NOT_SHIPPED)
    alerting.resolve_alerts(order.order_no, over, resolution=f"订单{OrderStatus(order.status).label}")


def _parcels(order: Order) -> list[Parcel]:
    shipments = Shipment.objects.filter(links__order=order, voided_at=None)
    rows = shipments.values_list("shipped_at", "in_transit_at", "delivered_at", "returned_at", "status")
    return [
        Parcel(shipped_at, in_transit_at, delivered_at, returned_at, status == ShipmentStatus.CANCELLED)
        for shipped_at, in_transit_at, delivered_at, returned_at, status in rows
    ]


def _milestones(order: Order, now_at: Standing) -> dict[OrderStatus, Instant]:
    """Add what others than carriers said of the end (the buyer confirms, the shop takes goods back): earliest wins."""
    if now_at.status is None:  # Without a parcel there is nothing to say, but that a withdrawn one never left.
        return {O.SHIPPED: None} if order.status in (O.PLACED, O.PAID, O.CANCELLED) else {}
    merged = dict(now_at.milestones)
    for status in (O.DELIVERED, O.RETURNED):
        known = getattr(order, lifecycle.MILESTONES[status])
        if known is None or known == merged[status]:
            continue
        told = OrderEvent.objects.filter(order=order, to_status=status).exclude(source=Source.CARRIER)
        others = told.values_list("occurred_at", flat=True)
        merged[status] = _earliest(merged[status], *others) or known
    return merged


def _earliest(*instants: Instant) -> Instant:
    return min((instant for instant in instants if instant is not None), default=None)


def _latest(instants: Iterable[Instant]) -> Instant:
    return max((instant for instant in instants if instant is not None), default=None)
