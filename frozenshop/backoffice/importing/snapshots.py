"""What of an order an import may change, written down before and after it, and put back as it was.

History, audit and versions are not put back: they tell what happened, the undo included.
"""

import datetime as dt
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from django.db.models import F, Max, QuerySet

from frozenshop.backoffice.dashboard import changes
from frozenshop.backoffice.dashboard.models import FigureKind
from frozenshop.backoffice.models import OrderNote
from frozenshop.kernel import clock, many_rows
from frozenshop.kernel.actor import Actor
from frozenshop.kernel.errors import NotPossible
from logistics.models import Shipment
from orders import access, alerting, holds, lifecycle
from orders.models import Alert, AlertKind, AlertOutcome, Order, OrderEvent, OrderLine, OrderStatus
from orders.versions import announce

_ASIDE = frozenset({"id", "order_no", "version", "updated_at", "recorded_at"})
COLUMNS = tuple(field.attname for field in Order._meta.concrete_fields if field.attname not in _ASIDE)
_LINE = ("position", "sku", "name", "quantity", "unit_price_fen", "category", "temperature_class")
_LABELS = {field.attname: str(field.verbose_name) for field in Order._meta.concrete_fields}
Snapshot = dict[str, Any]


def take(orders: Iterable[Order]) -> dict[int, Snapshot]:
    """Return what stands in each order now, in a number of queries that doesn't depend on how many there are."""
    found = {order.pk: order for order in orders}
    lines, parcels, alerts = defaultdict(list), defaultdict(list), defaultdict(list)
    for order_id, *line in (
        OrderLine.objects.filter(order_id__in=found).order_by("position").values_list("order_id", *_LINE)
    ):
        lines[order_id].append(line)
    live = Shipment.objects.filter(links__order_id__in=found, voided_at=None).order_by("pk")
    for order_id, shipment_id in live.values_list("links__order_id", "pk"):
        parcels[order_id].append(shipment_id)
    for order_id, alert_id in Alert.objects.filter(order_id__in=found, resolved_at=None).values_list("order_id", "pk"):
        alerts[order_id].append(alert_id)
    events = dict(OrderEvent.objects.filter(order_id__in=found).values_list("order_id").annotate(Max("pk")))
    return {
        pk: {
            "columns": {name: _plain(getattr(order, name)) for name in COLUMNS},
            "lines": lines[pk],
            "parcels": sorted(set(parcels[pk])),
            "alerts": sorted(alerts[pk]),
            "event": events.get(pk, 0),
        }
        for pk, order in found.items()
    }


def _plain(value: Any) -> Any:
    return value.isoformat() if isinstance(value, dt.datetime) else value


def changed_since(order: Order, after: Snapshot) -> str:
    """Return why an order is no longer as the import left it: what and, where it is known, by whom. Empty: it is."""
    now = take([order])[order.pk]
    if scanned := _scanned(now["parcels"] + after["parcels"]):
        return f"承运商已扫描运单 {scanned}"
    differing = [name for name in COLUMNS if now["columns"][name] != after["columns"][name]]
    if now["lines"] != after["lines"]:
        differing.append("lines")
    if now["parcels"] != after["parcels"]:
        differing.append("parcels")
    if not differing:
        return ""
    if "paid_at" in differing and not after["columns"]["paid_at"]:
        return "导入之后已付款"
    names = {**_LABELS, "lines": "明细", "parcels": "运单"}
    told = "、".join(dict.fromkeys(names[name] for name in differing if not name.endswith("_index")))
    last = _history_since(order, after).order_by("-pk").first()
    by = f"（{last.get_source_display()} {last.actor}）".replace(" ）", "）") if last else ""
    return f"导入之后又有变化{by}：{told}"


def _history_since(order: Order, after: Snapshot) -> QuerySet[OrderEvent]:
    """Return what was recorded since; what an earlier release wrote down names no last event."""
    since = OrderEvent.objects.filter(order=order, pk__gt=after.get("event", 0))
    return since if "event" in after else since.none()


def is_held(order: Order, held: holds.Holds) -> bool:
    """Say whether a legal hold forbids to take an order away."""
    return held.covers({name: getattr(order, name) for name in ("order_no", "customer_id", "phone_index")})


def _scanned(shipment_ids: Iterable[int]) -> str:
    scanned = Shipment.objects.filter(pk__in=list(shipment_ids), picked_up_at__isnull=False)
    return "、".join(scanned.values_list("waybill_no", flat=True))


