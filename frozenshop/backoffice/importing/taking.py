"""Rows of orders: what speaks against them, and how they are taken in."""

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.db import transaction

from frozenshop.backoffice.importing import knowledge, snapshots
from frozenshop.backoffice.importing.findings import Finding
from frozenshop.backoffice.importing.knowledge import OVER, UNDER_WAY, Carriers, Known
from frozenshop.backoffice.importing.rows import from_json
from frozenshop.kernel import clock
from frozenshop.kernel.actor import Actor
from frozenshop.kernel.crypto import SealBroken
from frozenshop.kernel.errors import NotPossible, Problem
from logistics import shipping, shipping_many
from logistics.services import take_order
from orders import taking_many
from orders.intake import OrderInput
from orders.models import Order, OrderLine
from orders.services import LABELS

SAID = {"created": "新建", "updated": "更新", "unchanged": "没有变化", "stale": "已有更新的内容"}
LINE = ("sku", "name", "quantity", "unit_price_fen")
Given = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Told:
    """One order as the file tells it, and its parcels."""

    order: OrderInput
    parcels: Sequence[Given]


def read(given: Iterable[Given]) -> list[Told]:
    return [Told(from_json(one["order"]), one["parcels"]) for one in given]


def known_of(told: Sequence[Told], *, lock: bool = False) -> Known:
    numbers = [parcel["waybill_no"] for one in told for parcel in one.parcels]
    known = knowledge.know([one.order.order_no for one in told], numbers, lock=lock)
    lines = OrderLine.objects.filter(order__in=known.orders.values()).order_by("position")
    for order_id, *line in lines.values_list("order_id", *LINE) if known.orders else ():
        known.lines[order_id].append(tuple(line))
    return known


def findings(row: int, told: Told, known: Known, carriers: Carriers) -> list[Finding]:
    """Return what is to be said about one order."""
    data = told.order
    order = known.orders.get(data.order_no)
    found = _of_known(row, order, data, told.parcels, known) if order else []
    if order is None and data.order_no in known.archived:
        found.append(Finding(row, "order_no", "archived", "订单已归档，请先恢复"))
    if told.parcels and data.paid_at is None and (order is None or order.paid_at is None):
        found.append(Finding(row, "paid_at", "unpaid_parcel", "没有付款时间，却有运单：会开“未付款已发货”预警"))
    boxed = {shipment.waybill_no for shipment in known.boxes.get(order.pk, ())} if order else set()
    for parcel in told.parcels:
        if parcel["waybill_no"] not in boxed:
            carrier = carriers.of(parcel["carrier"])
            said = (data.consignee.phone, carrier, parcel["carrier"], parcel["waybill_no"])
            found += knowledge.about_parcel(parcel["row"], order, *said, known)
    return found


def _of_known(row: int, order: Order, data: OrderInput, parcels: Sequence[Given], known: Known) -> list[Finding]:
    boxed = {shipment.waybill_no for shipment in known.boxes.get(order.pk, ())}
    new = [parcel for parcel in parcels if parcel["waybill_no"] not in boxed]
    changes = differences(order, data, known)
    found = []
    if new and order.status in OVER:
        found.append(Finding(row, "order_no", "closed", f"订单{order.get_status_display()}，不能发货"))
    elif new and order.pk in known.refunding:
        found.append(Finding(row, "order_no", "refund", "订单有退款在处理，不能发货"))
    elif new and order.status in UNDER_WAY and order.not_shipped_after is None:
        found.append(Finding(row, "waybill_no", "already_shipped", f"订单{order.get_status_display()}，没有未发的商品"))
    if changes and (order.status in OVER or order.shipped_at is not None):
        what = "、".join(LABELS[name] for name in changes)
        kind = "closed" if order.status in OVER else "already_shipped"
        found.append(Finding(row, "order_no", kind, f"订单{order.get_status_display()}，不能再改{what}"))
    elif not found:
        same = not changes and not new and (data.paid_at is None or order.paid_at is not None)
        what = "、".join(LABELS[name] for name in changes) or "付款或运单"
        found.append(
            Finding(row, "order_no", "same", "已有这个订单，没有变化")
            if same
            else Finding(row, "order_no", "update", f"已有这个订单，将更新{what}")
        )
    return found


