"""Many small counts in one question: each looks no further than its bound."""

from collections.abc import Mapping
from typing import Any

from django.core.exceptions import EmptyResultSet
from django.db import connections
from django.db.models import QuerySet


def counts(wanted: Mapping[str, QuerySet[Any]], most: int) -> dict[str, int]:
    """Return how many rows each query has, `most` at most, by one statement of scalar subqueries.

    They are all asked of the database that the first one would be asked of.
    """
    if not wanted:
        return {}
    connection = connections[next(iter(wanted.values())).db]
    names, parts, parameters = list[str](), list[str](), list[Any]()
    for name, rows in wanted.items():
        few = rows.order_by().values_list("pk")[:most]
        try:
            sql, given = few.query.get_compiler(connection=connection).as_sql()
        except EmptyResultSet:
            continue
        names.append(name)
        parts.append(f"(SELECT COUNT(*) FROM ({sql}) few{len(parts)})")  # noqa: S608 (compiled by Django)
        parameters += given
    found: tuple[int, ...] = ()
    if parts:
        with connection.cursor() as cursor:
            cursor.execute(f"SELECT {', '.join(parts)}", parameters)
            found = cursor.fetchone()
    return dict.fromkeys(wanted, 0) | dict(zip(names, found, strict=True))
