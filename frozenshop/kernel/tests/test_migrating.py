"""`migrate` beside an open shop: nobody waits behind it, and what was broken off goes on where it stopped."""

import os
import random
import signal
import subprocess
import sys
import threading
import time
from contextlib import closing
from urllib.parse import urlsplit, urlunsplit

import pytest

from frozenshop.kernel import migrating
from frozenshop.kernel.tests.processes import ROOT, connect_mysql

pytestmark = [pytest.mark.slow, pytest.mark.services("mysql"), pytest.mark.timeout(120)]
PATIENCE_SECONDS = 60


class Shop:
    """A database with a table that others use, and `manage.py migrate` as a process of its own."""

    def __init__(self, folder, name):
        parts = urlsplit(os.environ["DATABASE_URL"])
        self.name, self.url = name, urlunsplit(parts._replace(path=f"/{name}"))
        self.environment = os.environ | {
            "DJANGO_SETTINGS_MODULE": "frozenshop.kernel.tests.busy.settings",
            "DATABASE_URL": self.url,
            "REDIS_URL": "",
            "CELERY_BROKER_URL": "filesystem://",
            "VAR_DIR": str(folder),
            "PYTHONUNBUFFERED": "1",
        }

    def connect(self):
        return connect_mysql(self.url, self.name)

    def start(self, *arguments, tries=20):
        return subprocess.Popen(
            [sys.executable, "manage.py", "migrate", "busy", *arguments, "--skip-checks"],
            cwd=ROOT,
            env=self.environment | {"MIGRATE_TRIES": str(tries)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def migrate(self, *arguments, tries=20):
        process = self.start(*arguments, tries=tries)
        out, error = process.communicate(timeout=PATIENCE_SECONDS)
        return process.returncode, out + error

    def ask(self, sql):
        with closing(self.connect()) as connection, connection.cursor() as cursor:
            cursor.execute(sql)
            return cursor.fetchall()

    def columns(self):
        return [row[0] for row in self.ask("SHOW COLUMNS FROM busy_crate")]

    def tables(self):
        return {row[0] for row in self.ask("SHOW TABLES")}

    def applied(self):
        return [row[0] for row in self.ask("SELECT name FROM django_migrations WHERE app = 'busy' ORDER BY id")]


@pytest.fixture
def shop(tmp_path):
    name = f"frozenshop_busy_{os.getpid()}_{random.randrange(10**6)}"
    with closing(connect_mysql(os.environ["DATABASE_URL"])) as server, server.cursor() as cursor:
        cursor.execute(f"CREATE DATABASE {name} CHARACTER SET utf8mb4")
        try:
            shop = Shop(tmp_path, name)
            code, said = shop.migrate("0001")
            assert code == 0, said
            with closing(shop.connect()) as connection, connection.cursor() as filling:
                filling.executemany("INSERT INTO busy_crate (name) VALUES (%s)", [("a",), ("b",)])
                connection.commit()
            yield shop
        finally:
            cursor.execute(f"DROP DATABASE {name}")


class Blocker:
    """A transaction that has read the table and is not over: it holds the table's shape until it ends."""

    def __init__(self, shop, sql="SELECT * FROM busy_crate"):
        self.connection = shop.connect()
        with self.connection.cursor() as cursor:
            cursor.execute(sql)
            cursor.fetchall()

    def end(self):
        self.connection.rollback()
        self.connection.close()


class Buyers(threading.Thread):
    """Read and write the table all the while. `slowest` is the longest that one of them had to wait."""

    def __init__(self, shop):
        super().__init__()
        self.shop, self.over, self.count, self.slowest, self.errors = shop, threading.Event(), 0, 0.0, []

    def run(self):
        with closing(self.shop.connect()) as connection, connection.cursor() as cursor:
            connection.autocommit(True)
            while not self.over.is_set():
                began = time.monotonic()
                try:
                    cursor.execute("INSERT INTO busy_crate (name) VALUES ('c')")
                    cursor.execute("SELECT COUNT(*) FROM busy_crate")
                    cursor.fetchall()
                except Exception as error:
                    self.errors.append(error)
                self.count, self.slowest = self.count + 1, max(self.slowest, time.monotonic() - began)
                self.over.wait(0.02)

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *error):
        self.over.set()
        self.join()


def lines_until(process, text):
    """Read what a process says until it says this; return all of it."""
    said = ""
    for line in process.stderr:
        said += line
        if text in line:
            return said
    raise AssertionError(f"{text} was never said: {said}")


def test_the_shop_goes_on_while_a_migration_waits_for_an_open_transaction(shop):
    blocker = Blocker(shop)
    with Buyers(shop) as buyers:
        process = shop.start("0002")
        said = lines_until(process, "（第 3 次）")
        served, open_still = buyers.count, blocker.connection.open
        assert "weight" not in shop.columns()
        blocker.end()
        process.communicate(timeout=PATIENCE_SECONDS)
    assert process.returncode == 0
    assert "busy.0002_weight 第 2 步：表正被使用，先让开" in said
    assert served > 10
    assert open_still
    assert not buyers.errors
    # What bounds it is the setting; a machine under load is granted twice as much on top.
    assert migrating.LOCK_SECONDS == 1
    assert buyers.slowest < migrating.LOCK_SECONDS + 2
    assert "weight" in shop.columns()
    assert "migration_steps" not in shop.tables()


def test_a_migration_that_gives_up_says_where_and_goes_on_there_later(shop):
    blocker = Blocker(shop)
    code, said = shop.migrate("0002", tries=2)
    thread = blocker.connection.thread_id()
    assert code == 1
    assert "停在第 2 步" in said
    assert f"连接 {thread}（" in said
    assert "Traceback" not in said
    assert shop.applied() == ["0001_crate"]
    assert "busy_lid" in shop.tables()
    blocker.end()
    code, said = shop.migrate("0002")
    assert code == 0, said
    assert shop.applied() == ["0001_crate", "0002_weight"]
    assert "weight" in shop.columns()
    assert "migration_steps" not in shop.tables()


def test_a_migration_that_was_killed_between_two_steps_is_run_again(shop):
    blocker = Blocker(shop)
    process = shop.start("0002")
    lines_until(process, "（第 1 次）")
    process.send_signal(signal.SIGKILL)
    process.communicate()
    blocker.end()
    # As if it had been killed after the step, before that was written down.
    shop.ask("ALTER TABLE busy_crate ADD COLUMN weight integer NULL")
    code, said = shop.migrate("0002")
    assert code == 0, said
    assert shop.columns() == ["id", "name", "weight"]
    assert shop.migrate("zero")[0] == 0
    assert "busy_crate" not in shop.tables()


def test_what_is_there_by_another_hand_is_not_taken_for_done(shop):
    shop.ask("ALTER TABLE busy_crate ADD COLUMN weight integer NULL")
    code, said = shop.migrate("0002")
    assert code == 1
    assert "Duplicate column name" in said


def test_data_that_is_in_use_is_changed_as_a_whole_or_not_at_all(shop):
    assert shop.migrate("0002")[0] == 0
    blocker = Blocker(shop, "SELECT * FROM busy_crate WHERE name = 'b' FOR UPDATE")
    process = shop.start("0003")
    lines_until(process, "有行正被使用")
    assert shop.ask("SELECT COUNT(*) FROM busy_crate WHERE weight = 1") == ((0,),)
    blocker.end()
    _, error = process.communicate(timeout=PATIENCE_SECONDS)
    assert process.returncode == 0, error
    assert shop.ask("SELECT COUNT(*) FROM busy_crate WHERE weight = 1") == ((2,),)


def test_two_migrations_at_once_come_one_after_the_other(shop):
    blocker = Blocker(shop)
    first = shop.start("0002")
    lines_until(first, "（第 1 次）")
    second = shop.start("0002")
    blocker.end()
    for process in (first, second):
        _, error = process.communicate(timeout=PATIENCE_SECONDS)
        assert process.returncode == 0, error
    assert shop.applied() == ["0001_crate", "0002_weight"]


def test_the_pause_grows_and_stays_bounded():
    assert [migrating.wait(turn) for turn in (1, 2, 3)] == [0.5, 1, 2]
    assert migrating.wait(50) == migrating.LONGEST_WAIT
