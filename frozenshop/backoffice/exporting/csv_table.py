"""A table as CSV for spreadsheet programs: UTF-8 with a byte order mark, and no cell that is a formula."""

import csv
import datetime as dt
import io
from collections.abc import Iterable, Sequence
from typing import Any, ClassVar

from frozenshop.backoffice.export import safe_cell
from frozenshop.backoffice.exporting.cells import Column, Marks, Value
from frozenshop.kernel.clock import shanghai


class CsvTable:
    """Written piece by piece; `state` is kept between two of them."""

    media_type: ClassVar[str] = "text/csv; charset=utf-8"

    def __init__(self, columns: Sequence[Column], marks: Marks, state: dict[str, Any] | None = None) -> None:
        self.columns, self.marks, self.state = columns, marks, state or {"rows": 0}

    def begin(self) -> bytes:
        lines = [[self.marks.line]] if self.marks.line else []
        return b"\xef\xbb\xbf" + _lines([*lines, [column.title for column in self.columns]])

    def rows(self, rows: Iterable[Sequence[Value]]) -> bytes:
        lines = [[_cell(value) for value in row] for row in rows]
        self.state["rows"] += len(lines)
        return _lines(lines)

    def end(self) -> bytes:
        return b""


def _cell(value: Value) -> str:
    if isinstance(value, str):
        return safe_cell(value)
    if isinstance(value, dt.datetime):
        return f"{shanghai(value):%Y-%m-%d %H:%M:%S}"
    return "" if value is None else str(value)


def _lines(lines: Iterable[Sequence[str]]) -> bytes:
    text = io.StringIO()
    csv.writer(text).writerows(lines)
    return text.getvalue().encode("utf-8", "replace")
