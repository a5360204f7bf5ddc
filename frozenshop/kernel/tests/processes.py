"""Real relay and worker processes for tests, on a database and a broker of their own."""

import os
import random
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from contextlib import closing, contextmanager
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

ROOT = Path(__file__).parents[3]
SETTINGS = "frozenshop.kernel.tests.effects.settings"


class Killing:
    """Kill one process of the fleet each time about so many more messages have their end, however fast that goes."""

    def __init__(self, fleet, every):
        self.fleet, self.every = fleet, every
        self.next = self._later(0)

    def look(self, done):
        if self.next <= done:
            self.fleet.kill_one()
            self.next = self._later(done)

    def _later(self, done):
        return done + self.every * random.uniform(0.5, 1.5)


class Fleet:
    """Processes that are started again when they die, until the outbox is empty."""

    def __init__(self, folder, database_url, broker_url, queue, pool):
        self.environment = os.environ | {
            "DJANGO_SETTINGS_MODULE": SETTINGS,
            "VAR_DIR": str(folder),
            "DATABASE_URL": database_url,
            "REDIS_URL": "",
            "CELERY_BROKER_URL": broker_url,
            "CELERY_QUEUE": queue,
            "OUTBOX_LEASE_SECONDS": "2",
            "OUTBOX_RESEND_SECONDS": "4",
            "KILL_TOKENS": str(folder),
            "LOG_LEVEL": "WARNING",
            "PYTHONUNBUFFERED": "1",
        }
        self.folder = folder
        self.database_url = database_url
        self.commands = {
            "relay": ["-m", "django", "relay"],
            # A name of its own: of two workers of one name on one broker the second ends at its start.
            "worker": f"-m celery -A frozenshop worker --hostname {queue}@%h --pool {pool} --concurrency 2 "
            "--without-gossip --without-mingle --loglevel WARNING".split(),
        }
        self.running: dict[str, subprocess.Popen] = {}
        self.deaths: Counter[str] = Counter()

    def run(self, code, *, seconds=60):
        script = f"import django; django.setup(); {code}"
        subprocess.run([sys.executable, "-c", script], env=self.environment, cwd=ROOT, check=True, timeout=seconds)

    def prepare(self, count):
        self.run(
            "from django.core.management import call_command; call_command('migrate', verbosity=0, skip_checks=True);"
            f"from frozenshop.kernel.tests.effects.tasks import enqueue; enqueue({count})"
        )

    def keep_alive(self):
        for name, command in self.commands.items():
            process = self.running.get(name)
            if process is not None and process.poll() is None:
                continue
            if process is not None:
                self.deaths[name] += 1
            with (self.folder / f"{name}.log").open("ab") as log:
                arguments = [sys.executable, *command]
                self.running[name] = subprocess.Popen(
                    arguments, env=self.environment, cwd=ROOT, stdout=log, stderr=log, start_new_session=True
                )

    def kill_one(self):
        self.running[random.choice(sorted(self.running))].kill()

    def run_until_done(self, seconds, *, kill_every=None):
        """`kill_every`: messages."""
        deadline = time.monotonic() + seconds
        killing = Killing(self, kill_every or float("inf"))
        while left := sum(self.unfinished().values()):
            assert time.monotonic() < deadline, f"{self.statuses()} left\n{self.logs()}"
            self.keep_alive()
            killing.look(sum(self.statuses().values()) - left)
            time.sleep(0.1)

    def stop(self):
        """End by SIGTERM; return the exit codes."""
        for process in self.running.values():
            process.terminate()
        codes = {}
        for name, process in self.running.items():
            try:
                codes[name] = process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                codes[name] = process.wait()
        return codes

    def rows(self, sql):
        url = urlsplit(self.database_url)
        if url.scheme == "sqlite":
            with closing(sqlite3.connect(url.path[1:], timeout=20)) as connection:
                return connection.execute(sql).fetchall()
        with closing(connect_mysql(self.database_url, url.path[1:])) as connection, connection.cursor() as cursor:
            cursor.execute(sql)
            return cursor.fetchall()

    def statuses(self):
        return dict(self.rows("SELECT status, COUNT(*) FROM kernel_outboxmessage GROUP BY status"))

    def unfinished(self):
        return {status: n for status, n in self.statuses().items() if status in ("pending", "sent")}

    def effects(self):
        return Counter(int(row[0]) for row in self.rows("SELECT subject FROM kernel_auditentry"))

    def logs(self):
        return "\n".join(path.read_text()[-3000:] for path in self.folder.glob("*.log"))


def connect_mysql(url, name=""):
    import MySQLdb

    parts = urlsplit(url)
    return MySQLdb.connect(
        host=parts.hostname, port=parts.port or 3306, user=parts.username, password=parts.password or "", database=name
    )


@contextmanager
def embedded(folder, pool="threads"):
    """SQLite and files."""
    fleet = Fleet(folder, f"sqlite:///{folder}/db.sqlite3", "filesystem://", "effects", pool)
    try:
        yield fleet
    finally:
        fleet.stop()


@contextmanager
def on_services(folder, pool="prefork"):
    """MariaDB/MySQL and RabbitMQ, as the environment names them, with a database and a queue for this test alone."""
    name = f"frozenshop_kill_{os.getpid()}_{random.randrange(10**6)}"
    parts = urlsplit(os.environ["DATABASE_URL"])
    broker = os.environ["CELERY_BROKER_URL"]
    with closing(connect_mysql(os.environ["DATABASE_URL"])) as connection, connection.cursor() as cursor:
        cursor.execute(f"CREATE DATABASE {name} CHARACTER SET utf8mb4")
    fleet = Fleet(folder, urlunsplit(parts._replace(path=f"/{name}")), broker, name, pool)
    try:
        yield fleet
    finally:
        fleet.stop()
        with closing(connect_mysql(os.environ["DATABASE_URL"])) as connection, connection.cursor() as cursor:
            cursor.execute(f"DROP DATABASE {name}")
        delete_queue(broker, name)


def delete_queue(broker, name):
    from kombu import Connection

    with Connection(broker) as connection, connection.channel() as channel:
        for kind in ("", ".tracking", ".messages"):
            channel.queue_delete(name + kind)
        channel.exchange_delete(name)
