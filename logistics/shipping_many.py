"""Many parcels of orders that wait for their first one, in few statements: each ends as `shipping.ship` leaves it.

A test holds it so. Every other case goes through `shipping.ship`.
"""

import datetime as dt
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from django.db import connection, transaction
from django.db.models import F

from frozenshop.kernel import clock, outbox
from frozenshop.kernel.actor import Actor
from frozenshop.kernel.errors import Invalid, NotPossible
from logistics import cadence, lateness, problems, tracking
from logistics.derivation import derive
from logistics.models import Carrier, Shipment, ShipmentLine, ShipmentOrder
from logistics.shipping import _MOST_DELICATE_FIRST, check_waybill_no
from orders import alerting, lifecycle
from orders.facts import implausible
from orders.models import Alert, AlertKind, Order, OrderEvent, OrderLine, OrderStatus, TemperatureClass
from orders.versions import announce

_SETTLED = (AlertKind.PARTLY_RETURNED, AlertKind.SHIPPED_UNPAID, AlertKind.NOT_SHIPPED)


@dataclass(frozen=True, slots=True)
class Parcel:
    """All of an order under one waybill. `order` was read in this transaction."""

    order: Order
    carrier: Carrier
    waybill_no: str
    shipped_at: dt.datetime


def plain(parcels: Sequence[Parcel]) -> list[Parcel]:
    """Return those that `ship_all` takes: a paid order's first parcel under a number that is nobody's yet.

    Its orders are locked by this. Call it inside the transaction of `ship_all`.
    """
    if not connection.features.can_return_rows_from_bulk_insert:
        return []
    ids = sorted({parcel.order.pk for parcel in parcels})
    locked = Order.objects.select_for_update().filter(pk__in=ids, status=OrderStatus.PAID).order_by("pk")
    paid = {order.pk: order for order in locked}
    boxed = set(ShipmentOrder.objects.filter(order_id__in=ids).values_list("order_id", flat=True))
    numbers = {parcel.waybill_no for parcel in parcels}
    taken = set(Shipment.objects.filter(waybill_no__in=numbers).values_list("waybill_no", flat=True))
    found: list[Parcel] = []
    for parcel in parcels:
        order = paid.get(parcel.order.pk)
        if order is None or order.pk in boxed or parcel.waybill_no in taken or not _sound(parcel):
            continue
        boxed.add(order.pk)
        taken.add(parcel.waybill_no)
        found.append(Parcel(order, parcel.carrier, parcel.waybill_no, parcel.shipped_at))
    return found


def _sound(parcel: Parcel) -> bool:
    try:
        fits = check_waybill_no(parcel.waybill_no) == parcel.waybill_no
    except Invalid:
        return False
    return fits and not implausible(parcel.shipped_at, parcel.order.placed_at)


def ship_all(parcels: Sequence[Parcel], actor: Actor) -> list[Shipment]:
    """Register the parcels that `plain` returned, inside the caller's transaction.

    Raises IntegrityError where somebody has taken a number meanwhile; nothing can be kept of the transaction then.
    """
    lines: dict[int, list[OrderLine]] = defaultdict(list)
    for line in OrderLine.objects.filter(order_id__in=[parcel.order.pk for parcel in parcels]).order_by("position"):
        lines[line.order_id].append(line)
    made = [_shipment(parcel, lines[parcel.order.pk]) for parcel in parcels]
    shipments = [shipment for shipment, _ in made]
    shown = [told for _, told in made]
    Shipment.objects.bulk_create(shipments)
    _load(shipments, parcels, lines)
    for shipment, parcel in zip(shipments, parcels, strict=True):
        _watch(shipment, parcel.order)
    _move(parcels, shown)
    _record(parcels, shipments, shown, actor)
    return shipments


def _shipment(parcel: Parcel, lines: Iterable[OrderLine]) -> tuple[Shipment, bool]:
    """Return the row, and whether it shows more than an empty one: then its order has a version for it."""
    inside, now = {TemperatureClass(line.temperature_class) for line in lines}, clock.now()
    coldest = next((wanted for wanted in _MOST_DELICATE_FIRST if wanted in inside), TemperatureClass.FROZEN)
    shipment = Shipment(
        carrier=parcel.carrier,
        waybill_no=parcel.waybill_no,
        shipped_at=parcel.shipped_at,
        temperature_class=coldest,
        recorded_at=now,
        updated_at=now,
    )
    derived = derive([], shipped_at=shipment.shipped_at, now=now)
    changes = tracking.bring_up_to_date(shipment, derived, "", [parcel.order], now, heard=False)
    return shipment, not tracking._SHOWN.isdisjoint(changes)


