import datetime as dt
from unittest.mock import MagicMock, Mock

import pytest
import time_machine
from celery import Celery, current_app
from celery.exceptions import Reject
from celery.signals import task_unknown
from django.db import OperationalError, transaction

from frozenshop.kernel import clock, outbox, request_id
from frozenshop.kernel.actor import Actor, Source
from frozenshop.kernel.models import AuditEntry, OutboxMessage
from frozenshop.kernel.outbox import consuming, ledger
from frozenshop.kernel.outbox.checks import check_times
from frozenshop.kernel.outbox.relay import GATHER_SECONDS, IDLE_SECONDS, Relay, claim, mark_sent

pytestmark = pytest.mark.django_db
Status = OutboxMessage.Status
calls: list[dict] = []


@outbox.consumer("tests.note")
def note(**payload):
    calls.append(payload)
    if payload.get("permanent"):
        raise outbox.Permanent(payload["permanent"])
    if payload.get("fails"):
        raise RuntimeError("13812345678 可能写在别人的错误里")


@outbox.consumer("tests.call_then_note", transactional=False)
def call_then_note(effect, **payload):
    calls.append({"in_transaction": transaction.get_connection().in_atomic_block})
    with effect:
        outbox.enqueue("tests.note", {"from": "effect"})
        if payload.get("fails"):
            raise RuntimeError


@outbox.consumer("tests.nothing_to_write", transactional=False)
def nothing_to_write(effect, **payload):
    pass


@outbox.consumer("tests.strict")
def strict(row_id, colour=""):
    calls.append({"row_id": row_id, "colour": colour})


@outbox.consumer("tests.strict_call", transactional=False)
def strict_call(effect, row_id, colour=""):
    calls.append({"row_id": row_id, "colour": colour})


@outbox.consumer("tests.together", transactional=False, together=3)
def together(effect, **payload):
    with effect:
        calls.append([payload, *effect.others])
        outbox.enqueue("tests.note", {"from": "effect"})
        if any(one.get("fails") for one in calls[-1]):
            raise RuntimeError


@pytest.fixture(autouse=True)
def _forget_calls():
    calls.clear()


def write(topic="tests.note", **values):
    return OutboxMessage.objects.create(topic=topic, **values)


@pytest.fixture
def _tests_connection_stays(monkeypatch):
    monkeypatch.setattr("frozenshop.kernel.outbox.relay.close_old_connections", lambda: None)


def relay():
    app = MagicMock()
    return Relay(app), app.send_task


def test_a_row_is_written_and_rolled_back_with_its_transaction():
    with transaction.atomic():
        outbox.enqueue("tests.note", {"a": 1})
        transaction.set_rollback(True)
    assert not OutboxMessage.objects.exists()


def test_a_key_is_written_once():
    outbox.enqueue("tests.note", key="k")
    outbox.enqueue("tests.note", key="k")
    outbox.enqueue("tests.note", key="K")
    assert OutboxMessage.objects.count() == 2


def test_the_consumer_gets_the_payload_and_the_row_is_done():
    message = write(payload={"order_no": "A1"})
    outbox.deliver(message.pk)
    message.refresh_from_db()
    assert calls == [{"order_no": "A1"}]
    assert (message.status, message.last_error) == (Status.DONE, "")
    assert message.done_at


def test_a_repeated_delivery_does_nothing():
    message = write()
    outbox.deliver(message.pk)
    outbox.deliver(message.pk)
    assert len(calls) == 1


def test_a_delivery_that_lost_the_race_undoes_its_work():
    message = write()
    effect = outbox.Effect(message)
    OutboxMessage.objects.update(status=Status.DONE)
    with pytest.raises(consuming.AlreadyDone), effect:
        pytest.fail("must not be entered")


def test_the_effect_opens_after_the_call_and_closes_the_row():
    message = write("tests.call_then_note")
    outbox.deliver(message.pk)
    message.refresh_from_db()
    assert message.status == Status.DONE
    assert OutboxMessage.objects.filter(topic="tests.note").count() == 1


def test_a_failed_effect_leaves_nothing_behind_and_is_tried_again():
    message = write("tests.call_then_note", payload={"fails": True})
    outbox.deliver(message.pk)
    message.refresh_from_db()
    assert message.status == Status.PENDING
    assert not OutboxMessage.objects.filter(topic="tests.note").exists()


