"""Orders in a spreadsheet, one row per line: every cell read into what the API takes, or refused by row and column."""

import datetime as dt
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from pathlib import Path
from types import MappingProxyType
from typing import Any

from frozenshop.kernel.errors import Invalid
from orders import reading
from orders.facts import implausible
from orders.intake import OrderInput, parse_order
from orders.spreadsheets import Cell, Formula, Sheet, Unreadable, excel_instant, open_sheet

# Each column with its Chinese heading.
COLUMNS: Mapping[str, str] = MappingProxyType(
    {
        "order_no": "订单号",
        "placed_at": "下单时间",
        "paid_at": "付款时间",
        "consignee_name": "收件人",
        "consignee_phone": "手机号",
        "province": "省",
        "city": "市",
        "district": "区",
        "address": "详细地址",
        "sku": "商品编码",
        "product_name": "商品名称",
        "quantity": "数量",
        "unit_price": "单价",
        "carrier_code": "承运商",
        "waybill_no": "运单号",
        "shipped_at": "发货时间",
    }
)
OPTIONAL = frozenset({"paid_at", "district", "carrier_code", "waybill_no", "shipped_at"})
INSTANTS = frozenset({"placed_at", "paid_at", "shipped_at"})
OF_ORDER = tuple(COLUMNS)[:9]
OF_CONSIGNEE = MappingProxyType({"consignee_name": "name", "consignee_phone": "phone"} | {c: c for c in OF_ORDER[5:]})
OF_LINE = MappingProxyType(
    {"sku": "sku", "product_name": "name", "quantity": "quantity", "unit_price": "unit_price_fen"}
)

_SCIENTIFIC = re.compile(r"[0-9](\.[0-9]+)?[Ee]\+[0-9]+")
_WRITTEN_INSTANT = re.compile(
    r"([0-9]{4})[-/.年]([0-9]{1,2})[-/.月]([0-9]{1,2})日?"
    r"(?:[ T]*([0-9]{1,2}):([0-9]{2})(?::([0-9]{2})(?:\.[0-9]+)?)?)? ?(Z|[+-][0-9]{2}:?[0-9]{2})?"
)
_PRICE_MARKS = re.compile(r"^[¥￥]|元$|,")
# Beyond 15 digits Excel has replaced the rest of a number by zeros.
_EXACT_DIGITS = 10**15


@dataclass(frozen=True, slots=True, order=True)
class Refusal:
    """What is wrong in one cell: the row as the spreadsheet program counts, the column's name, why."""

    row: int
    column: str
    reason: str

    def __str__(self) -> str:
        return f"第 {self.row} 行，{COLUMNS.get(self.column, self.column)}：{self.reason}"


@dataclass(frozen=True, slots=True)
class Parcel:
    """A waybill of an order; `lines` (quantity by sku) is None when all of the order travels in it."""

    row: int
    carrier: str
    waybill_no: str
    shipped_at: dt.datetime | None
    lines: Mapping[str, int] | None


@dataclass(frozen=True, slots=True)
class Group:
    """The rows of one order: what was understood, or why not (then `order` is None).

    `order_no` as it was written. `repeats`: rows that say the same as an earlier one, with that one's number.
    """

    rows: tuple[int, ...]
    order: OrderInput | None
    parcels: tuple[Parcel, ...]
    refusals: tuple[Refusal, ...]
    order_no: str = ""
    repeats: tuple[tuple[int, int], ...] = ()


@dataclass(frozen=True, slots=True)
class _Row:
    number: int
    cells: Mapping[str, Cell]


class OrderFile:
    """A spreadsheet of orders, whose groups can be read again and again in bounded memory."""

    def __init__(
        self, path: Path, match: Mapping[str, int] | None = None, *, header_row: int = 0, max_rows: int | None = None
    ) -> None:
        """Open the file and read its header, unless `match` says which column is where and `header_row` (0: none).

        Raises Unreadable.
        """
        self._sheet: Sheet = open_sheet(path, max_rows=max_rows)
        self._columns, self._header_row, self.ignored = dict(match or {}), header_row, list[str]()
        if match is None:
            header = next(self._sheet.rows(), None)
            if header is None:
                raise Unreadable("文件是空的")
            self._header_row, headings = header
            self._columns, self.ignored = _columns(headings)
        self._last_row: dict[str, int] = {}
        for row in self._rows():
            self._last_row[_group_key(row)] = row.number

    def __len__(self) -> int:
        """Return how many groups there are."""
        return len(self._last_row)

    def groups(self) -> Iterator[Group]:
        """Yield each order once its last row has been read; its rows needn't stand together."""
        waiting: dict[str, list[_Row]] = {}
        for row in self._rows():
            key = _group_key(row)
            waiting.setdefault(key, []).append(row)
            if self._last_row[key] == row.number:
                yield _understand(waiting.pop(key))

    def _rows(self) -> Iterator[_Row]:
        for number, cells in self._sheet.rows():
            if number > self._header_row:
                yield _Row(number, {name: cells[at] if at < len(cells) else "" for name, at in self._columns.items()})


