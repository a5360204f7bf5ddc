"""The kinds of batches that export: a list cut into stretches, or numbers that somebody gave; each makes one file."""

import datetime as dt
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, ClassVar
from urllib.parse import parse_qsl

from django.conf import settings
from django.contrib.auth.models import User
from django.db.models import Model
from django.http import QueryDict
from django.urls import reverse

from frozenshop.backoffice.batches import files, moves
from frozenshop.backoffice.batches.kinds import WHOLE_FILE, Kind
from frozenshop.backoffice.batches.models import Batch, BatchFile, BatchRow
from frozenshop.backoffice.exporting import columns
from frozenshop.backoffice.exporting.cells import Column, Marks
from frozenshop.backoffice.exporting.csv_table import CsvTable
from frozenshop.backoffice.exporting.views import View
from frozenshop.backoffice.exporting.xlsx_table import XlsxTable
from frozenshop.backoffice.finding.recent import may_name_somebody
from frozenshop.backoffice.wording import clock
from frozenshop.kernel import audit
from frozenshop.kernel.actor import Actor
from frozenshop.kernel.crypto import SealBroken
from frozenshop.kernel.errors import Invalid, NotPossible
from orders.models import Alert, Order

EXPORT, UNMASK = "orders.export_order", "orders.unmask_order"
EXPORT_UNMASKED, APPROVE_UNMASKED = "backoffice.export_unmasked", "backoffice.approve_unmasked"
TABLES: dict[str, type[CsvTable | XlsxTable]] = {"xlsx": XlsxTable, "csv": CsvTable}
FIRST_STRETCH = 1_000_001
"""The numbers below are those of the rows that plan, which come first."""
PLANNED_AT_ONCE = 500
LIST = "查看导出的列表"