def test_a_consumer_without_an_effect_still_closes_the_row():
    message = write("tests.nothing_to_write")
    outbox.deliver(message.pk)
    assert OutboxMessage.objects.get().status == Status.DONE


def statuses():
    return list(OutboxMessage.objects.filter(topic="tests.together").order_by("id").values_list("status", flat=True))


@pytest.fixture
def _nobody_began(monkeypatch):
    monkeypatch.setattr(consuming, "BEGUN", 0)


@pytest.mark.usefixtures("_nobody_began")
def test_what_waits_in_line_is_done_together_oldest_first():
    own, *_ = (write("tests.together", payload={"n": n}, status=Status.SENT) for n in range(4))
    write("tests.together", payload={"n": "not sent yet"})
    write("tests.note", status=Status.SENT)
    outbox.deliver(own.pk)
    assert calls == [[{"n": 0}, {"n": 1}, {"n": 2}]]
    assert statuses() == [Status.DONE, Status.DONE, Status.DONE, Status.SENT, Status.PENDING]


def test_what_others_are_about_to_begin_with_is_left_to_them():
    own, *_ = (write("tests.together", payload={"n": n}, status=Status.SENT) for n in range(consuming.BEGUN + 2))
    outbox.deliver(own.pk)
    assert calls == [[{"n": 0}, {"n": consuming.BEGUN + 1}]]


@pytest.mark.usefixtures("_nobody_began")
def test_one_that_breaks_does_not_hold_up_those_done_together_with_it():
    broken, well = (
        write("tests.together", payload=payload, status=Status.SENT) for payload in ({"fails": True}, {"n": 1})
    )
    outbox.deliver(well.pk)
    assert calls == [[{"n": 1}, {"fails": True}], [{"n": 1}]]
    assert statuses() == [Status.SENT, Status.DONE]
    assert OutboxMessage.objects.filter(topic="tests.note").count() == 1
    outbox.deliver(broken.pk)
    assert statuses() == [Status.PENDING, Status.DONE]


def test_an_effect_is_one_transaction():
    message = write()
    effect = outbox.Effect(message)
    with effect:
        pass
    with pytest.raises(RuntimeError), effect:
        pass


def test_a_failure_waits_as_a_row_and_names_no_person():
    message = write(payload={"fails": True}, status=Status.SENT, claimed_until=clock.now())
    outbox.deliver(message.pk)
    message.refresh_from_db()
    assert (message.status, message.attempts, message.claimed_until) == (Status.PENDING, 1, None)
    assert message.due_at > clock.now()
    assert message.last_error.startswith("RuntimeError (test_outbox.py:")


def test_the_last_attempt_makes_it_dead():
    message = write(payload={"fails": True}, attempts=ledger.MAX_ATTEMPTS - 1)
    outbox.deliver(message.pk)
    message.refresh_from_db()
    assert message.status == Status.DEAD


def test_permanent_is_dead_at_once_with_its_reason_scrubbed():
    message = write(payload={"permanent": "号码 13812345678 无法识别"})
    outbox.deliver(message.pk)
    message.refresh_from_db()
    assert (message.status, message.last_error) == (Status.DEAD, "号码 138****5678 无法识别")


@pytest.mark.parametrize(
    ("topic", "payload", "sentence"),
    [
        ("tests.of_the_next_release", {}, "没有处理 tests.of_the_next_release 的程序"),
        ("tests.strict", {"row_id": 1, "size": 2}, "tests.strict 不认识这些参数：row_id、size"),
        ("tests.strict", {}, "tests.strict 不认识这些参数"),
    ],
)
def test_what_another_release_wrote_waits_for_its_workers_and_then_for_a_person(topic, payload, sentence):
    message = write(topic, payload=payload)
    waited = dt.timedelta()
    for attempt in range(1, ledger.MAX_ATTEMPTS):
        outbox.deliver(message.pk)
        message.refresh_from_db()
        assert (message.status, message.attempts) == (Status.PENDING, attempt)
        assert sentence in message.last_error
        waited += message.due_at - clock.now()
    assert dt.timedelta(hours=2) < waited < dt.timedelta(hours=4)
    outbox.deliver(message.pk)
    message.refresh_from_db()
    assert message.status == Status.DEAD
    assert not calls


