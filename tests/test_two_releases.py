"""The last release and this one on one database: each behind and beside the other, as in an upgrade and a rollback."""

import contextlib
import io
import json
import os
import random
import signal
import sqlite3
import subprocess
import sys
import tarfile
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import pytest
import requests

from deploy.releases import ROOT, last
from frozenshop.kernel.tests.processes import connect_mysql, delete_queue
from tests.living import BIN, free_port
from tests.smoke import PREPARE, Smoke, order

pytestmark = [pytest.mark.drill, pytest.mark.timeout(400)]
KEY, ACCOUNT = "test-api-key-0000-0001", "1237100"
START_SECONDS = 60


@pytest.fixture(scope="module")
def former(tmp_path_factory) -> Path:
    """The last release's files, out of the history."""
    found = subprocess.run(["git", "archive", last().revision], cwd=ROOT, capture_output=True)
    if found.returncode:
        sentence = f"{last().version} ({last().revision[:7]}) is not in this clone: git fetch --unshallow"
        if _whole_history() and os.environ.get("REQUIRE_SERVICES") == "1":
            pytest.fail(sentence)
        pytest.skip(sentence)
    folder = tmp_path_factory.mktemp("former")
    with tarfile.open(fileobj=io.BytesIO(found.stdout)) as archive:
        archive.extractall(folder, filter="data")
    return folder


def _whole_history() -> bool:
    asked = subprocess.run(["git", "rev-parse", "--is-shallow-repository"], cwd=ROOT, capture_output=True, text=True)
    return asked.stdout.strip() == "false"


class Place:
    """One database and one broker, with processes of whichever release."""

    def __init__(self, folder: Path, database_url: str, broker_url: str, queue: str) -> None:
        self.folder, self.database_url, self.running = folder, database_url, {}
        kept = ("DATABASE_URL", "REDIS_URL", "CELERY_", "DJANGO_SETTINGS_MODULE", "SHARED_REDIS_URL", "PYTEST_")
        from_tests = {name: value for name, value in os.environ.items() if not name.startswith(kept)}
        self.environment = from_tests | {
            "DATABASE_URL": database_url,
            "CELERY_BROKER_URL": broker_url,
            "CELERY_QUEUE": queue,
            "REDIS_URL": "",
            "VAR_DIR": str(folder),
            "OUTBOX_RESEND_SECONDS": "301",
            "LOG_LEVEL": "WARNING",
        }

    def manage(self, code: Path, *arguments: str) -> str:
        command = [sys.executable, "manage.py", *arguments]
        done = subprocess.run(command, cwd=code, env=self.environment, capture_output=True, text=True, timeout=120)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def migrate(self, code: Path) -> None:
        self.manage(code, "migrate", "--noinput", "--verbosity=0")
        self.manage(code, "load_base_data")
        self.manage(code, "sync_schedule")

    def start_web(self, code: Path) -> str:
        port = free_port()
        command = f"--interface wsgi --host 127.0.0.1 --port {port} --workers 1 --no-ws --log-level error"
        self._start("web", code, [str(BIN / "granian"), *command.split(), "frozenshop.wsgi:application"])
        url, deadline = f"http://127.0.0.1:{port}", time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            with contextlib.suppress(requests.ConnectionError):
                requests.get(f"{url}/healthz", timeout=5)
                return url
            time.sleep(0.2)
        raise AssertionError(self.logs())

    def start_work(self, code: Path) -> None:
        name = f"{self.environment['CELERY_QUEUE']}.{code.name}@%h"
        command = f"worker --hostname {name} --pool threads --concurrency 2 --without-gossip --without-mingle"
        self._start("worker", code, [str(BIN / "celery"), "--quiet", "-A", "frozenshop", *command.split()])
        self._start("relay", code, [sys.executable, "manage.py", "relay"])

    def _start(self, role: str, code: Path, command: list[str]) -> None:
        with (self.folder / f"{role}.log").open("ab") as log:
            self.running[role] = subprocess.Popen(
                command, cwd=code, env=self.environment, stdout=log, stderr=log, start_new_session=True
            )

    def stop(self, *roles: str) -> None:
        for role in roles or tuple(self.running):
            process = self.running.pop(role)
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(40)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def smoke(self, url: str, code: Path) -> Smoke:
        return Smoke(url, self.manage(code, "shell", "-c", PREPARE), KEY, ACCOUNT)

    def rows(self, sql: str) -> list[tuple]:
        url = urlsplit(self.database_url)
        if url.scheme == "sqlite":
            with closing(sqlite3.connect(url.path[1:], timeout=20)) as connection:
                found = connection.execute(sql).fetchall()
                connection.commit()
                return found
        with closing(connect_mysql(self.database_url, url.path[1:])) as connection, connection.cursor() as cursor:
            cursor.execute(sql)
            found = list(cursor.fetchall())
            connection.commit()
            return found

    def counts(self) -> dict[str, int]:
        tables = ("orders_order", "orders_orderline", "orders_orderevent", "orders_orderaccess", "kernel_outboxmessage")
        return {table: self.rows(f"SELECT COUNT(*) FROM {table}")[0][0] for table in tables}

    def logs(self) -> str:
        return "\n".join(path.read_text()[-3000:] for path in self.folder.glob("*.log"))


