"""Rows of a CSV or XLSX file that somebody made by hand: opened with care, told apart by row number."""

import csv
import datetime as dt
import zipfile
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from openpyxl import load_workbook
from openpyxl.utils.datetime import from_excel

from frozenshop.kernel.errors import Invalid

MAX_XLSX_ROWS = 100_000
MAX_UNPACKED_BYTES = 200 * 1024 * 1024
MAX_PACKING_RATIO = 200
MAX_COLUMNS = 60
_CHUNK = 1 << 20

Value = str | int | float | dt.datetime


class Unreadable(Invalid):
    """The file as a whole can't be read; the message says what to do."""


@dataclass(frozen=True, slots=True)
class Formula:
    """A cell that holds a formula: what it stands for isn't in the file for sure."""

    text: str


Cell = Value | Formula


@dataclass(frozen=True, slots=True)
class Sheet:
    """A file whose rows can be read again and again; `rows` yields (row number as the program shows it, cells)."""

    path: Path
    kind: str
    encoding: str = ""

    def rows(self) -> Iterator[tuple[int, list[Cell]]]:
        """Yield the rows that aren't blank. Raises Unreadable."""
        for number, cells in self._xlsx() if self.kind == "xlsx" else self._csv():
            if any(cell != "" for cell in cells):
                yield number, cells

    def _csv(self) -> Iterator[tuple[int, list[Cell]]]:
        with self.path.open(encoding=self.encoding, newline="") as file:
            try:
                for number, cells in enumerate(csv.reader(file, strict=True), start=1):
                    yield number, [_csv_cell(cell) for cell in cells[:MAX_COLUMNS]]
            except csv.Error as error:
                raise Unreadable("CSV 格式有误：引号不成对，或单元格过长") from error

    def _xlsx(self) -> Iterator[tuple[int, list[Cell]]]:
        try:
            with self.path.open("rb") as file, closing(load_workbook(file, read_only=True, keep_links=False)) as book:
                rows = book.worksheets[0].iter_rows(max_col=MAX_COLUMNS)
                for number, cells in enumerate(rows, start=1):
                    if number > MAX_XLSX_ROWS:
                        raise Unreadable(f"XLSX 超过 {MAX_XLSX_ROWS} 行，请另存为 CSV 后导入")
                    yield number, [_xlsx_cell(cell) for cell in cells]
        except Unreadable:
            raise
        except Exception as error:  # openpyxl lets through whatever its XML and zip readers raise.
            raise Unreadable("XLSX 文件已损坏，请重新导出") from error


def open_sheet(path: Path) -> Sheet:
    """Find out what a file is. Raises Unreadable."""
    try:
        with path.open("rb") as file:
            head = file.read(8)
    except OSError as error:
        raise Unreadable(f"文件无法打开：{error.strerror}") from error
    if head.startswith(b"\xd0\xcf\x11\xe0"):
        raise Unreadable("旧版 XLS 文件不支持，请另存为 XLSX 或 CSV")
    if head.startswith(b"PK\x03\x04"):
        _check_packing(path)
        return Sheet(path, "xlsx")
    for encoding in ("utf-8-sig", "gb18030"):
        if _decodes(path, encoding):
            return Sheet(path, "csv", encoding)
    raise Unreadable("文件编码无法识别，请另存为 UTF-8 编码的 CSV")


def excel_instant(serial: float) -> dt.datetime | None:
    """Return the naive time that an Excel serial number stands for, or None if it isn't in 2000–2100."""
    if not 36_526 <= serial < 73_415:
        return None
    read = from_excel(serial)
    return read.replace(microsecond=0) if isinstance(read, dt.datetime) else None


def _check_packing(path: Path) -> None:
    """Refuse what would unpack to far more than it is."""
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
    except zipfile.BadZipFile as error:
        raise Unreadable("XLSX 文件已损坏，请重新导出") from error
    total = sum(member.file_size for member in members)
    packed = max(1, sum(member.compress_size for member in members))
    if total > MAX_UNPACKED_BYTES or (total > _CHUNK and total / packed > MAX_PACKING_RATIO):
        raise Unreadable("XLSX 解压后过大，请拆分文件或另存为 CSV")


def _decodes(path: Path, encoding: str) -> bool:
    try:
        with path.open(encoding=encoding, newline="") as file:
            while file.read(_CHUNK):
                pass
    except UnicodeDecodeError:
        return False
    return True


def _csv_cell(text: str) -> Cell:
    text = text.strip()
    return Formula(text) if text.startswith("=") else text


def _xlsx_cell(cell: Any) -> Cell:
    value = cell.value
    if value is None:
        return ""
    if cell.data_type == "f" or (isinstance(value, str) and value.startswith("=")):
        return Formula(str(value))
    if isinstance(value, bool) or not isinstance(value, Value):
        return str(value)
    return value.strip() if isinstance(value, str) else value
