"""The two kinds of batches behind an import: the check, which writes nothing but its report, and the import itself."""

import heapq
import itertools
import math
import os
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from django.contrib.auth.models import User
from django.urls import reverse

from frozenshop.backoffice.batches import files, kinds, moves
from frozenshop.backoffice.batches.models import Batch, BatchFile, BatchRow
from frozenshop.backoffice.importing import report, sending, taking, undoing
from frozenshop.backoffice.importing.fields import WHATS, What
from frozenshop.backoffice.importing.findings import Finding
from frozenshop.backoffice.importing.knowledge import Carriers, first_block
from frozenshop.backoffice.importing.rows import Row, check_structure, read
from frozenshop.kernel import audit
from frozenshop.kernel.actor import Actor
from frozenshop.kernel.errors import NotPossible, Problem

IMPORT, CHECK = "import", "import_check"
CHECKED_AT_ONCE = 500
DONE_AT_ONCE = 100
FORGOTTEN = "导入之前的内容已删除（按个人要求，或已到期），不能撤销"
_State = BatchRow.State


@contextmanager
def opened(batch: Batch) -> Iterator[Path]:
    """Yield the uploaded file of an import, opened in memory where the system can: a kill leaves nothing of it behind.

    Raises NotPossible once its time is over.
    """
    kept = BatchFile.objects.filter(batch=batch, kind=BatchFile.Kind.UPLOAD).first()
    if kept is None:
        raise NotPossible("上传的文件已经到期删除，请重新上传")
    if hasattr(os, "memfd_create"):
        with os.fdopen(os.memfd_create("import"), "w+b") as target:
            files.copy(kept, target)
            target.flush()
            yield Path(f"/proc/self/fd/{target.fileno()}")
        return
    with tempfile.NamedTemporaryFile(prefix="import-") as target:
        files.copy(kept, target)
        target.flush()
        yield Path(target.name)


def what_of(batch: Batch) -> What:
    return WHATS[batch.parameters["what"]]


class _OfFile(kinds.Kind):
    permission = "orders.change_order"

    def allowed(self, user: User, batch: Batch) -> bool:
        return user.has_perm(what_of(batch).needed)


