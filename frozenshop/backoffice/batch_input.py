"""What was pasted or uploaded into the batch view, as a list of numbers or of rows to ship."""

import csv
import io
import re
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from django.core.files.uploadedfile import UploadedFile

from frozenshop.kernel.errors import Invalid
from orders.spreadsheets import Cell, Formula, open_sheet

MAX_NUMBERS = 5000
MAX_BYTES = 2_000_000
NUMBER_COLUMNS = {"order_no", "waybill_no", "订单号", "订单编号", "运单号", "物流单号", "快递单号"}
_SEPARATORS = re.compile(r"[\s,，;；、|/\\\"'“”‘’=\x00]+")
_CELLS = re.compile(r"[\s,，;；\x00]+")


@dataclass(frozen=True, slots=True)
class ShipRow:
    order_no: str
    carrier: str
    waybill_no: str


def read_numbers(text: str) -> list[str]:
    """Return the distinct numbers of a text in their order, whatever separates them."""
    return list(dict.fromkeys(number for number in _SEPARATORS.split(text) if number))


def read_file(upload: "UploadedFile[Any]") -> str:
    """Return an uploaded text, CSV or XLSX as text for `read_numbers`: its number columns where a header names them.

    Raises Invalid for what is too large or no text.
    """
    if (upload.size or 0) > MAX_BYTES:
        raise Invalid("文件超过 2 MB")
    body = upload.read(MAX_BYTES + 1)
    if body.startswith((b"PK\x03\x04", b"\xd0\xcf\x11\xe0")):
        rows = _workbook(body)
    else:
        text = _decode(body)
        try:
            rows = list(csv.reader(io.StringIO(text.replace("\x00", ""))))
        except csv.Error:
            return text
    header = [cell.strip().lower() for cell in rows[0]] if rows else []
    columns = [index for index, name in enumerate(header) if name in NUMBER_COLUMNS]
    if not columns:
        return "\n".join(" ".join(row) for row in rows)
    return "\n".join(row[index] for row in rows[1:] for index in columns if index < len(row))


def _workbook(body: bytes) -> list[list[str]]:
    with TemporaryDirectory(prefix="batch-") as folder:
        path = Path(folder) / "upload"
        path.write_bytes(body)
        sheet = open_sheet(path, max_rows=MAX_NUMBERS)
        return [[_written(cell) for cell in cells] for _, cells in sheet.rows()]


def _written(cell: Cell) -> str:
    if isinstance(cell, Formula):
        return cell.text  # shops' programs write ="123", so that it stays a text
    return str(int(cell)) if isinstance(cell, float) and cell.is_integer() else str(cell)


def read_ship_rows(text: str) -> list[ShipRow | str]:
    """Return each line's order number, carrier and waybill, or the line itself where it isn't three things."""
    rows: list[ShipRow | str] = []
    for line in filter(None, map(str.strip, text.splitlines())):
        cells = [cell for cell in _CELLS.split(line) if cell]
        rows.append(ShipRow(*cells) if len(cells) == 3 else line)
    return rows


def _decode(body: bytes) -> str:
    for encoding in ("utf-8-sig", "gb18030"):
        try:
            return body.decode(encoding)
        except UnicodeDecodeError:
            continue
    raise Invalid("文件不是 UTF-8 或 GB18030 编码的文本，也不是 XLSX")
