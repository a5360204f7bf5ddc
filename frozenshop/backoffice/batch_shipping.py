"""Shipping and correcting by pasted rows: an import of them, with its checks, its report and its undo."""

from dataclasses import dataclass
from typing import Any

from django.contrib.auth.models import User
from django.http import HttpRequest

from frozenshop.backoffice.batch_input import MAX_NUMBERS, ShipRow, read_ship_rows
from frozenshop.backoffice.batches import moves
from frozenshop.backoffice.batches.models import Batch, BatchRow
from frozenshop.backoffice.importing.fields import WHATS, What
from frozenshop.backoffice.importing.findings import Finding
from frozenshop.backoffice.importing.kinds import IMPORT, compare
from frozenshop.backoffice.importing.knowledge import first_block
from frozenshop.backoffice.importing.rows import Seen, order_findings, waybill_findings
from frozenshop.kernel.changelist import record_act, staff_user
from frozenshop.kernel.errors import Invalid, NotPossible
from orders.intake import is_order_no

WHAT = {"ship": "waybills", "correct": "corrections"}
_TITLES = {"ship": "发货", "correct": "更正运单"}


@dataclass(frozen=True, slots=True)
class Pasted:
    """One pasted row; `given` is None where it isn't three things, whose text goes nowhere else."""

    number: int
    about: str
    given: dict[str, Any] | None
    ok: bool
    sentence: str


def preview_rows(name: str, text: str) -> list[Pasted]:
    """Return what would become of each row, without doing anything. Raises Invalid for none or too many."""
    lines = read_ship_rows(text)
    if not lines:
        raise Invalid("请粘贴要处理的行：订单号 承运商 运单号")
    if len(lines) > MAX_NUMBERS:
        raise Invalid(f"一次最多 {MAX_NUMBERS:,} 行，共 {len(lines):,} 行，没有处理")
    seen = Seen()
    given = {at: _given(at, line) for at, line in enumerate(lines, start=1) if isinstance(line, ShipRow)}
    told = dict(zip(given, compare(WHATS[WHAT[name]], list(given.values())), strict=True))
    what = WHATS[WHAT[name]]
    return [_pasted(at, line, given.get(at), told.get(at, []), what, seen) for at, line in enumerate(lines, start=1)]


def _given(at: int, line: ShipRow) -> dict[str, Any]:
    said = {"order_no": line.order_no, "carrier_code": line.carrier, "waybill_no": line.waybill_no}
    return {"row": at, "given": said}


def _pasted(
    at: int, line: ShipRow | str, given: dict[str, Any] | None, told: list[Finding], what: What, seen: Seen
) -> Pasted:
    if not isinstance(line, ShipRow):
        return Pasted(at, line[:100], None, False, "每行要有三项：订单号 承运商 运单号")
    told = [*waybill_findings(at, line.waybill_no, line.order_no, seen), *told]
    block = first_block(told) or first_block(order_findings(at, line.order_no, "", what, seen))
    if block:
        return Pasted(at, line.order_no[:64], given, False, f"{block.kind_label}：{block.sentence}")
    hints = "；".join(finding.sentence for finding in told)
    return Pasted(at, line.order_no, given, True, f"{line.waybill_no}" + (f"（{hints}）" if hints else ""))


def start_rows(request: HttpRequest, name: str, rows: list[Pasted]) -> Batch:
    """Start the job for the rows that can be done. Call it inside a transaction."""
    good = [row for row in rows if row.ok and row.given and is_order_no(row.about)]
    if not good:
        raise NotPossible("没有可以处理的行")
    owner = User.objects.get(pk=staff_user(request).pk)
    title = f"{_TITLES[name]}：{len(good):,} 行"
    batch = moves.begin(IMPORT, title=title, owner=owner, parameters={"what": WHAT[name]})
    made = []
    for number, row in enumerate(good, start=1):
        one = BatchRow(batch=batch, number=number, about=row.about)
        one.seal_given(row.given)
        made.append(one)
    moves.add_rows(batch, made)
    moves.start(batch)
    record_act(request, "batch.started", f"batch:{batch.pk}", details={"action": name, "count": len(made)})
    return batch
