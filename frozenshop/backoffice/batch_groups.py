"""Thousands of orders at a glance: found by their numbers, counted by status and parcel, grouped by what is wrong."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from django.db.models import Prefetch, prefetch_related_objects

from frozenshop.backoffice import wording
from frozenshop.backoffice.order_rows import Row
from frozenshop.kernel import clock
from logistics import problems
from logistics.models import ShipmentOrder, ShipmentStatus
from orders.models import Alert, Order, OrderStatus

NO_PARCEL = "none"
ALL = ""


@dataclass(frozen=True, slots=True)
class Group:
    """`key` names it in an address: `kind:value`."""

    key: str
    label: str
    count: int


@dataclass(frozen=True, slots=True)
class Matrix:
    """Order status (down) by shipment status (across). Several parcels of an order count once, as the least far."""

    across: list[tuple[str, str]]
    down: list[tuple[str, str, list[tuple[str, int]], int]]


def look_up(numbers: list[str]) -> tuple[list[Row], list[str]]:
    """Return the orders that bear these numbers or travel under them, in the order given, and the numbers of none.

    The number of queries doesn't depend on how many there are.
    """
    if not numbers:
        return [], []
    by_number = {order.order_no: [order] for order in Order.objects.filter(order_no__in=numbers)}
    links = ShipmentOrder.objects.filter(shipment__waybill_no__in=numbers).select_related("order", "shipment")
    for link in links.order_by("id"):
        by_number.setdefault(link.shipment.waybill_no, []).append(link.order)
    rows: dict[int, Row] = {}
    for number in numbers:
        for order in by_number.get(number, ()):
            row = rows.setdefault(order.pk, Row(order))
            if number not in row.found_by:
                row.found_by.append(number)
    attach([row.order for row in rows.values()])
    return list(rows.values()), [number for number in numbers if number not in by_number]


def attach(orders: Sequence[Order]) -> None:
    """Fetch what rows show, as `order_rows.attach` does, in time that grows with the orders, not with their square."""
    links = ShipmentOrder.objects.select_related("shipment__carrier").order_by("id")
    prefetch_related_objects(list(orders), Prefetch("shipment_links", links))
    riders: dict[str, list[Order]] = defaultdict(list)
    for order in orders:
        riders[f"order:{order.pk}"].append(order)
        for link in order.shipment_links.all():
            riders[problems.subject_of(link.shipment_id)].append(order)
        order.open_alerts = []  # type: ignore[attr-defined]
    boxes = {link.shipment_id for order in orders for link in order.shipment_links.all()}
    companions = ShipmentOrder.objects.filter(shipment_id__in=boxes).values_list("order_id", flat=True)
    concerned = {order.pk for order in orders} | set(companions)
    for alert in Alert.objects.filter(order_id__in=concerned, resolved_at=None).order_by("severity", "due_at"):
        about = dict.fromkeys([*riders.get(f"order:{alert.order_id}", ()), *riders.get(alert.subject, ())])
        for order in about:
            order.open_alerts.append(alert)


def cell_of(row: Row) -> tuple[str, str]:
    """Return where in the matrix an order stands."""
    order_of = {status: at for at, status in enumerate(ShipmentStatus.values)}
    live = sorted((shipment.status for shipment in row.shipments), key=lambda status: order_of.get(status, 0))
    return row.order.status, live[0] if live else NO_PARCEL


def matrix(rows: Iterable[Row]) -> Matrix:
    counts = Counter(cell_of(row) for row in rows)
    seen = {across for _, across in counts}
    labels = {NO_PARCEL: "没有运单", **dict(ShipmentStatus.choices)}
    across = [(value, label) for value, label in labels.items() if value in seen]
    down = []
    for status in OrderStatus:
        cells = [(f"cell:{status.value}:{value}", counts[status.value, value]) for value, _ in across]
        if total := sum(count for _, count in cells):
            down.append((status.value, str(status.label), cells, total))
    return Matrix(across, down)


def keys_of(row: Row) -> set[str]:
    """Return the keys of all groups that an order is in."""
    order, now = row.order, clock.now()
    keys = {ALL, ":".join(("cell", *cell_of(row))), f"status:{order.status}"}
    keys |= {f"alert:{alert.kind}" for alert in row.open_alerts}
    if order.not_shipped_after and order.not_shipped_after < now:
        keys.add("late:ship")
    if any(shipment.stale_since for shipment in row.shipments):
        keys.add("late:stale")
    if any(shipment.picked_up_at is None and shipment.shipped_at for shipment in row.shipments):
        keys.add("late:scan")
    if not keys - {ALL} - {key for key in keys if key.startswith(("cell:", "status:"))}:
        keys.add("fine:")
    return keys


def groups(rows: Sequence[Row]) -> list[Group]:
    """Return the groups by problem, the largest first, then those without any."""
    counts = Counter(key for row in rows for key in keys_of(row))
    labels = {"late:ship": "过了应发货时间", "late:stale": "停滞", "late:scan": "还没有揽收", "fine:": "没有问题"}
    found = [
        Group(key, labels.get(key) or wording.kind_name(key.partition(":")[2]), count)
        for key, count in counts.most_common()
        if key.startswith(("alert:", "late:", "fine:"))
    ]
    return [Group(ALL, "全部", len(rows)), *found]


def chosen(rows: Iterable[Row], key: str) -> list[Row]:
    return [row for row in rows if key in keys_of(row)]
