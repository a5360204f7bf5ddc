"""The column for keys that must compare byte by byte on every database."""

from typing import Any, TypeVar

from django.db import models
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models.query_utils import DeferredAttribute


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


class _Reverse(DeferredAttribute):
    """Read from the other column, whatever was last written here."""

    field: "ReversedField[Any, Any]"

    def __get__(self, instance: models.Model | None, cls: Any = None) -> Any:
        return self if instance is None else getattr(instance, self.field.of)[::-1]

    def __set__(self, instance: models.Model, value: Any) -> None:
        instance.__dict__[self.field.attname] = value


class ReversedField(KeyField[_Set, _Get]):
    """Another key column's characters from the last to the first, so that an index finds values by their ending.

    Every way of inserting model rows fills it, bulk inserts too. It takes no generated column: MySQL, MariaDB and
    SQLite each have their own. Empty is a row that a release without the column has written.
    """

    descriptor_class = _Reverse

    def __init__(self, *args: Any, of: str, **kwargs: Any) -> None:
        self.of = of
        super().__init__(*args, **{"editable": False, "blank": True, "default": "", "db_default": "", **kwargs})

    def deconstruct(self) -> Any:
        name, path, args, kwargs = super().deconstruct()
        return name, path, args, {**kwargs, "of": self.of}

    def pre_save(self, model_instance: models.Model, add: bool) -> Any:
        return getattr(model_instance, self.of)[::-1]
