"""Rows into tables by the thousand, in bounded memory, past the ORM's per-object cost."""

import datetime as dt
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.db import connection, models

BATCH = 2000


class TableWriter:
    """Buffers rows of one model and inserts them in batches. Fields not given get the model's default."""

    def __init__(self, model: type[models.Model]) -> None:
        fields = model._meta.concrete_fields
        quote = connection.ops.quote_name
        columns = ", ".join(quote(str(field.column)) for field in fields)
        marks = ", ".join(["%s"] * len(fields))
        self.sql = f"INSERT INTO {quote(model._meta.db_table)} ({columns}) VALUES ({marks})"  # noqa: S608 (our own names)
        self.place = {field.attname: position for position, field in enumerate(fields)}
        self.template = [None if field.null or field.primary_key else stored(field.get_default()) for field in fields]
        self.key_place = next(position for position, field in enumerate(fields) if field.primary_key)
        self.next_id = (model._default_manager.aggregate(top=models.Max("pk"))["top"] or 0) + 1
        self.rows: list[list[Any]] = []

    def add(self, **values: Any) -> int:
        """Buffer one row and return its primary key."""
        row, place = self.template.copy(), self.place
        for name, value in values.items():
            row[place[name]] = stored(value) if value.__class__ is dt.datetime else value
        row[self.key_place] = pk = self.next_id
        self.next_id += 1
        self.rows.append(row)
        return pk

    def flush(self) -> None:
        if self.rows:
            with connection.cursor() as cursor:
                cursor.executemany(self.sql, self.rows)
            self.rows.clear()


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
    if not isinstance(value, dt.datetime):
        return value
    instant = value if value.tzinfo is dt.UTC else value.astimezone(dt.UTC)
    return instant.isoformat(" ", "microseconds")[:26]
