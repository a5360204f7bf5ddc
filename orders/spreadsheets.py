"""Rows of a CSV or XLSX file that somebody made by hand: opened with care, told apart by row number."""

import csv
import datetime as dt
import itertools
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from celery.exceptions import SoftTimeLimitExceeded
from openpyxl import load_workbook
from openpyxl.utils.datetime import from_excel

from orders.packages import Unreadable, check_package, last_row

__all__ = ["Cell", "Formula", "Sheet", "Unreadable", "excel_instant", "open_sheet"]

MAX_XLSX_ROWS = 100_000
MAX_COLUMNS = 60
MAX_CELL = 5_000
LONG_GAP = 200
"""After so many blank rows it is looked up whether anything comes below: often a million rows were formatted."""
_CHUNK = 1 << 20
_AROUND = "".join(filter(str.isspace, map(chr, range(0x3001)))) + "\u200b\u200c\u200d\u2060\ufeff"
"""What stands around a cell unseen: copied from web pages, it makes one number two."""
_HEAD_LINES = 10
_SURELY_UTF_8 = 4
"""So many characters beyond two bytes, all well-formed, no other encoding has by chance."""
_NO_TABLES = {
    b"\x89PNG": "PNG 图片",
    b"\xff\xd8\xff": "JPEG 图片",
    b"GIF8": "GIF 图片",
    b"%PDF": "PDF 文件",
    b"Rar!": "RAR 压缩包",
    b"7z\xbc\xaf": "7z 压缩包",
    b"\x1f\x8b": "GZ 压缩包",
    b"{\\rtf": "RTF 文档",
    b"<": "网页或 XML（有些系统导出的“XLS”其实是网页）",
}

Value = str | int | float | dt.datetime


@dataclass(frozen=True, slots=True)
class Formula:
    """A cell that holds a formula: what it stands for isn't in the file for sure."""

    text: str


Cell = Value | Formula


@dataclass(frozen=True, slots=True)
class Sheet:
    """A file whose rows can be read again and again; `rows` yields (row number as the program shows it, cells).

    `max_rows`: more of them are refused.
    """

    path: Path
    kind: str
    encoding: str = ""
    delimiter: str = ","
    max_rows: int | None = None

    def rows(self) -> Iterator[tuple[int, list[Cell]]]:
        """Yield the rows that aren't blank. Raises Unreadable."""
        blank = 0
        for number, cells in self._xlsx() if self.kind == "xlsx" else self._csv():
            if any(cell != "" for cell in cells):
                blank = 0
                yield number, cells
                continue
            blank += 1
            if blank == LONG_GAP and self.kind == "xlsx" and number > last_row(self.path):
                return

    def _csv(self) -> Iterator[tuple[int, list[Cell]]]:
        with self.path.open(encoding=self.encoding, newline="") as file:
            reader = csv.reader(file, delimiter=self.delimiter, strict=True)
            try:
                for number, cells in enumerate(reader, start=1):
                    self._check_size(number, cells)
                    yield number, [_csv_cell(cell) for cell in cells]
            except csv.Error as error:
                raise Unreadable(f"CSV 第 {reader.line_num} 行附近格式有误：引号不成对，或单元格过长") from error

    def _xlsx(self) -> Iterator[tuple[int, list[Cell]]]:
        try:
            with self.path.open("rb") as file, closing(load_workbook(file, read_only=True, keep_links=False)) as book:
                sheet = next((one for one in book.worksheets if one.sheet_state == "visible"), book.worksheets[0])
                sheet.reset_dimensions()  # some programs write wrong ones, beyond which nothing would be read
                for number, cells in enumerate(sheet.iter_rows(max_col=MAX_COLUMNS + 1), start=1):
                    values = [_xlsx_cell(cell) for cell in cells]
                    self._check_size(number, values)
                    yield number, values
        except (Unreadable, SoftTimeLimitExceeded):
            raise
        except Exception as error:  # openpyxl lets through whatever its XML and zip readers raise.
            raise Unreadable("XLSX 文件已损坏，请重新导出") from error

    def _check_size(self, number: int, cells: list[Any]) -> None:
        limit = min(self.max_rows or MAX_XLSX_ROWS, MAX_XLSX_ROWS) if self.kind == "xlsx" else self.max_rows
        if limit is not None and number > limit + (self.max_rows is not None):  # a header may come on top
            advice = "另存为 CSV 后导入" if self.max_rows is None else "拆成几个文件"
            if all(cell in ("", None) for cell in cells):
                advice = "删去内容下面的空行"
            raise Unreadable(f"文件超过 {limit:,} 行，请{advice}")
        if len(cells) > MAX_COLUMNS and any(cell not in ("", None) for cell in cells[MAX_COLUMNS:]):
            raise Unreadable(f"第 {number} 行超过 {MAX_COLUMNS} 列，请删去不导入的列")
        for position, cell in enumerate(cells, start=1):
            if isinstance(cell, str) and len(cell) > MAX_CELL:
                raise Unreadable(f"第 {number} 行第 {position} 列有 {len(cell):,} 个字，单元格最多 {MAX_CELL:,} 字")