def _load(shipments: Sequence[Shipment], parcels: Sequence[Parcel], lines: dict[int, list[OrderLine]]) -> None:
    links = ShipmentOrder.objects.bulk_create(
        [
            ShipmentOrder(shipment=shipment, order=parcel.order, linked_at=clock.now())
            for shipment, parcel in zip(shipments, parcels, strict=True)
        ]
    )
    ShipmentLine.objects.bulk_create(
        [
            ShipmentLine(link=link, order_line=line, quantity=line.quantity)
            for link in links
            for line in lines[link.order_id]
        ]
    )


def _watch(shipment: Shipment, order: Order) -> None:
    """Do what concerns few: an order with a promise is asked about by it, and may be late already."""
    now = clock.now()
    if order.promised_by is not None:
        shipment.next_poll_at = cadence.next_poll_at(shipment, now)
        Shipment.objects.filter(pk=shipment.pk).update(next_poll_at=shipment.next_poll_at)
    if late := lateness.find(shipment, [order], now):
        problems.open_about(shipment, late.kind, [order], problems.Trouble(late.detail, late.since))


def _move(parcels: Sequence[Parcel], shown: Sequence[bool]) -> None:
    alike: dict[tuple[dt.datetime, bool], list[int]] = defaultdict(list)
    for parcel, told in zip(parcels, shown, strict=True):
        alike[parcel.shipped_at, told].append(parcel.order.pk)
    for (shipped_at, told), ids in alike.items():
        moved = Order.objects.filter(pk__in=ids, status=OrderStatus.PAID).update(
            status=OrderStatus.SHIPPED,
            shipped_at=shipped_at,
            not_shipped_after=None,
            version=F("version") + 2 + told,
            updated_at=clock.now(),
        )
        if moved != len(ids):
            raise NotPossible("订单的状态已经变化")
    for parcel, told in zip(parcels, shown, strict=True):
        parcel.order.status, parcel.order.shipped_at = OrderStatus.SHIPPED, parcel.shipped_at
        parcel.order.not_shipped_after, parcel.order.version = None, parcel.order.version + 2 + told
    numbers = [parcel.order.order_no for parcel in parcels]
    alerts = Alert.objects.filter(subject__in=numbers, kind__in=_SETTLED, resolved_at=None)
    for subject in set(alerts.values_list("subject", flat=True)):
        alerting.resolve_alerts(subject, _SETTLED, resolution=f"订单{OrderStatus.SHIPPED.label}")


def _record(parcels: Sequence[Parcel], shipments: Sequence[Shipment], shown: Sequence[bool], actor: Actor) -> None:
    events = OrderEvent.objects.bulk_create(
        [
            OrderEvent(
                order=parcel.order,
                kind="shipped",
                from_status=OrderStatus.PAID,
                to_status=OrderStatus.SHIPPED,
                occurred_at=parcel.shipped_at,
                recorded_at=clock.now(),
                source=actor.source,
                actor=actor.name,
            )
            for parcel in parcels
        ]
    )
    told = [one for one, is_shown in zip(shipments, shown, strict=True) if is_shown]
    paying = [one.order.pk for one in parcels if one.order.transaction_id or one.order.out_trade_no]
    outbox.enqueue_many("notifications.shipment_changed", [{"shipment_id": one.pk} for one in told])
    outbox.enqueue_many("notifications.order_changed", [{"event_id": event.pk} for event in events])
    outbox.enqueue_many("logistics.subscribe", [{"shipment_id": one.pk} for one in shipments])
    outbox.enqueue_many("logistics.apply_held", [{"waybill_no": one.waybill_no} for one in shipments])
    outbox.enqueue_many("notifications.parcels_changed", [{"order_id": pk} for pk in paying])
    announce([parcel.order.pk for parcel in parcels])
    transaction.on_commit(lambda: lifecycle.MOVED.labels(OrderStatus.SHIPPED).inc(len(events)))
