"""How the worker runs a batch: in stretches so short that a worker can stop in between."""

import datetime as dt
import time
from contextlib import suppress
from dataclasses import dataclass

import structlog
from celery.exceptions import SoftTimeLimitExceeded
from django.contrib.auth.models import User
from django.db import InterfaceError, OperationalError, transaction
from django.db.models import F, QuerySet
from django.db.models.expressions import Combinable

from frozenshop.backoffice import wording
from frozenshop.backoffice.batches import moves
from frozenshop.backoffice.batches.kinds import Kind, known_kind
from frozenshop.backoffice.batches.models import Batch, BatchRow
from frozenshop.backoffice.batches.moves import TOPIC
from frozenshop.kernel import audit, clock, leases, many_rows, outbox
from frozenshop.kernel.actor import Actor, staff
from frozenshop.kernel.errors import Problem
from frozenshop.kernel.models import OutboxMessage
from frozenshop.kernel.outbox.consuming import NotUnderstood
from frozenshop.kernel.outbox.ledger import OPEN
from orders.contention import retried

__all__ = ["TOPIC", "end_stranded", "run_batch"]

STRETCH_SECONDS = 10.0
ROWS_READ = 200
LEASE = dt.timedelta(minutes=2)
LOOK_AGAIN = dt.timedelta(seconds=30)
"""When a stretch that met another one at work looks again: its holder may have died."""
FAULTS_BORNE = 10
"""So many rows of a stretch may meet a fault of the program; then the batch ends."""
State = Batch.State
logger = structlog.get_logger(__name__)


class Ended(Exception):
    """The batch was cancelled or ended while a row was to be done."""


class Taken(Exception):
    """Another runner has done the row meanwhile."""


@dataclass(slots=True)
class Run:
    """A stretch under way."""

    batch: Batch
    kind: Kind
    actor: Actor
    faults: int = 0


@outbox.consumer(TOPIC, transactional=False)
def run_batch(effect: outbox.Effect, batch_id: int, **rest: object) -> None:
    """Do a stretch of a batch, and ask for the next one."""
    batch = Batch.objects.filter(pk=batch_id).first()
    with leases.hold(f"batch:{batch_id}", LEASE) as held:
        left = batch is not None and batch.open and (not held or _stretch(batch))
        with effect:
            if left:
                assert batch is not None
                moves.ask(batch, later=None if held else LOOK_AGAIN)


def end_stranded() -> int:
    """End batches that no message works for any more, which tried too often in vain; return how many.

    A stretch closes its message and asks for the next in one transaction: an open batch always has one.
    """
    batches = list(Batch.objects.filter(state__in=(State.QUEUED, State.RUNNING)).order_by("created_at")[:1000])
    if not batches:
        return 0
    waiting = OutboxMessage.objects.filter(topic=TOPIC, status__in=OPEN).values_list("payload", flat=True)
    served = {payload.get("batch_id") for payload in waiting}
    stranded = [batch for batch in batches if batch.pk not in served]
    for batch in stranded:
        _end(batch, State.FAILED, "多次执行没有成功，已停止；原因见“待办消息”，处理后可以再试")
    return len(stranded)


def _stretch(batch: Batch) -> bool:
    """Do rows for a while; return whether the batch goes on."""
    kind = known_kind(batch)
    if kind is None:
        raise NotUnderstood(f"这个版本没有处理批量任务 {batch.kind} 的程序")
    if fault := _fault(batch, kind):
        _end(batch, State.FAILED, fault)
        return False
    queued = Batch.objects.filter(pk=batch.pk, state=State.QUEUED)
    queued.update(state=State.RUNNING, started_at=clock.now())
    run = Run(batch, kind, staff(batch.owner_id))
    try:
        return _rows(run) or _finish(run)
    except Ended:
        return False


def _rows(run: Run) -> bool:
    """Do rows until the time is over; return whether there may be more."""
    until = time.monotonic() + STRETCH_SECONDS
    while rows := list(_waiting(run.batch)[:ROWS_READ]):
        for start_at in range(0, len(rows), run.kind.many):
            if time.monotonic() > until:
                return True
            with suppress(Taken):
                _chunk(run, rows[start_at : start_at + run.kind.many])
    return False


def _chunk(run: Run, rows: list[BatchRow]) -> None:
    """Do rows in one transaction, where the kind can; one by one where it can't, or where one of them is at fault."""
    if len(rows) > 1:
        try:
            retried(_perform_many)(run, rows)
            return
        except (Ended, Taken, OperationalError, InterfaceError, SoftTimeLimitExceeded):
            raise
        except Exception:
            logger.warning("batch.chunk_failed", batch_id=run.batch.pk, row=rows[0].number, exc_info=True)
    for row in rows:
        with suppress(Taken):
            _row(run, row)


