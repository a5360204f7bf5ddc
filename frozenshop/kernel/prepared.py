"""Queries of a fixed form, whose SQL is made once: of a short query, making the text takes Django longest."""

from collections.abc import Callable, Sequence
from typing import Any

from django.db import connections, router
from django.db.models import QuerySet

Argument = int | str | Sequence[int] | Sequence[str]
Row = tuple[Any, ...]
Converters = list[tuple[int, list[Callable[..., Any]], Any]]


class Prepared:
    """The rows of `build(argument)`, a `values_list` whose parameters end with the argument.

    What stands before it is fixed. Of a list, the text is kept for each length. Values pass the same converters as in
    Django's own way.
    """

    def __init__(self, build: Callable[[Any], QuerySet[Any, Any]]) -> None:
        self._build = build
        self._model: Any = None
        self._texts: dict[tuple[str, int], tuple[str, list[Any], Converters]] = {}

    def __call__(self, argument: Argument) -> list[Row]:
        """Return the rows; none for an empty list, since nothing is in it."""
        parameters = [argument] if isinstance(argument, int | str) else list(argument)
        if not parameters:
            return []
        self._model = self._model or self._build(argument).model
        connection = connections[router.db_for_read(self._model)]
        form = (connection.vendor, len(parameters))
        if form not in self._texts:
            self._texts[form] = self._prepare(connection, argument, parameters)
        text, fixed, converters = self._texts[form]
        with connection.cursor() as cursor:
            cursor.execute(text, fixed + parameters)
            rows = cursor.fetchall()
        return [_converted(row, converters, connection) for row in rows]

    def _prepare(self, connection: Any, argument: Argument, parameters: list[Any]) -> tuple[str, list[Any], Converters]:
        compiler = self._build(argument).query.get_compiler(connection.alias)
        text, found = compiler.as_sql()
        fixed = list(found[: len(found) - len(parameters)])
        if [*fixed, *parameters] != list(found):
            raise TypeError(f"the parameters of a prepared query end with its argument: {text}")
        converters = compiler.get_converters([column for column, _, _ in compiler.select])
        return text, fixed, [(place, convert, column) for place, (convert, column) in converters.items()]


def _converted(row: Sequence[Any], converters: Converters, connection: Any) -> Row:
    values = list(row)
    for place, convert, column in converters:
        for step in convert:
            values[place] = step(values[place], column, connection)
    return tuple(values)
