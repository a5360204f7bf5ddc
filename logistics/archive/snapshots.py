"""All rows of a set of orders, read in one query for each table, and written back."""

import datetime as dt
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from operator import itemgetter
from typing import Any

from django.db import connection
from django.db.models import BooleanField, DateTimeField, Field, Model

from logistics.archive.tables import TABLES, Travelling, as_json
from logistics.models import Shipment
from orders.models import Order

CHUNK = 900
"""Keys in one list: of 1,000 and more MariaDB makes a table, and no longer uses the index."""


Row = tuple[int, int, str]
"""A row of a travelling table: whose it is, its key, and its columns as a JSON array."""


class Rows:
    """The rows of all travelling tables that belong to some orders and their shipments."""

    def __init__(self, found: Mapping[str, list[Row]]) -> None:
        self.found = found
        self.count = sum(map(len, found.values()))

    @classmethod
    def read(cls, order_ids: Collection[int], shipment_ids: Collection[int]) -> "Rows":
        keys: dict[type[Model], Collection[int]] = {Order: order_ids, Shipment: shipment_ids}
        found: dict[str, list[Row]] = {}
        for table in TABLES:
            found[table.name] = rows = _read(table, keys[table.owner_table])
            keys.setdefault(table.model, [pk for _, pk, _ in rows])
        return cls(found)

    def by_order(self, boxes: Mapping[int, Sequence[int]]) -> dict[int, dict[str, list[str]]]:
        """Return the rows of each order by table; `boxes` are each order's shipments, whose rows each of them has."""
        owners: dict[type[Model], dict[int, list[int]]] = {
            Order: {pk: [pk] for pk in boxes},
            Shipment: defaultdict(list),
        }
        for order_id, shipment_ids in boxes.items():
            for shipment_id in shipment_ids:
                owners[Shipment][shipment_id].append(order_id)
        bodies: dict[int, dict[str, list[str]]] = {pk: {} for pk in boxes}
        for table in TABLES:
            whose, name = owners[table.owner_table], table.name
            for owner, _, text in self.found[name]:
                for order_id in whose[owner]:
                    bodies[order_id].setdefault(name, []).append(text)
            if table.model not in owners:
                owners[table.model] = {pk: whose[owner] for owner, pk, _ in self.found[name]}
        return bodies

    def delete(self) -> None:
        """Delete just these rows. Raises RowsMoved where there are others by now: the caller's transaction is void."""
        keys: dict[type[Model], list[int]] = {
            table.model: [pk for _, pk, _ in self.found[table.name]] for table in TABLES
        }
        for table in reversed(TABLES):
            if rows := self.found[table.name]:
                deleted = sum(_delete(table, chunk) for chunk in _chunks(sorted(keys[table.owner_table])))
                if deleted != len(rows):
                    raise RowsMoved(f"{table.name}: {deleted} of {len(rows)}")


class RowsMoved(Exception):
    """What was deleted is not what was read."""


def _read(table: Travelling, keys: Iterable[int]) -> list[Row]:
    owner, pk, name = map(connection.ops.quote_name, (table.owner, "id", table.name))
    rows: list[Row] = []
    with connection.cursor() as cursor:
        for chunk in _chunks(sorted(keys)):
            cursor.execute(
                f"SELECT {owner}, {pk}, {as_json(table)} FROM {name} WHERE {owner} IN ({listed(chunk)})"  # noqa: S608 (our names, integers)
            )
            rows += cursor.fetchall()
    return sorted(rows, key=itemgetter(1))


def _delete(table: Travelling, keys: Sequence[int]) -> int:
    owner, name = connection.ops.quote_name(table.owner), connection.ops.quote_name(table.name)
    with connection.cursor() as cursor:
        cursor.execute(f"DELETE FROM {name} WHERE {owner} IN ({listed(keys)})")  # noqa: S608 (our names, integers)
        return int(cursor.rowcount)


def listed(keys: Iterable[int]) -> str:
    return ",".join([str(int(key)) for key in keys])


def _chunks(keys: Sequence[int]) -> Iterable[Sequence[int]]:
    return (keys[start : start + CHUNK] for start in range(0, len(keys), CHUNK))


# --- and back -------------------------------------------------------------------------------------


def instances(table: Travelling, names: Sequence[str], rows: Iterable[Sequence[Any]]) -> list[Model]:
    """Return the rows of a body as unsaved instances; a column that the table has no more is left out."""
    fields = {str(field.column): field for field in table.fields}
    known = [(place, fields[name]) for place, name in enumerate(names) if name in fields]
    return [table.model(**{field.attname: _value(field, row[place]) for place, field in known}) for row in rows]


def insert(rows: Mapping[str, Sequence[Model]]) -> None:
    for table in TABLES:
        if found := rows.get(table.name):
            # No signals, no save(): what was read is what is written.
            table.model._default_manager.bulk_create(found, batch_size=CHUNK)


def _value(field: "Field[Any, Any]", value: Any) -> Any:
    if value is None:
        return None
    if isinstance(field, DateTimeField):
        return dt.datetime.fromisoformat(value).replace(tzinfo=dt.UTC)
    return bool(value) if isinstance(field, BooleanField) else value