@contextlib.contextmanager
def embedded(folder: Path) -> Iterator[Place]:
    place = Place(folder, f"sqlite:///{folder}/shop.sqlite3", "filesystem://", "frozenshop")
    try:
        yield place
    finally:
        place.stop()


@contextlib.contextmanager
def on_services(folder: Path) -> Iterator[Place]:
    name = f"frozenshop_two_{os.getpid()}_{random.randrange(10**6)}"
    database, broker = os.environ["DATABASE_URL"], os.environ["CELERY_BROKER_URL"]
    with closing(connect_mysql(database)) as server, server.cursor() as cursor:
        cursor.execute(f"CREATE DATABASE {name} CHARACTER SET utf8mb4")
    place = Place(folder, urlunsplit(urlsplit(database)._replace(path=f"/{name}")), broker, name)
    try:
        yield place
    finally:
        place.stop()
        delete_queue(broker, name)
        with closing(connect_mysql(database)) as server, server.cursor() as cursor:
            cursor.execute(f"DROP DATABASE {name}")


@pytest.mark.skipif("DATABASE_URL" in os.environ, reason="that is the next one")
def test_an_upgrade_and_a_rollback_on_the_embedded_default(former, tmp_path):
    with embedded(tmp_path) as place:
        upgrade_and_roll_back(place, former)


@pytest.mark.services("mysql", "rabbitmq")
def test_an_upgrade_and_a_rollback_on_the_services(former, tmp_path):
    with on_services(tmp_path) as place:
        upgrade_and_roll_back(place, former)


def upgrade_and_roll_back(place: Place, former: Path) -> None:
    place.migrate(former)
    comes_too_early(place, former)
    place.migrate(ROOT)
    # The former release stays whole on the new tables; then either half is of the other release.
    for web, work in ((former, former), (former, ROOT), (ROOT, former)):
        place.start_work(work)
        url = place.start_web(web)
        try:
            place.smoke(url, web).run()
        except AssertionError as error:
            raise AssertionError(f"web {web.name}, worker {work.name}: {error}\n{place.logs()}") from error
        if work == ROOT:
            waits_for_the_next_release(place)
        place.stop()
    nothing_was_lost(place)


def comes_too_early(place: Place, former: Path) -> None:
    """New web and workers on the old tables: nobody is sent there, and whoever goes there does no harm."""
    url = place.start_web(former)
    known = place.smoke(url, former)
    known.place("BEFORE-1")
    place.stop("web")
    early = place.start_web(ROOT)
    place.start_work(ROOT)
    answer = requests.get(f"{early}/readyz", timeout=10)
    assert (answer.status_code, answer.json()["reasons"]) == (503, ["migrations"])
    before = place.counts()
    known.url = early
    assert known.shop("POST", "/merchant/orders", order("EARLY-1")).status_code in (500, 503)
    assert {table: count for table, count in place.counts().items() if count != before[table]} == {}
    place.stop()
    dead = place.rows("SELECT topic, last_error FROM kernel_outboxmessage WHERE status = 'dead'")
    assert not dead


def waits_for_the_next_release(place: Place) -> None:
    """A row that only the next release understands is put back by a real worker, which then goes on."""
    code = "from frozenshop.kernel import outbox; outbox.enqueue('orders.of_the_next_release', {'x': 1}, key='%s')"
    key = f"next-{random.randrange(10**9)}"
    place.manage(ROOT, "shell", "-c", code % key)
    sql = f"SELECT status, attempts, last_error FROM kernel_outboxmessage WHERE `key` = '{key}'"
    deadline = time.monotonic() + 30
    while not (row := place.rows(sql)[0])[1]:
        assert time.monotonic() < deadline, (row, place.logs())
        time.sleep(0.2)
    assert row[0] in ("pending", "sent")
    assert "没有处理 orders.of_the_next_release 的程序" in row[2]
    place.rows(f"UPDATE kernel_outboxmessage SET status = 'done' WHERE `key` = '{key}'")


def nothing_was_lost(place: Place) -> None:
    dead = place.rows("SELECT topic, last_error FROM kernel_outboxmessage WHERE status = 'dead'")
    assert not dead, json.dumps(dead, ensure_ascii=False)
    assert place.rows("SELECT COUNT(*) FROM orders_order")[0][0] == 4
    shown = place.rows("SELECT COUNT(*) FROM logistics_trackingevent WHERE text LIKE '%转运中心%'")
    assert shown[0][0] == 3
