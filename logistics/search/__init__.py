"""Finding orders by whatever staff typed: each form of text has one index, and nothing is ever scanned for `%…%`.

`readings` says what a text may mean, each meaning is data (`Meaning`), and a `Table` looks for it: the orders here, the
archive with the same words.
"""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.db.models import QuerySet

from logistics.search.meaning import Kind, Meaning, Period
from logistics.search.reading import readings
from logistics.search.tables import MAX_FOUND, ORDERS, Table
from orders.models import Order

__all__ = ["MAX_FOUND", "ORDERS", "Found", "Kind", "Meaning", "Period", "Table", "readings", "search", "search_orders"]


@dataclass(frozen=True, slots=True)
class Found:
    """What the text was taken for, in Chinese, and the orders, newest first."""

    meaning: Meaning
    orders: QuerySet[Order]

    @property
    def label(self) -> str:
        return self.meaning.label

    @property
    def ids(self) -> QuerySet[Order, Any]:
        """The orders as a subquery, for `pk__in` of another queryset."""
        return self.orders.order_by().values("pk")


def search(text: str, tables: Sequence[Table[Any]], period: Period) -> tuple[Meaning, list[QuerySet[Any]]]:
    """Return what a text means, being the likeliest of which any of the tables knows something, and what each knows."""
    for meaning in readings(text, period):
        found = [table.look(meaning) for table in tables]
        if any(rows is not None for rows in found):
            return meaning, [
                table.all().none() if rows is None else rows for table, rows in zip(tables, found, strict=True)
            ]
    raise AssertionError("the last reading is certain")


def search_orders(text: str, *, since: dt.datetime | None = None, until: dt.datetime | None = None) -> Found:
    """Return the orders that a text means: order number (whole, or its first six), waybill (whole, or its last six),
    phone, name, a day, a city, a product, or the last four digits of a phone, alone or with a day and something of the
    consignee.
    """
    meaning, (orders,) = search(text, [ORDERS], Period(since, until))
    return Found(meaning, orders)
