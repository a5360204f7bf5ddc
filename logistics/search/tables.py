"""Tables of orders that can be asked for a meaning: the orders here, the archive and others by the same words."""

import re
import unicodedata
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Generic, NamedTuple, TypeVar, cast

from django.db.models import Model, Q, QuerySet

from frozenshop.kernel import crypto
from logistics.models import ShipmentOrder
from logistics.search.hits import keys_of
from logistics.search.meaning import Kind, Meaning
from logistics.search.products import MOST as MOST_PRODUCTS
from logistics.search.products import named_products
from orders.consignee import Consignee
from orders.models import Order, OrderLine

MAX_FOUND = 500
"""More orders than that nobody reads: the text must say more."""
SHORTENED = re.compile(" 等 [0-9]+ 种$")
"""How a summary of more goods ends than it names."""
RowT = TypeVar("RowT", bound=Model)


class Candidate(NamedTuple):
    """What is read of an order to see whether words stand in it: building all of it takes longer than opening it."""

    pk: int
    order_no: str
    consignee_sealed: str
    lines_summary: str


@dataclass(frozen=True, slots=True)
class Table(Generic[RowT]):
    """Orders in one place.

    `all` gives the rows (with the columns of `meaning`, and those of Candidate); `by_waybill` the keys of rows with
    such a waybill, `by_sku` of the newest that hold such a product, each of no more than it is asked for; `goods` what
    is in the rows with these keys, of which a summary names two.
    """

    name: str
    all: Callable[[], QuerySet[RowT]]
    by_waybill: Callable[[Q, int], QuerySet[Any, Any]]
    by_sku: Callable[[str, int], QuerySet[Any, Any]] | None = None
    goods: Callable[[Sequence[int]], Mapping[int, str]] | None = None

    def look(self, meaning: Meaning, holding: Sequence[int] | None = None) -> QuerySet[RowT] | None:
        """Return the rows, newest first; None where there are none and the text may mean something else.

        `holding`: the keys of the rows that hold what a product means, where `holding_of` was asked already.
        """
        if meaning.kind is Kind.NOTHING:
            return self.all().none()
        if meaning.through_keys:
            keys = self._keys(meaning) if holding is None else list(holding)
            return self._newest_first(meaning.period.limit(self._of(keys))) if keys or meaning.certain else None
        rows = self._limited(meaning)
        return rows if meaning.certain or rows.exists() else None

    def _keys(self, meaning: Meaning) -> list[int]:
        if meaning.waybill is not None:
            return list(dict.fromkeys(self.by_waybill(meaning.waybill, MAX_FOUND)))
        if meaning.product:
            return holding_of(meaning, [self])[0]
        if meaning.words:
            return self._mentioning(meaning)
        rows = self.all().filter(meaning.where).order_by(f"-{meaning.newest_by}")
        return list(rows.values_list("pk", flat=True)[:MAX_FOUND])

    def _mentioning(self, meaning: Meaning) -> list[int]:
        rows = [Candidate(*row) for row in self._limited(meaning).values_list(*Candidate._fields)[:MAX_FOUND]]
        more = [row.pk for row in rows if SHORTENED.search(row.lines_summary)]
        goods = self.goods(more) if self.goods and more else {}
        words = [_folded(word) for word in meaning.words]
        return [row.pk for row in rows if mentions(row, words, goods.get(row.pk, ""))]

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


def with_products(meaning: Meaning) -> Meaning:
    """Return the meaning with the products that it names, which are asked for once for all tables."""
    if not meaning.product or meaning.products is not None:
        return meaning
    return replace(meaning, products=tuple(named_products(meaning.product, MOST_PRODUCTS + 1).items()))


def holding_of(meaning: Meaning, tables: Sequence[Table[Any]]) -> list[list[int]]:
    """Return for each table the keys of its newest rows that hold what a product means, after one question."""
    skus = [sku for sku, _ in (with_products(meaning).products or ())[:MOST_PRODUCTS]]
    asked = [(table, table.by_sku(sku, MAX_FOUND)) for sku in skus for table in tables if table.by_sku]
    found: dict[str, set[int]] = {table.name: set() for table in tables}
    for (table, _), keys in zip(asked, keys_of([question for _, question in asked]), strict=True):
        found[table.name].update(keys)
    return [sorted(found[table.name])[-MAX_FOUND:] for table in tables]


def mentions(row: Candidate, folded: Iterable[str], goods: str = "") -> bool:
    """Say whether each word stands in what is known of an order; one whose seal is broken mentions nothing."""
    try:
        consignee = Consignee.open(row.consignee_sealed, row.order_no)
    except crypto.SealBroken:
        return False
    place = f"{consignee.province}{consignee.city}{consignee.district}{consignee.address}"
    known = [_folded(part) for part in (consignee.name, place, row.lines_summary, goods, row.order_no)]
    return all(any(word in part for part in known) for word in folded)


def _folded(text: str) -> str:
    """Return a text as everybody writes it: half-width, in small letters, without blanks."""
    return "".join(unicodedata.normalize("NFKC", text).casefold().split())


def _orders_of_waybills(condition: Q, most: int) -> QuerySet[Any, Any]:
    named = Q(*[(f"shipment__{name}", value) for name, value in cast(Iterable[Any], condition.children)])
    return ShipmentOrder.objects.filter(named).values_list("order_id", flat=True).distinct()[:most]


def _orders_with(sku: str, most: int) -> QuerySet[Any, Any]:
    return OrderLine.objects.filter(sku=sku).order_by("-order_id").values_list("order_id", flat=True)[:most]


def _goods(order_ids: Sequence[int]) -> dict[int, str]:
    found: dict[int, str] = {}
    for order_id, name in OrderLine.objects.filter(order__in=order_ids).values_list("order_id", "name"):
        found[order_id] = f"{found.get(order_id, '')}、{name}"
    return found


ORDERS: Table[Order] = Table("订单", Order.objects.all, _orders_of_waybills, _orders_with, _goods)
