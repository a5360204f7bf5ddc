"""What WeChat is told of the parcels of a payment: pure reading of our rows, in the words of upload_shipping_info."""

import datetime as dt
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.conf import settings

from frozenshop.kernel.crypto import SealBroken
from logistics.models import Carrier, ShipmentOrder, ShipmentStatus
from notifications.settlement import companies
from orders import phones
from orders.models import Order

EXPRESS, OWN_VAN = 1, 2
UNIFIED, SPLIT = 1, 2
MOST_PARCELS = 15
MOST_LETTERS = 120
UNDO = dt.timedelta(minutes=10)
"""How long a waybill may be withdrawn before WeChat is told of it."""
_OWN = "own"


@dataclass(frozen=True, slots=True)
class Wanted:
    """`body`: what is to be told now, nothing while there is nothing to tell. `trouble`: why it can't be told.

    `again_at`: when a waybill that was entered a moment ago is to be looked at.
    """

    body: dict[str, Any] = field(default_factory=dict)
    trouble: str = ""
    again_at: dt.datetime | None = None


@dataclass(slots=True)
class _Parcel:
    carrier: Carrier
    waybill_no: str
    goods: Counter[str]
    order: Order


def wanted(orders: Sequence[Order], now: dt.datetime, *, finish: bool = False) -> Wanted:
    """Return what WeChat should know of the orders of one payment. `finish`: what is left will never be sent."""
    links = _links(orders)
    again_at = min((link.linked_at + UNDO for link in links if link.linked_at + UNDO > now), default=None)
    told = [link for link in links if link.linked_at + UNDO <= now]
    parcels = _parcels(told)
    if not parcels:
        return Wanted(again_at=again_at)
    complete = finish or not _left(orders, told)
    express = [parcel for parcel in parcels if parcel.carrier.category != _OWN]
    if not express:
        # Only express may be told in parts: a van's goods are told once all have left.
        return Wanted(_by_van(parcels) if complete else {}, again_at=again_at)
    codes = {parcel.carrier.pk: companies.code_of(parcel.carrier) for parcel in express}
    if missing := sorted({parcel.carrier.name for parcel in express if not codes[parcel.carrier.pk]}):
        return Wanted(trouble="、".join(missing), again_at=again_at)
    return Wanted(_by_express(parcels, express, codes, complete=complete), again_at=again_at)


def next_looks(order: Order) -> list[dt.datetime]:
    """Return when each waybill of an order is to be told."""
    return sorted({link.linked_at + UNDO for link in _links([order])})


def same(told: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Say whether both tell the same parcels. Complete is more than not complete, and never taken back."""
    if not told or not other:
        return not told and not other
    return (
        told["logistics_type"] == other["logistics_type"]
        and (told["logistics_type"] != EXPRESS or _numbers(told) == _numbers(other))
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
        parcel.goods.update({line.order_line.name: line.quantity for line in link.lines.all()})
    return list(found.values())


def _left(orders: Sequence[Order], links: Iterable[ShipmentOrder]) -> bool:
    sent: Counter[int] = Counter()
    for link in links:
        sent.update({line.order_line_id: line.quantity for line in link.lines.all()})
    return any(line.quantity > sent[line.pk] for order in orders for line in order.lines.all())


def _by_van(parcels: Sequence[_Parcel]) -> dict[str, Any]:
    return {
        "logistics_type": OWN_VAN,
        "delivery_mode": UNIFIED,
        "shipping_list": [{"item_desc": describe(_together(parcels))}],
    }


def _by_express(
    parcels: Sequence[_Parcel], express: Sequence[_Parcel], codes: Mapping[int, str], *, complete: bool
) -> dict[str, Any]:
    """What goes by van beside the express, and what is more than WeChat's list takes, is told with the last one."""
    shown = list(express[:MOST_PARCELS])
    others = [parcel for parcel in parcels if parcel not in shown]
    entries = [_entry(parcel, codes[parcel.carrier.pk], parcel.goods) for parcel in shown[:-1]]
    entries.append(_entry(shown[-1], codes[shown[-1].carrier.pk], _together([shown[-1], *others])))
    if complete and len(express) == 1:
        return {"logistics_type": EXPRESS, "delivery_mode": UNIFIED, "shipping_list": entries}
    return {
        "logistics_type": EXPRESS,
        "delivery_mode": SPLIT,
        "is_all_delivered": complete,
        "shipping_list": entries,
    }


def _entry(parcel: _Parcel, code: str, goods: Mapping[str, int]) -> dict[str, Any]:
    entry: dict[str, Any] = {
        "tracking_no": parcel.waybill_no,
        "express_company": code,
        "item_desc": describe(goods),
    }
    if companies.needs_contact(parcel.carrier, code):
        entry["contact"] = _contact(parcel.order)
    return entry


def _contact(order: Order) -> dict[str, str]:
    """The consignee's number; the shop's own where that can't be read any more."""
    try:
        return {"receiver_contact": mask_contact(order.open_consignee().phone)}
    except SealBroken:
        return {"consignor_contact": mask_contact(settings.SHOP_PHONE)}


def _together(parcels: Iterable[_Parcel]) -> Counter[str]:
    goods: Counter[str] = Counter()
    for parcel in parcels:
        goods.update(parcel.goods)
    return goods


def _numbers(body: Mapping[str, Any]) -> set[str]:
    return {str(entry.get("tracking_no", "")) for entry in body.get("shipping_list") or ()}