def differences(order: Order, data: OrderInput, known: Known) -> list[str]:
    """Return what a file says otherwise than the order; `take_order` decides in the end."""
    try:
        consignee = order.open_consignee() if order.consignee_sealed else None
    except SealBroken:
        consignee = None
    lines = [tuple(getattr(line, name) for name in LINE) for line in data.lines]
    differing = {"placed_at": data.placed_at != order.placed_at, "consignee": data.consignee != consignee}
    return [name for name, differs in {**differing, "lines": lines != known.lines[order.pk]}.items() if differs]


def perform(given: Sequence[Given], actor: Actor) -> list[tuple[str, dict[str, Any]] | Problem]:
    """Take in orders inside a transaction: what is plain together, the rest one by one.

    Returns each one's sentence and what stood before and after it, or why it is refused.
    """
    told = read(given)
    carriers, known = Carriers(), known_of(told, lock=True)
    ends: list[tuple[str, dict[str, Any]] | Problem | None] = [_refusal(one, known, carriers) for one in told]
    plain = [at for at, one in enumerate(told) if ends[at] is None and _is_plain(one, known)]
    for at, end in zip(plain, _together([told[at] for at in plain], carriers, actor), strict=True):
        ends[at] = end
    return [end if end is not None else _alone(one, carriers, actor) for end, one in zip(ends, told, strict=True)]


def _refusal(told: Told, known: Known, carriers: Carriers) -> NotPossible | None:
    block = knowledge.first_block(findings(0, told, known, carriers))
    return NotPossible(f"{block.kind_label}：{block.sentence}") if block else None


def _is_plain(told: Told, known: Known) -> bool:
    """A new order that waits, or is paid and leaves whole under a number that is nobody's."""
    order, parcels = told.order, told.parcels
    if order.order_no in known.orders or not taking_many.can_take(order) or len(parcels) > 1:
        return False
    return not parcels or bool(
        order.paid_at and parcels[0]["lines"] is None and not known.holders.get(parcels[0]["waybill_no"])
    )


def _together(told: Sequence[Told], carriers: Carriers, actor: Actor) -> list[tuple[str, dict[str, Any]]]:
    if not told:
        return []
    orders = taking_many.take_new([one.order for one in told], actor)
    asked = [
        shipping_many.Parcel(order, carrier, parcel["waybill_no"], _shipped_at(parcel))
        for order, one in zip(orders, told, strict=True)
        for parcel in one.parcels
        if (carrier := carriers.of(parcel["carrier"])) is not None
    ]
    plain = shipping_many.plain(asked)
    shipping_many.ship_all(plain, actor)
    moved = {parcel.order.pk: parcel.order for parcel in plain}
    for parcel in asked:  # A number that was withdrawn once, say: each such case has its own rules.
        if parcel.order.pk not in moved:
            shipping.ship(
                parcel.order,
                carrier=parcel.carrier,
                waybill_no=parcel.waybill_no,
                shipped_at=parcel.shipped_at,
                actor=actor,
            )
    orders = [moved.get(order.pk, order) for order in orders]
    after = snapshots.take(orders)
    return [
        (_sentence("created", one), {"new": True, "after": after[order.pk]})
        for order, one in zip(orders, told, strict=True)
    ]


def _alone(told: Told, carriers: Carriers, actor: Actor) -> tuple[str, dict[str, Any]] | Problem:
    data = told.order
    try:
        with transaction.atomic():
            order = Order.objects.filter(order_no=data.order_no).first()
            before = snapshots.take([order])[order.pk] if order else None
            taken = take_order(data, actor)
            for parcel in told.parcels:
                carrier = carriers.of(parcel["carrier"])
                assert carrier is not None  # a row without one is refused before
                shipping.ship(
                    taken.order,
                    carrier=carrier,
                    waybill_no=parcel["waybill_no"],
                    shipped_at=_shipped_at(parcel),
                    actor=actor,
                    lines=parcel["lines"],
                )
            after = snapshots.take([Order.objects.get(pk=taken.order.pk)])[taken.order.pk]
            return _sentence(taken.result, told), {"new": before is None, "before": before, "after": after}
    except Problem as problem:
        return problem


def _sentence(result: str, told: Told) -> str:
    shipped = "、".join(parcel["waybill_no"] for parcel in told.parcels)
    return SAID[result] + (f"，运单 {shipped}" if shipped else "")


def _shipped_at(parcel: Given) -> dt.datetime:
    return dt.datetime.fromisoformat(parcel["shipped_at"]) if parcel["shipped_at"] else clock.now()
