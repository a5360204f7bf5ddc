"""Moving finished orders into the archive, a batch in a transaction: there and complete, or not gone from where it was.

Lock boxes, then orders, as whoever takes in news does → look whether anybody needs them → read every row → write the
bodies and read them back → delete just what was read, counted. Whoever dies leaves the batch as it was; what is still
in the hot tables is what is left to do.
"""

import datetime as dt
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import structlog
from django.conf import settings
from django.db import connection, transaction
from django.db.models import F, Model, Q
from django.db.models.expressions import RawSQL

from frozenshop.kernel import clock, crypto
from frozenshop.kernel.models import AuditEntry
from logistics.archive import bodies, candidates, places
from logistics.archive.candidates import Boxes, Rule
from logistics.archive.models import (
    ArchivedOrder,
    ArchivedProduct,
    ArchivedWaybill,
    ArchiveMonth,
    Restoration,
    note_purpose,
)
from logistics.archive.snapshots import Rows, listed
from logistics.archive.tables import as_literals
from logistics.models import Shipment, ShipmentOrder
from orders import versions
from orders.contention import retried
from orders.models import Order, OrderLine

logger = structlog.get_logger(__name__)

Values = Mapping[str, Any]
BESIDE = (
    "id", "order_no", "customer_id", "status", "placed_at", "updated_at", "version", "total_fen", "lines_summary",
    "province", "city", "district", "phone_index", "name_index", "tail_index", "consignee_sealed",
)  # fmt: skip
"""Columns of an order that stand beside its body under their own names."""
OWN = (
    "bundle", "month", "note_sealed", "rows", "checksum", "place", "body", "archived_at", "erased_at",
    "texts_erased_at",
)  # fmt: skip
STATEMENT = 500_000
"""Characters of rows in one statement, about: well below what servers take."""
_PLAIN = re.compile(r"[\w.:+/=|-]*", re.ASCII)


@dataclass(slots=True)
class Composed:
    """What goes into the archive of one order; `beside` are its `BESIDE` columns, as they stand in an INSERT."""

    pk: int
    order_no: str
    version: int
    bundle: int
    month: str
    note_sealed: str
    rows: int
    checksum: str
    body: bytes | None
    beside: str
    erased_at: dt.datetime | None
    place: str = ""

    def literals(self, now: str) -> str:
        body = f"x'{self.body.hex()}'" if self.body is not None else "NULL"
        plain = (self.month, self.note_sealed, self.checksum, self.place)
        if not all(map(_PLAIN.fullmatch, plain)):
            raise ValueError(plain)
        month, note, checksum, place = plain
        erased = f"'{_instant(self.erased_at)}'" if self.erased_at else "NULL"
        own = f"{self.bundle},'{month}','{note}',{self.rows},'{checksum}','{place}',{body},'{now}',{erased},NULL"
        return f"({self.beside},{own})"


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
        beside = RawSQL(as_literals(BESIDE), ())  # noqa: S611 (our names)
        nameless = Q(consignee_sealed="")
        orders = candidates.lock(Order, sorted(boxes.of_order), candidates.ORDER, beside=beside, nameless=nameless)
        if Boxes(ids) != boxes:  # somebody put another order in, or took one out
            return Moved(kept=len(ids))
        bundles = free(boxes, orders, shipments, rule)
        chosen = [pk for together in bundles.values() for pk in together]
        if not chosen:
            return Moved(kept=len(ids))
        _fill_endings(shipments)
        rows = Rows.read(chosen, sorted({box for pk in chosen for box in boxes.of_order[pk]}))
        archived = compose(bundles, orders, boxes, rows)
        size = sum(len(row.body or b"") for row in archived)
        store(archived)
        insert(archived)
        rows.delete()
        versions.retire({row.order_no: row.version for row in archived})
        Restoration.objects.filter(order_id__in=candidates.among(chosen)).delete()
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
) -> list[Composed]:
    """Return the archive's rows, each with its packed body."""
    chosen = {pk: boxes.of_order[pk] for together in bundles.values() for pk in together}
    bundle_of = {pk: key for key, together in bundles.items() for pk in together}
    texts, erased = rows.by_order(chosen), _erased(orders.values())
    return [
        _composed(orders[pk], bundle_of[pk], texts[pk], erased.get(orders[pk]["order_no"])) for pk in sorted(chosen)
    ]


