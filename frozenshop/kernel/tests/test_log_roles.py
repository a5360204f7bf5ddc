"""The program's own processes, told to end while they write: what they took is in the store, each of it once."""

import contextlib
import os
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest
import requests

from frozenshop.kernel.logstore import spool
from frozenshop.kernel.tests import processes
from frozenshop.kernel.tests.mongo import Hanging, Mongo, free_port
from frozenshop.kernel.tests.test_log_writer import kept

pytestmark = pytest.mark.drill
COUNT = 100
STEPS = ("relay-claimed", "relay-published", "relay-marked", "worker-received", "worker-finished", "worker-wrote",
         "worker-called")  # fmt: skip


@pytest.fixture
def server(tmp_path_factory):
    mongo = Mongo(tmp_path_factory.mktemp("mongo"))
    mongo.start()
    yield mongo
    mongo.kill()


@pytest.mark.parametrize("pool", ["prefork", "threads"])
def test_a_worker_that_is_told_to_end_has_written_all(server, tmp_path, pool):
    for name in STEPS:
        (tmp_path / name).touch()  # nobody is killed here
    with processes.embedded(tmp_path, pool) as fleet:
        fleet.environment |= {"MONGODB_URL": server.url, "LOG_KINDS": "call"}
        fleet.prepare(COUNT)
        fleet.run_until_done(90)
        assert fleet.stop() == {"relay": 0, "worker": 0}
    assert kept(server) == list(range(COUNT))
    assert spool.waiting(tmp_path / "log-spool") == []


class Web:
    """The web role on a port of its own, on a new SQLite database."""

    def __init__(self, folder, mongodb_url):
        self.port = free_port()
        self.environment = os.environ | {
            "DJANGO_SETTINGS_MODULE": "tests.settings",
            "VAR_DIR": str(folder),
            "DATABASE_URL": f"sqlite:///{folder}/db.sqlite3",
            "REDIS_URL": "",
            "CELERY_BROKER_URL": "",
            "MONGODB_URL": mongodb_url,
            "LOG_KINDS": "access",
        }
        self._run("migrate", "--verbosity=0")
        command = ["--interface", "wsgi", "--port", str(self.port), "--blocking-threads", "4", "--log-level", "error"]
        self.process = subprocess.Popen(
            [str(Path(sys.executable).parent / "granian"), *command, "--no-ws", "frozenshop.wsgi:application"],
            cwd=processes.ROOT,
            env=self.environment,
        )
        self.session = requests.Session()

    def _run(self, *arguments):
        command = [sys.executable, "manage.py", *arguments]
        subprocess.run(command, cwd=processes.ROOT, env=self.environment, check=True, capture_output=True, timeout=120)

    def get(self, path):
        return self.session.get(f"http://127.0.0.1:{self.port}{path}", timeout=20)

    def wait(self):
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            with contextlib.suppress(requests.ConnectionError):
                if self.get("/healthz").ok:
                    return
            time.sleep(0.1)
        pytest.fail("no answer")

    def end(self, how=signal.SIGTERM):
        self.session.close()
        self.process.send_signal(how)
        return self.process.wait(40)


def test_web_that_is_told_to_end_has_written_all(server, tmp_path):
    web = Web(tmp_path, server.url)
    web.wait()
    for number in range(COUNT):
        assert web.session.get(
            f"http://127.0.0.1:{web.port}/api/shop", headers={"X-Request-Id": f"request-{number:04}"}, timeout=20
        ).ok
    web.end()
    with server.client() as client:
        told = sorted(row["request_id"] for row in client.logs.log_access.find())
    assert told == [f"request-{number:04}" for number in range(COUNT)]
    assert spool.waiting(tmp_path / "log-spool") == []


def test_web_on_the_embedded_default_writes_to_its_database(tmp_path):
    web = Web(tmp_path, "")
    web.wait()
    for _ in range(COUNT):
        assert web.get("/api/shop").ok
    web.end()
    with contextlib.closing(sqlite3.connect(tmp_path / "db.sqlite3")) as database:
        (told,) = database.execute("SELECT COUNT(*) FROM kernel_logentry WHERE what = 'GET /api/shop'").fetchone()
    assert told == COUNT


def test_web_serves_while_mongodb_hangs_or_is_gone_and_keeps_its_logs_on_disk(tmp_path):
    hanging = Hanging()
    web = Web(tmp_path, hanging.url)
    web.wait()
    for _ in range(COUNT):
        assert web.get("/api/shop").ok
    deadline = time.monotonic() + 20
    while not hanging.taken:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    ready = web.get("/readyz")
    assert (ready.status_code, "logstore" in ready.json()["degraded"]) == (200, True)
    web.end()
    hanging.close()
    lines = b"".join(path.read_bytes() for path in spool.waiting(tmp_path / "log-spool"))
    assert lines.count(b'"GET /api/shop"') == COUNT
