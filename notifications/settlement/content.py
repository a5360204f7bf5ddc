"""What WeChat is told of the parcels of a payment: pure reading of our rows, in the words of upload_shipping_info."""

import datetime as dt
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from django.conf import settings

from frozenshop.kernel.crypto import SealBroken
from logistics.models import Carrier, ShipmentOrder, ShipmentStatus
from notifications.settlement import companies
from orders import phones
from orders.models import Order

EXPRESS, OWN_VAN, PICK_UP = 1, 2, 4
"""WeChat's logistics_type. 3, virtual goods, is never right for what is frozen."""
UNIFIED, SPLIT = 1, 2
MOST_PARCELS = 15
MOST_LETTERS = 120
UNDO = dt.timedelta(minutes=10)
"""How long a waybill may be withdrawn before WeChat is told of it."""
OWN, PICKUP = "own", "pickup"
NO_EXPRESS = (OWN, PICKUP)
"""Categories of carriers that WeChat doesn't know: the shop drives itself, or the buyer comes for it."""
NO_COMPANY, NO_CONTACT = "no_company", "no_contact"
NOTHING: Mapping[str, Any] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Wanted:
    """`body`: what is to be told now, nothing while there is nothing to tell. `trouble`: why it can't be told, in words
    for staff; `code` says so to machines. `again_at`: when a waybill entered a moment ago is to be looked at.
    """

    body: dict[str, Any] = field(default_factory=dict)
    trouble: str = ""
    code: str = ""
    again_at: dt.datetime | None = None


@dataclass(slots=True)
class _Parcel:
    carrier: Carrier
    waybill_no: str
    goods: Counter[str]
    order: Order
    company: str = ""
    contact: dict[str, str] = field(default_factory=dict)


def wanted(
    orders: Sequence[Order], now: dt.datetime, *, former: Mapping[str, Any] = NOTHING, finish: bool = False
) -> Wanted:
    """Return what WeChat should know of the orders of one payment. `finish`: what is left will never be sent.

    `former` is what it knows: told in parts it stays in parts, since another mode would be the one correction.
    """
    links = _links(orders)
    again_at = min((link.linked_at + UNDO for link in links if link.linked_at + UNDO > now), default=None)
    told = [link for link in links if link.linked_at + UNDO <= now]
    parcels = _parcels(told)
    if not parcels:
        return Wanted(again_at=again_at)
    complete = finish or not _left(orders, told)
    express = [parcel for parcel in parcels if parcel.carrier.category not in NO_EXPRESS]
    if not express:
        # Only express may be told in parts: a van's goods are told once all have left.
        return Wanted(_without_express(parcels) if complete else {}, again_at=again_at)
    _name_companies(express, former)
    for parcel in filter(_needs_contact, express):
        parcel.contact = _contact(parcel.order)
    if missing := sorted({parcel.carrier.name for parcel in express if not parcel.company}):
        said = f"微信的快递公司名单里没有“{'、'.join(missing)}”：在“承运商”里填写微信编码"
        return Wanted(trouble=said, code=NO_COMPANY, again_at=again_at)
    if lost := sorted({one.order.order_no for one in express if not one.contact and _needs_contact(one)}):
        why = f"{'、'.join(lost)} 的收件人电话打不开（密钥已不在，或已清除），顺丰要收件人或寄件人的号码"
        return Wanted(trouble=f"{why}：找回密钥，或填写 SHOP_PHONE，再重试", code=NO_CONTACT, again_at=again_at)
    unified = complete and len(express) == 1 and former.get("delivery_mode") != SPLIT
    return Wanted(_by_express(parcels, express, complete=complete, unified=unified), again_at=again_at)


def next_looks(order: Order) -> list[dt.datetime]:
    """Return when each waybill of an order is to be told."""
    return sorted({link.linked_at + UNDO for link in _links([order])})


