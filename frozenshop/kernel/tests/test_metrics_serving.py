"""What a scrape brings when something hangs, and what worker, relay and beat show on a port of their own."""

import os
import socket
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from types import SimpleNamespace

import pytest
from django.db import connection
from django.test import RequestFactory
from django.test.utils import CaptureQueriesContext
from django_celery_beat.models import IntervalSchedule, PeriodicTask

from frozenshop.kernel import clock, metrics
from frozenshop.kernel.metrics import components, serving
from frozenshop.kernel.metrics.bounded import Bounded
from frozenshop.kernel.models import JobRun, OutboxMessage
from frozenshop.kernel.tests.processes import ROOT

BEARER = "Bearer test-only-metrics-token"


def scrape() -> str:
    answer = metrics.metrics_view(RequestFactory().get("/metrics", HTTP_AUTHORIZATION=BEARER))
    assert answer.status_code == 200
    return answer.content.decode()


@pytest.fixture
def silent_server():
    """A server that takes connections and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


@pytest.fixture
def only(monkeypatch):
    """Let web look at these components alone."""

    def set_to(*names):
        monkeypatch.setattr(components, "of_web", lambda: list(names))
        components._probe.cache_clear()

    yield set_to
    components._probe.cache_clear()


@pytest.mark.django_db(transaction=True)
def test_a_scrape_reads_the_tables_over_a_connection_of_its_own(only):
    only("database")
    OutboxMessage.objects.create(topic="t", status="dead")
    text = scrape()
    assert 'frozenshop_outbox_messages{status="dead"} 1.0' in text
    assert "frozenshop_tables_read 1.0" in text
    assert 'frozenshop_component_up{component="database"} 1.0' in text


def test_without_the_database_a_scrape_still_says_what_was_counted(only):
    only("database")
    text = scrape()
    assert "frozenshop_tables_read 0.0" in text
    assert 'frozenshop_component_up{component="database"} 0.0' in text
    assert "frozenshop_requests_total" in text
    assert "frozenshop_build_info" in text
    assert "frozenshop_outbox_messages" not in text


def test_tables_that_hang_are_left_out(monkeypatch, only):
    only()
    go_on = threading.Event()
    monkeypatch.setattr(serving, "TABLES", Bounded(lambda: go_on.wait() and b"late 1\n", "hangs"))
    monkeypatch.setattr(serving, "ANSWER_SECONDS", 0.1)
    assert "frozenshop_tables_read 0.0" in scrape()
    go_on.set()


def test_a_run_that_hangs_is_waited_for_and_not_started_twice():
    begun, go_on = [], threading.Event()
    work = Bounded(lambda: begun.append(1) or go_on.wait(), "hangs")
    first = work.start()
    assert work.start() is first
    go_on.set()
    first.result(10)
    assert work.start() is not first
    assert len(begun) <= 2


def test_a_run_that_found_no_thread_is_not_waited_for(monkeypatch):
    work = Bounded(lambda: "done", "later")
    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", no_thread)
        with pytest.raises(RuntimeError):
            work.start()
    assert work.start().result(10) == "done"


def no_thread(thread):
    raise RuntimeError("can't start new thread")


@pytest.mark.parametrize("scheme", ["redis", "mongodb"])
def test_a_component_that_hangs_is_down(only, silent_server, scheme, monkeypatch):
    only(scheme)
    url = f"{scheme}://127.0.0.1:{silent_server}/0"
    monkeypatch.setattr(components, "settings", SimpleNamespace(REDIS_URL=url, MONGODB_URL=url))
    monkeypatch.setattr(serving, "TABLES", Bounded(lambda: b"", "nothing"))
    assert f'frozenshop_component_up{{component="{scheme}"}} 0.0' in scrape()


def test_only_what_is_set_is_asked(monkeypatch):
    settings = SimpleNamespace(REDIS_URL="", MONGODB_URL="", CELERY_BROKER_URL="filesystem://", DATABASES={})
    monkeypatch.setattr(components, "settings", settings)
    assert components.of_web() == ["database"]
    assert components.of_relay() == []
    settings.REDIS_URL, settings.MONGODB_URL = "redis://r/0", "mongodb://m/logs"
    settings.CELERY_BROKER_URL = "amqp://b//"
    settings.DATABASES["replica"] = {}
    assert components.of_web() == ["database", "replica", "redis", "mongodb"]
    assert components.of_relay() == ["broker"]


@pytest.mark.services("mysql", "redis", "rabbitmq")
@pytest.mark.django_db(transaction=True)
def test_what_answers_is_up():
    components._probe.cache_clear()
    names = ["database", "redis", "broker"]
    assert serving.ask(names, 10) == dict.fromkeys(names, True)


# --- on a port of their own -------------------------------------------------------------------------


def get(port, path="/metrics", token=BEARER):
    request = urllib.request.Request(f"http://127.0.0.1:{port}{path}", headers={"Authorization": token})
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, ""


@pytest.fixture
def served(settings, silent_server, monkeypatch):
    settings.METRICS_NETWORKS = []
    monkeypatch.setattr(components, "settings", SimpleNamespace(REDIS_URL=f"redis://127.0.0.1:{silent_server}/0"))
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        settings.METRICS_PORT = probe.getsockname()[1]
    components._probe.cache_clear()
    server = metrics.serve(lambda: ["redis"])
    yield settings.METRICS_PORT
    server.shutdown()
    server.server_close()


def test_a_process_shows_what_it_counts_and_what_it_alone_sees(served):
    status, text = get(served)
    assert status == 200
    assert "frozenshop_build_info" in text
    assert "frozenshop_task_runs_total" in text
    assert 'frozenshop_component_up{component="redis"} 0.0' in text
    assert "frozenshop_outbox_messages" not in text, "what the tables say is web's to tell"


def test_without_the_token_or_elsewhere_there_is_no_such_page(served):
    assert get(served, token="Bearer wrong")[0] == 404
    assert get(served, path="/")[0] == 404


def test_a_port_that_is_taken_stops_no_work(served, settings):
    assert metrics.serve() is None


def test_without_a_port_nothing_is_shown(settings):
    settings.METRICS_PORT = 0
    assert metrics.serve() is None


# --- several processes behind one address -----------------------------------------------------------

SIBLINGS = """
import os, django
django.setup()
from frozenshop.kernel.metrics import serving, work