def _columns(headings: Sequence[Cell]) -> tuple[dict[str, int], list[str]]:
    names = {heading: name for name, chinese in COLUMNS.items() for heading in (name, chinese)}
    found: dict[str, int] = {}
    ignored = []
    for position, heading in enumerate(headings):
        text = str(heading).strip().lower()
        name = names.get(text)
        if name in found:
            raise Unreadable(f"列 {text} 重复")
        if name is not None:
            found[name] = position
        elif text:
            ignored.append(text[:40])
    missing = [f"{name}（{COLUMNS[name]}）" for name in COLUMNS if name not in found and name not in OPTIONAL]
    if missing:
        raise Unreadable(f"缺少列：{'、'.join(missing)}")
    return found, ignored


def _group_key(row: _Row) -> str:
    """Return the order number, or the row itself where there is none."""
    cell = row.cells["order_no"]
    return _plain(cell) if cell != "" and not isinstance(cell, Formula) else f"\x00{row.number}"


def _understand(rows: list[_Row]) -> Group:
    refusals: list[Refusal] = []
    values = [_values(row, refusals) for row in rows]
    _agree(rows, values, refusals)
    parcels = _parcels(rows, values, refusals)
    order = None
    try:
        order = parse_order(_payload(values))
    except Invalid as problem:
        refused = {(refusal.row, refusal.column) for refusal in refusals}
        found = (_placed(path, reason, rows) for path, reason in problem.fields.items())
        # A cell that could not be read is missing to the order as well: one sentence is enough.
        refusals += [refusal for refusal in found if (refusal.row, refusal.column) not in refused]
    if order is not None:
        refusals += _too_far(order, parcels, rows[0].number)
    return Group(
        rows=tuple(row.number for row in rows),
        order=None if refusals else order,
        parcels=parcels,
        refusals=tuple(sorted(refusals)),
        order_no=str(values[0].get("order_no") or ""),
        repeats=tuple(_repeats(rows, values)),
    )


def _repeats(rows: list[_Row], values: list[dict[str, Any]]) -> Iterator[tuple[int, int]]:
    first: dict[tuple[Any, ...], int] = {}
    for row, row_values in zip(rows, values, strict=True):
        said = tuple(row_values.values())
        if said in first:
            yield row.number, first[said]
        first.setdefault(said, row.number)


def _too_far(order: OrderInput, parcels: Iterable[Parcel], row: int) -> Iterator[Refusal]:
    """Yield what payment and shipping would be refused for once the order is there."""
    said = [(row, "paid_at", order.paid_at), *((parcel.row, "shipped_at", parcel.shipped_at) for parcel in parcels)]
    for number, name, instant in said:
        if instant is not None and (why := implausible(instant, order.placed_at)):
            yield Refusal(number, name, why)


def _values(row: _Row, refusals: list[Refusal]) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for name, cell in row.cells.items():
        try:
            values[name] = None if cell == "" else cell_value(name, cell)
        except ValueError as error:
            values[name] = None
            refusals.append(Refusal(row.number, name, str(error)))
    return values


def cell_value(name: str, cell: Cell) -> Any:
    """Return a cell's value in the API's form. Raises ValueError with a sentence."""
    if isinstance(cell, Formula):
        raise ValueError("是公式，请改为数值或文本（复制后“粘贴为值”）")
    if name in INSTANTS:
        return _instant(cell)
    if name == "unit_price":
        return _fen(cell)
    if name == "quantity":
        return _quantity(cell)
    text = _plain(cell)
    inexact = isinstance(cell, int | float) and abs(cell) >= _EXACT_DIGITS
    if inexact or _SCIENTIFIC.fullmatch(text):
        raise ValueError("数字已被表格软件改写（科学计数法或末尾变 0），请把该列设为“文本”后重新填写")
    return text


def _plain(cell: Cell) -> str:
    return str(int(cell)) if isinstance(cell, float) and cell.is_integer() else str(cell)


def _instant(cell: Cell) -> str:
    """Return ISO 8601 of a date cell, an Excel serial number or one of the usual ways to write a time."""
    if isinstance(cell, str) and re.fullmatch(r"[0-9]{5}(\.[0-9]+)?", cell):
        cell = float(cell)
    if isinstance(cell, int | float):
        cell = excel_instant(cell) or ""
    if isinstance(cell, dt.datetime):
        return cell.replace(microsecond=0).isoformat()
    written = _WRITTEN_INSTANT.fullmatch(str(cell))
    if written is None:
        raise ValueError("时间无法识别，请写成 2026-01-31 08:00 的样子")
    year, month, day, hour, minute, second, zone = written.groups(default="")
    time = f"{hour or '0':0>2}:{minute or '00'}:{second or '00'}"
    return f"{year}-{month:0>2}-{day:0>2}T{time}{zone}"