class Export(Kind):
    """`size`: rows of a stretch. What `rights` names its owner must hold all along, and when the file is taken."""

    whole = True
    model: ClassVar[type[Model]]
    rights: ClassVar[tuple[str, ...]] = (EXPORT,)
    permission = EXPORT
    title: ClassVar[str]
    size = 2000

    @property
    def keep(self) -> dt.timedelta:  # type: ignore[override]
        return dt.timedelta(hours=settings.EXPORT_KEEP_HOURS)

    def allowed(self, user: User, batch: Batch) -> bool:
        own = (UNMASK, EXPORT_UNMASKED) if not _masked(batch) else ()
        return user.has_perms((*self.rights, *own))

    def approval(self, batch: Batch) -> str:
        return "" if _masked(batch) else APPROVE_UNMASKED

    def columns(self, batch: Batch) -> list[Column]:
        raise NotImplementedError

    def fetched(self, rows: Sequence[Any], batch: Batch) -> Sequence[Any]:
        """Return rows as the columns want them."""
        return rows

    def perform(self, batch: Batch, row: BatchRow, actor: Actor) -> str:
        given = row.given
        if row.number < FIRST_STRETCH:
            return self._plan(batch, row, given)
        return self._write(batch, self._read(batch, given), actor)

    def finish(self, batch: Batch, actor: Actor) -> None:
        """Close the file, and say how much is in it."""
        file = BatchFile.objects.get(batch=batch, kind=BatchFile.Kind.RESULT)
        table = self._table(batch, file.written)
        files.append(file, table.end())
        count = table.state["rows"]
        Batch.objects.filter(pk=batch.pk).update(
            parameters={**batch.parameters, "rows": count}, message=f"共 {count:,} 行"
        )

    def place(self, number: int) -> str:
        return f"第 {number - FIRST_STRETCH + 1} 段" if number >= FIRST_STRETCH else WHOLE_FILE

    def page(self, batch: Batch, user: User) -> dict[str, object]:
        how = "打码" if _masked(batch) else "未打码"
        facts = [("格式", f"{batch.parameters['format'].upper()}，{how}"), ("范围", _scope(batch))]
        return {"unit": "段", "facts": facts, **_link(batch, self.model)}

    def _plan(self, batch: Batch, row: BatchRow, given: dict[str, Any]) -> str:
        """Cut the list into stretches; where it is long, leave what is beyond to a next row."""
        view, after, first = self._view(batch, given), given["after"], given["first"]
        planned = []
        for number in range(first, first + PLANNED_AT_ONCE):
            until = view.boundary(after, self.size)
            planned.append(_row(batch, number, query=given["query"], after=after, until=until))
            after = until
            if not after:
                break
        else:
            more = {"query": given["query"], "after": after, "first": first + PLANNED_AT_ONCE}
            planned.append(_row(batch, row.number + 1, **more))
        _refuse_too_much(batch, (first - FIRST_STRETCH + len(planned) - 1) * self.size)
        moves.add_rows(batch, planned)
        return f"分为 {len(planned)} 段"

    def _read(self, batch: Batch, given: dict[str, Any]) -> Iterable[list[Any]]:
        if "numbers" in given:
            found = {order.order_no: order for order in Order.objects.filter(order_no__in=given["numbers"])}
            return [[found[number] for number in given["numbers"] if number in found]]
        return self._view(batch, given).between(given["after"], given["until"], self.size)

    def _write(self, batch: Batch, stretches: Iterable[list[Any]], actor: Actor) -> str:
        """Add a stretch's piece to the file, in the transaction that ends the stretch."""
        file = BatchFile.objects.filter(batch=batch, kind=BatchFile.Kind.RESULT).first()
        table = self._table(batch, file.written if file else None)
        content = b"" if file else table.begin()
        file = file or files.open_result(batch, _file_name(self, batch), table.media_type)
        before = table.state["rows"]
        for rows in stretches:
            content += table.rows(columns.values(self.columns(batch), self.fetched(rows, batch), table.marks.each))
            _record_unmasked(batch, rows, actor)
        _refuse_too_much(batch, table.state["rows"])
        files.append(file, content, written=table.state)
        return f"{table.state['rows'] - before} 行"

    def _table(self, batch: Batch, state: dict[str, Any] | None) -> CsvTable | XlsxTable:
        marks = marks_of(batch, self.title)
        marked = [Column("导出标记", lambda row: marks.each, 28)] if marks.each else []
        return TABLES[batch.parameters["format"]]([*self.columns(batch), *marked], marks, state)

    def _view(self, batch: Batch, given: dict[str, Any]) -> View:
        assert isinstance(batch.owner, User)  # The runner has seen to it.
        return View(self.model, batch.owner, given["query"])


class OrderExport(Export):
    label, title, model = "导出订单", "订单", Order
    rights = (EXPORT, "orders.view_order")

    def columns(self, batch: Batch) -> list[Column]:
        return columns.order_columns(masked=_masked(batch))

    def fetched(self, rows: Sequence[Any], batch: Batch) -> Sequence[Any]:
        return columns.order_rows(rows, masked=_masked(batch))


class AlertExport(Export):
    label, title, model = "导出异常预警", "异常预警", Alert
    rights = (EXPORT, "orders.view_alert")

    def columns(self, batch: Batch) -> list[Column]:
        return columns.ALERT_COLUMNS

    def fetched(self, rows: Sequence[Any], batch: Batch) -> Sequence[Any]:
        return columns.alert_rows(rows)


ORDERS, ALERTS = OrderExport(), AlertExport()
KINDS: dict[str, Export] = {"export_orders": ORDERS, "export_alerts": ALERTS}


def begin_view(name: str, user: User, query: str, *, form: str, masked: bool = True, reason: str = "") -> Batch:
    """Begin the export of a list, filtered and searched as its address says. Call it inside a transaction.

    Raises Invalid, also where the list has nothing to be unmasked, or no reason is given for that.
    """
    batch = _begin(name, user, form=form, masked=masked, reason=reason)
    moves.add_rows(batch, [_row(batch, 1, query=query, after="", first=FIRST_STRETCH)])
    moves.start(batch)
    return batch