def _erased(orders: Iterable[Values]) -> dict[str, dt.datetime]:
    """Return when orders lost their consignee on somebody's request, as the audit has it."""
    nameless = [order["order_no"] for order in orders if order["nameless"]]
    proofs = AuditEntry.objects.filter(action="order.erased", subject__in=nameless).order_by("at")
    return dict(proofs.values_list("subject", "at")) if nameless else {}


def _composed(
    order: Values, bundle: int, texts: Mapping[str, Sequence[str]], erased_at: dt.datetime | None
) -> Composed:
    packed, note = bodies.pack(texts), order["note"]
    return Composed(
        pk=order["id"],
        order_no=order["order_no"],
        version=order["version"],
        bundle=bundle,
        month=f"{clock.shanghai(order['placed_at']):%Y-%m}",
        note_sealed=crypto.seal(note, purpose=note_purpose(order["order_no"])) if note else "",
        rows=sum(map(len, texts.values())),
        checksum=bodies.checksum(packed),
        body=packed,
        beside=order["beside"],
        erased_at=erased_at,
    )


def store(rows: Sequence[Composed]) -> None:
    """Give the bodies to where they are to lie; where that is elsewhere, read them back before the rows let go."""
    place = places.configured()
    place.put(rows)
    if not isinstance(place, places.InRows):
        places.read_back(place, rows)
        for row in rows:
            row.body = None


def insert(rows: Sequence[Composed]) -> None:
    """Write the orders' rows, their waybills' and their products', and see that they arrived. Raises BodyBroken."""
    into = _into(ArchivedOrder, *BESIDE, *OWN)
    now = _instant(clock.now())
    keys = listed(row.pk for row in rows)
    with connection.cursor() as cursor:
        for texts in _of_size([row.literals(now) for row in rows]):
            cursor.execute(f"{into} VALUES {','.join(texts)}")
        cursor.execute(
            f"{_into(ArchivedWaybill, *_WAYBILL)} SELECT link.order_id, box.id, box.carrier_id, box.waybill_no, "  # noqa: S608 (our names, integers)
            "box.waybill_reversed, box.status, box.location, box.shipped_at, box.voided_at IS NOT NULL "
            f"FROM {_table(ShipmentOrder)} link JOIN {_table(Shipment)} box ON box.id = link.shipment_id "
            f"WHERE link.order_id IN ({keys}) ORDER BY link.order_id, box.id"
        )
        cursor.execute(
            f"{_into(ArchivedProduct, 'sku', 'order_id')} SELECT DISTINCT sku, order_id "  # noqa: S608 (our names, integers)
            f"FROM {_table(OrderLine)} WHERE order_id IN ({keys})"
        )
    here = [row.pk for row in rows if row.body is not None]
    if _arrived(here) != len(here):
        raise bodies.BodyBroken


def _instant(value: dt.datetime) -> str:
    return f"{value.astimezone(dt.UTC):%Y-%m-%d %H:%M:%S.%f}"


_WAYBILL = (
    "order_id", "shipment_id", "carrier_id", "waybill_no", "waybill_reversed", "status", "location", "shipped_at",
    "voided",
)  # fmt: skip


def _into(model: type[Model], *names: str) -> str:
    return f"INSERT INTO {_table(model)} ({', '.join(map(connection.ops.quote_name, names))})"


def _table(model: type[Model]) -> str:
    return connection.ops.quote_name(model._meta.db_table)


def _of_size(texts: Sequence[str]) -> Iterator[Sequence[str]]:
    start = size = 0
    for place, text in enumerate(texts):
        if size and size + len(text) > STATEMENT:
            yield texts[start:place]
            start, size = place, 0
        size += len(text)
    if texts:
        yield texts[start:]


def _arrived(ids: Sequence[int]) -> int:
    """Count the rows whose body is what its checksum says, by the database's own reckoning where it can."""
    rows = ArchivedOrder.objects.filter(pk__in=candidates.among(ids))
    if connection.vendor == "mysql":
        return rows.extra(where=["SHA2(body, 256) = checksum"]).count()
    return sum(places.intact(row, bytes(row.body or b"")) for row in rows.only("body", "checksum"))


def _fill_endings(shipments: Mapping[int, Values]) -> None:
    """Write the reversed numbers that a former release left empty: they move as they are."""
    for pk, box in shipments.items():
        if not box["waybill_reversed"]:
            Shipment.objects.filter(pk=pk).update(waybill_reversed=box["waybill_no"][::-1])


def count(rows: Sequence[Composed] | Sequence[ArchivedOrder], sign: int) -> None:
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
