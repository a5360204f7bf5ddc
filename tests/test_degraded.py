"""Each store taken away in turn, dead and hanging, under load: pages answer, staff search, and all catches up after."""

import datetime as dt
import itertools
import os
import re
import signal
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import requests

from frozenshop.kernel.tests.mongo import Mongo
from frozenshop.kernel.tests.processes import delete_queue
from frozenshop.kernel.tests.stores import OwnRedis
from tests.living import ROOT, free_port
from tests.mariadb import OwnMariaDB
from tests.stack import Stack, wait_until

pytestmark = [pytest.mark.drill, pytest.mark.services]

CLIENT_SECONDS = 10
PHASE_REQUESTS = 80
"""How many answers a phase must bring before it ends."""


class Load:
    """Buyers, staff and the shop at work; what they were answered, by phase."""

    def __init__(self, stack: Stack) -> None:
        self.stack, self.phase = stack, "before"
        self.answers: dict[str, list[tuple[str, int | str, float]]] = {}
        self.shipped: list[str] = []
        self._under_way: tuple[str, str] | None = None
        self._stop = threading.Event()
        buyer, staff, shop = stack.buyer(), stack.staff(), stack.shop()
        order_nos = [one["order_no"] for one in buyer.call("GET", "/api/orders?limit=20").json()["results"]]
        search = f"{stack.base}/admin/orders/order/"
        paths = itertools.cycle(["/api/orders", "/api/orders/counts", *(f"/api/orders/{no}" for no in order_nos)])
        queries = itertools.cycle([order_nos[0], stack.demo["buyer"]["phone"], "SF1", ""])
        works: dict[str, Callable[[], requests.Response]] = {
            "read": lambda: buyer.call("GET", next(paths), timeout=CLIENT_SECONDS),
            "write": lambda: self._signed_again(lambda: self._choose(buyer)),
            "search": lambda: staff.get(search, params={"q": next(queries)}, timeout=CLIENT_SECONDS),
            "ship": lambda: self._signed_again(lambda: self._go_on(shop)),
        }
        self._threads = [threading.Thread(target=self._keep, args=work) for work in works.items()]
        for thread in self._threads:
            thread.start()

    def during(self, phase: str, count: int = PHASE_REQUESTS) -> None:
        """Begin a phase and wait until it has brought so many answers, of each kind some."""
        self.phase = phase
        self.answers.setdefault(phase, [])
        wait_until(lambda: self._enough(phase, count), 120, self.stack.logs)

    def _enough(self, phase: str, count: int) -> bool:
        answers = list(self.answers[phase])
        return len(answers) >= count and len({kind for kind, _, _ in answers}) == 4

    def stop(self) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def bad(self, phase: str) -> list[tuple[str, int | str, float]]:
        """Return what was no success."""
        return [one for one in self.answers[phase] if one[1] not in (200, 201)]

    def told(self) -> str:
        lines = [f"{'phase':24} {'n':>5} {'bad':>4} {'p50 ms':>7} {'p99 ms':>7} {'max ms':>7}"]
        for phase, answers in self.answers.items():
            times = sorted(seconds * 1000 for _, _, seconds in answers)
            cut = statistics.quantiles(times, n=100) if len(times) > 1 else times * 99
            row = f"{len(times):5} {len(self.bad(phase)):4} {cut[49]:7.0f} {cut[98]:7.0f} {times[-1]:7.0f}"
            lines.append(f"{phase:24} {row}")
        return "\n".join(lines)

    def _keep(self, kind: str, work: Callable[[], requests.Response]) -> None:
        while not self._stop.is_set():
            phase, began = self.phase, time.monotonic()
            try:
                outcome = self._outcome(work())
            except requests.RequestException as error:
                outcome = type(error).__name__
            self.answers.setdefault(phase, []).append((kind, outcome, time.monotonic() - began))
            self._stop.wait(0.08)  # A session has 20 requests a second.

    @staticmethod
    def _outcome(answer: requests.Response) -> int | str:
        """Return the status; what is unavailable must say so in its shape."""
        if answer.status_code != 503:
            return answer.status_code
        if "/admin/" in answer.url:
            return 503 if "服务暂时不可用" in answer.text else "a bare 503"
        return 503 if answer.json()["error"]["code"] == "unavailable" else answer.text

    def _signed_again(self, work: Callable[[], requests.Response]) -> requests.Response:
        """Sign anew what a young store refuses (ADR 9), as the mini-program and shop systems do."""
        deadline = time.monotonic() + CLIENT_SECONDS
        while True:
            answer = work()
            if answer.status_code != 401 or time.monotonic() > deadline:
                return answer
            assert answer.json()["error"]["code"] == "nonce_reused", answer.text
            self._stop.wait(0.3)

    @staticmethod
    def _choose(buyer) -> requests.Response:
        return buyer.call("PUT", "/api/me/notifications", {"opt_outs": []}, timeout=CLIENT_SECONDS)

    def _go_on(self, shop) -> requests.Response:
        """Send an order, then that it is paid, then its parcel; a step that isn't taken is sent again."""
        if self._under_way is None:
            answer, order_no = shop.send_order(f"1380000{len(self.shipped):04}", timeout=CLIENT_SECONDS)
            if answer.status_code == 201:
                self._under_way = (order_no, "events")
            return answer
        order_no, step = self._under_way
        now = dt.datetime.now(dt.UTC).isoformat()
        payload = {"type": "paid", "occurred_at": now, "reference": f"pay-{order_no}"}
        if step == "shipments":
            payload = {"carrier_code": "SF", "waybill_no": f"SF{order_no[-12:]}", "shipped_at": now}
        answer = shop.call("POST", f"/merchant/orders/{order_no}/{step}", payload, timeout=CLIENT_SECONDS)
        if answer.ok:
            self._under_way = (order_no, "shipments") if step == "events" else None
            self.shipped += [order_no] if step == "shipments" else []
        return answer