def begin_numbers(user: User, order_nos: Sequence[str], *, form: str, masked: bool = True, reason: str = "") -> Batch:
    """Begin the export of these orders, in this order. Call it inside a transaction. Raises Invalid."""
    if not order_nos:
        raise Invalid("没有要导出的订单")
    batch = _begin("export_orders", user, form=form, masked=masked, reason=reason)
    _refuse_too_much(batch, len(order_nos))
    moves.add_rows(batch, _rows_of_numbers(batch, order_nos))
    moves.start(batch)
    return batch


def _rows_of_numbers(batch: Batch, order_nos: Sequence[str]) -> Iterator[BatchRow]:
    size = OrderExport.size
    for place, number in enumerate(range(0, len(order_nos), size)):
        yield _row(batch, FIRST_STRETCH + place, numbers=list(order_nos[number : number + size]))


def _begin(name: str, user: User, *, form: str, masked: bool, reason: str) -> Batch:
    kind = KINDS[name]
    if form not in TABLES:
        raise Invalid("请选择文件格式")
    if not masked and kind.model is not Order:
        raise Invalid("这个列表没有需要打码的内容")
    if not masked and not reason.strip():
        raise Invalid("导出未打码的内容必须写明原因")
    parameters = {"format": form, "masked": masked}
    title = f"{kind.label}（{form.upper()}{'' if masked else '，未打码'}）"
    return moves.begin(name, title=title, owner=user, parameters=parameters, reason=reason.strip())


def marks_of(batch: Batch, title: str) -> Marks:
    """Return what ties a file to its batch: nothing but properties where it is masked, else every row."""
    made = clock(batch.created_at)
    if _masked(batch):
        return Marks(f"{title}{batch.pk}", batch.owner_name, batch.created_at)
    line = f"未打码 · 批量任务 #{batch.pk} · 导出 {batch.owner_name} · 批准 {batch.approver_name} · {made}"
    return Marks(
        f"{title}{batch.pk}", batch.owner_name, batch.created_at, line, f"#{batch.pk} {batch.owner_name} {made}"
    )


def _row(batch: Batch, number: int, **given: Any) -> BatchRow:
    row = BatchRow(batch=batch, number=number)
    row.seal_given(given)
    return row


def _masked(batch: Batch) -> bool:
    """Whatever doesn't say that it is unmasked is masked."""
    return batch.parameters.get("masked") is not False


def _refuse_too_much(batch: Batch, count: int) -> None:
    most = settings.EXPORT_UNMASKED_ROWS
    if not _masked(batch) and count > most:
        raise NotPossible(f"未打码的导出最多 {most:,} 行，请缩小范围")


def _record_unmasked(batch: Batch, rows: Sequence[Any], actor: Actor) -> None:
    """Put on record whose data was taken, by order, as a look at one order's is."""
    for order in rows if not _masked(batch) else ():
        details = {"batch": batch.pk, "approved_by": batch.approver_name}
        audit.record(actor, "order.exported_unmasked", order.order_no, reason=batch.reason, details=details)


def _file_name(kind: Export, batch: Batch) -> str:
    return f"{batch.kind.removeprefix('export_')}-{batch.pk}.{batch.parameters['format']}"


def _scope(batch: Batch) -> str:
    first = _first(batch)
    if first is None:
        return "（已到期删除）"
    return "列表，见下面的链接" if "query" in first else f"{len(first['numbers'])} 个订单号"


def _link(batch: Batch, model: type[Model]) -> dict[str, object]:
    """Return the way to the list: an address, or a form where an address would name somebody."""
    first = _first(batch)
    if not first or "query" not in first:
        return {}
    if model is Order and may_name_somebody(QueryDict(first["query"]).get("q", "")):
        return {"search": (LIST, reverse("admin:orders_order_find"), parse_qsl(first["query"]))}
    page = reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist")
    return {"link": (LIST, f"{page}?{first['query']}")}


def _first(batch: Batch) -> dict[str, Any] | None:
    """Return what the first row was given: the same list as all others."""
    row = BatchRow.objects.filter(batch=batch).order_by("number").first()
    try:
        given: dict[str, Any] | None = row.given if row else None
    except SealBroken:
        return None
    return given
