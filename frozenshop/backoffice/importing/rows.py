"""From a file to the rows of an import: what each is given, what is wrong with it by itself or beside the others."""

import dataclasses
import datetime as dt
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from frozenshop.backoffice.importing.fields import What
from frozenshop.backoffice.importing.findings import Finding, of_cell
from frozenshop.backoffice.importing.matching import MAX_ROWS
from frozenshop.kernel.errors import Invalid
from logistics.shipping import check_waybill_no
from orders import phones, reading
from orders.consignee import Consignee
from orders.importing import Group, OrderFile, Parcel, cell_value
from orders.intake import LineInput, OrderInput, is_order_no
from orders.models import TemperatureClass
from orders.packages import MANY, structure
from orders.spreadsheets import Cell, Unreadable, open_sheet

_NAMES = tuple(field.name for field in dataclasses.fields(OrderInput))
IS_PHONE = "是电话号码，不是订单号：请核对每一列是什么"
_INSTANTS = ("placed_at", "paid_at", "updated_at", "promised_by")


@dataclass(slots=True)
class Row:
    """One piece of work. `given` is None where it can't be done; `number` is the file's row, an order's first one."""

    number: int
    about: str
    given: dict[str, Any] | None
    findings: list[Finding] = field(default_factory=list)

    @property
    def blocked(self) -> bool:
        return self.given is None or any(finding.blocks for finding in self.findings)


@dataclass(slots=True)
class Seen:
    """What stood further up in the file, by what must not come twice: the row where it stood."""

    waybills: dict[str, tuple[int, str]] = field(default_factory=dict)
    orders: dict[str, int] = field(default_factory=dict)


def check_structure(path: Path, header_row: int) -> list[str]:
    """Return remarks about what isn't read. Raises Unreadable for what would be read wrongly."""
    if open_sheet(path).kind != "xlsx":
        return []
    found = structure(path)
    merged = [reference for reference in found.merged if _last_row(reference) >= header_row]
    if merged:
        more = " 等" if len(merged) >= MANY else ""
        raise Unreadable(f"表格中有合并单元格（{'、'.join(merged[:5])}{more}），请取消合并并补全每一行后再导入")
    remarks = []
    if len(found.sheets) > 1:
        remarks.append(f"文件有 {len(found.sheets)} 个工作表，只读取第一个“{found.sheets[0]}”")
    if hidden := [number for number in found.hidden if number > header_row]:
        more = " 等" if len(hidden) >= MANY else ""
        remarks.append(f"第 {'、'.join(map(str, hidden[:5]))} 行{more}是隐藏的，也会导入")
    return remarks


def _last_row(reference: str) -> int:
    digits = "".join(character for character in reference.rpartition(":")[2] if character.isdigit())
    return int(digits or 0)


def read(path: Path, what: What, match: Mapping[str, int], header_row: int) -> Iterator[Row]:
    """Yield the rows of a file in bounded memory. Raises Unreadable."""
    seen = Seen()
    if what.name == "orders":
        for group in OrderFile(path, match, header_row=header_row, max_rows=MAX_ROWS).groups():
            yield _of_group(group, seen)
        return
    for number, cells in open_sheet(path, max_rows=MAX_ROWS).rows():
        if number > header_row:
            yield _of_cells(number, cells, match, what, seen)


def _of_group(group: Group, seen: Seen) -> Row:
    findings = [of_cell(refusal.row, refusal.column, refusal.reason) for refusal in group.refusals]
    if group.parcels:
        findings = [_phone_for_sf(finding, group.parcels) for finding in findings]
    findings += [Finding(row, "order_no", "duplicate_row", f"与第 {first} 行完全相同") for row, first in group.repeats]
    for parcel in group.parcels:
        findings += waybill_findings(parcel.row, parcel.waybill_no, group.order_no, seen)
    order = None if is_phone(group.order_no) else group.order
    if is_phone(group.order_no):
        findings.append(Finding(group.rows[0], "order_no", "cell", IS_PHONE))
    given = None if order is None else {"order": to_json(order), "parcels": [_parcel(one) for one in group.parcels]}
    about = group.order_no if is_order_no(group.order_no) and not is_phone(group.order_no) else ""
    return Row(group.rows[0], about, given, findings)


def is_phone(text: str) -> bool:
    """Say whether what stands for an order number is a phone: of a column that was matched wrongly."""
    try:
        return bool(phones.normalise(text))
    except Invalid:
        return False


