"""Rows of waybills and of corrections: what speaks against them, and how they are done."""

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Any

from django.db import transaction

from frozenshop.backoffice.importing import knowledge, snapshots
from frozenshop.backoffice.importing.findings import Finding
from frozenshop.backoffice.importing.knowledge import OVER, UNDER_WAY, Carriers, Known
from frozenshop.kernel import clock
from frozenshop.kernel.actor import Actor
from frozenshop.kernel.errors import NotPossible, Problem
from logistics import shipping, shipping_many
from logistics.models import Shipment
from orders import reading
from orders.facts import implausible
from orders.models import Order, OrderStatus

Given = Mapping[str, str]
End = tuple[str, dict[str, Any]] | Problem


def known_of(given: Sequence[Given], *, lock: bool = False) -> Known:
    return knowledge.know([one["order_no"] for one in given], [one["waybill_no"] for one in given], lock=lock)


def of_waybill(row: int, given: Given, known: Known, carriers: Carriers) -> list[Finding]:
    """Return what is to be said about shipping one order."""
    order = known.orders.get(given["order_no"])
    if order is None:
        return [_unknown(row, given, known)]
    waybill_no = given["waybill_no"]
    if any(shipment.waybill_no == waybill_no for shipment in known.boxes.get(order.pk, ())):
        return [Finding(row, "waybill_no", "same", "这个订单已用这个运单发货")]
    found = []
    shown = order.get_status_display()
    if order.status in OVER:
        found.append(Finding(row, "order_no", "closed", f"订单{shown}，不能发货"))
    elif order.status == OrderStatus.PLACED:
        found.append(Finding(row, "order_no", "not_paid", "订单还没有付款"))
    elif order.status in UNDER_WAY and order.not_shipped_after is None:
        numbers = "、".join(shipment.waybill_no for shipment in known.boxes.get(order.pk, ()))
        found.append(Finding(row, "order_no", "already_shipped", f"订单{shown}，运单 {numbers or '不在'}"))
    if order.pk in known.refunding and order.status not in OVER:
        found.append(Finding(row, "order_no", "refund", "订单有退款在处理，不能发货"))
    if why := implausible(_shipped_at(given), order.placed_at):
        found.append(Finding(row, "shipped_at", "cell", f"发货时间{why}"))
    named = given.get("carrier_code", "")
    carrier = carriers.of(named, waybill_no)
    return found + knowledge.about_parcel(row, order, None, carrier, named, waybill_no, known)


def of_correction(row: int, given: Given, known: Known, carriers: Carriers) -> list[Finding]:
    """Return what is to be said about correcting one waybill."""
    order = known.orders.get(given["order_no"])
    if order is None:
        return [_unknown(row, given, known)]
    boxes, waybill_no = known.boxes.get(order.pk, []), given["waybill_no"]
    if any(shipment.waybill_no == waybill_no for shipment in boxes):
        return [Finding(row, "waybill_no", "same", "这个订单已是这个运单号")]
    wrong = wrong_parcel(given, boxes)
    if wrong is None:
        why = "这个订单没有这个原运单" if given.get("old_waybill_no") else "订单没有运单，或不止一个：请写原运单号"
        return [Finding(row, "old_waybill_no", "unknown_waybill", why)]
    found = []
    if wrong.picked_up_at is not None:
        found.append(Finding(row, "old_waybill_no", "scanned", f"承运商已扫描 {wrong.waybill_no}，不能更正"))
    named = given.get("carrier_code", "")
    carrier = carriers.of(named, waybill_no) if named else carriers.of("", waybill_no) or wrong.carrier
    return found + knowledge.about_parcel(row, order, None, carrier, named, waybill_no, known)


def wrong_parcel(given: Given, boxes: Sequence[Shipment]) -> Shipment | None:
    """Return the parcel whose number is corrected: the one that is named, or the only one."""
    old = given.get("old_waybill_no", "")
    named = [shipment for shipment in boxes if not old or shipment.waybill_no == old]
    return named[0] if len(named) == 1 else None


