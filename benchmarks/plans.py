"""What the database says of a statement before it runs: does it read a big table without an index, or count one."""

import re
from collections.abc import Iterable

from django.db import connection

MANY = 10_000
"""A table of more rows than that is a big one, and so much of an index is too much of it."""


def big_tables(more_than: int = MANY) -> frozenset[str]:
    """Return the tables of this database that have more rows, by the database's own estimate."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT table_name FROM information_schema.tables WHERE table_schema = DATABASE() AND table_rows > %s",
            [more_than],
        )
        return frozenset(row[0] for row in cursor.fetchall())


def faults(statements: Iterable[str], big: frozenset[str]) -> list[str]:
    """Return what is wrong with the plans of statements as the database was sent them; nothing if all is well."""
    return [
        fault for sql in statements if sql.startswith("SELECT") for fault in [*_counts(sql, big), *_scans(sql, big)]
    ]


def _counts(sql: str, big: frozenset[str]) -> list[str]:
    """A count is cheap where what it counts ends somewhere: `COUNT(*) FROM (SELECT … LIMIT n)`."""
    if not re.search(r"\bCOUNT\(", sql, re.IGNORECASE) or re.search(r"\bLIMIT \d+\)", sql):
        return []
    return [f"COUNT over {table}: {sql}" for table in sorted(big) if f"`{table}`" in sql]


def _scans(sql: str, big: frozenset[str]) -> list[str]:
    """Walking an index in its order is no fault where a LIMIT ends it; how far it walked, rows read tell."""
    ended = " LIMIT " in sql
    tables = {alias: table for table, alias in re.findall(r"`(\w+)` ([TUVW]\d+)\b", sql)}
    return [
        f"{how} of {table}, {rows} rows: {sql}"
        for name, how, rows in plan(sql)
        if (table := tables.get(name, name)) in big and (how == "ALL" or (how == "index" and rows > MANY and not ended))
    ]


def plan(sql: str) -> list[tuple[str, str, int]]:
    """Return for each table or alias how it is read (`ALL`: all of it), and how many rows by the optimizer's guess."""
    with connection.cursor() as cursor:
        cursor.execute("EXPLAIN " + sql)
        names = [column[0] for column in cursor.description]
        rows = [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
    return [(str(row["table"]), str(row["type"]), _rows(row["rows"])) for row in rows]


def _rows(guess: object) -> int:
    """MariaDB tells of a filter beside the index as `28 (2%)`."""
    return int(str(guess or 0).split()[0])
