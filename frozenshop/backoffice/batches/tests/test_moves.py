"""What people do with a batch: approve, decline, undo; and what time does to it."""

import datetime as dt

import pytest
from django.core.files.base import ContentFile

from frozenshop.backoffice.batches import expiry, files, moves
from frozenshop.backoffice.batches.models import Batch, BatchFile, BatchFilePiece
from frozenshop.backoffice.batches.tests.doing import make_batch, start, states, work
from frozenshop.backoffice.models import OrderNote
from frozenshop.kernel import clock
from frozenshop.kernel.errors import Forbidden, NotPossible
from frozenshop.kernel.models import AuditEntry, OutboxMessage
from logistics.tests.conftest import frozen

__all__ = ["frozen"]
pytestmark = pytest.mark.django_db


def again(batch):
    return Batch.objects.get(pk=batch.pk)


@pytest.fixture
def waiting(owner):
    return start(make_batch(owner, "A", kind="guarded"))


def test_what_must_be_approved_waits_and_nothing_is_asked_of_the_worker(waiting):
    assert waiting.state == "waiting"
    assert not OutboxMessage.objects.filter(topic=moves.TOPIC).exists()


def test_a_second_person_lets_it_run(waiting, person):
    moves.approve(waiting, person("second"))
    work()
    assert (again(waiting).state, again(waiting).approver_name) == ("done", "second")


def test_nobody_approves_their_own_batch(waiting, owner):
    with pytest.raises(Forbidden):
        moves.approve(waiting, owner)


def test_nobody_approves_without_the_right(waiting, person):
    with pytest.raises(Forbidden):
        moves.approve(waiting, person("second", "客服"))


def test_what_needs_no_approval_can_not_be_approved(owner, person):
    with pytest.raises(Forbidden):
        moves.approve(make_batch(owner, "A"), person("second"))


def test_a_batch_is_decided_on_once(waiting, person):
    second = person("second")
    moves.decline(waiting, second, "不需要")
    assert (waiting.state, waiting.message) == ("cancelled", "second 没有批准：不需要")
    with pytest.raises(NotPossible):
        moves.approve(waiting, second)


def test_a_batch_that_slipped_past_its_approval_does_not_run(waiting):
    Batch.objects.filter(pk=waiting.pk).update(state="queued")
    moves.ask(waiting)
    work()
    assert (again(waiting).state, OrderNote.objects.count()) == ("failed", 0)


def test_a_declined_batch_is_not_run_again(waiting, person):
    moves.decline(waiting, person("second"), "不需要")
    with pytest.raises(NotPossible):
        moves.run_again(waiting)


def test_an_undo_takes_back_what_was_done_the_last_first(owner):
    batch = start(make_batch(owner, "A", "NO", "B"))
    work()
    undoing = moves.undo(again(batch), owner)
    work()
    assert again(undoing).state == "done"
    assert states(undoing) == [("A", "done"), ("B", "done")]
    assert not OrderNote.objects.exists()


def test_the_last_row_is_undone_first(owner, monkeypatch):
    from frozenshop.backoffice.batches.tests import doing

    seen = []
    monkeypatch.setattr(doing.Noting, "undo", lambda kind, batch, row, done, actor: seen.append(row.about) or "")
    batch = start(make_batch(owner, "A", "B", "C"))
    work()
    moves.undo(again(batch), owner)
    work()
    assert seen == ["C", "B", "A"]


def test_a_batch_is_undone_once_and_not_run_again_after(owner):
    batch = start(make_batch(owner, "A", "NO"))
    work()
    moves.undo(again(batch), owner)
    with pytest.raises(NotPossible):
        moves.undo(again(batch), owner)
    with pytest.raises(NotPossible):
        moves.run_again(again(batch))


def test_an_undo_itself_is_not_undone(owner):
    batch = start(make_batch(owner, "A"))
    work()
    undoing = moves.undo(again(batch), owner)
    work()
    with pytest.raises(NotPossible):
        moves.undo(again(undoing), owner)


def test_the_kind_may_say_that_it_is_too_late_to_undo(owner):
    batch = start(make_batch(owner, "A", scanned=True))
    work()
    with pytest.raises(NotPossible, match="承运商已揽收"):
        moves.undo(again(batch), owner)
    assert Batch.objects.count() == 1


def test_when_its_time_is_over_only_the_report_is_left(owner, frozen):
    batch = start(make_batch(owner, "A", "NO"))
    files.keep(batch, BatchFile.Kind.UPLOAD, "x.csv", "text/csv", ContentFile(b"x" * 500_000))
    work()
    frozen.shift(dt.timedelta(days=30, seconds=1))
    assert expiry.expire() == 1
    assert not BatchFile.objects.exists()
    assert not BatchFilePiece.objects.exists()
    assert states(batch) == [("A", "done"), ("NO", "refused")]
    assert set(batch.rows.values_list("before_sealed", flat=True)) == {""}
    assert AuditEntry.objects.filter(action="batch.finished").exists()
    with pytest.raises(NotPossible):
        moves.undo(again(batch), owner)


def test_what_never_began_is_cancelled_when_its_time_is_over(owner, frozen):
    batch = make_batch(owner, "A")
    frozen.shift(moves.PREVIEW_KEPT + dt.timedelta(seconds=1))
    expiry.expire()
    assert (again(batch).state, again(batch).expires_at) == ("cancelled", None)


def test_what_is_being_undone_keeps_what_was_there_before(owner, frozen):
    batch = start(make_batch(owner, "A"))
    work()
    frozen.shift(dt.timedelta(days=30, seconds=-1))
    undoing = moves.undo(again(batch), owner)
    frozen.shift(dt.timedelta(seconds=2))
    assert expiry.expire() == 0
    work()
    assert states(undoing) == [("A", "done")]
    assert expiry.expire() == 1


def test_what_an_undo_left_is_not_tried_again_once_it_is_forgotten_what_was_there_before(owner, frozen):
    batch = start(make_batch(owner, "A"))
    work()
    undoing = moves.undo(again(batch), owner)
    moves.cancel(again(undoing))
    Batch.objects.filter(pk=undoing.pk).update(started_at=clock.now())
    assert moves.may_run_again(again(undoing))
    frozen.shift(dt.timedelta(days=29))
    Batch.objects.filter(pk=undoing.pk).update(expires_at=clock.now() + dt.timedelta(days=9))
    frozen.shift(dt.timedelta(days=2))
    assert expiry.expire() == 1
    with pytest.raises(NotPossible):
        moves.run_again(again(undoing))


def test_what_runs_does_not_expire(owner, frozen):
    batch = start(make_batch(owner, "A"))
    Batch.objects.filter(pk=batch.pk).update(expires_at=batch.created_at)
    frozen.shift(dt.timedelta(days=1))
    assert expiry.expire() == 0
    assert again(batch).expired_at is None