def same(told: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Say whether both tell the same parcels. Complete is more than not complete, and never taken back."""
    if not told or not other:
        return not told and not other
    return (
        told["logistics_type"] == other["logistics_type"]
        and (told["logistics_type"] != EXPRESS or _waybills(told) == _waybills(other))
        and (is_complete(told) or not is_complete(other))
    )


def is_complete(body: Mapping[str, Any]) -> bool:
    """Say whether nothing more will come. WeChat's own record says so in another word."""
    if "finish_shipping" in body:
        return bool(body["finish_shipping"])
    return bool(body) and (body["delivery_mode"] == UNIFIED or bool(body.get("is_all_delivered")))


def describe(goods: Mapping[str, int], most: int = MOST_LETTERS) -> str:
    """Return `手打鱼丸500g*2；牛肉卷*1`, cut between goods: 等 and how many kinds there are, where not all fit."""
    parts = [f"{name.strip()}*{count}" for name, count in goods.items()]
    whole = "；".join(parts)
    if len(whole) <= most:
        return whole
    ending = f"等{len(parts)}种" if len(parts) > 1 else ""
    kept: list[str] = []
    while len(kept) < len(parts) and len("；".join([*kept, parts[len(kept)]])) + len(ending) <= most:
        kept.append(parts[len(kept)])
    if kept:
        return "；".join(kept) + ending
    name, _, count = parts[0].rpartition("*")
    return f"{name[: most - len(ending) - len(count) - 2]}…*{count}{ending}"


def mask_contact(phone: str) -> str:
    """Return `138****1234`, `021-****1234`, `+852-****4567`: of the number only the last four digits stay."""
    number = phones.main_number(phone)
    if number.startswith("+"):
        return f"{number[:4]}-****{number[-4:]}"
    if phone.startswith("0"):
        return f"{phone.partition('-')[0]}-****{number[-4:]}"
    return f"{number[:3]}****{number[-4:]}"


def _links(orders: Sequence[Order]) -> list[ShipmentOrder]:
    links = ShipmentOrder.objects.filter(order__in=orders, shipment__voided_at=None)
    links = links.exclude(shipment__status=ShipmentStatus.CANCELLED).select_related("shipment__carrier", "order")
    return list(links.prefetch_related("lines__order_line").order_by("linked_at", "id"))


def _parcels(links: Iterable[ShipmentOrder]) -> list[_Parcel]:
    """Return the boxes; one that holds two of the orders is one."""
    found: dict[int, _Parcel] = {}
    for link in links:
        box = link.shipment
        parcel = found.setdefault(box.pk, _Parcel(box.carrier, box.waybill_no, Counter(), link.order))
        for line in link.lines.all():
            parcel.goods[line.order_line.name] += line.quantity
    return list(found.values())


def _left(orders: Sequence[Order], links: Iterable[ShipmentOrder]) -> bool:
    sent: Counter[int] = Counter()
    for link in links:
        sent.update({line.order_line_id: line.quantity for line in link.lines.all()})
    return any(line.quantity > sent[line.pk] for order in orders for line in order.lines.all())


def _without_express(parcels: Sequence[_Parcel]) -> dict[str, Any]:
    by_van = any(parcel.carrier.category == OWN for parcel in parcels)
    return {
        "logistics_type": OWN_VAN if by_van else PICK_UP,
        "delivery_mode": UNIFIED,
        "shipping_list": [{"item_desc": describe(_together(parcels))}],
    }


def _name_companies(express: Sequence[_Parcel], former: Mapping[str, Any]) -> None:
    """Write down what WeChat calls the carriers. A parcel keeps the name that was told, if its carrier is the same."""
    codes = {parcel.carrier.pk: companies.code_of(parcel.carrier) for parcel in express}
    told = dict(_waybills(former))
    for parcel in express:
        code, known = codes[parcel.carrier.pk], told.get(parcel.waybill_no, "")
        parcel.company = known if known != code and known and companies.may_mean(known, parcel.carrier) else code


def _by_express(
    parcels: Sequence[_Parcel], express: Sequence[_Parcel], *, complete: bool, unified: bool
) -> dict[str, Any]:
    """What goes by van beside the express, and what is more than WeChat's list takes, is told with the last one."""
    shown = list(express[:MOST_PARCELS])
    others = [parcel for parcel in parcels if parcel not in shown]
    entries = [_entry(parcel, parcel.goods) for parcel in shown[:-1]]
    entries.append(_entry(shown[-1], _together([shown[-1], *others])))
    if unified:
        return {"logistics_type": EXPRESS, "delivery_mode": UNIFIED, "shipping_list": entries}
    return {
        "logistics_type": EXPRESS,
        "delivery_mode": SPLIT,
        "is_all_delivered": complete,
        "shipping_list": entries,
    }


def _entry(parcel: _Parcel, goods: Mapping[str, int]) -> dict[str, Any]:
    entry: dict[str, Any] = {
        "tracking_no": parcel.waybill_no,
        "express_company": parcel.company,
        "item_desc": describe(goods),
    }
    if parcel.contact:
        entry["contact"] = parcel.contact
    return entry


def _needs_contact(parcel: _Parcel) -> bool:
    return companies.needs_contact(parcel.carrier, parcel.company)


def _contact(order: Order) -> dict[str, str]:
    """The consignee's number; the shop's own where that can't be read any more; nothing where there is neither."""
    try:
        return {"receiver_contact": mask_contact(order.open_consignee().phone)}
    except SealBroken:
        return _shop_contact(settings.SHOP_PHONE)


def _shop_contact(phone: str) -> dict[str, str]:
    """A hotline (400-123-4567) is no consignee's number: of any number the last four digits must be seen."""
    digits = re.sub(r"[^0-9]", "", phone)
    return {"consignor_contact": f"{digits[:3]}****{digits[-4:]}"} if len(digits) >= 8 else {}


def _together(parcels: Iterable[_Parcel]) -> Counter[str]:
    goods: Counter[str] = Counter()
    for parcel in parcels:
        goods.update(parcel.goods)
    return goods


def _waybills(body: Mapping[str, Any]) -> set[tuple[str, str]]:
    listed = body.get("shipping_list") or ()
    return {(str(entry.get("tracking_no", "")), str(entry.get("express_company", ""))) for entry in listed}
