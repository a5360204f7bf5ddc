"""How a batch runs to its end, whatever befalls its rows."""

import datetime as dt

import pytest
from django.db import OperationalError

from frozenshop.backoffice.batches import moves, running
from frozenshop.backoffice.batches.models import Batch, BatchRow
from frozenshop.backoffice.batches.tests import doing
from frozenshop.backoffice.batches.tests.doing import make_batch, start, states, work
from frozenshop.backoffice.models import OrderNote
from frozenshop.kernel import clock, leases
from frozenshop.kernel.errors import NotPossible
from frozenshop.kernel.models import AuditEntry, OutboxMessage

pytestmark = pytest.mark.django_db


def again(batch):
    return Batch.objects.get(pk=batch.pk)


def noted():
    return sorted(OrderNote.objects.values_list("order_no", flat=True))


def test_each_row_is_done_and_the_end_is_on_record(owner):
    batch = start(make_batch(owner, "A", "B"))
    work()
    batch = again(batch)
    assert (batch.state, batch.done, batch.refused, batch.percent, batch.message) == ("done", 2, 0, 100, "写完了")
    assert noted() == ["A", "B"]
    entry = AuditEntry.objects.get(action="batch.finished")
    assert (entry.actor, entry.subject, entry.details["done"]) == (f"staff:{owner.pk}", f"batch:{batch.pk}", 2)


def test_a_refused_row_takes_back_what_it_wrote_and_the_rest_goes_on(owner):
    batch = start(make_batch(owner, "A", "NO", "B"))
    work()
    assert states(batch) == [("A", "done"), ("NO", "refused"), ("B", "done")]
    assert batch.rows.get(about="NO").message == "这一行不行"
    assert noted() == ["A", "B"]


def test_a_fault_of_the_program_is_said_in_its_row_without_a_persons_data(owner):
    batch = start(make_batch(owner, "A", "BUG", "B"))
    work()
    row = batch.rows.get(about="BUG")
    assert (row.state, row.message) == ("refused", "程序错误（ValueError），已记入日志")
    assert (again(batch).state, noted()) == ("done", ["A", "B"])


def test_too_many_faults_end_the_batch(owner):
    batch = start(make_batch(owner, *(f"BUG{n}" for n in range(30))))
    work()
    batch = again(batch)
    assert (batch.state, batch.refused) == ("failed", running.FAULTS_BORNE)
    assert "程序错误" in batch.message


@pytest.mark.parametrize("row", ["NO", "BUG"])
def test_where_only_the_whole_will_do_one_bad_row_ends_the_batch(owner, row):
    batch = start(make_batch(owner, "A", row, "B", kind="whole"))
    work()
    assert again(batch).state == "failed"
    assert states(batch) == [("A", "done"), (row, "refused"), ("B", "waiting")]


def test_a_stretch_that_is_over_asks_for_the_next(owner, monkeypatch):
    monkeypatch.setattr(running, "STRETCH_SECONDS", -1.0)
    start(make_batch(owner, "A"))
    first = OutboxMessage.objects.get(topic=running.TOPIC)
    running.outbox.deliver(first.pk)
    assert list(OutboxMessage.objects.filter(topic=running.TOPIC).values_list("status", flat=True).order_by("id")) == [
        "done",
        "pending",
    ]
    assert noted() == []


def test_a_cancelled_batch_stops_before_its_next_row(owner, monkeypatch):
    batch = start(make_batch(owner, "A", "B", "C"))
    perform = doing.Noting.perform

    def cancelling(kind, batch, row, actor):
        said = perform(kind, batch, row, actor)
        if row.about == "B":
            moves.cancel(batch)
        return said

    monkeypatch.setattr(doing.Noting, "perform", cancelling)
    work()
    assert (again(batch).state, again(batch).done) == ("cancelled", 2)
    assert noted() == ["A", "B"]


def test_what_has_ended_is_not_cancelled(owner):
    batch = start(make_batch(owner, "A"))
    work()
    with pytest.raises(NotPossible):
        moves.cancel(batch)


