"""Many new orders in few statements: each ends as `services.take_order` leaves it, which a test holds so."""

import dataclasses
import datetime as dt
from collections.abc import Iterable, Sequence

from django.db import connection, transaction

from frozenshop.kernel import calendar, clock, crypto, many_rows, outbox
from frozenshop.kernel.actor import Actor
from orders import consignee, lifecycle
from orders.access import LOOK_BACK
from orders.facts import implausible
from orders.intake import OrderInput
from orders.models import (
    Customer,
    Order,
    OrderAccess,
    OrderEvent,
    OrderLine,
    OrderStatus,
    Product,
    ProductCategory,
    TemperatureClass,
)
from orders.services import summarise
from orders.versions import announce

_PLAIN = (
    "transaction_id", "mchid", "out_trade_no", "combine_mchid", "combine_out_trade_no", "total_fen", "freight_fen",
    "discount_fen", "promised_by", "note",
)  # fmt: skip


def can_take(data: OrderInput) -> bool:
    """Say whether an order that nobody knows yet is one that `take_new` makes; the others go one by one."""
    far = data.paid_at is not None and bool(implausible(data.paid_at, data.placed_at))
    return data.buyer_openid is None and not far and connection.features.can_return_rows_from_bulk_insert


def take_new(inputs: Sequence[OrderInput], actor: Actor) -> list[Order]:
    """Make the orders, with what was paid, inside the caller's transaction.

    Raises IntegrityError where somebody has made one of them meanwhile; nothing can be kept of the transaction then.
    """
    now = clock.now()
    orders = [_order(data) for data in inputs]
    many_rows.insert(orders)
    many_rows.insert(list(_lines(orders, inputs)))
    _grant(orders, inputs)
    begun = [_event(order, "placed", OrderStatus.PLACED, order.placed_at, actor) for order in orders]
    paid = [
        _event(order, "paid", OrderStatus.PAID, order.paid_at, actor, reference="paid:order.paid_at")
        for order in orders
        if order.paid_at
    ]
    for event in (*begun, *paid):
        event.recorded_at = now
    many_rows.insert([*begun, *paid])
    outbox.enqueue_many("notifications.order_changed", [{"event_id": event.pk} for event in paid])
    announce([order.pk for order in orders if order.paid_at])
    transaction.on_commit(lambda: lifecycle.MOVED.labels(OrderStatus.PLACED).inc(len(begun)))
    transaction.on_commit(lambda: lifecycle.MOVED.labels(OrderStatus.PAID).inc(len(paid)))
    return orders


def _order(data: OrderInput) -> Order:
    now = clock.now()
    order = Order(order_no=data.order_no, placed_at=data.placed_at, source_updated_at=data.updated_at)
    order.recorded_at = order.updated_at = now
    for name in _PLAIN:
        if (value := getattr(data, name)) is not None:
            setattr(order, name, value)
    order.consignee_sealed = data.consignee.seal(data.order_no)
    for name, index in dataclasses.asdict(consignee.indexes(data.consignee, data.placed_at)).items():
        setattr(order, name, index)
    order.province, order.city, order.district = (
        data.consignee.province,
        data.consignee.city,
        data.consignee.district,
    )
    order.lines_summary = summarise(data.lines)
    if data.paid_at is not None:
        order.status, order.paid_at, order.version = OrderStatus.PAID, data.paid_at, 2
        order.not_shipped_after = calendar.ship_by(data.paid_at)
    return order


def _lines(orders: Sequence[Order], inputs: Sequence[OrderInput]) -> Iterable[OrderLine]:
    skus = {line.sku for data in inputs for line in data.lines}
    codes = {line.category for data in inputs for line in data.lines} - {""}
    by_sku = dict(Product.objects.filter(sku__in=skus).values_list("sku", "temperature_class"))
    categories = ProductCategory.objects.filter(code__in=codes)
    by_category = dict(categories.values_list("code", "temperature_class")) if codes else {}
    for order, data in zip(orders, inputs, strict=True):
        for position, line in enumerate(data.lines, start=1):
            known = line.temperature_class or by_sku.get(line.sku) or by_category.get(line.category)
            yield OrderLine(
                order=order,
                position=position,
                sku=line.sku,
                name=line.name,
                quantity=line.quantity,
                unit_price_fen=line.unit_price_fen,
                category=line.category,
                temperature_class=known or TemperatureClass.FROZEN,
            )


def _grant(orders: Sequence[Order], inputs: Sequence[OrderInput]) -> None:
    """Let who has verified the consignee's phone see the order; their rows are locked, as `access.grant` does."""
    live = {data.consignee.phone: crypto.blind_indexes(data.consignee.phone, purpose="phone") for data in inputs}
    indexes = {index for found in live.values() for index in found}
    holders = {
        holder.phone_index: holder
        for holder in Customer.objects.select_for_update().filter(phone_index__in=indexes).order_by("pk")
    }
    accesses = []
    for order, data in zip(orders, inputs, strict=True):
        found = {
            holder.pk
            for index in live[data.consignee.phone]
            if (holder := holders.get(index)) is not None
            and holder.phone_verified_at is not None
            and holder.phone_verified_at <= order.placed_at + LOOK_BACK
        }
        accesses += [
            OrderAccess(customer_id=pk, order=order, via=OrderAccess.Via.PHONE, placed_at=order.placed_at)
            for pk in sorted(found)
        ]
    many_rows.insert(accesses)


def _event(
    order: Order, kind: str, to: OrderStatus, at: dt.datetime, actor: Actor, reference: str | None = None
) -> OrderEvent:
    return OrderEvent(
        order=order,
        kind=kind,
        from_status=OrderStatus.PLACED,
        to_status=to,
        occurred_at=at,
        source=actor.source,
        actor=actor.name,
        reference=reference,
    )
