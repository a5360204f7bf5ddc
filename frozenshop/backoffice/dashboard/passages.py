"""One day counted: its orders by step, and its deliveries by carrier and lane with promise and time taken."""

import datetime as dt
import functools
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from django.db.models import Min, OuterRef, QuerySet, Subquery

from frozenshop.backoffice.dashboard.models import Dimension
from frozenshop.kernel.changelist import beyond
from frozenshop.kernel.clock import start_of_day
from logistics import places
from logistics.models import Shipment, ShipmentOrder, ShipmentStatus
from orders.models import Order, OrderStatus

BATCH = 2000
NOWHERE = "未知"
ARROW = "→"
LONGEST_HOURS = 24 * 60
"""What took longer is counted as this long: months are a mistake of somebody's, and would only widen the table."""
_ORDER = ("status_at", "id")

Key = tuple[str, str]


@dataclass(slots=True)
class Sums:
    """What a figure holds of one key."""

    count: int = 0
    promised: int = 0
    kept: int = 0
    hours: Counter[int] = field(default_factory=Counter)

    def add(self, other: "Sums") -> None:
        self.count += other.count
        self.promised += other.promised
        self.kept += other.kept
        self.hours.update(other.hours)


class Passage(NamedTuple):
    """A parcel that arrived; `promise` is the earliest of the orders in it."""

    status_at: dt.datetime
    id: int
    carrier: str
    origin: str
    destination: str
    shipped_at: dt.datetime
    delivered_at: dt.datetime | None
    promise: dt.datetime | None


def steps_of(day: dt.date) -> dict[Key, Sums]:
    """Count the orders that were placed on a day by where they stand, each step by its own stretch of the index."""
    since, until = bounds(day, day)
    placed = Order.objects.filter(placed_at__gte=since, placed_at__lt=until)
    counts = {status.value: placed.filter(status=status).count() for status in OrderStatus}
    return {(Dimension.STATUS.value, status): Sums(count) for status, count in counts.items() if count}


def passages_of(day: dt.date) -> dict[Key, Sums]:
    """Count the parcels that were delivered on a day, `BATCH` at once along the index."""
    sums: dict[Key, Sums] = {}
    for passage in _passages(day):
        one = sums_of(passage)
        for key in _keys(passage):
            sums.setdefault(key, Sums()).add(one)
    return sums


def sums_of(passage: Passage) -> Sums:
    sums = Sums(count=1)
    if passage.delivered_at is None:
        return sums
    if passage.promise is not None:
        sums.promised, sums.kept = 1, int(passage.delivered_at <= passage.promise)
    hours = max((passage.delivered_at - passage.shipped_at) // dt.timedelta(hours=1), 0)
    sums.hours[min(hours, LONGEST_HOURS)] = 1
    return sums


def delivered(rows: QuerySet[Shipment], since: dt.datetime, until: dt.datetime) -> QuerySet[Shipment]:
    """Narrow to what was delivered from one instant until another, by the index of the status."""
    return rows.filter(
        status=ShipmentStatus.DELIVERED, status_at__gte=since, status_at__lt=until, voided_at__isnull=True
    )


def promise() -> Subquery:
    """Return the earliest promise of the orders in a box, for the rows of a query of shipments."""
    linked = ShipmentOrder.objects.filter(shipment=OuterRef("pk")).order_by().values("shipment")
    return Subquery(linked.annotate(first=Min("order__promised_by")).values("first"))


def lane(origin: str, destination: str) -> str:
    """Return from which province to which; a place that says none is `NOWHERE`."""
    return f"{province(origin)}{ARROW}{province(destination)}"


@functools.lru_cache(maxsize=10_000)
def province(text: str) -> str:
    return places.province_of(text) or NOWHERE


def bounds(first: dt.date, last: dt.date) -> tuple[dt.datetime, dt.datetime]:
    """Return the instants from (inclusive) and until (exclusive) of Shanghai's days, both inclusive."""
    return start_of_day(first), start_of_day(last + dt.timedelta(days=1))


def total(parts: Iterable[Sums]) -> Sums:
    sums = Sums()
    for part in parts:
        sums.add(part)
    return sums


def _keys(passage: Passage) -> list[Key]:
    return [
        (Dimension.ALL.value, ""),
        (Dimension.CARRIER.value, passage.carrier),
        (Dimension.LANE.value, lane(passage.origin, passage.destination)),
        (Dimension.ORIGIN.value, passage.origin),
        (Dimension.DESTINATION.value, passage.destination),
    ]


def _passages(day: dt.date) -> Iterator[Passage]:
    rows: Any = delivered(Shipment.objects.all(), *bounds(day, day)).annotate(promise=promise()).order_by(*_ORDER)
    columns = rows.values_list(
        "status_at", "id", "carrier__code", "origin", "destination", "shipped_at", "delivered_at", "promise"
    )
    batch = [Passage(*row) for row in columns[:BATCH]]
    while batch:
        yield from batch
        after = beyond(_ORDER, (batch[-1].status_at, batch[-1].id), backwards=False)
        batch = [Passage(*row) for row in columns.filter(after)[:BATCH]] if len(batch) == BATCH else []
