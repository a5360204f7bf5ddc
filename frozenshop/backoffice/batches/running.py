"""How a batch moves: started, run in stretches, cancelled. A stretch is short, so that a worker can stop in between."""

import datetime as dt
import time
from collections.abc import Iterable

from django.contrib.auth import get_user_model
from django.db import transaction
from django.db.models import F, QuerySet

from frozenshop.backoffice import wording
from frozenshop.backoffice.batches.kinds import Kind, kind_of
from frozenshop.backoffice.batches.models import Batch, BatchRow
from frozenshop.kernel import audit, clock, leases, outbox
from frozenshop.kernel.actor import Actor, staff
from frozenshop.kernel.errors import NotPossible, Problem
from orders.contention import retried

TOPIC = "backoffice.run_batch"
STRETCH_SECONDS = 10.0
ROWS_READ = 200
LEASE = dt.timedelta(minutes=2)
LOOK_AGAIN = dt.timedelta(seconds=30)
"""When a stretch that met another one at work looks again: its holder may have died."""
State = Batch.State


def start(batch: Batch, *, at: Iterable[str] = (State.PREVIEW,)) -> None:
    """Hand a batch to the worker. Call it inside a transaction. Raises NotPossible if it isn't waiting any more."""
    _move(batch, at, state=State.QUEUED)
    _ask(batch)


def cancel(batch: Batch) -> None:
    """Stop a batch before its next row. What is done stays done. Raises NotPossible if it has ended."""
    waiting = (State.PREVIEW, State.WAITING, State.QUEUED, State.RUNNING)
    _move(batch, waiting, state=State.CANCELLED, finished_at=clock.now())


def _move(batch: Batch, at: Iterable[str], **changes: object) -> None:
    if Batch.objects.filter(pk=batch.pk, state__in=list(at)).update(**changes) != 1:
        raise NotPossible("任务的状态已经变化，请刷新页面")
    batch.refresh_from_db()


def _ask(batch: Batch, *, later: dt.timedelta | None = None) -> None:
    outbox.enqueue(TOPIC, {"batch_id": batch.pk}, due_at=clock.now() + later if later else None)


@outbox.consumer(TOPIC, transactional=False)
def run_batch(effect: outbox.Effect, batch_id: int, **rest: object) -> None:
    """Do a stretch of a batch, and ask for the next one."""
    batch = Batch.objects.filter(pk=batch_id).first()
    with leases.hold(f"batch:{batch_id}", LEASE) as held:
        left = batch is not None and batch.open and (not held or _stretch(batch))
        with effect:
            if left:
                assert batch is not None
                _ask(batch, later=None if held else LOOK_AGAIN)


def _stretch(batch: Batch) -> bool:
    """Do rows for a while; return whether the batch goes on."""
    kind, actor = kind_of(batch), _actor(batch)
    if not _may(batch, kind):
        _end(batch, State.FAILED, "发起人已停用或不再有这个权限")
        return False
    begun = Batch.objects.filter(pk=batch.pk, state=State.QUEUED)
    begun.update(state=State.RUNNING, started_at=clock.now())
    until = time.monotonic() + STRETCH_SECONDS
    while rows := list(_waiting(batch)[:ROWS_READ]):
        for row in rows:
            if time.monotonic() > until:
                return True
            if not _row(batch, row, kind, actor):
                return False
    _finish(batch, kind, actor)
    return False


def _waiting(batch: Batch) -> QuerySet[BatchRow]:
    return BatchRow.objects.filter(batch=batch, state=BatchRow.State.WAITING).order_by("number")


def _row(batch: Batch, row: BatchRow, kind: Kind, actor: Actor) -> bool:
    """Do one row whole or not at all; return False where the batch was cancelled, or another runner is at it."""
    try:
        return retried(_perform)(batch, row, kind, actor)
    except Problem as problem:
        return retried(_refuse)(batch, row, wording.problem_text(problem))


def _perform(batch: Batch, row: BatchRow, kind: Kind, actor: Actor) -> bool:
    with transaction.atomic():
        if not _count(batch, row, done=F("done") + 1):
            return False
        row.message = kind.perform(batch, row, actor)[:500]
        row.state = BatchRow.State.DONE
        row.save(update_fields=["message", "state", "before_sealed"])
    return True


def _refuse(batch: Batch, row: BatchRow, message: str) -> bool:
    with transaction.atomic():
        if not _count(batch, row, refused=F("refused") + 1):
            return False
        row.state, row.message = BatchRow.State.REFUSED, message[:500]
        row.save(update_fields=["message", "state"])
    return True


def _count(batch: Batch, row: BatchRow, **counter: F) -> bool:
    """Lock the batch by its counter: a second runner waits here, and finds the row done."""
    running = Batch.objects.filter(pk=batch.pk, state=State.RUNNING)
    if not running.update(position=row.number, **counter):
        return False
    still = BatchRow.objects.filter(pk=row.pk, state=BatchRow.State.WAITING).exists()
    if not still:
        transaction.set_rollback(True)
    return still


@retried
def _finish(batch: Batch, kind: Kind, actor: Actor) -> None:
    with transaction.atomic():
        if not Batch.objects.filter(pk=batch.pk, state=State.RUNNING).update(
            state=State.DONE, position=F("total"), finished_at=clock.now()
        ):
            return
        batch.refresh_from_db()
        kind.finish(batch, actor)
        audit.record(
            actor, "batch.finished", f"batch:{batch.pk}", details={"done": batch.done, "refused": batch.refused}
        )


def _end(batch: Batch, state: str, message: str) -> None:
    Batch.objects.filter(pk=batch.pk, state__in=(State.QUEUED, State.RUNNING)).update(
        state=state, message=message, finished_at=clock.now()
    )


def _actor(batch: Batch) -> Actor:
    return staff(batch.owner_id)


def _may(batch: Batch, kind: Kind) -> bool:
    user = get_user_model()._default_manager.filter(pk=batch.owner_id, is_active=True).first()
    return user is not None and user.has_perm(kind.permission)
