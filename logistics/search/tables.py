"""Tables of orders that can be asked for a meaning: the orders here, the archive and others by the same words."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar, cast

from django.db.models import Model, Q, QuerySet

from frozenshop.kernel import crypto
from logistics.models import ShipmentOrder
from logistics.search.meaning import Kind, Meaning
from logistics.search.products import named_products
from orders.consignee import Consignee
from orders.models import Order, OrderLine

MAX_FOUND = 500
"""More orders than that nobody reads: the text must say more."""
RowT = TypeVar("RowT", bound=Model)


class Searchable(Protocol):
    order_no: str
    lines_summary: str

    def open_consignee(self) -> Consignee: ...


@dataclass(frozen=True, slots=True)
class Table(Generic[RowT]):
    """Orders in one place.

    `all` gives the rows (with the columns of `meaning`, and those of Searchable); `by_waybill` the keys of rows with
    such a waybill, `by_sku` of the newest that hold such a product, each of no more than it is asked for.
    """

    name: str
    all: Callable[[], QuerySet[RowT]]
    by_waybill: Callable[[Q, int], QuerySet[Any, Any]]
    by_sku: Callable[[str, int], Iterable[int]] | None = None

    def look(self, meaning: Meaning) -> QuerySet[RowT] | None:
        """Return the rows, newest first; None where there are none and the text may mean something else."""
        if meaning.kind is Kind.NOTHING:
            return self.all().none()
        if self._through_keys(meaning):
            keys = self._keys(meaning)
            return self._newest_first(meaning.period.limit(self._of(keys))) if keys or meaning.certain else None
        rows = self._limited(meaning)
        return rows if meaning.certain or rows.exists() else None

    def _through_keys(self, meaning: Meaning) -> bool:
        return bool(meaning.waybill or meaning.product or meaning.words or meaning.newest_by)

    def _keys(self, meaning: Meaning) -> list[int]:
        if meaning.waybill is not None:
            return list(dict.fromkeys(self.by_waybill(meaning.waybill, MAX_FOUND)))
        if meaning.product:
            skus = named_products(meaning.product) if self.by_sku else ()
            return sorted({key for sku in skus for key in self._holding(sku)})[-MAX_FOUND:]
        if meaning.words:
            rows = self._limited(meaning)[:MAX_FOUND]
            return [row.pk for row in rows if mentions(cast(Searchable, row), meaning.words)]
        rows = self.all().filter(meaning.where).order_by(f"-{meaning.newest_by}")
        return list(rows.values_list("pk", flat=True)[:MAX_FOUND])

    def _holding(self, sku: str) -> Iterable[int]:
        return self.by_sku(sku, MAX_FOUND) if self.by_sku else ()

    def question(self, meaning: Meaning, most: int) -> QuerySet[Any, Any]:
        """Return the keys of up to so many rows of a plain meaning, not asked yet."""
        if meaning.waybill is not None:
            return self.by_waybill(meaning.waybill, most)
        return meaning.period.limit(self.all().filter(meaning.where)).order_by().values_list("pk", flat=True)[:most]

    def _limited(self, meaning: Meaning) -> QuerySet[RowT]:
        return self._newest_first(meaning.period.limit(self.all().filter(meaning.where)))

    def _of(self, keys: Sequence[int]) -> QuerySet[RowT]:
        return self.all().filter(pk__in=keys)

    @staticmethod
    def _newest_first(rows: QuerySet[RowT]) -> QuerySet[RowT]:
        return rows.order_by("-placed_at", "-id")


def mentions(row: Searchable, words: Iterable[str]) -> bool:
    """Say whether each word stands in what is known of an order; one whose seal is broken mentions nothing."""
    try:
        consignee = row.open_consignee()
    except crypto.SealBroken:
        return False
    place = f"{consignee.province}{consignee.city}{consignee.district}{consignee.address}"
    known = (consignee.name, place, row.lines_summary, row.order_no)
    return all(any(word in part for part in known) for word in words)


def _orders_of_waybills(condition: Q, most: int) -> QuerySet[Any, Any]:
    named = Q(*[(f"shipment__{name}", value) for name, value in cast(Iterable[Any], condition.children)])
    return ShipmentOrder.objects.filter(named).values_list("order_id", flat=True).distinct()[:most]


def _orders_with(sku: str, most: int) -> Iterable[int]:
    return OrderLine.objects.filter(sku=sku).order_by("-order_id").values_list("order_id", flat=True)[:most]


ORDERS: Table[Order] = Table("订单", Order.objects.all, _orders_of_waybills, _orders_with)
