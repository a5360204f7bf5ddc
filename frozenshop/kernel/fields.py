"""The column for keys that must compare byte by byte on every database."""

from typing import Any, TypeVar

from django.db import models
from django.db.backends.base.base import BaseDatabaseWrapper


def bytewise_collation(connection: BaseDatabaseWrapper) -> str | None:
    """Return the collation that compares bytes and does not pad, or None where that is the default (SQLite)."""
    if connection.vendor != "mysql":
        return None
    return "utf8mb4_nopad_bin" if connection.mysql_is_mariadb else "utf8mb4_0900_bin"  # type: ignore[attr-defined]


_Set = TypeVar("_Set", contravariant=True)
_Get = TypeVar("_Get", covariant=True)


class KeyField(models.CharField[_Set, _Get]):
    """Text that is a key: case, width, trailing blanks and astral characters all count."""

    def db_parameters(self, connection: BaseDatabaseWrapper) -> dict[str, Any]:
        parameters = dict(super().db_parameters(connection))
        parameters["collation"] = bytewise_collation(connection)
        return parameters
