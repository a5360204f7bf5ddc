"""A table as XLSX that is written piece by piece, by whichever process goes on with it.

An XLSX file is a ZIP archive of XML. The sheet is one deflated stream; each piece ends on a whole byte and refers to
nothing before it, so that pieces made by different processes make one stream. What the archive's directory must know
at the end (sizes, checksums, places) is kept in `state`. Libraries hold the sheet in memory or in a file of the process
that began it, and both die with it.
"""

import datetime as dt
import re
import struct
import zlib
from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import Any, ClassVar
from xml.sax.saxutils import escape

from frozenshop.backoffice.export import safe_cell
from frozenshop.backoffice.exporting import xlsx_parts as parts
from frozenshop.backoffice.exporting.cells import Column, Marks, Value
from frozenshop.kernel.clock import shanghai

MOST_ROWS = 1_048_576
"""Of a sheet, the heading included."""
LONGEST_CELL = 32_767
LEVEL = 3
DEFLATED, SIZES_FOLLOW = 8, 0x08
LAST_BLOCK = b"\x03\x00"
NEW_YEAR_1980 = (1 << 5) | 1
"""The date of every entry: the same rows make the same file."""
DAY_ZERO = dt.datetime(1899, 12, 30, tzinfo=dt.UTC)
_UNFIT = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
_ESCAPED = re.compile(r"_(?=x[0-9A-Fa-f]{4}_)")


class XlsxTable:
    """`most_rows`: how many rows, the heading included, a sheet may have; what is more goes into a next one."""

    media_type: ClassVar[str] = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"

    def __init__(
        self,
        columns: Sequence[Column],
        marks: Marks,
        state: dict[str, Any] | None = None,
        *,
        most_rows: int = MOST_ROWS,
    ) -> None:
        self.columns, self.marks, self.most_rows = columns, marks, most_rows
        self.state = state or {"rows": 0, "size": 0, "sheets": 0, "lines": 0, "entries": []}

    def begin(self) -> bytes:
        return self._begin_sheet()

    def rows(self, rows: Iterable[Sequence[Value]]) -> bytes:
        made, lines = b"", list[str]()
        for row in rows:
            if self.state["lines"] >= self.most_rows:
                made += self._write("".join(lines)) + self._end_sheet() + self._begin_sheet()
                lines = []
            lines.append(_line(row))
            self.state["lines"] += 1
            self.state["rows"] += 1
        return made + self._write("".join(lines))

    def end(self) -> bytes:
        count = self.state["sheets"]
        made = self._end_sheet()
        for name, text in parts.around(self.marks, count):
            made += self._open(name) + self._write(text) + self._close()
        return made + self._directory()

    def _begin_sheet(self) -> bytes:
        self.state["sheets"] += 1
        heading = [f'<row><c t="inlineStr" s="{parts.HEADING}">{_inline(self.marks.line)}</c></row>']
        titles = "".join(f'<c t="inlineStr" s="{parts.HEADING}">{_inline(c.title)}</c>' for c in self.columns)
        lines = [*(heading if self.marks.line else []), f"<row>{titles}</row>"]
        self.state["lines"] = len(lines)
        name = parts.sheet_name(self.state["sheets"])
        start = parts.sheet_start([column.width for column in self.columns], frozen=len(lines))
        return self._open(name) + self._write(start + "".join(lines))

    def _end_sheet(self) -> bytes:
        return self._write(parts.sheet_end(self.marks)) + self._close()

    # --- the archive ------------------------------------------------------------------------------

    def _open(self, name: str) -> bytes:
        self.state["entries"].append({"name": name, "at": self.state["size"], "crc": 0, "packed": 0, "size": 0})
        header = struct.pack(
            "<4s5H3L2H", b"PK\x03\x04", 20, SIZES_FOLLOW, DEFLATED, 0, NEW_YEAR_1980, 0, 0, 0, len(name), 0
        )
        return self._counted(header + name.encode())

    def _write(self, text: str) -> bytes:
        entry, raw = self.state["entries"][-1], text.encode()
        packer = zlib.compressobj(LEVEL, zlib.DEFLATED, -zlib.MAX_WBITS)
        packed = packer.compress(raw) + packer.flush(zlib.Z_SYNC_FLUSH)
        entry["crc"] = zlib.crc32(raw, entry["crc"])
        entry["size"] += len(raw)
        entry["packed"] += len(packed)
        return self._counted(packed)

    def _close(self) -> bytes:
        entry = self.state["entries"][-1]
        entry["packed"] += len(LAST_BLOCK)
        sizes = struct.pack("<4s3L", b"PK\x07\x08", entry["crc"], entry["packed"], entry["size"])
        return self._counted(LAST_BLOCK + sizes)

    def _directory(self) -> bytes:
        entries: list[dict[str, Any]] = self.state["entries"]
        at = self.state["size"]
        made = b"".join(_listed(entry) for entry in entries)
        end = struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, len(entries), len(entries), len(made), at, 0)
        return self._counted(made + end)

    def _counted(self, content: bytes) -> bytes:
        self.state["size"] += len(content)
        return content


def _listed(entry: dict[str, Any]) -> bytes:
    name: bytes = entry["name"].encode()
    sizes = (entry["crc"], entry["packed"], entry["size"])
    head = struct.pack("<4s6H3L", b"PK\x01\x02", 20, 20, SIZES_FOLLOW, DEFLATED, 0, NEW_YEAR_1980, *sizes)
    return head + struct.pack("<5H2L", len(name), 0, 0, 0, 0, 0, entry["at"]) + name


def _line(row: Sequence[Value]) -> str:
    return f"<row>{''.join(map(_cell, row))}</row>"


def _cell(value: Value) -> str:
    if value is None or value == "":
        return "<c/>"
    if isinstance(value, str):
        style = parts.TEXT if safe_cell(value) == value else parts.TEXT_LIKE_A_FORMULA
        return f'<c t="inlineStr" s="{style}">{_inline(value)}</c>'
    if isinstance(value, dt.datetime):
        return f'<c s="{parts.INSTANT}"><v>{_serial(value)}</v></c>'
    return f'<c s="{parts.AMOUNT if isinstance(value, Decimal) else parts.COUNT}"><v>{value}</v></c>'


def _inline(text: str) -> str:
    """Return text as no program takes it for anything else: never a formula, no characters that XML can't hold."""
    fit = _cut(_ESCAPED.sub("_x005F_", _UNFIT.sub("\ufffd", text)))
    return f'<is><t xml:space="preserve">{escape(fit, {chr(13): "&#13;"})}</t></is>'


def _cut(text: str) -> str:
    """Return as much of a text as a cell holds, which counts what lies beyond U+FFFF twice."""
    if 2 * len(text) <= LONGEST_CELL:
        return text
    return text.encode("utf-16-le")[: 2 * LONGEST_CELL].decode("utf-16-le", "ignore")


def _serial(instant: dt.datetime) -> str:
    """Return an instant as spreadsheets count: days since the end of 1899, of Shanghai's clock."""
    span = shanghai(instant).replace(tzinfo=dt.UTC) - DAY_ZERO
    return f"{span.days + (span.seconds + span.microseconds / 1e6) / 86400:.6f}"
