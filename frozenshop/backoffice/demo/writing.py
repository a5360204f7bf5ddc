"""Rows into tables by the thousand, in bounded memory, past the ORM's per-object cost."""

import datetime as dt
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.db import connection, models
from django.db.models.expressions import DatabaseDefault, Value

BATCH = 2000


class TableWriter:
    """Buffers rows of one model and inserts them in batches. Fields not given get the model's default.

    What the database computes or fills by itself is left to it. `first_id`: the key of the first row; by default the
    one after the table's greatest.
    """

    def __init__(self, model: type[models.Model], first_id: int | None = None) -> None:
        self.fields = [field for field in model._meta.concrete_fields if not left_to_database(field)]
        self.place = {field.attname: position for position, field in enumerate(self.fields)}
        self.template = [None if field.null or field.primary_key else default(field) for field in self.fields]
        self.key_place = next(position for position, field in enumerate(self.fields) if field.primary_key)
        self.next_id = next_key(model) if first_id is None else first_id
        self.rows: list[list[Any]] = []
        quote = connection.ops.quote_name
        self.table = quote(model._meta.db_table)
        self.columns = ", ".join(quote(str(field.column)) for field in self.fields)

    def add(self, **values: Any) -> int:
        """Buffer one row and return its primary key."""
        row, place = self.template.copy(), self.place
        for name, value in values.items():
            row[place[name]] = value
        row[self.key_place] = pk = self.next_id
        self.next_id += 1
        self.rows.append(row)
        return pk

    def flush(self) -> None:
        if self.rows:
            marks = ", ".join(["%s"] * len(self.fields))
            with connection.cursor() as cursor:
                cursor.executemany(
                    f"INSERT INTO {self.table} ({self.columns}) VALUES ({marks})",  # noqa: S608 (our own names)
                    [[stored(value) for value in row] for row in self.rows],
                )
            self.rows.clear()


def left_to_database(field: Any) -> bool:
    return bool(field.generated) or (not field.null and isinstance(default(field), DatabaseDefault))


def default(field: Any) -> Any:
    """Return what a new row has in the column; DatabaseDefault where only the database knows."""
    value, given = field.get_default(), field.db_default
    if not isinstance(value, DatabaseDefault):
        return value
    if isinstance(given, Value):
        return given.value
    return value if hasattr(given, "resolve_expression") else given


def next_key(model: type[models.Model]) -> int:
    return (model._default_manager.aggregate(top=models.Max("pk"))["top"] or 0) + 1


@contextmanager
def unchecked() -> Iterator[None]:
    """Skip MySQL's checks of keys meanwhile: the rows agree with each other by the way they are made."""
    if connection.vendor != "mysql":
        yield
        return
    with connection.cursor() as cursor:
        cursor.execute("SET SESSION unique_checks = 0, foreign_key_checks = 0")
        try:
            yield
        finally:
            cursor.execute("SET SESSION unique_checks = 1, foreign_key_checks = 1")


def stored(value: Any) -> Any:
    """Return the value as both SQLite and MySQL keep it: an instant as UTC text without its zone."""
    if value.__class__ is not dt.datetime:
        return value
    instant = value if value.tzinfo is dt.UTC else value.astimezone(dt.UTC)
    return instant.isoformat(" ", "microseconds")[:26]