def _unknown(row: int, given: Given, known: Known) -> Finding:
    if given["order_no"] in known.archived:
        return Finding(row, "order_no", "archived", "订单已归档，请先恢复")
    return Finding(row, "order_no", "unknown_order", f"没有订单 {given['order_no']}")


def ship(given: Sequence[Given], actor: Actor) -> list[End]:
    """Ship orders inside a transaction: what is plain together, the rest one by one."""
    carriers, known = Carriers(), known_of(given, lock=True)
    ends: list[End | None] = [_refusal(of_waybill(0, one, known, carriers)) for one in given]
    before = snapshots.take(known.orders.values())
    asked = {}
    for at, one in enumerate(given):
        carrier = carriers.of(one.get("carrier_code", ""), one["waybill_no"])
        if ends[at] is None and carrier is not None:
            order = known.orders[one["order_no"]]
            asked[at] = shipping_many.Parcel(order, carrier, one["waybill_no"], _shipped_at(one))
    plain = {parcel.order.order_no: parcel for parcel in shipping_many.plain(list(asked.values()))}
    together = {at: plain[one.order.order_no] for at, one in asked.items() if _is_it(plain, one)}
    shipping_many.ship_all(list(together.values()), actor)
    after = snapshots.take(parcel.order for parcel in together.values())
    for at, parcel in together.items():
        kept = {"new": False, "before": before[parcel.order.pk], "after": after[parcel.order.pk]}
        ends[at] = (f"已发货：{parcel.carrier.name} {parcel.waybill_no}", kept)
    return [
        end if end is not None else _ship_alone(asked[at], before[asked[at].order.pk], actor)
        for at, end in enumerate(ends)
    ]


def _is_it(plain: Mapping[str, shipping_many.Parcel], parcel: shipping_many.Parcel) -> bool:
    found = plain.get(parcel.order.order_no)
    return found is not None and found.waybill_no == parcel.waybill_no


def _ship_alone(parcel: shipping_many.Parcel, before: snapshots.Snapshot, actor: Actor) -> End:
    try:
        with transaction.atomic():
            shipping.ship(
                parcel.order,
                carrier=parcel.carrier,
                waybill_no=parcel.waybill_no,
                shipped_at=parcel.shipped_at,
                actor=actor,
            )
            order = Order.objects.get(pk=parcel.order.pk)
            kept = {"new": False, "before": before, "after": snapshots.take([order])[order.pk]}
            return f"已发货：{parcel.carrier.name} {parcel.waybill_no}", kept
    except Problem as problem:
        return problem


def correct(given: Sequence[Given], actor: Actor) -> list[End]:
    """Correct waybills inside a transaction, one by one."""
    carriers, known = Carriers(), known_of(given, lock=True)
    return [_correct_one(one, known, carriers, actor) for one in given]


def _correct_one(given: Given, known: Known, carriers: Carriers, actor: Actor) -> End:
    said = of_correction(0, given, known, carriers)
    if refusal := _refusal(said):
        return refusal
    order = known.orders[given["order_no"]]
    if any(finding.kind == "same" for finding in said):
        return "没有变化", {"same": True}
    wrong = wrong_parcel(given, known.boxes[order.pk])
    assert wrong is not None
    carrier = carriers.of(given.get("carrier_code", ""), given["waybill_no"]) or wrong.carrier
    try:
        with transaction.atomic():
            right = shipping.void(
                wrong,
                order=order,
                reason=given.get("reason", "")[:200] or "按文件更正运单号",
                actor=actor,
                replacement=(carrier, given["waybill_no"]),
            )
            kept = {"wrong": wrong.pk, "right": right.pk}
            return f"{wrong.waybill_no} 更正为 {carrier.name} {right.waybill_no}", kept
    except Problem as problem:
        return problem


def _refusal(found: Sequence[Finding]) -> NotPossible | None:
    block = knowledge.first_block(found)
    return NotPossible(f"{block.kind_label}：{block.sentence}") if block else None


def _shipped_at(given: Given) -> dt.datetime:
    return (reading.instant(given["shipped_at"]) if given.get("shipped_at") else None) or clock.now()
