"""Finding orders by whatever staff typed: each form of text has one index, and nothing is ever scanned for `%…%`.

`readings` says what a text may mean, each meaning is data (`Meaning`), and a `Table` looks for it: the orders here, the
archive with the same words.
"""

import datetime as dt
import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from django.db.models import QuerySet

from logistics.search.hits import bounded
from logistics.search.meaning import Kind, Meaning, Period, waybill_prefix
from logistics.search.reading import KEY, readings
from logistics.search.tables import MAX_FOUND, ORDERS, Table, holding_of, with_products
from orders.models import Order

__all__ = ["MAX_FOUND", "ORDERS", "Found", "Kind", "Meaning", "Period", "Table", "readings", "search", "search_orders"]


@dataclass(frozen=True, slots=True)
class Found:
    """What the text was taken for, in Chinese, and the orders, newest first."""

    meaning: Meaning
    orders: QuerySet[Order]
    archived: QuerySet[Any] | None = None

    @property
    def label(self) -> str:
        return self.meaning.label


def search(
    text: str, tables: Sequence[Table[Any]], period: Period, *, kind: Kind | None = None
) -> tuple[Meaning, list[QuerySet[Any]]]:
    """Return what a text means, being the likeliest of which any of the tables knows something, and what each knows.

    `kind`: what somebody says that it means, if it can.
    """
    waiting: list[Meaning] = []
    for meaning in itertools.chain(_as(text, period, kind), readings(text, period)):
        if not (meaning.certain or meaning.product):
            waiting.append(meaning)
            continue
        for taken, asked in (*_that_may_hit(waiting, tables), (meaning, tables)):
            taken = with_products(taken)
            if found := _look(taken, tables, asked):
                return taken, found
        waiting = []
    raise AssertionError("the last reading is certain")


def _look(meaning: Meaning, tables: Sequence[Table[Any]], asked: Sequence[Table[Any]]) -> list[QuerySet[Any]] | None:
    holding = dict(zip(map(id, asked), holding_of(meaning, asked), strict=True)) if meaning.product else {}
    found = [table.look(meaning, holding.get(id(table))) if table in asked else None for table in tables]
    if all(rows is None for rows in found):
        return None
    return [table.all().none() if rows is None else rows for table, rows in zip(tables, found, strict=True)]


def _that_may_hit(
    meanings: Sequence[Meaning], tables: Sequence[Table[Any]]
) -> Iterator[tuple[Meaning, list[Table[Any]]]]:
    """Yield the meanings of which a table knows something, with these tables, after one question; a plain one is
    certain then.
    """
    counts = iter(bounded([table.question(meaning, 1) for meaning in meanings for table in tables]))
    for meaning in meanings:
        if knowing := [table for table in tables if next(counts)]:
            yield replace(meaning, certain=meaning.plain), knowing


def _as(text: str, period: Period, kind: Kind | None) -> Iterator[Meaning]:
    if kind is Kind.WAYBILL_PREFIX and KEY.fullmatch(text):
        yield waybill_prefix(text, period)
    elif kind:
        yield from (meaning for meaning in readings(text, period) if meaning.kind is kind)


def search_orders(
    text: str, *, since: dt.datetime | None = None, until: dt.datetime | None = None, kind: Kind | None = None
) -> Found:
    """Return the orders that a text means: order number (whole, or its first six), waybill (whole, or its last six),
    phone, name, a day, a city, a product, or the last four digits of a phone, alone or with a day and something of the
    consignee.
    """
    meaning, (orders,) = search(text, [ORDERS], Period(since, until), kind=kind)
    return Found(meaning, orders)
