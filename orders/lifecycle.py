"""How an order moves: the table of arrows, and the only two ways to write its history."""

import datetime as dt
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import F
from prometheus_client import Counter

from frozenshop.kernel import calendar, clock, outbox
from frozenshop.kernel.actor import Actor
from frozenshop.kernel.errors import NotPossible
from orders.models import Order, OrderEvent, OrderStatus
from orders.versions import announce

_S = OrderStatus
MOVED = Counter("frozenshop_orders_moved_total", "Orders that reached a status, new ones included", ["to"])
DELIVERED = Counter("frozenshop_orders_delivered_total", "Orders delivered, by what became of our promise", ["promise"])
for _told in ("kept", "broken", "none"):
    DELIVERED.labels(_told)  # there from the start: what begins with 1 never grew

TRANSITIONS: Mapping[tuple[OrderStatus, OrderStatus], str] = MappingProxyType(
    {
        (_S.PLACED, _S.PAID): "买家付款",
        (_S.PLACED, _S.CANCELLED): "付款前取消",
        (_S.PAID, _S.SHIPPED): "登记运单",
        (_S.PAID, _S.IN_TRANSIT): "登记的运单已在途中，跳过已发货",
        (_S.PAID, _S.DELIVERED): "承运商的第一条消息就是签收",
        (_S.PAID, _S.RETURNED): "承运商的第一条消息就是退回",
        (_S.PAID, _S.CANCELLED): "发货前取消，款项另行退回",
        (_S.PAID, _S.REFUNDED): "发货前全额退款",
        (_S.SHIPPED, _S.PAID): "运单在首次扫描前作废",
        (_S.SHIPPED, _S.IN_TRANSIT): "承运商已收件",
        (_S.SHIPPED, _S.DELIVERED): "未见中途轨迹就已签收，或买家确认收货",
        (_S.SHIPPED, _S.RETURNED): "未见中途轨迹就已退回",
        (_S.SHIPPED, _S.REFUNDED): "发货后全额退款",
        (_S.IN_TRANSIT, _S.DELIVERED): "签收，或买家确认收货",
        (_S.IN_TRANSIT, _S.RETURNED): "途中退回",
        (_S.IN_TRANSIT, _S.REFUNDED): "运输途中全额退款",
        (_S.DELIVERED, _S.RETURNED): "签收后退货",
        (_S.DELIVERED, _S.REFUNDED): "签收后全额退款",
        (_S.RETURNED, _S.REFUNDED): "退货后全额退款",
    }
)

MILESTONES: Mapping[OrderStatus, str] = MappingProxyType({status: f"{status.value}_at" for status in OrderStatus})


def allowed(from_status: str, to_status: str) -> bool:
    """Say whether the table has this arrow."""
    return (from_status, to_status) in TRANSITIONS


def exits(from_status: str) -> list[OrderStatus]:
    """Return the statuses that can follow, in the order of the table."""
    return [to for origin, to in TRANSITIONS if origin == from_status]


def recorded(order: Order, reference: str | None) -> bool:
    """Say whether the order's history already has this reference."""
    return reference is not None and OrderEvent.objects.filter(order=order, reference=reference).exists()


def diagram() -> str:
    """Return the table as a Mermaid state diagram, for the documentation."""
    names = [f"    {status.value}: {status.label}" for status in _S]
    arrows = [f"    {origin.value} --> {to.value}: {reason}" for (origin, to), reason in TRANSITIONS.items()]
    ends = [f"    {status.value} --> [*]" for status in _S if not exits(status)]
    return "\n".join(["stateDiagram-v2", *names, "    [*] --> placed", *arrows, *ends])


def begin(order: Order, actor: Actor) -> None:
    """Write the first row of a new order's history: who brought it."""
    _event(order, "placed", order.placed_at, actor, "", None, None).save(force_insert=True)
    transaction.on_commit(MOVED.labels(_S.PLACED).inc)