def _phone_for_sf(finding: Finding, parcels: tuple[Parcel, ...]) -> Finding:
    """顺丰 tells nobody anything without the consignee's number, so that its absence is a matter of its own."""
    for_sf = any(parcel.carrier.upper().startswith("SF") or "顺丰" in parcel.carrier for parcel in parcels)
    if finding.column == "consignee_phone" and finding.kind == "cell" and for_sf:
        return dataclasses.replace(finding, kind="phone_for_sf", sentence=f"顺丰查询轨迹需要手机号：{finding.sentence}")
    return finding


def _of_cells(number: int, cells: list[Cell], match: Mapping[str, int], what: What, seen: Seen) -> Row:
    values: dict[str, str] = {}
    findings: list[Finding] = []
    for name, at in match.items():
        cell = cells[at] if at < len(cells) else ""
        try:
            values[name] = "" if cell == "" else str(cell_value(name, cell))
        except ValueError as error:
            findings.append(of_cell(number, name, str(error)))
    order_no = values.get("order_no", "")
    refused = {finding.column for finding in findings}
    empty = (name for name in what.required if name not in refused and not values.get(name))
    findings += [Finding(number, name, "cell", "必填") for name in empty]
    if order_no and (is_phone(order_no) or not is_order_no(order_no)):
        findings.append(Finding(number, "order_no", "cell", IS_PHONE if is_phone(order_no) else "不是订单号"))
        order_no = ""
    if values.get("shipped_at") and reading.instant(values["shipped_at"]) is None:
        findings.append(Finding(number, "shipped_at", "cell", "时间不存在，或年份不在 2000 至 2100 之间"))
    if waybill_no := values.get("waybill_no", ""):
        findings += waybill_findings(number, waybill_no, order_no, seen)
    if not any(finding.blocks for finding in findings):
        findings += order_findings(number, order_no, values.get("old_waybill_no", ""), what, seen)
    broken = any(finding.blocks for finding in findings)
    return Row(number, order_no, None if broken else values, findings)


def order_findings(row: int, order_no: str, old_waybill_no: str, what: What, seen: Seen) -> list[Finding]:
    """Return what is wrong with an order beside those of the rows that were seen before, which it joins."""
    first = seen.orders.setdefault(f"{order_no} {old_waybill_no}", row)
    if first == row:
        return []
    done = "更正同一运单" if what.name == "corrections" else "发出这个订单的全部商品"
    return [Finding(row, "order_no", "duplicate_row", f"第 {first} 行已{done}")]


def waybill_findings(row: int, waybill_no: str, order_no: str, seen: Seen) -> list[Finding]:
    """Return what is wrong with a number by itself, and beside those that were seen before, which it joins."""
    try:
        check_waybill_no(waybill_no)
    except Invalid as problem:
        return [of_cell(row, "waybill_no", problem.fields["waybill_no"])]
    first, its_order = seen.waybills.setdefault(waybill_no, (row, order_no))
    if first == row:
        return []
    if its_order == order_no:
        return [Finding(row, "waybill_no", "duplicate_row", f"与第 {first} 行是同一订单的同一运单")]
    return [Finding(row, "waybill_no", "duplicate_waybill", f"第 {first} 行的另一个订单已用这个运单号")]


def to_json(order: OrderInput) -> dict[str, Any]:
    """Return an order as JSON takes it, without what wasn't said."""
    told = {name: value for name in _NAMES if (value := getattr(order, name)) is not None}
    told |= {name: told[name].isoformat() for name in _INSTANTS if name in told}
    lines = [{name: getattr(line, name) for name in LineInput.__slots__} for line in order.lines]
    return told | {"lines": lines, "consignee": {name: getattr(order.consignee, name) for name in Consignee.__slots__}}


def from_json(told: Mapping[str, Any]) -> OrderInput:
    """Return what `to_json` wrote down."""
    lines = tuple(
        LineInput(
            **line | {"temperature_class": TemperatureClass(kept) if (kept := line["temperature_class"]) else None}
        )
        for line in told["lines"]
    )
    instants = {name: dt.datetime.fromisoformat(told[name]) for name in _INSTANTS if name in told}
    return OrderInput(**{**told, **instants, "lines": lines, "consignee": Consignee(**told["consignee"])})


def _parcel(parcel: Parcel) -> dict[str, Any]:
    shipped_at = parcel.shipped_at.isoformat() if parcel.shipped_at else None
    lines = dict(parcel.lines) if parcel.lines is not None else None
    return {
        "row": parcel.row,
        "carrier": parcel.carrier,
        "waybill_no": parcel.waybill_no,
        "shipped_at": shipped_at,
        "lines": lines,
    }
