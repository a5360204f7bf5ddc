"""Many orders' only parcels in few statements, registered, withdrawn, put back: each ends as `shipping` leaves it.

A test holds it so. Every other case goes through `shipping.ship` and `shipping.void`.
"""

import datetime as dt
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from django.db import connection, transaction
from django.db.models import F

from frozenshop.kernel import calendar, clock, many_rows, outbox
from frozenshop.kernel.actor import Actor
from frozenshop.kernel.errors import Invalid, NotPossible
from logistics import cadence, lateness, problems, tracking
from logistics.archive.models import ArchivedWaybill
from logistics.derivation import derive
from logistics.models import (
    Carrier,
    DriverLink,
    Shipment,
    ShipmentLine,
    ShipmentOrder,
    ShipmentStatus,
    TrackingEvent,
)
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
    """Return those that `ship_all` takes: a paid order's only live parcel under a number that was nobody's yet.

    Its orders are locked by this. Call it inside the transaction of `ship_all`.
    """
    if not connection.features.can_return_rows_from_bulk_insert:
        return []
    ids = sorted({parcel.order.pk for parcel in parcels})
    locked = Order.objects.select_for_update().filter(pk__in=ids, status=OrderStatus.PAID).order_by("pk")
    paid = {order.pk: order for order in locked}
    live = ShipmentOrder.objects.filter(order_id__in=ids, shipment__voided_at=None)
    boxed, taken = set(live.values_list("order_id", flat=True)), known(parcel.waybill_no for parcel in parcels)
    found: list[Parcel] = []
    for parcel in parcels:
        order = paid.get(parcel.order.pk)
        if order is None or order.pk in boxed or parcel.waybill_no in taken or not sound(parcel):
            continue
        boxed.add(order.pk)
        taken.add(parcel.waybill_no)
        found.append(Parcel(order, parcel.carrier, parcel.waybill_no, parcel.shipped_at))
    return found


def known(waybill_nos: Iterable[str]) -> set[str]:
    """Return the numbers under which something travels or has travelled, whatever became of it."""
    asked = set(waybill_nos)
    here = Shipment.objects.filter(waybill_no__in=asked).values_list("waybill_no", flat=True)
    return {*here, *ArchivedWaybill.objects.filter(waybill_no__in=asked).values_list("waybill_no", flat=True)}


def sound(parcel: Parcel) -> bool:
    """Say whether number and time are such as a parcel can have."""
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
    many_rows.insert(shipments)
    _load(shipments, parcels, lines)
    for shipment, parcel in zip(shipments, parcels, strict=True):
        _watch(shipment, parcel.order)
    _move(parcels, shown)
    _record(parcels, shipments, shown, actor)
    return shipments


def unheard(shipment_ids: Iterable[int]) -> dict[int, Shipment]:
    """Lock and return the live parcels that no carrier has scanned and that hold one order only, by their keys."""
    if not connection.features.can_return_rows_from_bulk_insert:
        return {}
    locked = Shipment.objects.select_for_update().filter(pk__in=list(shipment_ids), voided_at=None).order_by("pk")
    quiet = {
        one.pk: one
        for one in locked
        if one.picked_up_at is None and not one.event_count and one.status != ShipmentStatus.CANCELLED
    }
    held = Counter(ShipmentOrder.objects.filter(shipment_id__in=quiet).values_list("shipment_id", flat=True))
    driven = set(DriverLink.objects.filter(shipment_id__in=quiet).values_list("shipment_id", flat=True))
    return {pk: one for pk, one in quiet.items() if held[pk] == 1 and pk not in driven}


@dataclass(frozen=True, slots=True)
class Withdrawal:
    """Of a shipped order's only live parcel, which `unheard` returned and no alert is open about."""

    order: Order
    shipment: Shipment
    reason: str


