"""What the database knows of the rows of a chunk, read in a number of queries that doesn't depend on their number."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from frozenshop.backoffice.importing.findings import Finding
from frozenshop.kernel.crypto import SealBroken
from frozenshop.kernel.errors import Invalid
from logistics.archive.models import ArchivedOrder
from logistics.carriers import resolve_carrier
from logistics.models import Carrier, Shipment, ShipmentOrder
from logistics.waybill_shapes import carriers_of, fits
from orders.models import Alert, AlertKind, Order, OrderStatus

OVER = (OrderStatus.CANCELLED, OrderStatus.REFUNDED, OrderStatus.RETURNED)
UNDER_WAY = (OrderStatus.SHIPPED, OrderStatus.IN_TRANSIT, OrderStatus.DELIVERED)


class Carriers:
    """The carriers that a file names, each looked up once."""

    def __init__(self) -> None:
        self._known: dict[str, Carrier | None] = {}

    def of(self, text: str, waybill_no: str = "") -> Carrier | None:
        """Return the carrier that is named, or, where none is, the only one whose number it can be."""
        if not text:
            codes = sorted(carriers_of(waybill_no))
            text = codes[0] if len(codes) == 1 else "SF" if "SF" in codes else ""
        if text not in self._known:
            try:
                self._known[text] = resolve_carrier(text) if text else None
            except Invalid:
                self._known[text] = None
        return self._known[text]


@dataclass(slots=True)
class Known:
    """`orders` by number; `boxes`: live parcels of each order; `holders`: the parcels that have a number now.

    `lines`: of each order, where its file tells them.
    """

    orders: dict[str, Order] = field(default_factory=dict)
    archived: set[str] = field(default_factory=set)
    boxes: dict[int, list[Shipment]] = field(default_factory=lambda: defaultdict(list))
    holders: dict[str, list[tuple[Shipment, Order]]] = field(default_factory=lambda: defaultdict(list))
    refunding: set[int] = field(default_factory=set)
    lines: dict[int, list[tuple[Any, ...]]] = field(default_factory=lambda: defaultdict(list))


def know(order_nos: Iterable[str], waybill_nos: Iterable[str], *, lock: bool = False) -> Known:
    """Read what is known. `lock`: inside a transaction, for what is about to be changed."""
    known, numbers = Known(), set(order_nos) - {""}
    orders = Order.objects.filter(order_no__in=numbers)
    if lock:
        orders = orders.select_for_update().order_by("pk")
    known.orders = {order.order_no: order for order in orders}
    missing = numbers - known.orders.keys()
    known.archived = set(ArchivedOrder.objects.filter(order_no__in=missing).values_list("order_no", flat=True))
    ids = [order.pk for order in known.orders.values()]
    links = ShipmentOrder.objects.filter(shipment__voided_at=None).select_related("shipment__carrier")
    for link in links.filter(order_id__in=ids).order_by("id"):
        known.boxes[link.order_id].append(link.shipment)
    taken = links.filter(shipment__waybill_no__in=set(waybill_nos) - {""}).select_related("shipment__carrier", "order")
    for link in taken.order_by("id"):
        known.holders[link.shipment.waybill_no].append((link.shipment, link.order))
    refunds = Alert.objects.filter(order_id__in=ids, kind=AlertKind.REFUND_PARTIAL, resolved_at=None)
    known.refunding = set(refunds.values_list("order_id", flat=True))
    return known


def about_parcel(
    row: int, order: Order | None, phone: str | None, carrier: Carrier | None, named: str, waybill_no: str, known: Known
) -> list[Finding]:
    """Return what speaks against a parcel, for an order that is there or (None) comes with it.

    `phone`: the consignee's where it is known already, None: look into the order.
    """
    if carrier is None:
        why = "没有这个承运商，或名称指的不止一家" if named else "没有写承运商，从单号也看不出来"
        return [Finding(row, "carrier_code", "unknown_carrier", why)]
    found = []
    if not fits(waybill_no, carrier.code):
        found.append(Finding(row, "waybill_no", "wrong_carrier", f"{waybill_no} 不是{carrier.name}的单号"))
    for shipment, other in known.holders.get(waybill_no, ()):
        if order is not None and other.pk == order.pk:
            continue
        if order is not None and other.phone_index == order.phone_index and other.phone_index:
            found.append(Finding(row, "waybill_no", "shared_box", f"与订单 {other.order_no} 合并发货"))
        else:
            why = f"已用于订单 {other.order_no}（{shipment.carrier.name}）"
            found.append(Finding(row, "waybill_no", "duplicate_waybill", why))
    if carrier.needs_phone_tail and not (phone if phone is not None else phone_of(order)):
        kind = "phone_for_sf" if carrier.code.startswith("SF") else "phone_unusable"
        found.append(Finding(row, "waybill_no", kind, f"{carrier.name}查询轨迹需要收件人手机号，订单里没有"))
    return found


def phone_of(order: Order | None) -> str:
    try:
        return order.open_consignee().phone if order is not None and order.consignee_sealed else ""
    except SealBroken:
        return ""


def first_block(findings: Sequence[Finding]) -> Finding | None:
    return next((finding for finding in findings if finding.blocks), None)
