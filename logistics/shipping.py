"""Registering, joining, withdrawing and correcting waybills."""

import datetime as dt
import re
from collections.abc import Mapping

from django.db import transaction

from frozenshop.kernel import calendar, clock, outbox
from frozenshop.kernel.actor import Actor
from frozenshop.kernel.errors import Invalid, NotPossible
from logistics import driver_links, eta, problems, tracking
from logistics.archive import restoring
from logistics.cadence import FINAL
from logistics.models import Carrier, Shipment, ShipmentLine, ShipmentOrder
from logistics.progress import live_shipments, refresh_order, remaining
from orders import alerting, lifecycle
from orders.contention import retried
from orders.facts import implausible
from orders.models import AlertKind, Order, OrderLine, OrderStatus, TemperatureClass
from orders.versions import bump

RECYCLED_AFTER = dt.timedelta(days=30)
"""How long after a number's last event a carrier may have given it to another parcel."""

_WAYBILL = re.compile(r"[A-Za-z0-9-]{5,40}")
_NUMBER_GONE_WRONG = re.compile(r"[0-9]+E[0-9]+", re.IGNORECASE)
_MOST_DELICATE_FIRST = (TemperatureClass.FROZEN, TemperatureClass.CHILLED, TemperatureClass.AMBIENT)


def check_waybill_no(text: str) -> str:
    """Return the waybill number without surrounding blanks, else as given. Raises Invalid (field `waybill_no`)."""
    waybill_no = text.strip()
    if re.fullmatch(r"[0-9]+\.[0-9]+(E\+?[0-9]+)?", waybill_no, re.IGNORECASE) or _NUMBER_GONE_WRONG.fullmatch(
        waybill_no
    ):
        message = "运单号被表格软件改成了数字（如 7.31E+13），请把该列设为文本后重新填写"
        raise Invalid(message, fields={"waybill_no": message})
    if not _WAYBILL.fullmatch(waybill_no):
        message = "运单号应为 5–40 位字母、数字或连字符"
        raise Invalid(message, fields={"waybill_no": message})
    return waybill_no


@retried
def ship(
    order: Order,
    *,
    carrier: Carrier,
    waybill_no: str,
    shipped_at: dt.datetime,
    actor: Actor,
    lines: Mapping[str, int] | None = None,
) -> Shipment:
    """Register that lines of the order (SKU → quantity; None: all that remain) travel under a waybill.

    Repeating a call returns the same shipment. A number that another order's parcel has now is the same box; one
    whose former parcel has long been over starts a new generation. Raises Invalid, NotPossible.
    """
    waybill_no = check_waybill_no(waybill_no)
    _check_shipped_at(order, shipped_at)
    with transaction.atomic():
        known = _newest(carrier, waybill_no)
        order.refresh_from_db(from_queryset=Order.objects.select_for_update())
        known = known or _newest(carrier, waybill_no)  # a twin of this call may have held the order until now
        if known is None and restoring.bring_back_waybill([waybill_no], "运单号再次使用"):
            known = _newest(carrier, waybill_no)
        if known is not None and not _is_recycled(known, shipped_at):
            return _ship_known(known, order, shipped_at, actor, lines)
        generation = known.generation + 1 if known else 1
        taken = _take(order, lines)
        shipment = Shipment.objects.create(
            carrier=carrier, waybill_no=waybill_no, generation=generation, shipped_at=shipped_at
        )
        return _load(shipment, order, taken, actor)


def join(shipment: Shipment, order: Order, *, actor: Actor) -> Shipment:
    """Put all that remains of another order into a box that is under way (合并发货)."""
    return ship(
        order,
        carrier=shipment.carrier,
        waybill_no=shipment.waybill_no,
        shipped_at=shipment.shipped_at,
        actor=actor,
    )


@retried
def void(
    shipment: Shipment,
    *,
    order: Order,
    reason: str,
    actor: Actor,
    replacement: tuple[Carrier, str] | None = None,
) -> Shipment:
    """Withdraw the order's waybill before its first scan, or correct it: the replacement takes over its lines.

    Returns the replacement's shipment, else the withdrawn one. Repeatable. A box that holds other orders too goes on
    without this one. Raises NotPossible after the first scan, Invalid without a reason.
    """
    reason = reason.strip()
    if not reason or len(reason) > 200:
        raise Invalid(fields={"reason": "请写明作废原因（最多 200 个字）"})
    if replacement and (replacement[0].pk, check_waybill_no(replacement[1])) == (
        shipment.carrier_id,
        shipment.waybill_no,
    ):
        raise Invalid(fields={"replacement": "新运单与原运单相同"})
    with transaction.atomic():
        locked = Shipment.objects.select_for_update().get(pk=shipment.pk)
        order.refresh_from_db(from_queryset=Order.objects.select_for_update())
        link = ShipmentOrder.objects.filter(shipment=locked, order=order).first()
        taken = _loaded(link) if link else None
        if link is not None and locked.voided_at is None:
            _withdraw(locked, link, order, reason, actor)
        if replacement is None:
            return locked
        carrier, waybill_no = replacement
        return ship(
            order, carrier=carrier, waybill_no=waybill_no, shipped_at=locked.shipped_at, actor=actor, lines=taken
        )


