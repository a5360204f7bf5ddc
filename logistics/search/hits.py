"""What several questions find, or how many rows each has, asked in one statement and no further than a bound."""

from collections.abc import Sequence
from typing import Any

from django.core.exceptions import EmptyResultSet
from django.db import connections
from django.db.models import QuerySet


def bounded(questions: Sequence[QuerySet[Any, Any]]) -> list[int]:
    """Return the number of rows of each (sliced) question. All are of one database."""
    parts: list[str] = []
    values: list[Any] = []
    using = questions[0].db if questions else ""
    for number, question in enumerate(questions):
        try:
            sql, parameters = question.query.get_compiler(using).as_sql()
        except EmptyResultSet:
            parts.append("0")
            continue
        parts.append(f"(SELECT COUNT(*) FROM ({sql}) bounded{number})")  # noqa: S608 (Django's own SQL)
        values.extend(parameters)
    if not any(part != "0" for part in parts):
        return [0] * len(parts)
    with connections[using].cursor() as cursor:
        cursor.execute(f"SELECT {', '.join(parts)}", values)
        return list(cursor.fetchone())


def keys_of(questions: Sequence[QuerySet[Any, Any]]) -> list[list[int]]:
    """Return the keys that each (sliced) question of one column finds. All are of one database."""
    parts: list[str] = []
    values: list[Any] = []
    using = questions[0].db if questions else ""
    for number, question in enumerate(questions):
        sql, parameters = question.query.get_compiler(using).as_sql()
        parts.append(f"SELECT {number}, found{number}.* FROM ({sql}) found{number}")  # noqa: S608 (Django's own SQL)
        values.extend(parameters)
    found: list[list[int]] = [[] for _ in questions]
    if parts:
        with connections[using].cursor() as cursor:
            cursor.execute(" UNION ALL ".join(parts), values)
            for number, key in cursor.fetchall():
                found[number].append(key)
    return found
