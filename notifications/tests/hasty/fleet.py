"""Worker, relay and WeChat's stand-in as processes that are killed and started again, until all is told."""

import os
import random
import socket
import time
from collections import Counter
from contextlib import closing, contextmanager, suppress
from urllib.parse import urlsplit, urlunsplit

import requests

from frozenshop.kernel.tests.processes import Fleet, Killing, connect_mysql, delete_queue
from notifications.tests.hasty.orders import OPENID, transaction
from tests.run import ON_SERVICES

MCHID = "1900000109"
PAY_BATCH = 1000
MORTAL = {"worker", "relay", "sandbox"}


def free_port():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


class HastyFleet(Fleet):
    """`concurrency`: processes (or threads) of the worker."""

    def __init__(self, folder, database_url, broker_url, queue, pool, *, redis_url="", concurrency=2):
        super().__init__(folder, database_url, broker_url, queue, pool)
        self.port, self.concurrency = free_port(), concurrency
        self.kills = Counter()
        self.url = f"http://127.0.0.1:{self.port}"
        self.environment |= {
            "DJANGO_SETTINGS_MODULE": "notifications.tests.hasty.settings",
            "WECHAT_BASE_URL": self.url,
            "ALLOW_LOOPBACK_INTEGRATIONS": "true",
            "OUTBOX_LEASE_SECONDS": "10",
            "OUTBOX_RESEND_SECONDS": "30",
            "REDIS_URL": redis_url,
            "LOG_LEVEL": "ERROR",
        }
        self.commands["sandbox"] = ["-m", "notifications.tests.hasty.sandbox", str(self.port), str(folder)]
        self.commands["worker"][self.commands["worker"].index("--concurrency") + 1] = str(concurrency)

    def migrate(self):
        self.run("from django.core.management import call_command; call_command('migrate', verbosity=0, skip_checks=1)")

    def keep_alive_only(self, *names):
        commands, self.commands = self.commands, {name: self.commands[name] for name in names}
        self.keep_alive()
        self.commands = commands

    def sim(self, method, path, body=None):
        """Ask the stand-in, which may be coming up."""
        deadline = time.monotonic() + 30
        while True:
            try:
                answer = requests.request(method, f"{self.url}/_sim/{path}", json=body, timeout=20)
                assert answer.ok, answer.text
                return answer.json()
            except requests.ConnectionError:
                assert time.monotonic() < deadline
                time.sleep(0.1)

    def kill_one(self):
        """A worker has children, which hold connections of their own: all of them die at once."""
        name = random.choice(sorted(set(self.running) & MORTAL))
        self.kills[name] += 1
        with suppress(ProcessLookupError):
            os.killpg(self.running[name].pid, 9)

    def stop(self):
        for process in self.running.values():
            with suppress(ProcessLookupError):
                os.killpg(process.pid, 15)
        return super().stop()


class SettlingFleet(HastyFleet):
    def prepare(self, count):
        self.migrate()
        self.run(f"from notifications.tests.hasty.orders import prepare; prepare({count})", seconds=60 + count / 50)
        self.keep_alive_only("sandbox")
        for first in range(0, count, PAY_BATCH):
            self.sim(
                "POST",
                "wechat/payments",
                {"payments": [_payment(n) for n in range(first, min(first + PAY_BATCH, count))]},
            )

    def settle(self, count, seconds, *, kill_every):
        """Run until every order is told, with a death each `kill_every` orders; return how long that took."""
        started = time.monotonic()
        killing = Killing(self, kill_every)
        while (told := self.told()) < count:
            assert time.monotonic() < started + seconds, f"{told} told; {self.states()}\n{self.logs()}"
            self.keep_alive()
            killing.look(told)
            time.sleep(0.3)
        return time.monotonic() - started

    def told(self):
        return self.states().get("uploaded", 0)

    def states(self):
        return dict(self.rows("SELECT state, COUNT(*) FROM notifications_shippingreport GROUP BY state"))

    def counted(self):
        """How many payments were uploaded how often, as the stand-in counts."""
        self.keep_alive_only("sandbox")
        return {int(uploads): number for uploads, number in self.sim("GET", "wechat/payments")["uploads"].items()}


def _payment(number):
    return {"transaction_id": transaction(number), "mchid": MCHID, "out_trade_no": f"K{number:07}", "openid": OPENID}


@contextmanager
def embedded(folder, kind=SettlingFleet):
    """SQLite and files."""
    fleet = kind(folder, f"sqlite:///{folder}/db.sqlite3", "filesystem://", "hasty", "threads")
    try:
        yield fleet
    finally:
        fleet.stop()


@contextmanager
def on_services(folder, kind=SettlingFleet, *, concurrency=2):
    """MariaDB/MySQL, Redis and RabbitMQ, local unless the environment names others; a database of its own."""
    named = ON_SERVICES | os.environ
    name = f"frozenshop_hasty_{os.getpid()}_{random.randrange(10**6)}"
    url, broker = named["DATABASE_URL"], named["CELERY_BROKER_URL"]
    with closing(connect_mysql(url)) as connection, connection.cursor() as cursor:
        cursor.execute(f"CREATE DATABASE {name} CHARACTER SET utf8mb4")
    place = urlunsplit(urlsplit(url)._replace(path=f"/{name}"))
    fleet = kind(folder, place, broker, name, "prefork", redis_url=named["REDIS_URL"], concurrency=concurrency)
    try:
        yield fleet
    finally:
        fleet.stop()
        with closing(connect_mysql(url)) as connection, connection.cursor() as cursor:
            cursor.execute(f"DROP DATABASE {name}")
        delete_queue(broker, name)