def open_sheet(path: Path, *, max_rows: int | None = None) -> Sheet:
    """Find out what a file is. Raises Unreadable."""
    try:
        with path.open("rb") as file:
            head = file.read(1 << 16)
    except OSError as error:
        raise Unreadable(f"文件无法打开：{error.strerror}") from error
    if head.startswith(b"\xd0\xcf\x11\xe0"):
        raise Unreadable(_why_no_xlsx(path))
    if head.startswith(b"PK\x03\x04"):
        check_package(path)
        return Sheet(path, "xlsx", max_rows=max_rows)
    _check_is_text(head)
    encoding = _encoding(path)
    return Sheet(path, "csv", encoding, _delimiter(path, encoding), max_rows=max_rows)


def _why_no_xlsx(path: Path) -> str:
    """An encrypted workbook is stored in the container that the old format is."""
    with path.open("rb") as file:
        protected = "EncryptedPackage".encode("utf-16-le") in file.read(4 * _CHUNK)
    return "文件有密码保护，请去掉密码后另存" if protected else "旧版 XLS 文件不支持，请另存为 XLSX 或 CSV"


def _check_is_text(head: bytes) -> None:
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise Unreadable("文件是 UTF-16（“Unicode 文本”）编码，请另存为 UTF-8 编码的 CSV")
    found = next(
        (name for magic, name in _NO_TABLES.items() if head.lstrip(b"\xef\xbb\xbf \r\n").startswith(magic)), ""
    )
    if found:
        raise Unreadable(f"文件是{found}，不是表格，请另存为 XLSX 或 CSV")
    if b"\0" in head:
        line = head[: head.index(b"\0")].count(b"\n") + 1
        raise Unreadable(f"第 {line} 行含有 NUL 字符，不是文本文件或已损坏，请重新导出")


def excel_instant(serial: float) -> dt.datetime | None:
    """Return the naive time that an Excel serial number stands for, or None if it isn't in 2000–2100."""
    if not 36_526 <= serial < 73_415:
        return None
    read = from_excel(serial)
    return read.replace(microsecond=0) if isinstance(read, dt.datetime) else None


def _encoding(path: Path) -> str:
    """Return a text's encoding. Raises Unreadable, also for UTF-8 with a broken place: nonsense in GB18030."""
    seen = 0
    with path.open("rb") as file:
        for number, line in enumerate(file, start=1):
            try:
                text = line.decode()
            except UnicodeDecodeError as error:
                if seen >= _SURELY_UTF_8:
                    raise Unreadable(f"第 {number} 行的文字已损坏（不是 UTF-8 编码），请重新导出") from error
                break
            if seen < _SURELY_UTF_8 and not text.isascii():
                seen += sum(character > "\u07ff" for character in text.removeprefix("\ufeff"))
        else:
            return "utf-8-sig"
    try:
        with path.open(encoding="gb18030", newline="") as rest:
            while rest.read(_CHUNK):
                pass
    except UnicodeDecodeError as error:
        raise Unreadable("文件编码无法识别，请另存为 UTF-8 编码的 CSV") from error
    return "gb18030"


def _delimiter(path: Path, encoding: str) -> str:
    """Return what parts the cells: whichever the first lines have most of, in doubt the comma."""
    with path.open(encoding=encoding) as file:
        head = "".join(itertools.islice(iter(lambda: file.readline(MAX_CELL), ""), _HEAD_LINES))
    return max(",;\t", key=head.count)


def _csv_cell(text: str) -> Cell:
    text = text.strip(_AROUND)
    return Formula(text) if text.startswith("=") else text


def _xlsx_cell(cell: Any) -> Cell:
    value = cell.value
    if value is None:
        return ""
    if cell.data_type == "f" or (isinstance(value, str) and value.startswith("=")):
        return Formula(str(value))
    if isinstance(value, bool) or not isinstance(value, Value):
        return str(value)
    return value.strip(_AROUND) if isinstance(value, str) else value
