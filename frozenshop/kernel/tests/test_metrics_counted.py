"""What tasks, the relay, beat and calls leave in the counters."""

import threading
from types import SimpleNamespace
from unittest.mock import MagicMock

import pytest
from django.db import DatabaseError
from prometheus_client import REGISTRY

from frozenshop.kernel import beat, metrics, outbox
from frozenshop.kernel.models import OutboxMessage
from frozenshop.kernel.outbox import consuming
from frozenshop.kernel.outbox.relay import Relay

pytestmark = pytest.mark.django_db


class Counts:
    """How far counters moved since the test began."""

    def __init__(self):
        self.before = {}

    def __call__(self, metric, /, **labels):
        now = REGISTRY.get_sample_value(metric, labels) or 0
        return now - self.before.get((metric, *labels.values()), 0)

    def note(self, metric, /, **labels):
        self.before[(metric, *labels.values())] = REGISTRY.get_sample_value(metric, labels) or 0


@pytest.fixture
def counts():
    return Counts()


@outbox.consumer("tests.counted")
def counted(ends=""):
    if ends == "badly":
        raise RuntimeError
    if ends == "for good":
        raise outbox.Permanent("never")


@pytest.mark.parametrize(("ends", "attempts", "outcome"), [
    ("", 0, "done"), ("badly", 0, "failed"), ("badly", 11, "dead"), ("for good", 0, "dead"),
])  # fmt: skip
def test_a_run_of_a_task_is_counted_by_its_end(counts, ends, attempts, outcome):
    counts.note("frozenshop_task_runs_total", topic="tests.counted", outcome=outcome)
    counts.note("frozenshop_task_seconds_count", topic="tests.counted")
    counts.note("frozenshop_task_wait_seconds_count", topic="tests.counted")
    message = OutboxMessage.objects.create(topic="tests.counted", payload={"ends": ends}, attempts=attempts)
    outbox.deliver(message.pk)
    assert counts("frozenshop_task_runs_total", topic="tests.counted", outcome=outcome) == 1
    assert counts("frozenshop_task_seconds_count", topic="tests.counted") == 1
    assert counts("frozenshop_task_wait_seconds_count", topic="tests.counted") == 1
    assert REGISTRY.get_sample_value("frozenshop_tasks_in_flight", {"topic": "tests.counted"}) == 0


def test_a_run_whose_end_could_not_be_noted_is_unavailable(counts, monkeypatch):
    counts.note("frozenshop_task_runs_total", topic="tests.counted", outcome="unavailable")
    monkeypatch.setattr(consuming, "_run", MagicMock(side_effect=RuntimeError))
    monkeypatch.setattr(consuming, "_put_back", MagicMock(side_effect=DatabaseError))
    message = OutboxMessage.objects.create(topic="tests.counted")
    with pytest.raises(DatabaseError):
        outbox.deliver(message.pk)
    assert counts("frozenshop_task_runs_total", topic="tests.counted", outcome="unavailable") == 1


def test_a_topic_that_nobody_knows_makes_no_series_of_its_own():
    message = OutboxMessage.objects.create(topic="tests.invented")
    outbox.deliver(message.pk)
    assert "tests.invented" not in metrics.render().decode()


@pytest.mark.parametrize(("error", "cause"), [(DatabaseError, "database"), (OSError, "broker")])
def test_the_relay_says_what_kept_it(counts, monkeypatch, error, cause):
    counts.note("frozenshop_relay_pauses_total", cause=cause)
    monkeypatch.setattr("frozenshop.kernel.outbox.relay.close_old_connections", lambda: None)
    monkeypatch.setattr("frozenshop.kernel.outbox.relay.connection", MagicMock())
    monkeypatch.setattr(Relay, "_start_over", lambda self: None)
    stop = threading.Event()

    def fail(self):
        stop.set()
        raise error

    monkeypatch.setattr(Relay, "run_once", fail)
    Relay(MagicMock()).run(stop)
    assert counts("frozenshop_relay_pauses_total", cause=cause) == 1


def test_a_round_without_an_error_is_dated_and_what_was_confirmed_counted(counts, monkeypatch):
    counts.note("frozenshop_relay_messages_total")
    OutboxMessage.objects.create(topic="tests.counted")
    monkeypatch.setattr("frozenshop.kernel.outbox.relay.close_old_connections", lambda: None)
    monkeypatch.setattr(Relay, "_start_over", lambda self: None)
    before = REGISTRY.get_sample_value("frozenshop_relay_round_timestamp_seconds")
    stop, relay = threading.Event(), Relay(MagicMock())
    once = relay.run_once
    monkeypatch.setattr(relay, "run_once", lambda: (once(), stop.set())[0])
    relay.run(stop)
    assert counts("frozenshop_relay_messages_total") == 1
    assert REGISTRY.get_sample_value("frozenshop_relay_round_timestamp_seconds") > before


def test_beat_counts_the_slots_that_it_started_and_the_ticks_that_failed(counts, monkeypatch):
    counts.note("frozenshop_beat_jobs_started_total", name="rearm")
    counts.note("frozenshop_beat_tick_failures_total")
    entry = SimpleNamespace(task=beat.TICK, args=["rearm"], name="rearm")
    scheduler = beat.LedgerScheduler.__new__(beat.LedgerScheduler)
    scheduler.apply_entry(entry)
    scheduler.apply_entry(entry)
    monkeypatch.setattr(beat.jobs, "tick", MagicMock(side_effect=DatabaseError))
    scheduler.apply_entry(entry)
    assert counts("frozenshop_beat_jobs_started_total", name="rearm") == 1
    assert counts("frozenshop_beat_tick_failures_total") == 1


def test_a_call_under_way_is_seen_and_counted_by_its_outcome(counts):
    counts.note("frozenshop_service_calls_total", service="tests", outcome="503")
    with pytest.raises(OSError), metrics.service_call("tests") as call:  # noqa: PT011, PT012
        assert REGISTRY.get_sample_value("frozenshop_service_calls_in_flight", {"service": "tests"}) == 1
        call.outcome = "503"
        raise OSError
    assert counts("frozenshop_service_calls_total", service="tests", outcome="503") == 1
    assert REGISTRY.get_sample_value("frozenshop_service_calls_in_flight", {"service": "tests"}) == 0