@pytest.mark.parametrize("lost", ["disabled", "right", "deleted"])
def test_whoever_may_not_any_more_has_nothing_done_in_their_name(owner, lost):
    batch = start(make_batch(owner, "A"))
    if lost == "deleted":
        owner.delete()
    elif lost == "right":
        owner.groups.clear()
    else:
        owner.is_active = False
        owner.save()
    work()
    assert (again(batch).state, again(batch).message) == ("failed", "发起人已停用或不再有这个权限")
    assert noted() == []


def test_the_right_is_asked_for_again_with_each_stretch(owner, monkeypatch):
    monkeypatch.setattr(running, "STRETCH_SECONDS", -1.0)
    batch = start(make_batch(owner, "A"))
    running.outbox.deliver(OutboxMessage.objects.get(topic=running.TOPIC).pk)
    owner.groups.clear()
    work()
    assert again(batch).state == "failed"


def test_a_kind_of_another_release_waits_for_its_worker(owner):
    batch = start(make_batch(owner, "A"))
    Batch.objects.filter(pk=batch.pk).update(kind="of_tomorrow")
    work()
    message = OutboxMessage.objects.get(topic=running.TOPIC)
    assert (message.status, message.attempts) == ("pending", 1)
    assert again(batch).state == "queued"


def test_a_kind_of_another_release_can_not_be_started(owner):
    with pytest.raises(NotPossible):
        start(make_batch(owner, "A", kind="of_tomorrow"))


def test_a_batch_that_no_message_works_for_is_ended_and_said(owner):
    served, stranded = start(make_batch(owner, "A")), start(make_batch(owner, "B"))
    messages = {message.payload["batch_id"]: message for message in OutboxMessage.objects.filter(topic=running.TOPIC)}
    OutboxMessage.objects.filter(pk=messages[stranded.pk].pk).update(status="dead")
    assert running.end_stranded() == 1
    assert (again(served).state, again(stranded).state) == ("queued", "failed")
    assert "待办消息" in again(stranded).message


def test_a_database_that_is_away_is_no_fault_of_the_row(owner, monkeypatch):
    batch = start(make_batch(owner, "A"))

    def away(*args):
        raise OperationalError("gone away")

    monkeypatch.setattr(doing.Noting, "perform", away)
    work()
    assert states(batch) == [("A", "waiting")]
    assert OutboxMessage.objects.get(topic=running.TOPIC).attempts == 1


def test_who_meets_another_at_work_looks_again_later(owner):
    batch = start(make_batch(owner, "A"))
    with leases.hold(f"batch:{batch.pk}", dt.timedelta(minutes=1)) as held:
        assert held
        running.outbox.deliver(OutboxMessage.objects.get(topic=running.TOPIC).pk)
    later = OutboxMessage.objects.get(topic=running.TOPIC, status="pending")
    assert later.due_at > clock.now()
    assert noted() == []


def test_rows_without_their_end_are_tried_again_and_what_is_done_is_not(owner):
    batch = start(make_batch(owner, "A", "NO", "B"))
    work()
    BatchRow.objects.filter(batch=batch, about="NO").update(about="C")
    moves.run_again(again(batch))
    work()
    batch = again(batch)
    assert (batch.state, batch.done, batch.refused) == ("done", 3, 0)
    assert noted() == ["A", "B", "C"]


def test_a_cancelled_batch_goes_on_where_it_stood(owner):
    batch = start(make_batch(owner, "A", "B"))
    Batch.objects.filter(pk=batch.pk).update(state="cancelled", started_at=clock.now())
    moves.run_again(again(batch))
    work()
    assert (again(batch).state, noted()) == ("done", ["A", "B"])


def test_there_is_nothing_to_try_again_where_all_is_done(owner):
    batch = start(make_batch(owner, "A"))
    work()
    with pytest.raises(NotPossible):
        moves.run_again(again(batch))


def test_a_worker_knows_the_consumers():
    from frozenshop.celery import app

    app.loader.import_default_modules()
    assert {running.TOPIC, "backoffice.expire_batches", "backoffice.watch_batches"} <= set(app.tasks)