def move(
    order: Order,
    to: OrderStatus,
    *,
    kind: str,
    occurred_at: dt.datetime,
    actor: Actor,
    reason: str = "",
    reference: str | None = None,
    amount_fen: int | None = None,
) -> bool:
    """Move the order from the status it was read in, with its history row, and bring `order` up to date.

    Returns False, with nothing written, if the reference is already recorded or somebody else moved the order first.
    Raises NotPossible for an arrow that the table does not have.
    """
    if recorded(order, reference):
        return False
    if not allowed(order.status, to):
        raise NotPossible(f"订单{_S(order.status).label}，不能改为{to.label}")
    changes = _changes(OrderStatus(order.status), to, occurred_at)
    event = _event(order, kind, occurred_at, actor, reason, reference, amount_fen)
    event.to_status = to
    try:
        with transaction.atomic():
            if not _move_row(order, changes):
                raise _LostRaceError
            event.save(force_insert=True)
            announce([order.pk])
            outbox.enqueue("notifications.order_changed", {"event_id": event.pk})
            transaction.on_commit(MOVED.labels(to).inc)
            if to == _S.DELIVERED:
                transaction.on_commit(DELIVERED.labels(_promise(order, occurred_at)).inc)
    except (IntegrityError, _LostRaceError):
        order.refresh_from_db()
        return False
    for name, value in changes.items():
        setattr(order, name, value)
    order.version += 1
    return True


def _promise(order: Order, delivered_at: dt.datetime) -> str:
    if order.promised_by is None:
        return "none"
    return "kept" if delivered_at <= order.promised_by else "broken"


def record_still(
    order: Order,
    *,
    kind: str,
    occurred_at: dt.datetime,
    actor: Actor,
    reason: str = "",
    reference: str | None = None,
    amount_fen: int | None = None,
) -> bool:
    """Record a fact that does not move the order; False if its reference is already recorded."""
    if recorded(order, reference):
        return False
    try:
        with transaction.atomic():
            _touch(order, {})
            _event(order, kind, occurred_at, actor, reason, reference, amount_fen).save(force_insert=True)
    except IntegrityError:
        order.refresh_from_db()
        return False
    return True


def set_milestones(order: Order, milestones: Mapping[OrderStatus, dt.datetime | None]) -> bool:
    """Correct the instants at which milestones were reached; the version moves only if one differs."""
    changes = {
        MILESTONES[status]: instant
        for status, instant in milestones.items()
        if getattr(order, MILESTONES[status]) != instant
    }
    if changes:
        with transaction.atomic():
            _touch(order, changes)
    return bool(changes)


class _LostRaceError(Exception):
    """The row had left the status it was read in."""


def _changes(from_status: OrderStatus, to: OrderStatus, occurred_at: dt.datetime) -> dict[str, Any]:
    changes: dict[str, Any] = {"status": to, "updated_at": clock.now()}
    if (from_status, to) != (_S.SHIPPED, _S.IN_TRANSIT):  # What has left goes on; the rest is waited for as before.
        changes["not_shipped_after"] = calendar.ship_by(occurred_at) if to == _S.PAID else None
    if (from_status, to) == (_S.SHIPPED, _S.PAID):
        changes["shipped_at"] = None
    else:
        changes[MILESTONES[to]] = occurred_at
    return changes


def _move_row(order: Order, changes: Mapping[str, Any]) -> bool:
    rows = Order.objects.filter(pk=order.pk, status=order.status)
    return rows.update(version=F("version") + 1, **changes) == 1


def _touch(order: Order, changes: Mapping[str, Any]) -> None:
    """Write `changes` and the next version, then read what the locked row says now."""
    stamped = {**changes, "updated_at": clock.now()}
    Order.objects.filter(pk=order.pk).update(version=F("version") + 1, **stamped)
    order.refresh_from_db(fields=["status", "version", *stamped])
    announce([order.pk])


def _event(
    order: Order,
    kind: str,
    occurred_at: dt.datetime,
    actor: Actor,
    reason: str,
    reference: str | None,
    amount_fen: int | None,
) -> OrderEvent:
    return OrderEvent(
        order=order,
        kind=kind,
        from_status=order.status,
        to_status=order.status,
        occurred_at=occurred_at,
        recorded_at=clock.now(),
        source=actor.source,
        actor=actor.name,
        reason=reason[:500],
        reference=reference,
        amount_fen=amount_fen,
    )