def _check_shipped_at(order: Order, shipped_at: dt.datetime) -> None:
    if why := implausible(shipped_at, order.placed_at):
        raise Invalid(fields={"shipped_at": f"发货时间{why}"})


def _newest(carrier: Carrier, waybill_no: str) -> Shipment | None:
    generations = Shipment.objects.select_for_update().filter(carrier=carrier, waybill_no=waybill_no)
    return generations.order_by("-generation").first()


def _last_heard(shipment: Shipment) -> dt.datetime:
    return shipment.last_event_at or shipment.status_at or shipment.shipped_at


def _is_recycled(known: Shipment, shipped_at: dt.datetime) -> bool:
    over = known.status in FINAL or known.voided_at is not None
    return over and shipped_at > _last_heard(known) + RECYCLED_AFTER


def _ship_known(
    known: Shipment, order: Order, shipped_at: dt.datetime, actor: Actor, lines: Mapping[str, int] | None
) -> Shipment:
    link = ShipmentOrder.objects.filter(shipment=known, order=order).first()
    if known.voided_at is not None:
        return _revive(known, order, shipped_at, actor, lines)
    if link is not None:
        if lines is not None and dict(lines) != _loaded(link):
            raise NotPossible(f"运单 {known.waybill_no} 已登记，商品与本次不同", fields={"lines": "与已登记的不同"})
        return known
    if known.status in FINAL and shipped_at > _last_heard(known):
        message = f"运单 {known.waybill_no} 属于另一个已结束的包裹，30 天内不能重复使用"
        raise NotPossible(message, fields={"waybill_no": message})
    return _load(known, order, _take(order, lines), actor)


def _revive(
    known: Shipment, order: Order, shipped_at: dt.datetime, actor: Actor, lines: Mapping[str, int] | None
) -> Shipment:
    """Use a withdrawn waybill after all, for this order alone."""
    ShipmentOrder.objects.filter(shipment=known).delete()
    known.voided_at, known.void_reason, known.shipped_at = None, "", shipped_at
    known.save(update_fields=["voided_at", "void_reason", "shipped_at"])
    return _load(known, order, _take(order, lines), actor)


def _take(order: Order, lines: Mapping[str, int] | None) -> dict[OrderLine, int]:
    """Return how many of each order line go into the box. Raises Invalid, NotPossible."""
    left = remaining(order)
    if lines is None:
        if not left:
            raise NotPossible("订单的商品都已发货")
        return left
    skus = set(order.lines.values_list("sku", flat=True))
    errors = {f"lines.{sku}": "订单中没有这个商品" for sku in lines if sku not in skus}
    errors |= {f"lines.{sku}": "数量应为正整数" for sku, quantity in lines.items() if quantity < 1}
    if errors or not lines:
        raise Invalid(fields=errors or {"lines": "请至少填写一个商品"})
    taken: dict[OrderLine, int] = {}
    for sku, quantity in lines.items():
        wanted = quantity
        for line in (line for line in left if line.sku == sku):
            taken[line] = min(wanted, left[line])
            wanted -= taken[line]
        if wanted:
            raise NotPossible("发货数量超过未发数量", fields={f"lines.{sku}": f"只剩 {quantity - wanted} 件未发"})
    return {line: quantity for line, quantity in taken.items() if quantity}


def _load(shipment: Shipment, order: Order, taken: Mapping[OrderLine, int], actor: Actor) -> Shipment:
    """Put lines of a locked order into a box, and let box and order follow."""
    link = ShipmentOrder.objects.create(shipment=shipment, order=order)
    ShipmentLine.objects.bulk_create(
        [ShipmentLine(link=link, order_line=line, quantity=quantity) for line, quantity in taken.items()]
    )
    _keep_cold(shipment)
    before = order.status
    orders = tracking.orders_of(shipment)
    tracking.mask_again(shipment, orders)
    tracking.settle(shipment, orders, actor=actor)
    order.refresh_from_db()
    _watch_the_rest(order)
    _record_parcel(shipment, order, actor, moved=order.status != before)
    bump([order.pk])
    outbox.enqueue("logistics.subscribe", {"shipment_id": shipment.pk})
    outbox.enqueue("logistics.apply_held", {"waybill_no": shipment.waybill_no})
    _tell_parcels(order)
    return shipment