class Check(_OfFile):
    """Row 1 reads the file into the rows of the import; each further row compares a stretch of them with what is known.

    Killed half-way, the step under way is done again from its start.
    """

    label, whole, repeatable = "导入检查", True, False

    def perform(self, batch: Batch, row: BatchRow, actor: Actor) -> str:
        of = Batch.objects.select_for_update().get(pk=batch.parameters["import"])
        if of.state != Batch.State.PREVIEW:
            raise NotPossible("导入已经开始或取消，不能再检查")
        return self._read(batch, row, of) if row.number == 1 else self._compare(row, of)

    def finish(self, batch: Batch, actor: Actor) -> None:
        """Count what was found, and write the report."""
        counts, firsts = Counter[str](), []
        steps = BatchRow.objects.filter(batch=batch, state=_State.DONE).values_list("number", flat=True)
        for number in list(steps):
            if found := _found_in(batch, number):
                counts.update(finding.kind for finding in found)
                firsts.append([min(finding.row for finding in found), number])
        batch.parameters |= {"counts": dict(counts), "firsts": sorted(firsts)}
        report.keep(batch, found_by(batch))
        Batch.objects.filter(pk=batch.pk).update(parameters=batch.parameters)

    def place(self, number: int) -> str:
        return f"第 {number - 1} 段" if number > 1 else kinds.WHOLE_FILE

    def page(self, batch: Batch, user: User) -> dict[str, object]:
        address = reverse("admin:import_one", args=[batch.parameters["import"]])
        return {"unit": "段", "facts": [], "link": ("查看检查结果", address)}

    def _read(self, batch: Batch, row: BatchRow, of: Batch) -> str:
        BatchRow.objects.filter(batch=of).delete()
        Batch.objects.filter(pk=of.pk).update(total=0)
        what, bad, count = what_of(batch), 0, 0
        with opened(of) as path:
            remarks = check_structure(path, batch.parameters["header_row"])
            numbered = enumerate(read(path, what, batch.parameters["match"], batch.parameters["header_row"]), start=1)
            while chunk := list(itertools.islice(numbered, CHECKED_AT_ONCE)):
                moves.add_rows(of, [_row(of, number, one) for number, one in chunk])
                step = BatchRow(batch=batch, number=2 + count // CHECKED_AT_ONCE)
                step.seal_given([finding.as_json() for _, one in chunk for finding in one.findings])
                moves.add_rows(batch, [step])
                bad, count = bad + sum(one.blocked for _, one in chunk), chunk[-1][0]
        if not count:
            raise NotPossible("文件没有数据行")
        batch.parameters["remarks"] = remarks
        Batch.objects.filter(pk=batch.pk).update(parameters=batch.parameters)
        return f"读取 {count} 项，{bad} 项填写有误"

    def _compare(self, row: BatchRow, of: Batch) -> str:
        start = (row.number - 2) * CHECKED_AT_ONCE
        stretch = BatchRow.objects.filter(batch=of, number__gt=start, number__lte=start + CHECKED_AT_ONCE)
        waiting = list(stretch.filter(state=_State.WAITING).order_by("number"))
        found = compare(what_of(of), [one.given for one in waiting])
        refused = []
        for one, findings in zip(waiting, found, strict=True):
            if blocking := first_block(findings):
                one.state, one.message = _State.REFUSED, str(blocking)[:500]
                refused.append(one)
        BatchRow.objects.bulk_update(refused, ["state", "message"])
        row.seal_before([*row.given, *(finding.as_json() for findings in found for finding in findings)])
        return f"核对 {len(waiting)} 项，{len(refused)} 项有问题"


def _row(batch: Batch, number: int, one: Row) -> BatchRow:
    made = BatchRow(batch=batch, number=number, about=one.about)
    if one.given is not None and not one.blocked:  # else a second try would take in what the file says twice
        made.seal_given({"row": one.number, "given": one.given})
    if one.blocked:
        first = first_block(one.findings) or f"第 {one.number} 行有误"
        made.state, made.message = _State.REFUSED, str(first)[:500]
    return made


def compare(what: What, given: Sequence[Mapping[str, Any]]) -> list[list[Finding]]:
    """Return what the database has to say about each row of a chunk."""
    carriers, told = Carriers(), [one["given"] for one in given]
    if what.name == "orders":
        orders = taking.read(told)
        known = taking.known_of(orders)
        rows = zip(given, orders, strict=True)
        return [taking.findings(one["row"], order, known, carriers) for one, order in rows]
    of = sending.of_waybill if what.name == "waybills" else sending.of_correction
    known = sending.known_of(told)
    return [of(one["row"], one["given"], known, carriers) for one in given]


def found_by(check: Batch) -> Iterator[Finding]:
    """Yield all that a finished check has found, by row and column of the file; few steps are held at once.

    A step's orders are those whose last rows it has read: its first finding may stand above those of an earlier one.
    """
    columns, firsts, order = check.parameters["match"], check.parameters["firsts"], itertools.count()
    held: list[tuple[int, int, int, Finding]] = []
    for (_, number), (until, _) in itertools.pairwise([*firsts, (math.inf, 0)]):
        for finding in _found_in(check, number):
            place = columns.get(finding.column, len(columns))
            heapq.heappush(held, (finding.row, place, next(order), finding))
        while held and held[0][0] < until:
            yield heapq.heappop(held)[-1]


def _found_in(check: Batch, number: int) -> list[Finding]:
    step = BatchRow.objects.get(batch=check, number=number)
    return [Finding(**told) for told in step.before] if step.before_sealed else []


class Import(_OfFile):
    """Each row by the services that do it by hand; what it found before and left is kept sealed for an undo."""

    label, undoable, many = "导入", True, DONE_AT_ONCE

    def perform(self, batch: Batch, row: BatchRow, actor: Actor) -> str:
        end = self.perform_many(batch, [row], actor)[0]
        if isinstance(end, Problem):
            raise end
        return end

    def perform_many(self, batch: Batch, rows: list[BatchRow], actor: Actor) -> list[str | Problem]:
        given = [row.given if row.given_sealed else None for row in rows]
        readable = [at for at, one in enumerate(given) if one is not None]
        does = {"orders": taking.perform, "waybills": sending.ship, "corrections": sending.correct}
        told = [one["given"] for one in given if one is not None]
        ends: list[str | Problem] = [NotPossible("这一行在文件里就有误，请改好后重新导入") for _ in rows]
        done = []
        for at, end in zip(readable, does[what_of(batch).name](told, actor), strict=True):
            if isinstance(end, Problem):
                ends[at] = end
                continue
            sentence, kept = end
            ends[at] = f"第 {given[at]['row']} 行：{sentence}"  # type: ignore[index]
            rows[at].seal_before(kept)
            done.append(rows[at].about)
        if done:
            audit.record(actor, "import.rows", f"batch:{batch.pk}", details={"count": len(done)}, about=done)
        return ends

    def undo_preview(self, batch: Batch) -> str:
        return (
            f"把这次导入完成的 {batch.done} 项恢复到导入之前（历史和审计保留）。承运商已扫描、之后又有变化的不会动，"
            "会逐行说明原因；微信已收到的发货信息会说明并按规则更正。"
        )

    def undo(self, batch: Batch, row: BatchRow, done: BatchRow, actor: Actor) -> str:
        if not done.before_sealed:
            raise NotPossible(FORGOTTEN)
        sentence = undoing.undo(done.about, done.before, _who(batch, actor))
        _record_undone(batch, [done.about], actor)
        return sentence

    def undo_many(self, batch: Batch, rows: list[BatchRow], done: list[BatchRow], actor: Actor) -> list[str | Problem]:
        kept = [(one.about, one.before) for one in done if one.before_sealed]
        undone = iter(undoing.undo_many(kept, _who(batch, actor)))
        ends = [next(undone) if one.before_sealed else NotPossible(FORGOTTEN) for one in done]
        about = [one.about for one, end in zip(done, ends, strict=True) if not isinstance(end, Problem)]
        _record_undone(batch, about, actor)
        return ends

    def page(self, batch: Batch, user: User) -> dict[str, object]:
        facts = [("内容", what_of(batch).label)]
        waits = batch.state == Batch.State.PREVIEW
        return {"facts": facts, "link": ("认列和检查", reverse("admin:import_one", args=[batch.pk])) if waits else None}


def _who(batch: Batch, actor: Actor) -> undoing.Who:
    user = batch.owner
    assert isinstance(user, User)  # without its owner a batch doesn't run
    return undoing.Who(f"撤销导入 #{batch.undo_of_id}", actor, user)


def _record_undone(batch: Batch, about: list[str], actor: Actor) -> None:
    if about:
        details = {"batch": batch.undo_of_id, "count": len(about)}
        audit.record(actor, "import.undone", f"batch:{batch.pk}", details=details, about=about)


CHECKING, IMPORTING = Check(), Import()