def void_all(parcels: Sequence[Withdrawal], actor: Actor) -> None:
    """Withdraw parcels inside the caller's transaction; their orders' rows are ahead of the objects then.

    Raises NotPossible where an order has moved; nothing can be kept then.
    """
    if not parcels:
        return
    now, ids = clock.now(), [one.order.pk for one in parcels]
    reasons = {one.shipment.pk: one.reason for one in parcels}
    Shipment.objects.filter(pk__in=reasons).update(
        voided_at=now, void_reason=many_rows.by_key(Shipment, "void_reason", reasons), updated_at=now, **_FORGOTTEN
    )
    moved = Order.objects.filter(pk__in=ids, status=OrderStatus.SHIPPED).update(
        status=OrderStatus.PAID,
        shipped_at=None,
        not_shipped_after=calendar.ship_by(now),
        version=F("version") + 2,
        updated_at=now,
    )
    if moved != len(ids):
        raise NotPossible("订单的状态已经变化")
    events = [
        OrderEvent(
            order=one.order,
            kind="voided",
            from_status=OrderStatus.SHIPPED,
            to_status=OrderStatus.PAID,
            occurred_at=now,
            recorded_at=now,
            source=actor.source,
            actor=actor.name,
            reason=f"作废 {one.shipment.waybill_no}：{one.reason}"[:500],
        )
        for one in parcels
    ]
    many_rows.insert(events)
    outbox.enqueue_many("notifications.order_changed", [{"event_id": event.pk} for event in events])
    paying = [one.order.pk for one in parcels if one.order.transaction_id or one.order.out_trade_no]
    outbox.enqueue_many("notifications.parcels_changed", [{"order_id": pk} for pk in paying])
    announce(ids)
    transaction.on_commit(lambda: lifecycle.MOVED.labels(OrderStatus.PAID).inc(len(ids)))


@dataclass(frozen=True, slots=True)
class Return:
    """From a shipped order's only live parcel to the withdrawn one that it had replaced."""

    order: Order
    shipment: Shipment
    former: Shipment
    reason: str


def returnable(asked: Sequence[Return]) -> list[Return]:
    """Lock the parcels of locked orders, and return those that `put_back_all` takes.

    Nobody has heard of either parcel, the same goods were in both, and the former one's number was nobody else's.
    """
    orders = [one.order.pk for one in asked]
    live = ShipmentOrder.objects.filter(order_id__in=orders, shipment__voided_at=None).values_list(
        "order_id", flat=True
    )
    boxes, now_in = Counter(live), unheard(one.shipment.pk for one in asked)
    formers = Shipment.objects.filter(pk__in=[one.former.pk for one in asked]).exclude(voided_at=None)
    withdrawn = {one.pk: one for one in formers.select_for_update().select_related("carrier").order_by("pk")}
    told = TrackingEvent.objects.filter(shipment_id__in=withdrawn).values_list("shipment_id", flat=True).distinct()
    numbers = Shipment.objects.filter(waybill_no__in=[one.waybill_no for one in withdrawn.values()])
    held, heard = Counter(numbers.values_list("waybill_no", flat=True)), set(told)
    alerts = Alert.objects.filter(order_id__in=orders, resolved_at=None).exclude(kind=AlertKind.SETTLEMENT)
    about, goods = set(alerts.values_list("order_id", flat=True)), _goods([*now_in, *withdrawn])
    found = []
    for one in asked:
        right, former = now_in.get(one.shipment.pk), withdrawn.get(one.former.pk)
        if right is None or former is None or former.pk in heard or one.order.pk in about:
            continue
        if (
            (one.order.status, one.order.not_shipped_after) == (OrderStatus.SHIPPED, None)
            and (boxes[one.order.pk], held[former.waybill_no]) == (1, 1)
            and former.shipped_at == right.shipped_at
            and former.status == ShipmentStatus.NO_TRACE
            and set(goods[right.pk]) == {one.order.pk}
            and goods[former.pk] == goods[right.pk]
            and sound(_parcel_of(one.order, former))
        ):
            found.append(Return(one.order, right, former, one.reason))
    return found


def put_back_all(returns: Sequence[Return], actor: Actor) -> None:
    """Withdraw parcels and let those that they had replaced travel again, with what was in them.

    For what `returnable` returned, inside the caller's transaction. Raises NotPossible where an order has moved;
    nothing can be kept then.
    """
    if not returns:
        return
    void_all([Withdrawal(one.order, one.shipment, one.reason) for one in returns], actor)
    shown = _wake(returns)
    parcels = [_parcel_of(one.order, one.former) for one in returns]
    _move(parcels, shown)
    _record(parcels, [one.former for one in returns], shown, actor)


def _wake(returns: Sequence[Return]) -> list[bool]:
    """Let withdrawn parcels count again; return of each whether it shows more than before."""
    now, formers = clock.now(), [one.former for one in returns]
    around = cadence.surroundings(former.pk for former in formers)
    changed: list[dict[str, Any]] = []
    for one in returns:
        one.former.voided_at, one.former.void_reason, one.former.updated_at = None, "", now
        derived, beside = derive([], shipped_at=one.former.shipped_at, now=now), around[one.former.pk]
        changed.append(tracking.bring_up_to_date(one.former, derived, "", [one.order], now, heard=False, around=beside))
    columns = sorted(set().union(*changed))
    values = {name: {former.pk: getattr(former, name) for former in formers} for name in columns}
    differing = {name: many_rows.by_key(Shipment, name, told) for name, told in values.items()}
    ids = [former.pk for former in formers]
    Shipment.objects.filter(pk__in=ids).update(voided_at=None, void_reason="", updated_at=now, **differing)
    for one in returns:
        _look_for_lateness(one.former, one.order)
    return [not tracking._SHOWN.isdisjoint(changes) for changes in changed]