def _perform_many(run: Run, rows: list[BatchRow]) -> None:
    with transaction.atomic():
        running = Batch.objects.filter(pk=run.batch.pk, state=State.RUNNING)
        if not running.update(position=rows[-1].number):
            raise Ended
        ids = [row.pk for row in rows]
        if BatchRow.objects.filter(pk__in=ids, state=BatchRow.State.WAITING).count() != len(rows):
            raise Taken
        ends = _do_many(run, rows)
        for row, end in zip(rows, ends, strict=True):
            refused = isinstance(end, Problem)
            row.message = (wording.problem_text(end) if isinstance(end, Problem) else end)[:500]
            row.state = BatchRow.State.REFUSED if refused else BatchRow.State.DONE
        BatchRow.objects.filter(pk__in=ids).update(
            **{
                name: many_rows.by_key(BatchRow, name, {row.pk: getattr(row, name) for row in rows})
                for name in ("message", "state", "about", "before_sealed")
            }
        )
        refused_count = sum(row.state == BatchRow.State.REFUSED for row in rows)
        running.update(done=F("done") + len(rows) - refused_count, refused=F("refused") + refused_count)


def _do_many(run: Run, rows: list[BatchRow]) -> list[str | Problem]:
    if not run.batch.undo_of_id:
        return run.kind.perform_many(run.batch, rows, run.actor)
    numbers = [row.number for row in rows]
    found = BatchRow.objects.filter(batch_id=run.batch.undo_of_id, number__in=numbers)
    done = {row.number: row for row in found}
    return run.kind.undo_many(run.batch, rows, [done[number] for number in numbers], run.actor)


def _waiting(batch: Batch) -> QuerySet[BatchRow]:
    rows = BatchRow.objects.filter(batch=batch, state=BatchRow.State.WAITING)
    return rows.order_by("-number" if batch.undo_of_id else "number")


def _row(run: Run, row: BatchRow) -> None:
    """Do one row whole or not at all. A database that is away ends the stretch, which is tried again."""
    try:
        retried(_perform)(run, row)
    except (Ended, Taken, OperationalError, InterfaceError, SoftTimeLimitExceeded):
        raise
    except Problem as problem:
        retried(_refuse)(run, row, wording.problem_text(problem))
        if run.kind.whole:
            _give_up(run, wording.problem_text(problem))
    except Exception as error:
        logger.exception("batch.row_failed", batch_id=run.batch.pk, row=row.number)
        sentence = f"程序错误（{type(error).__name__}），已记入日志"
        retried(_refuse)(run, row, sentence)
        run.faults += 1
        if run.kind.whole or run.faults >= FAULTS_BORNE:
            _give_up(run, sentence if run.kind.whole else f"第 {row.number} 行：{sentence}")


def _give_up(run: Run, message: str) -> None:
    _end(run.batch, State.FAILED, message)
    raise Ended


def _perform(run: Run, row: BatchRow) -> None:
    with transaction.atomic():
        _count(run.batch, row, done=F("done") + 1)
        row.message = _do(run, row)[:500]
        row.state = BatchRow.State.DONE
        row.save(update_fields=["message", "state", "about", "before_sealed"])


def _do(run: Run, row: BatchRow) -> str:
    if not run.batch.undo_of_id:
        return run.kind.perform(run.batch, row, run.actor)
    done = BatchRow.objects.get(batch_id=run.batch.undo_of_id, number=row.number)
    return run.kind.undo(run.batch, row, done, run.actor)


def _refuse(run: Run, row: BatchRow, message: str) -> None:
    with transaction.atomic():
        _count(run.batch, row, refused=F("refused") + 1)
        row.state, row.message = BatchRow.State.REFUSED, message[:500]
        row.save(update_fields=["message", "state"])


def _count(batch: Batch, row: BatchRow, **counter: Combinable) -> None:
    """Lock the batch by its counter: a second runner waits here, and finds the row done."""
    running = Batch.objects.filter(pk=batch.pk, state=State.RUNNING)
    if not running.update(position=row.number, **counter):
        raise Ended
    if not BatchRow.objects.filter(pk=row.pk, state=BatchRow.State.WAITING).exists():
        raise Taken


def _finish(run: Run) -> bool:
    """End the batch; return whether it goes on, which it does where rows were added meanwhile."""
    try:
        retried(_done)(run)
    except Problem as problem:
        _end(run.batch, State.FAILED, wording.problem_text(problem))
    return False


def _done(run: Run) -> None:
    batch = run.batch
    with transaction.atomic():
        ends = {"finished_at": clock.now(), "expires_at": moves.kept_until(batch)}
        if not Batch.objects.filter(pk=batch.pk, state=State.RUNNING).update(state=State.DONE, **ends):
            return
        batch.refresh_from_db()
        run.kind.finish(batch, run.actor)
        _record(batch)


def _end(batch: Batch, state: str, message: str) -> None:
    """End it and put that on record, once."""
    with transaction.atomic():
        ends = {"finished_at": clock.now(), "expires_at": moves.kept_until(batch)}
        open_ones = Batch.objects.filter(pk=batch.pk, state__in=(State.QUEUED, State.RUNNING))
        if open_ones.update(state=state, message=message[:500], **ends):
            batch.refresh_from_db()
            _record(batch)


def _record(batch: Batch) -> None:
    details = {"kind": batch.kind, "state": batch.state, "done": batch.done, "refused": batch.refused}
    audit.record(staff(batch.owner_id), "batch.finished", f"batch:{batch.pk}", details=details)


def _fault(batch: Batch, kind: Kind) -> str:
    """Return why the batch may not run (any more), or nothing."""
    if kind.approval(batch) and batch.approved_at is None:
        return "还没有人批准"
    user = User.objects.filter(pk=batch.owner_id, is_active=True).first() if batch.owner_id else None
    return "" if user is not None and kind.allowed(user, batch) else "发起人已停用或不再有这个权限"
