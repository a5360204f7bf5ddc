"""Which orders may go into the archive: finished long ago, and nobody needs them where they are."""

import datetime as dt
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.db import connection
from django.db.models import Expression, Q, QuerySet
from django.db.models.expressions import RawSQL
from django.utils.module_loading import import_string

from frozenshop.kernel import clock
from logistics.archive.models import Restoration
from logistics.archive.snapshots import listed
from logistics.cadence import FINAL
from logistics.models import ShipmentOrder
from orders import holds
from orders.models import Alert, Order, OrderStatus

FINISHED = frozenset({OrderStatus.DELIVERED, OrderStatus.CANCELLED, OrderStatus.REFUNDED, OrderStatus.RETURNED})
MOST_TOGETHER = 200
"""Orders that hang together by their boxes; more than that are no parcels of a shop, and stay."""

Kept = Callable[[Mapping[int, str]], Collection[int]]
"""Takes order numbers by id, returns the ids of those that somebody needs where they are."""


@dataclass(frozen=True, slots=True)
class Rule:
    """Orders placed before an instant, and not touched since `quiet_since` (None: however lately)."""

    before: dt.datetime
    quiet_since: dt.datetime | None = None

    @classmethod
    def scheduled(cls) -> "Rule":
        now = clock.now()
        quiet = dt.timedelta(days=settings.ARCHIVE_QUIET_DAYS)
        return cls(now - dt.timedelta(days=settings.ARCHIVE_AFTER_DAYS), now - quiet)

    def fits(self, status: str, placed_at: dt.datetime, updated_at: dt.datetime) -> bool:
        untouched = self.quiet_since is None or updated_at < self.quiet_since
        return status in FINISHED and placed_at < self.before and untouched


Place = tuple[dt.datetime, int]


def pages(rule: Rule, size: int) -> Iterator[list[int]]:
    """Yield the ids of orders that look as if they may go, oldest first.

    Along one index, and judged here: whatever the optimizer thinks, nothing is sorted, and what is unfinished of old
    is passed over by its key.
    """
    after: Place | None = None
    while rows := list(_from(rule, after)[:size]):
        after = rows[-1][0], rows[-1][1]
        if ids := [pk for placed_at, pk, status, updated_at in rows if rule.fits(status, placed_at, updated_at)]:
            yield ids


def _from(rule: Rule, after: Place | None) -> QuerySet[Order, Any]:
    rows = Order.objects.filter(placed_at__lt=rule.before)
    if after:
        placed_at, pk = after
        rows = rows.filter(Q(placed_at__gte=placed_at) & (Q(placed_at__gt=placed_at) | Q(pk__gt=pk)))
    return rows.order_by("placed_at", "id").values_list("placed_at", "id", "status", "updated_at")


# --- what hangs together --------------------------------------------------------------------------


class Boxes:
    """Which orders travel in which shipments, and which orders hang together by that."""

    def __init__(self, order_ids: Iterable[int]) -> None:
        self.of_order: dict[int, list[int]] = {pk: [] for pk in order_ids}
        fresh: Collection[int] = list(self.of_order)
        pairs: set[tuple[int, int]] = set()
        known: set[int] = set()
        while fresh:
            inside = set(_pairs("order_id", fresh))
            boxes = {box for _, box in inside} - known
            others = set(_pairs("shipment_id", boxes)) if boxes else set()
            known |= boxes
            pairs |= inside | others
            fresh = {pk for pk, _ in others} - self.of_order.keys()
            self.of_order |= {pk: [] for pk in fresh}
        self._of_shipment: dict[int, list[int]] = defaultdict(list)
        for order_id, shipment_id in sorted(pairs):
            self.of_order[order_id].append(shipment_id)
            self._of_shipment[shipment_id].append(order_id)

    @property
    def shipments(self) -> list[int]:
        return sorted(self._of_shipment)

    def inside(self, shipment_id: int) -> set[int]:
        return set(self._of_shipment[shipment_id])

    def bundles(self) -> dict[int, list[int]]:
        """Return the orders that come and go together, under the smallest of their ids."""
        found: dict[int, list[int]] = {}
        seen: set[int] = set()
        for order_id in sorted(self.of_order):
            if order_id in seen:
                continue
            together, fresh = {order_id}, [order_id]
            while fresh:
                boxes = self.of_order[fresh.pop()]
                others = {other for box in boxes for other in self._of_shipment[box]} - together
                together |= others
                fresh += others
            seen |= together
            found[order_id] = sorted(together)
        return found

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Boxes) and self.of_order == other.of_order

    __hash__ = None  # type: ignore[assignment]


def _pairs(column: str, keys: Iterable[int]) -> Iterable[tuple[int, int]]:
    rows = ShipmentOrder.objects.filter(**{f"{column}__in": among(keys)})
    return rows.values_list("order_id", "shipment_id")


# --- who is needed --------------------------------------------------------------------------------

SHIPMENT = ("id", "waybill_no", "waybill_reversed", "status", "voided_at")
ORDER = ("id", "order_no", "customer_id", "status", "placed_at", "updated_at", "version", "phone_index", "note")


def among(keys: Iterable[int]) -> RawSQL:
    """Return the right side of `__in` for integers: Django takes longer to prepare many than a database to find them.

    None at all is 0, which is no row's key.
    """
    return RawSQL(listed(keys) or "0", ())  # noqa: S611 (integers)


def lock(
    model: type[Any], keys: Sequence[int], names: Sequence[str], **more: Expression | Q
) -> dict[int, dict[str, Any]]:
    """Lock rows in the order of their keys and return them; what somebody else has locked is left to another run."""
    rows = model._default_manager.select_for_update(skip_locked=connection.features.has_select_for_update_skip_locked)
    return {row["id"]: row for row in rows.filter(pk__in=among(keys)).order_by("pk").values(*names, **more)}


def over(shipment: Mapping[str, Any]) -> bool:
    return shipment["voided_at"] is not None or shipment["status"] in FINAL


def needed(orders: Mapping[int, Mapping[str, Any]], rule: Rule) -> set[int]:
    """Return the locked orders that must stay: something is open, held, being told or under way."""
    ids = list(orders)
    told = Alert.objects.filter(order_id__in=among(ids))
    kept = set(told.filter(resolved_at=None).values_list("order_id", flat=True))
    kept |= set(told.filter(members__isnull=False).values_list("order_id", flat=True))
    kept |= {pk for pk, row in orders.items() if not rule.fits(row["status"], row["placed_at"], row["updated_at"])}
    kept |= holds.standing().among(orders.values())
    if rule.quiet_since is not None:
        rested = Restoration.objects.filter(order_id__in=among(ids), restored_at__gte=rule.quiet_since)
        kept |= set(rested.values_list("order_id", flat=True))
    numbers = {pk: str(row["order_no"]) for pk, row in orders.items()}
    for name in settings.ARCHIVE_KEPT_BY:
        keeps: Kept = import_string(name)
        kept |= set(keeps(numbers))
    return {pk for pk in kept if pk is not None}
