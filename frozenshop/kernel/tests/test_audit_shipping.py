"""The checkpoint of each minute, and its way off the machine."""

import datetime as dt
import json

import pytest
import time_machine
from django.core.management import CommandError, call_command
from structlog.testing import capture_logs

from frozenshop.kernel import audit
from frozenshop.kernel.audit import shipping
from frozenshop.kernel.http import ServiceError
from frozenshop.kernel.models import AuditEntry, AuditSeal
from frozenshop.kernel.scrubbing import scrub

pytestmark = pytest.mark.django_db
NOW = dt.datetime(2026, 11, 22, 12, 0, tzinfo=dt.UTC)


@pytest.fixture(autouse=True)
def moment():
    with time_machine.travel(NOW, tick=False) as frozen:
        yield frozen


@pytest.fixture
def folder(settings, tmp_path):
    settings.AUDIT_CHECKPOINT_DIR = str(tmp_path / "shipped")
    return tmp_path / "shipped"


@pytest.fixture
def minute(moment):
    """A minute in which `acts` are recorded, sealed and shipped."""

    def passes(acts=2):
        moment.shift(dt.timedelta(minutes=1))
        for _ in range(acts):
            audit.record("staff:1", "x")
        audit.seal_pending()
        return shipping.checkpoint()

    return passes


def cut_off(count):
    seals = AuditSeal.objects.filter(position__gt=count)
    AuditEntry.objects.filter(pk__in=[*seals.values_list("audit_id", flat=True)]).delete()
    seals.delete()


def test_each_minute_has_its_file_and_together_they_vouch_for_the_chain(folder, minute, capsys):
    for _ in range(3):
        minute()
    assert [audit.read_checkpoint(file.read_text()).count for file in sorted(folder.iterdir())] == [2, 4, 6]
    call_command("verify_audit", checkpoint=folder)
    assert "完好：6 条" in capsys.readouterr().out


def test_only_the_last_files_stay(folder, minute, settings):
    settings.AUDIT_CHECKPOINT_KEEP = 10
    texts = [minute() for _ in range(12)]
    assert [file.read_text() for file in sorted(folder.iterdir())] == texts[2:]


def test_the_log_has_it_in_a_form_that_scrubbing_leaves_alone(minute):
    with capture_logs() as lines:
        text = minute()
    (line,) = [line for line in lines if line["event"] == "audit.checkpoint"]
    assert audit.read_checkpoint(scrub(line["checkpoint"])) == audit.read_checkpoint(text)


def test_a_receiver_gets_it(minute, settings, monkeypatch):
    settings.AUDIT_CHECKPOINT_URL = "https://auditor.example.com/checkpoints"
    sent = []
    monkeypatch.setattr(shipping.http, "call", lambda *args, json, timeout: sent.append((args[1], args[2], json)))
    text = minute()
    assert sent == [("POST", settings.AUDIT_CHECKPOINT_URL, json.loads(text))]


def test_a_receiver_that_is_away_costs_neither_log_nor_file(folder, minute, settings, monkeypatch):
    settings.AUDIT_CHECKPOINT_URL = "https://auditor.example.com/checkpoints"

    def away(*args, **kwargs):
        raise ServiceError("audit_checkpoint", "无法连接", transient=True)

    monkeypatch.setattr(shipping.http, "call", away)
    with capture_logs() as lines, pytest.raises(ServiceError):
        minute()
    assert [line["event"] for line in lines] == ["audit.checkpoint"]
    assert len(list(folder.iterdir())) == 1


@pytest.mark.parametrize("where", ["folder", "nowhere"])
def test_no_checkpoint_is_made_of_a_broken_chain(where, minute, request):
    folder = request.getfixturevalue("folder") if where == "folder" else None
    minute()
    entry = audit.record("staff:1", "x")
    audit.seal_pending()
    AuditEntry.objects.filter(pk=entry.pk).update(actor="staff:2")
    with capture_logs() as lines:
        assert minute() == ""
    assert [(line["event"], line["audit_id"]) for line in lines] == [("audit.broken", entry.pk)]
    assert folder is None or len(list(folder.iterdir())) == 1


def test_a_cut_off_end_is_noticed_within_the_minute(folder, minute):
    minute()
    minute()
    cut_off(3)
    with capture_logs() as lines:
        assert shipping.checkpoint() == ""
    assert lines[0]["event"] == "audit.broken"


def test_doctor_names_a_broken_end(minute, folder):
    minute()
    assert [*shipping.findings()] == []
    cut_off(1)
    (finding,) = shipping.findings()
    assert "不完好" in finding.sentence
    assert finding.page == "docs/runbooks/audit.md"


def test_a_folder_of_checkpoints_says_between_which_two_the_chain_was_rewritten(folder, minute):
    for _ in range(3):
        minute()
    AuditSeal.objects.all().delete()
    AuditEntry.objects.filter(pk=AuditEntry.objects.order_by("pk")[2].pk).update(actor="staff:9")
    audit.seal_pending()  # with the key, as whoever has the machine
    with pytest.raises(CommandError, match=r"第 1 位.*第 2 位之间"):
        call_command("verify_audit", checkpoint=folder)


def test_a_changed_file_among_many_is_named(folder, minute):
    minute()
    minute()
    bad = sorted(folder.iterdir())[0]
    bad.write_text(bad.read_text().replace('"count": 2', '"count": 1'))
    with pytest.raises(CommandError, match=bad.name):
        call_command("verify_audit", checkpoint=folder)


def test_an_empty_folder_vouches_for_nothing(folder):
    folder.mkdir()
    with pytest.raises(CommandError) as error:
        call_command("verify_audit", checkpoint=folder)
    assert error.value.returncode == 2
