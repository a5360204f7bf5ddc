"""Taking orders back out of the archive, as they were: by a person, or because something happened to them after all."""

import functools
from collections.abc import Callable, Sequence
from typing import Any, Concatenate, ParamSpec, TypeVar

import structlog
from django.contrib.auth import get_user_model
from django.db import IntegrityError, transaction
from django.db.models import Q

from frozenshop.kernel import audit, clock
from frozenshop.kernel.actor import SYSTEM, Actor, Source
from frozenshop.kernel.errors import NotPossible, OrderNotFound, Unavailable
from logistics.archive import bodies, moving, places, snapshots
from logistics.archive.models import ArchivedOrder, ArchivedProduct, ArchivedWaybill, Restoration
from logistics.archive.tables import ALERTS, LINES, TABLES
from logistics.models import Shipment
from orders.contention import retried
from orders.models import Alert, Order

P = ParamSpec("P")
R = TypeVar("R")

logger = structlog.get_logger(__name__)


@retried
def restore(order_no: str, *, by: Actor, reason: str) -> list[str]:
    """Put an order back, with those that share a box with it; return their numbers, none where it isn't archived.

    Raises NotPossible where something stands in its place, or its body is damaged: nothing is changed. Raises
    Unavailable where the body can't be read now.
    """
    bundle = ArchivedOrder.objects.filter(order_no=order_no).values_list("bundle", flat=True).first()
    return _restore(bundle, by, reason) if bundle is not None else []


def _restore(bundle: int, by: Actor, reason: str) -> list[str]:
    with transaction.atomic():
        rows = list(ArchivedOrder.objects.select_for_update().filter(bundle=bundle).order_by("pk"))
        if not rows:
            return []
        found = _merged([(row, opened(row)) for row in rows])
        _refuse_conflicts(rows, found)
        _without_gone_people(found[ALERTS.name])
        ids = [row.pk for row in rows]
        ArchivedWaybill.objects.filter(order_id__in=ids).delete()
        ArchivedProduct.objects.filter(sku__in={line.sku for line in found[LINES.name]}, order_id__in=ids).delete()
        ArchivedOrder.objects.filter(pk__in=ids).delete()
        try:
            with transaction.atomic():
                snapshots.insert(found)
        except IntegrityError as error:
            raise NotPossible("有数据与归档的订单冲突，没有恢复") from error
        now = clock.now()
        for row in rows:
            Restoration.objects.update_or_create(
                order_id=row.pk, defaults={"restored_at": now, "restored_by": by.name, "reason": reason[:500]}
            )
            if by.source != Source.SYSTEM:
                audit.record(by, "order.restored", row.order_no, reason=reason)
        moving.count(rows, -1)
    # A body that lies elsewhere is a stray now, and is left to the sweep: the same may be written again at once.
    return [row.order_no for row in rows]


def reached(do: Callable[[], R]) -> R:
    """Do something with bodies. Raises Unavailable where they can't be reached, NotPossible where one is damaged."""
    try:
        return do()
    except places.PlaceDown as error:
        raise Unavailable("归档库暂时无法读取，请稍后再试") from error
    except bodies.BodyBroken as error:
        logger.error("archive.body_broken", order_no=str(error))
        raise NotPossible(f"归档订单 {error} 的内容与校验和不符，请从备份找回".replace("  ", " ")) from error


def opened(row: ArchivedOrder) -> bodies.Body:
    """Return an archived order's rows. Raises as `reached`."""
    body = reached(lambda: bodies.unpack(places.read(row), row.checksum))
    order = body.order
    for name in ("consignee_sealed", "phone_index", "name_index", "tail_index"):
        setattr(order, name, getattr(row, name))
    order.note = row.open_note()
    return body


def _merged(bundle: Sequence[tuple[ArchivedOrder, bodies.Body]]) -> dict[str, list[Any]]:
    """Return the rows of all orders by table; a box that several of them hold stands in each, and counts once."""
    found: dict[str, dict[int, Any]] = {table.name: {} for table in TABLES}
    for _, body in bundle:
        for name, rows in body.rows.items():
            found[name] |= {row.pk: row for row in rows}
    return {name: [rows[pk] for pk in sorted(rows)] for name, rows in found.items()}


def _refuse_conflicts(rows: Sequence[ArchivedOrder], found: dict[str, list[Any]]) -> None:
    numbers = [row.order_no for row in rows]
    if Order.objects.filter(Q(order_no__in=numbers) | Q(pk__in=[row.pk for row in rows])).exists():
        raise NotPossible("已有同一订单号的订单，没有恢复")
    same = Q(pk=None)
    for one in found[Shipment._meta.db_table]:
        number = Q(carrier_id=one.carrier_id, waybill_no=one.waybill_no, generation=one.generation)
        same |= number | Q(pk=one.pk)
    if Shipment.objects.filter(same).exists():
        raise NotPossible("运单号已用于另一个包裹，没有恢复")


def _without_gone_people(alerts: Sequence[Any]) -> None:
    """Who owned an alert may have left, and the incident that it belonged to may be gone, as their rows allow."""
    owners = {one.owner_id for one in alerts if one.owner_id}
    incidents = {one.incident_id for one in alerts if one.incident_id}
    people = set(get_user_model()._default_manager.filter(pk__in=owners).values_list("pk", flat=True)) if owners else ()
    known = set(Alert.objects.filter(pk__in=incidents).values_list("pk", flat=True)) if incidents else set()
    known |= {one.pk for one in alerts}
    for one in alerts:
        one.owner_id = one.owner_id if one.owner_id in people else None
        one.incident_id = one.incident_id if one.incident_id in known else None


def bring_back(order_no: str, why: str) -> bool:
    """Take an order out of the archive because something happens to it; say if it lay there. Raises as `restore`."""
    brought = bool(restore(order_no, by=SYSTEM, reason=why))
    if brought:
        logger.info("archive.brought_back", why=why)
    return brought


def bring_back_waybill(waybill_nos: Sequence[str], why: str) -> bool:
    """Do so for all orders that travelled under one of these numbers."""
    rows = ArchivedWaybill.objects.filter(waybill_no__in=list(waybill_nos)).order_by("pk")
    numbers = list(rows.values_list("order__order_no", flat=True).distinct())
    return sum(bring_back(order_no, why) for order_no in numbers) > 0


def hot(order_no: str, why: str) -> Order:
    """Return an order that something is about to happen to, out of the archive if it lies there.

    Raises OrderNotFound.
    """
    order = Order.objects.filter(order_no=order_no).first()
    if order is None and bring_back(order_no, why):
        order = Order.objects.filter(order_no=order_no).first()
    if order is None:
        raise OrderNotFound
    return order


def awake(function: Callable[Concatenate[Order, P], R]) -> Callable[Concatenate[Order, P], R]:
    """Do it again with an order that went into the archive after it was read."""

    @functools.wraps(function)
    def run(order: Order, /, *args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return function(order, *args, **kwargs)
        except Order.DoesNotExist:
            if not bring_back(order.order_no, "订单有新的事实"):
                raise
        return function(order, *args, **kwargs)

    return run