@pytest.mark.parametrize("topic", ["tests.strict", "tests.strict_call"])
def test_keywords_with_defaults_may_be_left_out(topic):
    message = write(topic, payload={"row_id": 1})
    outbox.deliver(message.pk)
    message.refresh_from_db()
    assert message.status == Status.DONE
    assert calls == [{"row_id": 1, "colour": ""}]


def test_a_task_that_celery_does_not_know_is_put_back_at_once(monkeypatch):
    monkeypatch.setattr(consuming.connection, "close", lambda: None)
    message = write("tests.of_the_next_release", status=Status.SENT, sent_at=clock.now())
    task_unknown.send(sender=None, message=Mock(payload=[[], {"message_id": message.pk}, {}]), exc=None)
    message.refresh_from_db()
    assert (message.status, message.attempts) == (Status.PENDING, 1)
    assert message.due_at <= clock.now() + consuming.FIRST_WAIT
    task_unknown.send(sender=None, message=Mock(payload=[[], {}, {}]), exc=None)


def test_a_task_that_celery_does_not_know_waits_to_be_sent_again_while_the_database_is_away(monkeypatch):
    closed = Mock()
    monkeypatch.setattr(consuming.connection, "close", closed)
    monkeypatch.setattr(consuming.OutboxMessage.objects, "filter", Mock(side_effect=OperationalError))
    consuming.leave_to_others(1)
    closed.assert_called_once_with()


def test_a_message_goes_back_to_the_broker_while_the_database_is_away(monkeypatch):
    monkeypatch.setattr(consuming, "DATABASE_PAUSE_SECONDS", (0, 0))
    monkeypatch.setattr(consuming, "deliver", Mock(side_effect=OperationalError))
    with pytest.raises(Reject) as rejected:
        current_app.tasks["tests.note"](message_id=1)
    assert rejected.value.requeue


def test_waits_grow_to_hours_and_are_spread():
    assert all(consuming.backoff(1) <= dt.timedelta(seconds=5) for _ in range(50))
    assert consuming.backoff(1) >= dt.timedelta(seconds=1)
    longest = max(consuming.backoff(40) for _ in range(50))
    assert dt.timedelta(hours=1) < longest <= consuming.LONGEST_WAIT


def test_the_request_id_travels_with_the_row():
    with request_id.carrying("abc"):
        outbox.enqueue("tests.call_then_note")
    assert request_id.current() == ""
    outbox.deliver(OutboxMessage.objects.get().pk)
    assert set(OutboxMessage.objects.values_list("request_id", flat=True)) == {"abc"}


def test_the_relay_publishes_what_is_due_oldest_first():
    now = clock.now()
    for minutes in (1, 3, 2, -1):
        write(due_at=now - dt.timedelta(minutes=minutes), key=str(minutes))
    it, send = relay()
    assert it.run_once() == 3
    sent = [OutboxMessage.objects.get(pk=call.kwargs["kwargs"]["message_id"]).key for call in send.call_args_list]
    assert sent == ["3", "2", "1"]
    assert OutboxMessage.objects.filter(status=Status.SENT, claimed_until=None).count() == 3


def test_a_claimed_row_is_left_to_its_relay_until_the_lease_ends():
    write()
    now = clock.now()
    lease = now + dt.timedelta(seconds=30)
    assert len(claim(now, lease)) == 1
    assert claim(now, lease) == []
    assert len(claim(lease + dt.timedelta(seconds=1), lease)) == 1


def test_an_absent_broker_frees_the_rest_of_the_batch():
    first, second = write(), write()
    it, send = relay()
    send.side_effect = [None, ConnectionResetError]
    with pytest.raises(ConnectionResetError):
        it.run_once()
    first.refresh_from_db()
    second.refresh_from_db()
    assert (first.status, second.status, second.claimed_until) == (Status.SENT, Status.PENDING, None)


def test_a_row_finished_before_the_relay_notes_it_stays_finished():
    message = write()
    lease = clock.now() + dt.timedelta(seconds=30)
    claim(clock.now(), lease)
    outbox.deliver(message.pk)
    mark_sent([message.pk], lease)
    message.refresh_from_db()
    assert message.status == Status.DONE