class Part:
    """Something that the program leans on: it can be killed, come back, and hang."""

    def __init__(self, name: str, kill, start, process) -> None:
        self.name, self.kill, self.start, self._process = name, kill, start, process

    @contextmanager
    def killed(self) -> Iterator[None]:
        self.kill()
        try:
            yield
        finally:
            self.start()

    @contextmanager
    def hanging(self) -> Iterator[None]:
        """Stopped: the kernel takes connections for it, and it never answers."""
        process = self._process()
        os.kill(process.pid, signal.SIGSTOP)
        try:
            yield
        finally:
            os.kill(process.pid, signal.SIGCONT)


class BrokerWay:
    """The way to RabbitMQ, which is everybody's: what is taken away is a proxy of our own."""

    def __init__(self) -> None:
        self.port = free_port()
        self.url = re.sub(r"@[^/]*", f"@127.0.0.1:{self.port}", os.environ["CELERY_BROKER_URL"], count=1)
        self.process: subprocess.Popen | None = None

    def start(self) -> None:
        target = re.search(r"@([^/]*)", os.environ["CELERY_BROKER_URL"])[1]
        self.process = subprocess.Popen(
            [sys.executable, str(ROOT / "deploy/alarms/proxy.py"), str(self.port), target], stderr=subprocess.DEVNULL
        )

    def kill(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()


class Site:
    """The whole program with stores of its own."""

    def __init__(self, folder: Path) -> None:
        (folder / "var").mkdir()
        self.database, self.redis = OwnMariaDB(folder / "database"), OwnRedis(folder)
        self.mongo, self.broker = Mongo(folder), BrokerWay()
        self.stack = Stack(
            folder / "var",
            DATABASE_URL=self.database.url,
            REDIS_URL=self.redis.url,
            MONGODB_URL=self.mongo.url,
            CELERY_BROKER_URL=self.broker.url,
            OUTBOX_RESEND_SECONDS="301",
        )
        self.parts = {
            "mongodb": Part("mongodb", self.mongo.kill, self.mongo.start, lambda: self.mongo._process),
            "redis": Part("redis", self.redis.kill, self.redis.start, lambda: self.redis._process),
            "rabbitmq": Part("rabbitmq", self.broker.kill, self.broker.start, lambda: self.broker.process),
        }

    def start(self) -> None:
        self.database.install()
        self.database.start()
        self.database.create_database()
        self.redis.start()
        self.mongo.start()
        self.broker.start()
        self.stack.prepare()
        self.stack.start("sandbox", "worker", "relay", "beat", "web")

    def stop(self) -> None:
        self.stack.stop()
        for part in (self.broker, self.redis, self.mongo, self.database):
            part.kill()
        delete_queue(os.environ["CELERY_BROKER_URL"], self.stack.environment["CELERY_QUEUE"])

    def rows(self, sql: str) -> list[tuple]:
        return self.database.sql(sql, "frozenshop")

    def unfinished(self) -> list[tuple]:
        return self.rows(
            "SELECT topic, status, attempts, last_error FROM kernel_outboxmessage "
            "WHERE status <> 'done' AND due_at < NOW(6) - INTERVAL 2 SECOND"
        )


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    site = Site(tmp_path_factory.mktemp("degraded"))
    try:
        site.start()
        yield site
    finally:
        site.stop()


@pytest.fixture(scope="module")
def load(site: Site) -> Iterator[Load]:
    load = Load(site.stack)
    load.during("before")
    yield load
    load.stop()
    print(f"\n{load.told()}")


@pytest.mark.timeout(300)
@pytest.mark.parametrize("fault", ["killed", "hanging"])
@pytest.mark.parametrize("name", ["mongodb", "redis", "rabbitmq"])
def test_without_it_buyers_read_and_write_staff_search_and_shops_send_orders(site, load, name, fault):
    phase = f"{name} {fault}"
    with getattr(site.parts[name], fault)():
        load.during(phase)
    load.during(f"after {phase}", 40)
    assert load.bad(phase) == []
    assert load.bad(f"after {phase}") == []
    assert max(seconds for _, _, seconds in load.answers[phase]) < CLIENT_SECONDS
    assert site.stack.died() == []
    _catches_up(site, load)


@pytest.mark.timeout(300)
@pytest.mark.parametrize("fault", ["killed", "hanging"])
def test_without_the_database_all_is_refused_in_the_one_shape_until_it_is_back(site, load, fault):
    phase = f"database {fault}"
    part = Part("database", site.database.kill, site.database.start, lambda: site.database._process)
    load.phase = f"{phase}, first"
    with getattr(part, fault)():
        load.during(load.phase, 8)  # what was under way when a server began to hang is waited for in vain
        load.during(phase, 12)
        answers = list(load.answers[phase])
    site.stack.wait_ready()
    load.during(f"after {phase}", 60)
    load.during(f"well after {phase}", 60)
    assert {outcome for kind, outcome, _ in answers if kind != "read"} == {503}
    assert {outcome for kind, outcome, _ in answers} <= {503, 200}  # documents that Redis holds are still shown
    assert load.bad(f"well after {phase}") == []
    assert site.stack.died() == []
    _catches_up(site, load)


def _catches_up(site: Site, load: Load) -> None:
    """Each order that was shipped has each of its facts once, and the shop's webhook is told of each once."""
    shipped = list(load.shipped)
    listed = ",".join(f"'{order_no}'" for order_no in shipped)
    facts = (
        "SELECT to_status, COUNT(*), COUNT(DISTINCT order_id) FROM orders_orderevent JOIN orders_order o "
        f"ON o.id = order_id WHERE order_no IN ({listed}) GROUP BY to_status ORDER BY to_status"
    )
    told = (
        "SELECT state, COUNT(*) FROM notifications_webhookmessage WHERE event = 'order.status_changed' "
        f"AND JSON_VALUE(body, '$.data.order_no') IN ({listed}) GROUP BY state"
    )
    assert site.rows(facts) == [(status, len(shipped), len(shipped)) for status in ("paid", "placed", "shipped")]
    wanted = [("done", 2 * len(shipped))]  # paid, shipped
    wait_until(lambda: site.rows(told) == wanted, 90, lambda: f"{site.rows(told)}, not {wanted}\n{site.stack.logs()}")
    wait_until(lambda: not site.unfinished(), 90, lambda: f"{site.unfinished()}\n{site.stack.logs()}")
    wait_until(lambda: "一切正常" in site.stack.doctor(), 60, site.stack.doctor)
