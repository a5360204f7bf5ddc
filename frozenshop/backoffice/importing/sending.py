"""Rows of waybills and of corrections: what speaks against them, and how they are done."""

import datetime as dt
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.db import transaction

from frozenshop.backoffice.importing import knowledge, snapshots
from frozenshop.backoffice.importing.findings import Finding
from frozenshop.backoffice.importing.knowledge import OVER, UNDER_WAY, Carriers, Known
from frozenshop.kernel import clock
from frozenshop.kernel.actor import Actor
from frozenshop.kernel.errors import NotPossible, Problem
from logistics import shipping, shipping_many
from logistics.models import Carrier, Shipment, ShipmentOrder
from orders import reading
from orders.facts import implausible
from orders.models import Alert, Order, OrderStatus

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
    """Correct waybills inside a transaction: what is plain together, the rest one by one."""
    carriers, known = Carriers(), known_of(given, lock=True)
    asked = [_correction(one, known, carriers) for one in given]
    plain = _plain_corrections([one for one in asked if isinstance(one, Correction)])
    together = _correct_together(plain, actor)
    return [
        (together.get(id(one)) or _correct_alone(one, actor)) if isinstance(one, Correction) else one for one in asked
    ]


@dataclass(frozen=True, slots=True)
class Correction:
    order: Order
    wrong: Shipment
    carrier: Carrier
    waybill_no: str
    reason: str

    @property
    def right(self) -> shipping_many.Parcel:
        return shipping_many.Parcel(self.order, self.carrier, self.waybill_no, self.wrong.shipped_at)

    def end(self, right: Shipment) -> End:
        told = f"{self.wrong.waybill_no} 更正为 {self.carrier.name} {right.waybill_no}"
        return told, {"wrong": self.wrong.pk, "right": right.pk}


def _correction(given: Given, known: Known, carriers: Carriers) -> Correction | End:
    said = of_correction(0, given, known, carriers)
    if refusal := _refusal(said):
        return refusal
    order = known.orders[given["order_no"]]
    if any(finding.kind == "same" for finding in said):
        return "没有变化", {"same": True}
    wrong = wrong_parcel(given, known.boxes[order.pk])
    assert wrong is not None
    carrier = carriers.of(given.get("carrier_code", ""), given["waybill_no"]) or wrong.carrier
    reason = given.get("reason", "").strip()[:200] or "按文件更正运单号"
    return Correction(order, wrong, carrier, given["waybill_no"], reason)


def _plain_corrections(asked: Sequence[Correction]) -> list[Correction]:
    """Return those of an order's only parcel that nobody has heard of, to a number that was nobody's yet."""
    orders = Counter(one.order.pk for one in asked)
    numbers = Counter(one.waybill_no for one in asked)
    taken = shipping_many.known(numbers)
    live = ShipmentOrder.objects.filter(order_id__in=orders, shipment__voided_at=None)
    boxes = Counter(live.values_list("order_id", flat=True))
    unheard = shipping_many.unheard(one.wrong.pk for one in asked)
    alerts = Alert.objects.filter(order_id__in=orders, resolved_at=None)
    troubled = set(alerts.values_list("order_id", flat=True))
    return [
        one
        for one in asked
        if (one.order.status, one.order.not_shipped_after) == (OrderStatus.SHIPPED, None)
        and (orders[one.order.pk], boxes[one.order.pk], numbers[one.waybill_no]) == (1, 1, 1)
        and one.wrong.pk in unheard
        and one.waybill_no not in taken
        and one.order.pk not in troubled
        and shipping_many.sound(one.right)
    ]


def _correct_together(plain: Sequence[Correction], actor: Actor) -> dict[int, End]:
    if not plain:
        return {}
    shipping_many.void_all([shipping_many.Withdrawal(one.order, one.wrong, one.reason) for one in plain], actor)
    parcels = shipping_many.plain([one.right for one in plain])
    if len(parcels) != len(plain):
        raise NotPossible("订单刚刚又有变化，请再试")
    shipments = shipping_many.ship_all(parcels, actor)
    return {id(one): one.end(right) for one, right in zip(plain, shipments, strict=True)}


def _correct_alone(one: Correction, actor: Actor) -> End:
    replacement = (one.carrier, one.waybill_no)
    try:
        with transaction.atomic():
            right = shipping.void(one.wrong, order=one.order, reason=one.reason, actor=actor, replacement=replacement)
            return one.end(right)
    except Problem as problem:
        return problem


def _refusal(found: Sequence[Finding]) -> NotPossible | None:
    block = knowledge.first_block(found)
    return NotPossible(f"{block.kind_label}：{block.sentence}") if block else None


def _shipped_at(given: Given) -> dt.datetime:
    return (reading.instant(given["shipped_at"]) if given.get("shipped_at") else None) or clock.now()