def count():
    work.RUNS.labels("t", "done").inc()
    work.RUNNING.labels("t").inc()

if os.fork() == 0:
    count()
    os._exit(0)
os.wait()
(ready, said), (waits, go) = os.pipe(), os.pipe()
if os.fork() == 0:
    count()
    os.write(said, b".")
    os.read(waits, 1)
    os._exit(0)
os.read(ready, 1)
print(serving.process().decode())
os.write(go, b".")
os.wait()
"""


def test_processes_are_added_up_and_the_dead_are_no_longer_at_work(tmp_path):
    environment = os.environ | {"PROMETHEUS_MULTIPROC_DIR": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", SIBLINGS], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60
    )
    assert 'frozenshop_task_runs_total{outcome="done",topic="t"} 2.0' in done.stdout, done.stderr
    assert 'frozenshop_tasks_in_flight{topic="t"} 1.0' in done.stdout


# --- what a scrape costs ----------------------------------------------------------------------------


@pytest.mark.django_db
def test_a_scrape_costs_the_same_however_much_there_is(django_assert_max_num_queries):
    minute = IntervalSchedule.objects.create(every=1, period="minutes")
    PeriodicTask.objects.create(name="rearm", task="kernel.tick", interval=minute)
    with django_assert_max_num_queries(60) as few:
        metrics.read_tables()
    for status in ("pending", "sent", "dead", "done"):
        OutboxMessage.objects.bulk_create(OutboxMessage(topic="t", status=status) for _ in range(50))
    JobRun.objects.bulk_create(JobRun(job=f"j{n}", slot=clock.now()) for n in range(50))
    with django_assert_max_num_queries(60) as many:
        metrics.read_tables()
    assert len(many) == len(few)


GROWING = {
    *("kernel_outboxmessage", "kernel_jobrun", "kernel_auditentry", "kernel_auditseal", "orders_alert"),
    *("logistics_shipment", "notifications_notice", "notifications_delivery", "notifications_webhookmessage"),
}


@pytest.mark.services("mysql")
@pytest.mark.django_db
def test_a_scrape_reads_what_grows_along_an_index():
    with CaptureQueriesContext(connection) as asked:
        metrics.read_tables()
    without = []
    for query in asked.captured_queries:
        if not query["sql"].startswith("SELECT") or "@@" in query["sql"]:
            continue
        with connection.cursor() as cursor:
            cursor.execute(f"EXPLAIN {query['sql']}")
            names = [column[0] for column in cursor.description]
            steps = [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
        without += [
            (step["table"], query["sql"][:200])
            for step in steps
            if step["table"] in GROWING and not (step["key"] or step["possible_keys"])
        ]
    assert without == []
