"""What has had its term where it never was archived: never finished, needed by somebody, or the archive is off.

The terms are the archive's, and a legal hold keeps it here too. So does work: what was touched within the last days
(`ARCHIVE_QUIET_DAYS`) waits. The keyed indexes stay; so do the texts of a box while any of its orders is kept.
"""

import datetime as dt
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import Model, Q, QuerySet

from frozenshop.kernel import clock
from logistics.archive import beside, candidates
from logistics.archive.candidates import Boxes
from logistics.archive.retention import PERSONAL, WORDING, Erased
from logistics.archive.tables import TABLES, TEXTS
from logistics.models import Shipment
from orders import holds, versions
from orders.contention import retried
from orders.models import Order

BATCH = 200
ABOUT = ("id", "order_no", "customer_id", "phone_index", "placed_at", "updated_at", "consignee_sealed", "note")
_OWNERS: Mapping[str, str] = {table.name: table.owner for table in TABLES} | {"orders_alertnote": "alert__order_id"}
_OF_BOX = frozenset({"logistics_shipment", "logistics_trackingevent", "logistics_subscription"})


def erase_overdue() -> Iterator[Erased]:
    """Erase it, oldest first, and yield after each batch that changed something. Safe to repeat and to break off."""
    now = clock.now()
    ends = {term.what: now - dt.timedelta(days=term.days) for term in (PERSONAL, WORDING) if term.days}
    for ids in _pages(max(ends.values())) if ends else ():
        if changed := _erase(ids, ends, now - dt.timedelta(days=settings.ARCHIVE_QUIET_DAYS)):
            yield Erased("hot", changed)


def _pages(before: dt.datetime) -> Iterator[list[int]]:
    """Along one index; with the archive at work little is as old as that."""
    rows = Order.objects.filter(placed_at__lt=before).order_by("placed_at", "id").values_list("placed_at", "id")
    page = list(rows[:BATCH])
    while page:
        yield [pk for _, pk in page]
        placed_at, pk = page[-1]
        page = list(rows.filter(Q(placed_at__gte=placed_at) & (Q(placed_at__gt=placed_at) | Q(pk__gt=pk)))[:BATCH])


@retried
def _erase(ids: Sequence[int], ends: Mapping[str, dt.datetime], quiet: dt.datetime) -> int:
    """Erase what is due of these orders, and of those that share a box with them; return how many changed."""
    boxes = Boxes(ids)
    with transaction.atomic():
        shipments = candidates.lock(Shipment, boxes.shipments, ("id",))
        orders = candidates.lock(Order, sorted(boxes.of_order), ABOUT)
        if Boxes(ids) != boxes:  # another run takes them as they are then
            return 0
        held = holds.standing().among(orders.values())
        free = {pk: row for pk, row in orders.items() if pk not in held and row["updated_at"] < quiet}
        named = _due(free, ends.get(PERSONAL.what))
        named = {pk for pk in named if free[pk]["consignee_sealed"] or free[pk]["note"]}
        Order.objects.filter(pk__in=named).update(consignee_sealed="", note="")
        worded = _due(free, ends.get(WORDING.what))
        numbers = {str(free[pk]["order_no"]): pk for pk in worded}
        changed = named | _without_texts(worded, boxes, shipments) | {numbers[no] for no in beside.forget(numbers)}
        versions.bump(changed)
    return len(changed)


def _due(orders: Mapping[int, Mapping[str, Any]], end: dt.datetime | None) -> set[int]:
    return {pk for pk, row in orders.items() if end and row["placed_at"] < end}


def _without_texts(order_ids: Collection[int], boxes: Boxes, locked: Collection[int]) -> set[int]:
    """Empty the texts of orders, and of the boxes that hold no others; return the orders that had any."""
    whose = {box: inside for box in locked if (inside := boxes.inside(box)) <= set(order_ids)}
    had: set[int] = set()
    for table in TABLES:
        if table.name not in TEXTS:
            continue
        of_box = table.name in _OF_BOX
        rows = _written(table.model, _OWNERS[table.name], list(whose) if of_box else order_ids, TEXTS[table.name])
        if owners := set(rows.values_list(_OWNERS[table.name], flat=True)):
            rows.update(**dict.fromkeys(TEXTS[table.name], ""))
            had |= {pk for owner in owners for pk in whose[owner]} if of_box else owners
    return had


def _written(model: type[Model], owner: str, keys: Collection[int], names: Sequence[str]) -> QuerySet[Any, Any]:
    """Return the rows that say anything in these columns."""
    rows = model._default_manager.filter(**{f"{owner}__in": list(keys)})
    return rows.exclude(**dict.fromkeys(names, ""))
