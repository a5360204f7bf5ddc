"""How people move a batch: begun, started, approved, cancelled, tried again, undone. The worker's part is `running`."""

import datetime as dt
import itertools
from collections.abc import Iterable
from typing import Any

from django.contrib.auth.models import User
from django.db.models import F

from frozenshop.backoffice.batches.kinds import known_kind
from frozenshop.backoffice.batches.models import Batch, BatchRow
from frozenshop.kernel import clock, many_rows, outbox
from frozenshop.kernel.errors import Forbidden, NotPossible

TOPIC = "backoffice.run_batch"
PREVIEW_KEPT = dt.timedelta(days=7)
KEPT = dt.timedelta(days=30)
ROWS_WRITTEN = 1000
State = Batch.State
ENDED = (State.DONE, State.FAILED, State.CANCELLED)
LATER = "这个任务属于另一个版本，请稍后再试"


def begin(kind: str, *, title: str, owner: User, parameters: dict[str, Any] | None = None, reason: str = "") -> Batch:
    """Return a new batch, to which rows and files are added before it is started. `parameters`: no personal data."""
    return Batch.objects.create(
        kind=kind,
        title=title[:200],
        owner=owner,
        owner_name=owner.get_username(),
        parameters=parameters or {},
        reason=reason[:500],
        created_at=clock.now(),
        expires_at=clock.now() + PREVIEW_KEPT,
    )


def add_rows(batch: Batch, rows: Iterable[BatchRow]) -> int:
    """Write rows of a batch, their `batch` set; return how many. Call it inside a transaction."""
    added, left = 0, iter(rows)
    while some := list(itertools.islice(left, ROWS_WRITTEN)):
        many_rows.insert(some)
        added += len(some)
    Batch.objects.filter(pk=batch.pk).update(total=F("total") + added)
    return added


def start(batch: Batch, *, at: Iterable[str] = (State.PREVIEW,)) -> None:
    """Hand a batch to the worker, or to whoever must approve it. Call it inside a transaction.

    Raises NotPossible if it isn't waiting for its start any more.
    """
    kind = known_kind(batch)
    if kind is None:
        raise NotPossible(LATER)
    if kind.approval(batch) and batch.approved_at is None:
        _move(batch, at, state=State.WAITING, expires_at=clock.now() + PREVIEW_KEPT)
    else:
        _queue(batch, at)


def approve(batch: Batch, user: User) -> None:
    """Let a waiting batch run. Call it inside a transaction. Raises Forbidden for its owner, and without the right."""
    if not may_decide(batch, user):
        raise Forbidden("须由另一位有批准权限的人批准")
    _queue(batch, (State.WAITING,), approver_name=user.get_username(), approved_at=clock.now())


def decline(batch: Batch, user: User, reason: str) -> None:
    """Send a waiting batch away. Raises Forbidden for its owner (who cancels it), and without the right."""
    if not may_decide(batch, user):
        raise Forbidden("须由另一位有批准权限的人决定")
    _cancel(batch, (State.WAITING,), message=f"{user.get_username()} 没有批准：{reason}"[:500])


def may_decide(batch: Batch, user: User) -> bool:
    """Say whether a person may approve or decline a batch: the second of two, with the right."""
    kind = known_kind(batch)
    right = kind.approval(batch) if kind else ""
    return bool(right) and batch.owner_id not in (None, user.pk) and user.has_perm(right)


def cancel(batch: Batch) -> None:
    """Stop a batch before its next row. What is done stays done. Raises NotPossible if it has ended."""
    _cancel(batch, (State.PREVIEW, State.WAITING, State.QUEUED, State.RUNNING))


def may_run_again(batch: Batch) -> bool:
    """Say whether an ended batch has rows that may be tried again: of an undo also before it has begun."""
    kind = known_kind(batch)
    if kind is None or not kind.repeatable or batch.expired_at or hasattr(batch, "undone_by"):
        return False
    if batch.undo_of is not None and batch.undo_of.expired_at:
        return False
    begun = batch.started_at is not None or batch.undo_of_id is not None
    return batch.state in ENDED and batch.total > batch.done and begun


def run_again(batch: Batch) -> None:
    """Try the rows that were refused or not reached once more. What is done isn't done again.

    Call it inside a transaction. Raises NotPossible.
    """
    if not may_run_again(_locked(batch)):
        raise NotPossible("没有可以再试的行")
    _queue(batch, ENDED, refused=0, message="", finished_at=None)
    BatchRow.objects.filter(batch=batch, state=BatchRow.State.REFUSED).update(state=BatchRow.State.WAITING, message="")


def undo(batch: Batch, user: User, reason: str = "") -> Batch:
    """Return the started batch that takes back what this one did, the last row first.

    Call it inside a transaction. Raises NotPossible, as the kind's `undo_preview` does.
    """
    kind = known_kind(batch)
    if kind is None:
        raise NotPossible(LATER)
    if not may_undo(_locked(batch)):
        raise NotPossible("这个任务不能撤销，或已经撤销过")
    kind.undo_preview(batch)
    undoing = begin(batch.kind, title=f"撤销：{batch.title}", owner=user, parameters=batch.parameters, reason=reason)
    Batch.objects.filter(pk=undoing.pk).update(undo_of=batch)
    undoing.refresh_from_db()
    done = BatchRow.objects.filter(batch=batch, state=BatchRow.State.DONE).order_by("number")
    add_rows(
        undoing, (BatchRow(batch=undoing, number=n, about=about) for n, about in done.values_list("number", "about"))
    )
    start(undoing)
    return undoing


def may_undo(batch: Batch) -> bool:
    """Say whether there is something to undo, once; the kind's `undo_preview` may still refuse."""
    kind = known_kind(batch)
    if kind is None or not kind.undoable or batch.undo_of_id or batch.expired_at:
        return False
    return batch.state in ENDED and batch.done > 0 and not hasattr(batch, "undone_by")


def ask(batch: Batch, *, later: dt.timedelta | None = None) -> None:
    """Ask for a stretch, in the transaction that makes it necessary."""
    outbox.enqueue(TOPIC, {"batch_id": batch.pk}, due_at=clock.now() + later if later else None)


def kept_until(batch: Batch) -> dt.datetime:
    """Return until when the files and sealed rows of a batch that ends now are kept."""
    kind = known_kind(batch)
    return clock.now() + (kind.keep if kind else KEPT)


def _locked(batch: Batch) -> Batch:
    """Return a batch as it stands, for who else undoes it or tries it again waits now."""
    return Batch.objects.select_for_update().get(pk=batch.pk)


def _queue(batch: Batch, at: Iterable[str], **changes: object) -> None:
    _move(batch, at, state=State.QUEUED, expires_at=None, **changes)
    ask(batch)


def _cancel(batch: Batch, at: Iterable[str], **changes: object) -> None:
    ends = {"finished_at": clock.now(), "expires_at": kept_until(batch)}
    _move(batch, at, state=State.CANCELLED, **ends, **changes)


def _move(batch: Batch, at: Iterable[str], **changes: object) -> None:
    moved = Batch.objects.filter(pk=batch.pk, state__in=list(at), expired_at=None).update(**changes)
    if moved != 1:
        raise NotPossible("任务的状态已经变化，请刷新页面")
    batch.refresh_from_db()
