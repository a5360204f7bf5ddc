"""Moving finished orders into the archive, a batch in a transaction: there and complete, or not gone from where it was.

Lock boxes, then orders, as whoever takes in news does → look whether anybody needs them → read every row → write the
bodies and read them back → delete just what was read, counted. Whoever dies leaves the batch as it was; what is still
in the hot tables is what is left to do.
"""

import datetime as dt
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import structlog
from django.conf import settings
from django.db import connection, transaction
from django.db.models import F

from frozenshop.kernel import clock, crypto
from logistics.archive import bodies, candidates, places, snapshots
from logistics.archive.candidates import Boxes, Rule
from logistics.archive.models import ArchivedOrder, ArchivedWaybill, ArchiveMonth, Restoration, note_purpose
from logistics.archive.snapshots import Rows, RowsMoved
from logistics.models import Shipment
from orders import versions
from orders.contention import retried
from orders.models import Order

logger = structlog.get_logger(__name__)

Values = Mapping[str, Any]
# What of an order's columns stands beside the body under its own name.
_SAME = tuple(name for name in candidates.ORDER if name != "note")


@dataclass(frozen=True, slots=True)
class Moved:
    """What one batch moved, and how many of its orders stay because somebody needs them."""

    orders: int = 0
    rows: int = 0
    size: int = 0
    kept: int = 0

    def __add__(self, other: "Moved") -> "Moved":
        return Moved(self.orders + other.orders, self.rows + other.rows, self.size + other.size, self.kept + other.kept)


def archive(rule: Rule, *, size: int | None = None) -> Iterator[Moved]:
    """Move whatever may go, and yield after each batch. Safe to repeat, to break off and to run twice at once."""
    for ids in candidates.pages(rule, size or settings.ARCHIVE_BATCH):
        yield move(ids, rule)


@retried
def move(ids: Sequence[int], rule: Rule) -> Moved:
    """Move these orders, and those that share a box with them, as far as nobody needs them. One transaction.

    Raises PlaceDown, BodyBroken: nothing is moved.
    """
    boxes = Boxes(ids)
    with transaction.atomic():
        shipments = candidates.lock(Shipment, boxes.shipments, candidates.SHIPMENT)
        orders = candidates.lock(Order, sorted(boxes.of_order), candidates.ORDER)
        if Boxes(ids) != boxes:  # somebody put another order in, or took one out
            return Moved(kept=len(ids))
        bundles = free(boxes, orders, shipments, rule)
        chosen = [pk for together in bundles.values() for pk in together]
        if not chosen:
            return Moved(kept=len(ids))
        rows = Rows.read(chosen, sorted({box for pk in chosen for box in boxes.of_order[pk]}))
        archived = compose(bundles, orders, boxes, rows)
        size = sum(len(row.body or b"") for row in archived)
        store(archived)
        insert(archived, _waybills(chosen, boxes, shipments))
        rows.delete()
        versions.retire({row.order_no: row.version for row in archived})
        Restoration.objects.filter(order_id__in=chosen).delete()
        count(archived, 1)
        return Moved(len(archived), rows.count, size, len(boxes.of_order) - len(archived))


def free(
    boxes: Boxes, orders: Mapping[int, Values], shipments: Mapping[int, Values], rule: Rule
) -> dict[int, list[int]]:
    """Return the bundles of which every order is locked, finished and needed by nobody."""
    stay = candidates.needed(orders, rule) | (boxes.of_order.keys() - orders.keys())
    stay |= {
        order_id
        for order_id, inside in boxes.of_order.items()
        if not all(box in shipments and candidates.over(shipments[box]) for box in inside)
    }
    return {
        key: together
        for key, together in boxes.bundles().items()
        if stay.isdisjoint(together) and len(together) <= candidates.MOST_TOGETHER
    }


def compose(
    bundles: Mapping[int, Sequence[int]], orders: Mapping[int, Values], boxes: Boxes, rows: Rows
) -> list[ArchivedOrder]:
    """Return the archive's rows, each with its packed body."""
    chosen = {pk: boxes.of_order[pk] for together in bundles.values() for pk in together}
    bundle_of = {pk: key for key, together in bundles.items() for pk in together}
    texts, now = rows.by_order(chosen), clock.now()
    return [_composed(orders[pk], bundle_of[pk], texts[pk], now) for pk in sorted(chosen)]


def _composed(order: Values, bundle: int, texts: Mapping[str, Sequence[str]], now: dt.datetime) -> ArchivedOrder:
    packed, note = bodies.pack(texts), order["note"]
    return ArchivedOrder(
        **{name: order[name] for name in _SAME},
        note_sealed=crypto.seal(note, purpose=note_purpose(order["order_no"])) if note else "",
        bundle=bundle,
        month=f"{clock.shanghai(order['placed_at']):%Y-%m}",
        rows=sum(map(len, texts.values())),
        checksum=bodies.checksum(packed),
        body=packed,
        archived_at=now,
    )


def store(rows: Sequence[ArchivedOrder]) -> None:
    """Give the bodies to where they are to lie; where that is elsewhere, read them back before the rows let go."""
    place = places.configured()
    place.put(rows)
    if not isinstance(place, places.InRows):
        places.read_back(place, rows)
        for row in rows:
            row.body = None


def insert(rows: Sequence[ArchivedOrder], waybills: Sequence[ArchivedWaybill]) -> None:
    """Write the archive's rows and see that they arrived. Raises BodyBroken."""
    snapshots.write(rows)
    snapshots.write(waybills)
    if _arrived([row.pk for row in rows if row.body is not None]) != sum(row.body is not None for row in rows):
        raise bodies.BodyBroken


def _arrived(ids: Sequence[int]) -> int:
    """Count the rows whose body is what its checksum says, by the database's own reckoning where it can."""
    rows = ArchivedOrder.objects.filter(pk__in=ids)
    if connection.vendor == "mysql":
        return rows.extra(where=["SHA2(body, 256) = checksum"]).count() if ids else 0
    return sum(places.intact(row, bytes(row.body or b"")) for row in rows.only("body", "checksum"))


def _waybills(order_ids: Sequence[int], boxes: Boxes, shipments: Mapping[int, Values]) -> list[ArchivedWaybill]:
    return [
        ArchivedWaybill(
            order_id=pk,
            shipment_id=box,
            voided=shipments[box]["voided_at"] is not None,
            **{name: shipments[box][name] for name in ("carrier_id", "waybill_no", "status", "location", "shipped_at")},
        )
        for pk in order_ids
        for box in boxes.of_order[pk]
    ]


def count(rows: Sequence[ArchivedOrder], sign: int) -> None:
    """Enter rows that came (1) or went (-1) into their months' accounts, last of all: others wait for that row."""
    for month in sorted({row.month for row in rows}):
        theirs = [row for row in rows if row.month == month]
        changes = {
            "orders": F("orders") + sign * len(theirs),
            "rows": F("rows") + sign * sum(row.rows for row in theirs),
            "bytes": F("bytes") + sign * sum(len(row.body or b"") for row in theirs),
            "erased": F("erased") + sign * sum(row.erased_at is not None for row in theirs),
        }
        ArchiveMonth.objects.get_or_create(month=month)
        ArchiveMonth.objects.filter(month=month).update(**changes)


__all__ = ["Moved", "RowsMoved", "Rule", "archive", "count", "free", "insert", "move", "store"]