def _tell_parcels(order: Order) -> None:
    """Say that a payment's parcels are others now: who paid by WeChat has the money held back until it is told."""
    if order.transaction_id or order.out_trade_no:
        outbox.enqueue("notifications.parcels_changed", {"order_id": order.pk})


def _watch_the_rest(order: Order) -> None:
    """Set by when the rest of a partly shipped order must leave, the next working day as a rule; forget it if none."""
    if order.status not in (OrderStatus.SHIPPED, OrderStatus.IN_TRANSIT):
        return
    left = bool(remaining(order))
    if left == (order.not_shipped_after is not None):
        return
    order.not_shipped_after = calendar.ship_by(clock.now()) if left else None
    Order.objects.filter(pk=order.pk).update(not_shipped_after=order.not_shipped_after)
    if not left:
        alerting.resolve_alerts(order.order_no, [AlertKind.NOT_SHIPPED], resolution="其余商品已发货")


def _keep_cold(shipment: Shipment) -> None:
    """Set what the most delicate of all that is in the box needs."""
    inside = set(
        ShipmentLine.objects.filter(link__shipment=shipment).values_list("order_line__temperature_class", flat=True)
    )
    coldest = next((wanted for wanted in _MOST_DELICATE_FIRST if wanted in inside), TemperatureClass.FROZEN)
    if coldest != shipment.temperature_class:
        shipment.temperature_class = coldest
        shipment.save(update_fields=["temperature_class"])


def _record_parcel(shipment: Shipment, order: Order, actor: Actor, *, moved: bool) -> None:
    """Record a further parcel of an order that is under way already; its first one moved it, with a row of its own."""
    if moved or order.status in (OrderStatus.PLACED, OrderStatus.CANCELLED, OrderStatus.REFUNDED):
        return
    lifecycle.record_still(
        order,
        kind="shipped",
        occurred_at=shipment.shipped_at,
        actor=actor,
        reason=f"{shipment.carrier.name} {shipment.waybill_no}",
        reference=f"shipment:{shipment.pk}:shipped",
    )


def _loaded(link: ShipmentOrder) -> dict[str, int]:
    loaded: dict[str, int] = {}
    for sku, quantity in link.lines.values_list("order_line__sku", "quantity"):
        loaded[sku] = loaded.get(sku, 0) + quantity
    return loaded


def _withdraw(shipment: Shipment, link: ShipmentOrder, order: Order, reason: str, actor: Actor) -> None:
    if shipment.picked_up_at is not None:
        raise NotPossible("承运商已经扫描过这个包裹，不能作废运单")
    if ShipmentOrder.objects.filter(shipment=shipment).exclude(pk=link.pk).exists():
        link.delete()
        _keep_cold(shipment)
    else:
        _close(shipment, reason, actor)
    _step_back(shipment, order, reason, actor)
    bump([order.pk])
    _tell_parcels(order)


def _close(shipment: Shipment, reason: str, actor: Actor) -> None:
    shipment.voided_at, shipment.void_reason, shipment.updated_at = clock.now(), reason, clock.now()
    shipment.next_poll_at = shipment.stale_after = shipment.stale_since = shipment.recheck_at = None
    eta.take(shipment, None, None, lambda: None)
    shipment.save()
    driver_links.end(shipment)
    problems.withdraw(shipment, by=actor.name or actor.source, resolution=f"运单已作废：{reason}")


def _step_back(shipment: Shipment, order: Order, reason: str, actor: Actor) -> None:
    """Record the withdrawal; with no live parcel left, a shipped order is merely paid again."""
    now, why = clock.now(), f"作废 {shipment.waybill_no}：{reason}"
    if order.status == OrderStatus.SHIPPED and not live_shipments(order).exists():
        lifecycle.move(order, OrderStatus.PAID, kind="voided", occurred_at=now, actor=actor, reason=why)
    else:
        lifecycle.record_still(order, kind="voided", occurred_at=now, actor=actor, reason=why)
    refresh_order(order, actor=actor)
    _watch_the_rest(order)