def _parcel_of(order: Order, shipment: Shipment) -> Parcel:
    return Parcel(order, shipment.carrier, shipment.waybill_no, shipment.shipped_at)


def _goods(shipment_ids: Iterable[int]) -> dict[int, dict[int, Counter[int]]]:
    """Return what is in each box: by order, how many of each line."""
    links = ShipmentOrder.objects.filter(shipment_id__in=list(shipment_ids))
    found: dict[int, dict[int, Counter[int]]] = defaultdict(lambda: defaultdict(Counter))
    for shipment_id, order_id, line_id, quantity in links.values_list(
        "shipment_id", "order_id", "lines__order_line_id", "lines__quantity"
    ):
        found[shipment_id][order_id][line_id] += quantity or 0
    return found


_FORGOTTEN: Mapping[str, Any] = MappingProxyType(
    {
        **dict.fromkeys(("next_poll_at", "stale_after", "stale_since", "recheck_at", "delayed_since")),
        **dict.fromkeys(("eta_earliest", "eta_likely", "eta_latest", "eta_confidence", "late_probability")),
        **dict.fromkeys(("eta_basis", "eta_explanation"), ""),
    }
)
"""What of a withdrawn parcel is looked at no more."""


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
    links = [
        ShipmentOrder(shipment=shipment, order=parcel.order, linked_at=clock.now())
        for shipment, parcel in zip(shipments, parcels, strict=True)
    ]
    many_rows.insert(links)
    many_rows.insert(
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
    _look_for_lateness(shipment, order)


def _look_for_lateness(shipment: Shipment, order: Order) -> None:
    if late := lateness.find(shipment, [order], clock.now()):
        problems.open_about(shipment, late.kind, [order], problems.Trouble(late.detail, late.since))


def _move(parcels: Sequence[Parcel], shown: Sequence[bool]) -> None:
    alike: dict[bool, dict[int, dt.datetime]] = defaultdict(dict)
    for parcel, told in zip(parcels, shown, strict=True):
        alike[told][parcel.order.pk] = parcel.shipped_at
    for told, left in alike.items():
        moved = Order.objects.filter(pk__in=left, status=OrderStatus.PAID).update(
            status=OrderStatus.SHIPPED,
            shipped_at=many_rows.by_key(Order, "shipped_at", left),
            not_shipped_after=None,
            version=F("version") + 2 + told,
            updated_at=clock.now(),
        )
        if moved != len(left):
            raise NotPossible("订单的状态已经变化")
    for parcel, told in zip(parcels, shown, strict=True):
        parcel.order.status, parcel.order.shipped_at = OrderStatus.SHIPPED, parcel.shipped_at
        parcel.order.not_shipped_after, parcel.order.version = None, parcel.order.version + 2 + told
    numbers = [parcel.order.order_no for parcel in parcels]
    alerts = Alert.objects.filter(subject__in=numbers, kind__in=_SETTLED, resolved_at=None)
    for subject in set(alerts.values_list("subject", flat=True)):
        alerting.resolve_alerts(subject, _SETTLED, resolution=f"订单{OrderStatus.SHIPPED.label}")


def _record(parcels: Sequence[Parcel], shipments: Sequence[Shipment], shown: Sequence[bool], actor: Actor) -> None:
    events = [
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
    many_rows.insert(events)
    told = [one for one, is_shown in zip(shipments, shown, strict=True) if is_shown]
    paying = [one.order.pk for one in parcels if one.order.transaction_id or one.order.out_trade_no]
    outbox.enqueue_many("notifications.shipment_changed", [{"shipment_id": one.pk} for one in told])
    outbox.enqueue_many("notifications.order_changed", [{"event_id": event.pk} for event in events])
    outbox.enqueue_many("logistics.subscribe", [{"shipment_id": one.pk} for one in shipments])
    outbox.enqueue_many("logistics.apply_held", [{"waybill_no": one.waybill_no} for one in shipments])
    outbox.enqueue_many("notifications.parcels_changed", [{"order_id": pk} for pk in paying])
    announce([parcel.order.pk for parcel in parcels])
    transaction.on_commit(lambda: lifecycle.MOVED.labels(OrderStatus.SHIPPED).inc(len(events)))