def _fen(cell: Cell) -> int:
    text = str(round(cell, 6)) if isinstance(cell, float) else _PRICE_MARKS.sub("", str(cell)).strip()
    try:
        fen = Decimal(text if re.fullmatch(r"[0-9.]{1,20}", text) else "") * 100
    except InvalidOperation:
        raise ValueError("应为以元为单位的非负金额，例如 12.50") from None
    if fen != fen.to_integral_value():
        raise ValueError("最多两位小数")
    return int(fen)


def _quantity(cell: Cell) -> int:
    text = _plain(cell)
    if not re.fullmatch(r"[0-9]{1,9}(\.0+)?", text):
        raise ValueError("应为整数")
    return int(text.partition(".")[0])


def _agree(rows: list[_Row], values: list[dict[str, Any]], refusals: list[Refusal]) -> None:
    """Refuse rows that say of their order what the first one doesn't; an empty cell says nothing."""
    first = values[0]
    reason = f"与第 {rows[0].number} 行同一订单的内容不一致"
    for row, row_values in zip(rows[1:], values[1:], strict=True):
        differing = [name for name in OF_ORDER if row_values.get(name) not in (None, first.get(name))]
        refusals += [Refusal(row.number, name, reason) for name in differing]


def _payload(values: list[dict[str, Any]]) -> dict[str, Any]:
    first = values[0]
    return {
        "order_no": first["order_no"],
        "placed_at": first["placed_at"],
        "paid_at": first.get("paid_at"),
        "consignee": {field: first.get(name) for name, field in OF_CONSIGNEE.items()}
        | {"district": first.get("district") or ""},
        "lines": [{field: row[name] for name, field in OF_LINE.items()} for row in values],
    }


def _placed(path: str, reason: str, rows: list[_Row]) -> Refusal:
    """Turn a path of the order into the cell that it came from."""
    parts = path.split(".")
    if parts[0] == "lines" and len(parts) == 3:
        column = next(name for name, field in OF_LINE.items() if field == parts[2])
        return Refusal(rows[int(parts[1])].number, column, reason)
    if parts[0] == "consignee" and len(parts) == 2:
        column = next(name for name, field in OF_CONSIGNEE.items() if field == parts[1])
        return Refusal(rows[0].number, column, reason)
    return Refusal(rows[0].number, parts[0] if parts[0] in COLUMNS else "order_no", reason)


def _parcels(rows: list[_Row], values: list[dict[str, Any]], refusals: list[Refusal]) -> tuple[Parcel, ...]:
    """Return the waybills that the rows name; with one on every row no lines need to be told apart."""
    by_waybill: dict[tuple[str, str], list[int]] = {}
    for position, (row, row_values) in enumerate(zip(rows, values, strict=True)):
        carrier, waybill_no = row_values.get("carrier_code"), row_values.get("waybill_no")
        if carrier and waybill_no:
            by_waybill.setdefault((carrier, waybill_no), []).append(position)
        elif bool(carrier) != bool(waybill_no) and not _refused(row, ("carrier_code", "waybill_no"), refusals):
            missing = "waybill_no" if carrier else "carrier_code"
            refusals.append(Refusal(row.number, missing, "承运商和运单号要一起填写"))
        elif row_values.get("shipped_at") and not waybill_no:
            refusals.append(Refusal(row.number, "waybill_no", "填写了发货时间，但没有运单号"))
    whole = len(by_waybill) == 1 and sum(map(len, by_waybill.values())) == len(rows)
    return tuple(
        Parcel(
            row=rows[positions[0]].number,
            carrier=carrier,
            waybill_no=waybill_no,
            shipped_at=_shipped_at([(rows[at], values[at].get("shipped_at")) for at in positions], refusals),
            lines=None if whole else _quantities([values[at] for at in positions]),
        )
        for (carrier, waybill_no), positions in by_waybill.items()
    )


def _shipped_at(said: list[tuple[_Row, str | None]], refusals: list[Refusal]) -> dt.datetime | None:
    first = next((text for _, text in said if text), None)
    for row, text in said:
        if text not in (None, first):
            refusals.append(Refusal(row.number, "shipped_at", "同一运单的发货时间不一致"))
    shipped_at = reading.instant(first) if first else None
    if first and shipped_at is None:
        refusals.append(Refusal(said[0][0].number, "shipped_at", "时间不存在，或年份不在 2000 至 2100 之间"))
    return shipped_at


def _quantities(lines: Iterable[Mapping[str, Any]]) -> dict[str, int]:
    quantities: dict[str, int] = {}
    for line in lines:
        quantities[line["sku"] or ""] = quantities.get(line["sku"] or "", 0) + (line["quantity"] or 0)
    return quantities


def _refused(row: _Row, columns: Iterable[str], refusals: list[Refusal]) -> bool:
    return any(refusal.row == row.number and refusal.column in columns for refusal in refusals)