def test_a_row_put_back_before_the_relay_notes_it_stays_due():
    message = write(payload={"fails": True})
    lease = clock.now() + dt.timedelta(seconds=30)
    claim(clock.now(), lease)
    outbox.deliver(message.pk)
    mark_sent([message.pk], lease)
    message.refresh_from_db()
    assert message.status == Status.PENDING


def test_the_relay_does_not_bury_a_slow_worker(monkeypatch):
    monkeypatch.setattr("frozenshop.kernel.outbox.relay.IN_FLIGHT", 2)
    for _ in range(2):
        write(status=Status.SENT, sent_at=clock.now())
    write()
    it, _ = relay()
    assert it.run_once() == 0
    OutboxMessage.objects.filter(status=Status.SENT).update(sent_at=clock.now() - ledger.resend_after())
    assert it.run_once() == 1


def test_what_was_sent_and_not_finished_is_sent_again():
    message = write(status=Status.SENT, sent_at=clock.now())
    assert outbox.rearm() == 0
    with time_machine.travel(clock.now() + ledger.resend_after() + dt.timedelta(seconds=1)):
        assert outbox.rearm() == 1
    message.refresh_from_db()
    assert (message.status, message.attempts) == (Status.PENDING, 1)


def test_what_was_sent_in_vain_too_often_is_dead():
    write(status=Status.SENT, sent_at=clock.now() - dt.timedelta(days=1), attempts=ledger.MAX_ATTEMPTS - 1)
    outbox.rearm()
    assert OutboxMessage.objects.get().status == Status.DEAD


def test_expired_claims_are_freed():
    write(claimed_until=clock.now() - dt.timedelta(seconds=1))
    assert outbox.rearm() == 1
    assert OutboxMessage.objects.get().claimed_until is None


def test_only_what_was_done_a_week_ago_is_purged():
    old = clock.now() - dt.timedelta(days=8)
    write(status=Status.DONE, done_at=old)
    write(status=Status.DONE, done_at=clock.now())
    write(status=Status.DEAD, created_at=old)
    assert outbox.purge_done() == 1
    assert OutboxMessage.objects.count() == 2


def test_an_absent_broker_is_noticed_at_once_and_the_row_stays_due(monkeypatch):
    monkeypatch.delenv("CELERY_BROKER_URL", raising=False)  # Celery would prefer it
    message = write()
    app = Celery("test", broker="amqp://127.0.0.1:9//", set_as_current=False)
    with pytest.raises(ConnectionRefusedError):
        Relay(app).run_once()
    message.refresh_from_db()
    assert (message.status, message.claimed_until) == (Status.PENDING, None)


@pytest.mark.usefixtures("_tests_connection_stays")
def test_a_relay_pauses_while_the_broker_is_away_and_then_goes_on(settings):
    settings.CELERY_BROKER_URL = "amqp://"
    write()
    stop = Mock(is_set=Mock(side_effect=[False, False, False, True]))
    it, send = relay()
    send.side_effect = [ConnectionResetError, None]
    it.run(stop)
    assert send.call_count == 2
    assert OutboxMessage.objects.get().status == Status.SENT
    pause, *waits = [call.args[0] for call in stop.wait.call_args_list]
    assert pause > IDLE_SECONDS / 2
    assert waits == [GATHER_SECONDS, IDLE_SECONDS]


@pytest.mark.usefixtures("_tests_connection_stays")
def test_a_relay_with_the_file_broker_starts_by_sending_the_unfinished_again(settings):
    settings.CELERY_BROKER_URL = "filesystem://"
    write(status=Status.SENT, sent_at=clock.now())
    it, send = relay()
    it.run(Mock(is_set=Mock(side_effect=[False, True])))
    assert send.call_count == 1


def test_replay_revives_the_dead_and_is_recorded():
    dead, done = write(status=Status.DEAD, attempts=12), write(status=Status.DONE)
    assert outbox.replay([dead.pk, done.pk], Actor(Source.STAFF, "staff:1")) == 1
    dead.refresh_from_db()
    assert (dead.status, dead.attempts) == (Status.PENDING, 0)
    assert AuditEntry.objects.get().action == "outbox.replayed"


def test_a_message_is_never_sent_again_while_its_task_may_run(settings):
    assert check_times(None) == []
    settings.OUTBOX_RESEND_SECONDS = settings.CELERY_TASK_TIME_LIMIT
    assert [error.id for error in check_times(None)] == ["frozenshop.E020"]
