"""Wrong settings are named with an example; a store that is away, late or lossy is found by doctor."""

import os
import subprocess
import sys
import time

import pytest
import time_machine
from django.test import override_settings

from frozenshop.kernel import clock, metrics
from frozenshop.kernel.logstore import checks, health, spool
from frozenshop.kernel.logstore.entries import Entry, Kind, new_id
from frozenshop.kernel.tests import logs

NOWHERE = "mongodb://127.0.0.1:1/logs"


def faults(**settings):
    with override_settings(**settings):
        return [f"{one.msg} {one.hint}" for one in checks.check_log_settings(None)]


@pytest.mark.parametrize("url", ["", "mongodb://m/shop", "mongodb+srv://u:p@m.example.com/shop?tls=true",
                                 "mongodb://a:1,b:2/shop?replicaSet=r"])  # fmt: skip
def test_right_addresses_are_taken(url):
    assert faults(MONGODB_URL=url) == []


@pytest.mark.parametrize("url", ["m.example.com", "http://m/shop", "mongodb://m", "mongodb://m/", "mongodb:///shop",
                                 "mongodb://u:top-secret@/shop", "mongodb://m/a b", "mongodb://[m/shop",
                                 "mongodb://m:99999/shop", "mongodb://m:port/shop", "mongodb://u:top-secret@x@m/shop",
                                 "mongodb://u:top-secret%zz@m/shop", "mongodb://m/shop?w=-1"])  # fmt: skip
def test_a_wrong_address_is_named_with_an_example_and_without_its_password(url):
    (fault,) = faults(MONGODB_URL=url)
    assert "MONGODB_URL" in fault
    assert "mongodb://user:password@mongo.example.com:27017/frozenshop" in fault
    assert "top-secret" not in fault


@pytest.mark.parametrize("changed", [
    {"LOG_KEEP_DAYS": {"raw": 1}}, {"LOG_KEEP_DAYS": {"raw": 0, "call": 1, "access": 1, "exchange": 1}},
    {"LOG_SPOOL_MB": 0}, {"LOG_KINDS": ["raw", "gossip"]},
])  # fmt: skip
def test_other_wrong_settings_are_named(changed):
    (fault,) = faults(**changed)
    assert next(iter(changed)) in fault
    assert "例如" in fault


def test_mongodb_without_its_driver_is_said(monkeypatch):
    monkeypatch.setattr(checks, "find_spec", lambda name: None)
    assert "pymongo" in "".join(faults(MONGODB_URL="mongodb://m/shop"))


def test_the_embedded_default_starts_without_the_driver(tmp_path):
    code = (
        "import sys; sys.modules['pymongo'] = None\nimport django; django.setup()\n"
        "from django.core.management import call_command; call_command('check')\n"
        "from frozenshop.kernel import logstore; from frozenshop.kernel.logstore import stores; print(stores.current())"
    )
    environment = os.environ | {"VAR_DIR": str(tmp_path), "DJANGO_SETTINGS_MODULE": "tests.settings", "MONGODB_URL": ""}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert "DatabaseStore" in done.stdout


@pytest.fixture
def folder(monkeypatch, settings, tmp_path):
    logs.use(monkeypatch, settings, var_dir=tmp_path)
    yield tmp_path
    logs.close()


def spooled():
    """Leave an entry in the spool, as a process that has ended."""
    left = spool.Spool()
    at = clock.now()
    left.append([Entry(new_id(at), Kind.CALL, at, "", "s", "w", "ok")])
    left.close()


def sentences():
    return [finding.sentence for finding in health.findings()]


def test_nothing_is_found_where_all_is_well(folder):
    assert sentences() == []


def test_a_store_that_is_away_is_found(folder, settings):
    settings.MONGODB_URL = NOWHERE
    (sentence,) = sentences()
    assert sentence.startswith("MongoDB 没有回应")


def test_logs_that_wait_for_long_are_found(folder):
    spooled()
    assert sentences() == []
    with time_machine.travel(time.time() + 3 * 60, tick=False):
        (sentence,) = sentences()
    assert "等待补写" in sentence


def test_logs_that_were_lost_are_found_for_a_day(folder):
    spool.note_drops(3)
    spool.note_drops(4)
    assert sentences() == ["最近 24 小时丢弃了 7 条日志"]
    with time_machine.travel(time.time() + 25 * 3600, tick=False):
        assert sentences() == []


def test_what_waits_is_shown_among_the_metrics(folder, db):
    spooled()
    assert spool.size() > 0
    shown = metrics.render().decode()
    assert f"frozenshop_logs_spool_bytes {float(spool.size())}" in shown
    for name in ("written_total", "spooled_total", 'dropped_total{why="queue"}', "queued"):
        assert f"frozenshop_logs_{name}" in shown


def test_the_marks_of_drops_stay_small(folder, monkeypatch):
    monkeypatch.setattr(spool, "MOST_DROPS", 100)
    for _ in range(100):
        spool.note_drops(1)
    assert (spool.folder() / spool.DROPS).stat().st_size < 200
    assert 0 < spool.drops_since(clock.now().timestamp() - 60) < 100


def test_the_tests_themselves_write_no_logs_of_their_own(settings):
    """Their thread would meet the database of another test."""
    assert settings.LOG_KINDS == []
