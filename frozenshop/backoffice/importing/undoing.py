"""What rows of an import did, taken back while no carrier has scanned anything and nobody has changed anything."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.contrib.auth.models import AbstractBaseUser
from django.db import transaction

from frozenshop.backoffice.importing import snapshots
from frozenshop.backoffice.models import OrderNote
from frozenshop.kernel.actor import Actor
from frozenshop.kernel.errors import NotPossible, Problem
from logistics import shipping, shipping_many
from logistics.models import Shipment, ShipmentOrder
from notifications.models import Notice, ShippingReport
from notifications.settlement import correction
from orders import holds
from orders.models import Order, OrderStatus

Kept = Mapping[str, Any]
SCANNED = "承运商已扫描，不能撤销"
HEARD = "（买家已收到过消息）"
TOLD_WECHAT = "微信已收到发货信息，收不回来：重新发货后到“微信结算”用一次更正的机会"


@dataclass(frozen=True, slots=True)
class Who:
    """In whose name and why rows are taken back."""

    reason: str
    actor: Actor
    user: AbstractBaseUser


def undo_many(asked: Sequence[tuple[str, Kept]], who: Who) -> list[str | Problem]:
    """Put orders back as they were: what is plain together, then the rest one by one in the order given.

    Call it inside a transaction. Returns what was done in words, or why it wasn't.
    """
    told = dict(asked)
    plain = _plain(asked)
    made = {number: order for number, order in plain.items() if told[number]["new"]}
    shipped = {number: order for number, order in plain.items() if number not in made}
    swaps = _plain_swaps(asked, who)
    ends = _ends(made, shipped) | _swap_all(swaps, who)
    snapshots.remove_all(
        list(made.values()), [parcel for number in made for parcel in told[number]["after"]["parcels"]]
    )
    _unship(shipped, told, who)
    return [ends[number] if number in ends else _alone(number, kept, who) for number, kept in asked]


def _plain(asked: Sequence[tuple[str, Kept]]) -> dict[str, Order]:
    """Lock and return the orders that stand as the import left them, and that it only made, or sent their first parcel.

    Nobody may know of a parcel, or have an alert or a note about the order; one that it made WeChat mustn't know.
    """
    times = Counter(number for number, _ in asked)
    told = {number: kept for number, kept in asked if times[number] == 1 and _may_be_plain(kept)}
    locked = Order.objects.select_for_update().filter(order_no__in=told).order_by("pk")
    orders = {order.order_no: order for order in locked}
    now = snapshots.take(orders.values())
    parcels = {number: told[number]["after"]["parcels"] for number in orders}
    unheard = shipping_many.unheard(parcel for found in parcels.values() for parcel in found)
    noted = set(OrderNote.objects.filter(order_no__in=orders).values_list("order_no", flat=True))
    known, held = _known_to_wechat(orders.values()), holds.standing()
    return {
        number: order
        for number, order in orders.items()
        if now[order.pk] == {**told[number]["after"], "alerts": []}
        and all(parcel in unheard for parcel in parcels[number])
        and not (told[number]["new"] and (number in noted or order.pk in known or snapshots.is_held(order, held)))
    }


def _may_be_plain(kept: Kept) -> bool:
    if kept.get("same") or "wrong" in kept:
        return False
    if kept["new"]:
        return True
    before, after = kept["before"], kept["after"]
    differing = {name for name in snapshots.COLUMNS if before["columns"][name] != after["columns"][name]}
    return (
        (before["columns"]["status"], after["columns"]["status"]) == (OrderStatus.PAID, OrderStatus.SHIPPED)
        and differing <= {"status", "shipped_at", "not_shipped_after"}
        and before["columns"]["shipped_at"] is None
        and before["lines"] == after["lines"]
        and (before["parcels"], len(after["parcels"]), before["alerts"]) == ([], 1, [])
    )


def _ends(made: Mapping[str, Order], shipped: Mapping[str, Order]) -> dict[str, str | Problem]:
    """Return the sentences of the orders that are put back together, before what they tell of is gone."""
    orders = [*made.values(), *shipped.values()]
    told = Notice.objects.filter(order__in=orders, state=Notice.State.TOLD, audience="buyer")
    heard = dict.fromkeys(told.values_list("order_id", flat=True), HEARD)
    known = dict.fromkeys(_known_to_wechat(shipped.values()), f"。{TOLD_WECHAT}")
    removed = {number: f"已移除导入的订单{heard.get(order.pk, '')}" for number, order in made.items()}
    restored = {
        number: f"已恢复原状{heard.get(order.pk, '')}{known.get(order.pk, '')}" for number, order in shipped.items()
    }
    return {**removed, **restored}


def _plain_swaps(asked: Sequence[tuple[str, Kept]], who: Who) -> list[shipping_many.Return]:
    """Lock what was corrected, and return what goes back together."""
    times = Counter(number for number, _ in asked)
    told = {number: kept for number, kept in asked if times[number] == 1 and "wrong" in kept}
    orders = Order.objects.select_for_update().filter(order_no__in=told).order_by("pk") if told else ()
    parcels = Shipment.objects.in_bulk([kept[name] for kept in told.values() for name in ("right", "wrong")])
    swaps = [
        shipping_many.Return(order, parcels[kept["right"]], parcels[kept["wrong"]], who.reason)
        for order in orders
        if {(kept := told[order.order_no])["right"], kept["wrong"]} <= parcels.keys()
    ]
    return shipping_many.returnable(swaps) if swaps else []


def _swap_all(swaps: Sequence[shipping_many.Return], who: Who) -> dict[str, str | Problem]:
    shipping_many.put_back_all(swaps, who.actor)
    reports = ShippingReport.objects.filter(order__in=[one.order for one in swaps], complete=True)
    known = {report.order_id: report for report in reports.select_related("order")} if swaps else {}
    return {one.order.order_no: _swapped(one.former, one.shipment, known.get(one.order.pk), who.user) for one in swaps}


def _unship(shipped: Mapping[str, Order], told: Mapping[str, Kept], who: Who) -> None:
    parcels = {order.pk: told[number]["after"]["parcels"][0] for number, order in shipped.items()}
    found = Shipment.objects.in_bulk(parcels.values())
    withdrawn = [shipping_many.Withdrawal(order, found[parcels[order.pk]], who.reason) for order in shipped.values()]
    shipping_many.void_all(withdrawn, who.actor)
    before = {order.pk: told[number]["before"] for number, order in shipped.items()}
    snapshots.restore_waiting(before, who.actor, who.reason)


def _alone(order_no: str, kept: Kept, who: Who) -> str | Problem:
    try:
        with transaction.atomic():
            return undo(order_no, kept, who)
    except Problem as problem:
        return problem


def undo(order_no: str, kept: Kept, who: Who) -> str:
    """Put an order back as it was. Returns what was done in words; raises NotPossible with why not.

    Call it inside a transaction.
    """
    if kept.get("same"):
        return "没有变化"
    if "wrong" in kept:
        return _swap_back(order_no, kept, who)
    order = Order.objects.select_for_update().filter(order_no=order_no).first()
    if order is None:
        raise NotPossible("订单已不在（可能已归档），不能撤销")
    if kept["before"] == kept["after"] if not kept["new"] else False:
        return "导入没有改变它"
    if why := snapshots.changed_since(order, kept["after"]):
        raise NotPossible(f"{why}，不能撤销")
    told = _told(order)
    if kept["new"]:
        if _wechat_has(order):
            raise NotPossible(f"{TOLD_WECHAT}；新订单不能再移除，可以改为取消")
        snapshots.remove(order, kept["after"])
        return f"已移除导入的订单{told}"
    for shipment_id in set(kept["after"]["parcels"]) - set(kept["before"]["parcels"]):
        shipping.void(Shipment.objects.get(pk=shipment_id), order=order, reason=who.reason, actor=who.actor)
    order.refresh_from_db()
    snapshots.restore(order, kept["before"], kept["after"], who.actor, who.reason)
    return f"已恢复原状{told}" + (f"。{TOLD_WECHAT}" if _wechat_has(order) else "")


def _swap_back(order_no: str, kept: Kept, who: Who) -> str:
    right = Shipment.objects.select_related("carrier").get(pk=kept["right"])
    wrong = Shipment.objects.select_related("carrier").get(pk=kept["wrong"])
    link = ShipmentOrder.objects.filter(shipment=right, order__order_no=order_no).select_related("order").first()
    if right.voided_at is not None or link is None:
        raise NotPossible("更正之后运单又有变化，不能撤销")
    if right.picked_up_at is not None:
        raise NotPossible(f"{right.waybill_no}：{SCANNED}")
    holders = ShipmentOrder.objects.filter(
        shipment__carrier=wrong.carrier, shipment__waybill_no=wrong.waybill_no, shipment__voided_at=None
    ).exclude(order__phone_index=link.order.phone_index)
    if taken := holders.select_related("order").first():
        raise NotPossible(f"{wrong.waybill_no} 现在是订单 {taken.order.order_no} 的运单，不能改回")
    back = (wrong.carrier, wrong.waybill_no)
    before = ShipmentOrder.objects.filter(shipment=wrong, order=link.order).values_list("linked_at", flat=True).first()
    shipping.void(right, order=link.order, reason=who.reason, actor=who.actor, replacement=back)
    if before is not None:  # As it was: what was entered long ago isn't kept from WeChat like a new entry.
        ShipmentOrder.objects.filter(shipment=wrong, order=link.order).update(linked_at=before)
    report = ShippingReport.objects.filter(order=link.order, complete=True).first()
    return _swapped(wrong, right, report, who.user)


def _swapped(wrong: Shipment, right: Shipment, report: ShippingReport | None, user: AbstractBaseUser) -> str:
    """Return what is to be said; WeChat that has the whole shipping takes one correction of it."""
    said = f"已改回 {wrong.waybill_no}"
    if report is None or not correction.preview(report).correction:
        return said
    try:
        correction.correct(report, user)
    except NotPossible as problem:
        return f"{said}。微信已收到 {right.waybill_no}，没有更正：{problem.message}"
    return f"{said}。微信已收到 {right.waybill_no}，已用一次更正的机会"


def _told(order: Order) -> str:
    told = Notice.objects.filter(order=order, state=Notice.State.TOLD, audience="buyer").exists()
    return HEARD if told else ""


def _wechat_has(order: Order) -> bool:
    return bool(_known_to_wechat([order]))


def _known_to_wechat(orders: Iterable[Order]) -> set[int]:
    """Return the orders of whose shipping WeChat was told, or is being told."""
    reports = ShippingReport.objects.filter(order__in=list(orders))
    told = reports.values_list("order_id", "content", "state")
    return {pk for pk, content, state in told if content or state == ShippingReport.State.UPLOADING}
