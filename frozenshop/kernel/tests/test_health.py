import datetime as dt
import json
import socket

import pytest
from django.conf import settings as django_settings
from django.core.management import call_command
from django.db import DatabaseError
from django.test import RequestFactory
from django_celery_beat.models import PeriodicTask

from frozenshop.kernel import clock, health, scheduling
from frozenshop.kernel.management.commands import doctor
from frozenshop.kernel.models import JobRun, OutboxMessage

pytestmark = pytest.mark.django_db
LONG_AGO = dt.timedelta(hours=1)


@pytest.fixture(autouse=True)
def _ask_anew(monkeypatch, settings):
    monkeypatch.setattr(health, "_known", (-health.DEGRADED_SECONDS, []))
    monkeypatch.setattr(health, "_migrated", lambda: True)
    monkeypatch.setattr(doctor, "broker_findings", list)
    settings.REDIS_URL = ""


def ready():
    response = health.readyz(RequestFactory().get("/readyz"))
    return response.status_code, json.loads(response.content)


def names():
    return {finding.name for finding in health.findings()}


def write(**values):
    return OutboxMessage.objects.create(topic="tests.note", **values)


def test_alive():
    assert health.healthz(RequestFactory().get("/healthz")).status_code == 200


def test_ready_when_the_database_is_usable():
    assert ready() == (200, {"status": "ok", "degraded": []})


def test_not_ready_without_the_database(monkeypatch):
    def refuse(*args):
        raise DatabaseError

    monkeypatch.setattr(health.connection, "cursor", refuse)
    monkeypatch.setattr(health.connection, "close", lambda: None)
    assert ready() == (503, {"status": "unavailable", "reasons": ["database"]})


def test_not_ready_before_its_migrations(monkeypatch):
    monkeypatch.setattr(health, "_migrated", lambda: False)
    assert ready() == (503, {"status": "unavailable", "reasons": ["migrations"]})


def test_a_migrated_database_is_asked_once(monkeypatch, django_assert_num_queries):
    monkeypatch.undo()
    monkeypatch.setattr(health, "_seen_migrated", False)
    assert health._migrated()
    with django_assert_num_queries(0):
        assert health._migrated()


def test_everything_else_is_degraded_with_200(settings):
    settings.REDIS_URL = "redis://127.0.0.1:9/0"
    write(due_at=clock.now() - LONG_AGO)
    write(status="sent", sent_at=clock.now() - LONG_AGO)
    write(status="dead")
    assert ready() == (200, {"status": "degraded", "degraded": ["dead_messages", "outbox", "redis", "worker"]})


def test_what_is_degraded_is_asked_every_few_seconds_only(django_assert_num_queries):
    ready()
    with django_assert_num_queries(1):
        ready()


def test_a_message_that_waits_for_its_time_is_not_late():
    write(due_at=clock.now() + LONG_AGO)
    assert not names()


def test_beat_is_late_after_three_missed_slots_of_an_enabled_job():
    scheduling.sync()
    JobRun.objects.create(job="rearm", slot=clock.now() - dt.timedelta(minutes=2))
    assert not names()
    JobRun.objects.update(slot=clock.now() - dt.timedelta(minutes=4))
    assert names() == {"beat"}
    PeriodicTask.objects.filter(name="rearm").update(enabled=False)
    assert not names()


def test_a_local_demo_is_ready_with_its_sandbox_and_its_file(settings, tmp_path, monkeypatch):
    settings.LOCAL_DEMO, settings.VAR_DIR = True, tmp_path
    monkeypatch.setattr(health.apps, "get_model", lambda *name: JobRun)
    with socket.create_server(("127.0.0.1", 0)) as server:
        settings.SANDBOX_PORT = server.getsockname()[1]
        assert ready()[1]["reasons"] == ["demo_orders", "demo_file"]
        JobRun.objects.create(job="stands for an order", slot=clock.now())
        (tmp_path / "demo.json").write_text("{")
        assert ready()[1]["reasons"] == ["demo_file"]
        (tmp_path / "demo.json").write_text("{}")
        assert ready()[0] == 200
    assert ready() == (503, {"status": "unavailable", "reasons": ["sandbox"]})


def test_the_doctor_is_content_with_a_healthy_site(capsys):
    call_command("doctor")
    assert "一切正常" in capsys.readouterr().out


def test_the_doctor_names_what_is_wrong_and_the_page_for_it(capsys):
    write(status="dead")
    write(due_at=clock.now() - LONG_AGO)
    with pytest.raises(SystemExit, match="1"):
        call_command("doctor")
    out = capsys.readouterr().out
    assert "docs/runbooks/dead-messages.md" in out
    assert "tests.note，晚 3600 秒" in out


def test_the_doctor_says_that_the_broker_is_away(monkeypatch):
    monkeypatch.undo()
    monkeypatch.setattr(doctor.app, "connection_for_read", lambda **options: refused())
    assert [finding.name for finding in doctor.broker_findings()] == ["broker"]


def refused():
    raise ConnectionRefusedError


def test_every_finding_has_its_page():
    pages = set(health.RUNBOOKS.values())
    assert all((django_settings.BASE_DIR / f"docs/runbooks/{page}.md").is_file() for page in pages)
    assert set(doctor.NOT_READY) <= set(health.RUNBOOKS)


def test_a_probe_that_calls_by_address_is_answered(client, db):
    assert client.get("/healthz", HTTP_HOST="10.1.2.3:8080").status_code == 200