def remove(order: Order, after: Snapshot) -> None:
    """Take away an order that wasn't there before, with its parcels. Raises NotPossible where others know of it."""
    if OrderNote.objects.filter(order_no=order.order_no).exists():
        raise NotPossible("已有员工备注，不能移除，可以改为取消")
    if is_held(order, holds.standing()):
        raise NotPossible("订单在法律保留中，不能移除")
    if last := _history_since(order, after).order_by("-pk").first():
        raise NotPossible(f"导入之后又有记录（{last.get_source_display()} {last.actor}），不能移除，可以改为取消")
    for shipment in Shipment.objects.select_for_update().filter(pk__in=after["parcels"]).order_by("pk"):
        if shipment.picked_up_at is not None or shipment.event_count:
            raise NotPossible(f"承运商已扫描运单 {shipment.waybill_no}，不能撤销")
        if shipment.links.count() > 1:
            raise NotPossible(f"运单 {shipment.waybill_no} 里还有别的订单")
        shipment.delete()
    for alert in Alert.objects.filter(order=order, resolved_at=None):
        alerting.resolve_alerts(
            alert.subject, [AlertKind(alert.kind)], resolution="导入已撤销", outcome=AlertOutcome.CORRECTED
        )
    announce([order.pk])
    # Its history, which else tells what has to be counted anew, goes with it.
    changes.mark(FigureKind.STEPS, [clock.shanghai(order.placed_at).date()])
    order.delete()


def remove_all(orders: Sequence[Order], parcels: Iterable[int]) -> None:
    """Take away orders that weren't there before, with their parcels, about which nobody has heard or said anything."""
    if not orders:
        return
    ids = [order.pk for order in orders]
    Shipment.objects.filter(pk__in=list(parcels)).delete()
    announce(ids)
    changes.mark(FigureKind.STEPS, {clock.shanghai(order.placed_at).date() for order in orders})
    Order.objects.filter(pk__in=ids).delete()


def restore_waiting(before: Mapping[int, Snapshot], actor: Actor, reason: str) -> None:
    """Put back orders, by their keys, that waited for their first parcel, which was withdrawn in this transaction."""
    if not before:
        return
    now = clock.now()
    waited = {pk: _value("not_shipped_after", told["columns"]["not_shipped_after"]) for pk, told in before.items()}
    put_back = Order.objects.filter(pk__in=before, status=OrderStatus.PAID).update(
        not_shipped_after=many_rows.by_key(Order, "not_shipped_after", waited), version=F("version") + 2, updated_at=now
    )
    if put_back != len(before):
        raise NotPossible("订单刚刚又有变化，请再试")
    events = [
        OrderEvent(
            order_id=pk,
            kind="undone",
            from_status=OrderStatus.PAID,
            to_status=OrderStatus.PAID,
            occurred_at=now,
            recorded_at=now,
            source=actor.source,
            actor=actor.name,
            reason=reason[:500],
        )
        for pk in before
    ]
    many_rows.insert(events)
    announce(before)


def restore(order: Order, before: Snapshot, after: Snapshot, actor: Actor, reason: str) -> None:
    """Put back what stood in a locked order, and record that it was."""
    columns = before["columns"]
    values = {name: _value(name, columns[name]) for name in COLUMNS}
    changed = [name for name in COLUMNS if _plain(getattr(order, name)) != columns[name]]
    at = Order.objects.filter(pk=order.pk, version=order.version)
    if at.update(version=F("version") + 1, updated_at=clock.now(), **values) != 1:
        raise NotPossible("订单刚刚又有变化，请再试")
    if "paid_at" in changed and columns["paid_at"] is None:
        # The payment may be told again: its row stays, its reference is free.
        OrderEvent.objects.filter(order=order, reference="paid:order.paid_at").update(reference=None)
    _restore_lines(order, before["lines"])
    order.refresh_from_db()
    if {"customer_id", "placed_at", "phone_index"} & set(changed) and order.consignee_sealed:
        access.grant(order)
    _restore_alerts(order, set(before["alerts"]), set(after["alerts"]))
    lifecycle.record_still(order, kind="undone", occurred_at=clock.now(), actor=actor, reason=reason)


def _value(name: str, value: Any) -> Any:
    instant = name.endswith(("_at", "_by", "_after")) and value is not None
    return dt.datetime.fromisoformat(value) if instant else value


def _restore_lines(order: Order, lines: Iterable[Iterable[Any]]) -> None:
    known = list(order.lines.order_by("position").values_list(*_LINE))
    if known == [tuple(line) for line in lines]:
        return
    order.lines.all().delete()
    OrderLine.objects.bulk_create([OrderLine(order=order, **dict(zip(_LINE, line, strict=True))) for line in lines])


def _restore_alerts(order: Order, before: set[int], after: set[int]) -> None:
    """Close what the import opened; open again what it closed, unless there is a newer one of the kind.

    What others opened or resolved since is theirs.
    """
    for alert in Alert.objects.filter(order=order, pk__in=after - before, resolved_at=None):
        alerting.resolve_alerts(
            alert.subject, [AlertKind(alert.kind)], resolution="导入已撤销", outcome=AlertOutcome.CORRECTED
        )
    for alert in Alert.objects.filter(pk__in=before - after, resolved_at__isnull=False):
        key = alerting.open_key(AlertKind(alert.kind), alert.subject)
        if not Alert.objects.filter(open_key=key).exists():
            again: Mapping[str, Any] = {"resolved_at": None, "resolved_by": "", "resolution": "", "outcome": ""}
            Alert.objects.filter(pk=alert.pk).update(open_key=key, **again)
