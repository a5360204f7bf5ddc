"""What a shop system sends beside orders: facts, parcels and their steps, withdrawals. Read strictly, by field."""

import datetime as dt
import re
from dataclasses import dataclass
from typing import Any

from logistics.manual import MAX_DESCRIPTION, MAX_LOCATION, MAX_REFERENCE, Step
from logistics.models import ShipmentStatus
from orders.facts import Fact, FactType
from orders.intake import MAX_LINES, read_quantity
from orders.reading import Reader, raise_if

_NAME = re.compile(r"[^\x00-\x20\x7f]{1,60}")
_WAYBILL = re.compile(r"[\x21-\x7e]{1,64}")
_WAYBILL_RULE = "应为 64 位以内的字母、数字或符号，不含空格"
_CARRIER_RULE = "应为承运商编码、名称或别名"


@dataclass(frozen=True, slots=True)
class Parcel:
    """`lines` None: all that remain."""

    carrier: str
    waybill_no: str
    shipped_at: dt.datetime
    lines: dict[str, int] | None


@dataclass(frozen=True, slots=True)
class Withdrawal:
    """`replacement` is (carrier as written, waybill_no)."""

    reason: str
    replacement: tuple[str, str] | None


def parse_fact(data: object) -> Fact:
    """Read `{"type","occurred_at","reference","amount_fen"?}`. Raises Invalid."""
    errors: dict[str, str] = {}
    reader = Reader(data, errors)
    raise_if(errors)
    reader.known(("type", "occurred_at", "reference", "amount_fen"))
    kind = reader.text("type", 20)
    if kind and kind not in FactType.values:
        reader.refuse("type", f"应为 {'、'.join(FactType.values)} 之一")
    occurred_at = reader.instant("occurred_at")
    reference = reader.text("reference", 100)
    amount_fen = reader.optional_fen("amount_fen")
    raise_if(errors)
    return Fact(FactType(kind), occurred_at, reference, amount_fen)


def parse_parcel(data: object) -> Parcel:
    """Read `{"carrier_code","waybill_no","shipped_at","lines"?}`. Raises Invalid."""
    errors: dict[str, str] = {}
    reader = Reader(data, errors)
    raise_if(errors)
    reader.known(("carrier_code", "waybill_no", "shipped_at", "lines"))
    parcel = Parcel(
        carrier=_required_key(reader, "carrier_code", _NAME, _CARRIER_RULE),
        waybill_no=_required_key(reader, "waybill_no", _WAYBILL, _WAYBILL_RULE),
        shipped_at=reader.instant("shipped_at"),
        lines=_lines(reader) if reader.given("lines") else None,
    )
    raise_if(errors)
    return parcel


def parse_withdrawal(data: object) -> Withdrawal:
    """Read `{"reason","replacement"?: {"carrier_code","waybill_no"}}`. Raises Invalid."""
    errors: dict[str, str] = {}
    reader = Reader(data, errors)
    raise_if(errors)
    reader.known(("reason", "replacement"))
    reason = reader.text("reason", 200)
    replacement = None
    if reader.given("replacement"):
        other = reader.child("replacement")
        other.known(("carrier_code", "waybill_no"))
        replacement = (
            _required_key(other, "carrier_code", _NAME, _CARRIER_RULE),
            _required_key(other, "waybill_no", _WAYBILL, _WAYBILL_RULE),
        )
    raise_if(errors)
    return Withdrawal(reason, replacement)


def parse_step(data: object) -> Step:
    """Read `{"status","occurred_at","reference","description"?,"location"?}`. Raises Invalid."""
    errors: dict[str, str] = {}
    reader = Reader(data, errors)
    raise_if(errors)
    reader.known(("status", "occurred_at", "reference", "description", "location"))
    status = reader.text("status", 20)
    if status and status not in ShipmentStatus.values:
        reader.refuse("status", f"应为 {'、'.join(ShipmentStatus.values)} 之一")
    occurred_at = reader.instant("occurred_at")
    reference = reader.text("reference", MAX_REFERENCE)
    description = reader.optional_text("description", MAX_DESCRIPTION) or ""
    location = reader.optional_text("location", MAX_LOCATION) or ""
    raise_if(errors)
    return Step(ShipmentStatus(status), occurred_at, reference, description, location)


def _lines(reader: Reader) -> dict[str, int]:
    lines: Any = reader.values["lines"]
    if not isinstance(lines, list) or not 1 <= len(lines) <= MAX_LINES:
        reader.refuse("lines", f"应为 1–{MAX_LINES} 条 {{sku, quantity}}")
        return {}
    quantities: dict[str, int] = {}
    for index, line in enumerate(lines):
        row = Reader(line, reader.errors, f"lines.{index}")
        row.known(("sku", "quantity"))
        sku = row.text("sku", 64)
        quantities[sku] = quantities.get(sku, 0) + read_quantity(row)
    return quantities


def _required_key(reader: Reader, name: str, pattern: re.Pattern[str], rule: str) -> str:
    if not reader.given(name):
        reader.refuse(name, "必填")
    return reader.key(name, pattern, rule) or ""
