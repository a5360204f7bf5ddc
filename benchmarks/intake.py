"""Push intake while Redis and RabbitMQ are away: how long a sender waits, and that nothing which was accepted is lost.

`python -m benchmarks.intake`: 100 pushes a second for 60 s from the schedule (a late answer doesn't hold up the next
push), to two web processes with relay and worker beside them; from 20 s to 40 s Redis is killed and RabbitMQ can't be
reached. Then it waits until the worker has caught up. Needs MariaDB, RabbitMQ and redis-server.
"""

import http.client
import json
import multiprocessing
import os
import queue
import select
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from urllib.parse import urlsplit

from benchmarks import database
from benchmarks.wrk import show

RATE, SECONDS = int(os.environ.get("PUSH_RATE", "100")), int(os.environ.get("PUSH_SECONDS", "60"))
AWAY_FROM, AWAY_UNTIL = SECONDS // 3, SECONDS * 2 // 3
SENDERS = 32
CATCH_UP_SECONDS = 600
BROKER = os.environ.get("BENCH_BROKER", "amqp://guest:guest@127.0.0.1:5672//")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def forward(port: int, target: int) -> None:
    """Pass connections on to RabbitMQ until this process is killed, which cuts them all."""
    with socket.create_server(("127.0.0.1", port), reuse_port=False) as server:
        while True:
            near, _ = server.accept()
            far = socket.create_connection(("127.0.0.1", target))
            threading.Thread(target=_pump, args=(near, far), daemon=True).start()


def _pump(near: socket.socket, far: socket.socket) -> None:
    other = {near: far, far: near}
    with near, far:
        while True:
            for ready in select.select([near, far], [], [])[0]:
                if not (data := ready.recv(65536)):
                    return
                other[ready].sendall(data)


class Neighbours:
    """A Redis of its own and the way to RabbitMQ, both of which can be cut."""

    def __init__(self, folder: str) -> None:
        self.folder, self.redis_port, self.broker_port = folder, free_port(), free_port()
        self.here()

    def here(self) -> None:
        command = ["redis-server", "--port", str(self.redis_port), "--bind", "127.0.0.1", "--save", "", "--dir"]
        self.redis = subprocess.Popen([*command, self.folder], stdout=subprocess.DEVNULL)
        target = urlsplit(BROKER).port or 5672
        self.gate = multiprocessing.get_context("spawn").Process(target=forward, args=(self.broker_port, target))
        self.gate.start()

    def away(self) -> None:
        self.redis.kill()
        self.redis.wait()
        self.gate.kill()
        self.gate.join()


@contextmanager
def running(command: list[str], environment: dict[str, str]) -> Iterator[None]:
    quiet = subprocess.DEVNULL  # they tell at length that their neighbours are away
    process = subprocess.Popen(command, env=os.environ | environment, cwd=database.ROOT, stdout=quiet, stderr=quiet)
    try:
        yield
    finally:
        process.terminate()
        try:
            process.wait(timeout=30)
        except subprocess.TimeoutExpired:
            process.kill()


def pushes(environment: dict[str, str], run: str, count: int) -> list[bytes]:
    """Return the bodies of signed pushes, each with a scan of its own."""
    made = database.run([sys.executable, "-c", MAKE, run, str(count)], environment)
    return [line.encode() for line in made.splitlines()]


def send(port: int, bodies: list[bytes], started: float) -> list[tuple[float, float, bool]]:
    """Return (due, seconds from due to the answer, accepted) of each push."""
    numbers: queue.SimpleQueue[int] = queue.SimpleQueue()
    for number in range(len(bodies)):
        numbers.put(number)
    done: list[tuple[float, float, bool]] = []

    def sender() -> None:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        headers = {"Content-Type": "application/x-www-form-urlencoded;charset=utf-8"}
        while True:
            try:
                number = numbers.get_nowait()
            except queue.Empty:
                return
            due = number / RATE
            time.sleep(max(started + due - time.monotonic(), 0))
            try:
                connection.request("POST", "/callbacks/kdniao", bodies[number], headers)
                answer = connection.getresponse()
                accepted = json.loads(answer.read()).get("Success") is True
            except (OSError, http.client.HTTPException, ValueError):
                connection.close()
                accepted = False
            done.append((due, time.monotonic() - started - due, accepted))

    threads = [threading.Thread(target=sender) for _ in range(SENDERS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return done


def percentile(seconds: list[float], part: float) -> float:
    return round(sorted(seconds)[min(int(len(seconds) * part), len(seconds) - 1)] * 1000, 1)


def main() -> None:
    environment, _ = database.prepared(10_000)
    run = f"压测{int(time.time())}"
    bodies = pushes(environment, run, RATE * SECONDS)
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        near = Neighbours(folder)
        stack.callback(near.away)
        environment |= {
            "REDIS_URL": f"redis://127.0.0.1:{near.redis_port}/0",
            "CELERY_BROKER_URL": urlsplit(BROKER)._replace(netloc=f"guest:guest@127.0.0.1:{near.broker_port}").geturl(),
            "CELERY_QUEUE": "frozenshop_bench",
        }
        port, bin_ = free_port(), str(Path(sys.executable).parent)
        web = ["--interface", "wsgi", "--host", "127.0.0.1", "--port", str(port), "--workers", "2"]
        web += ["--blocking-threads", "8", "--no-ws", "--log-level", "error", "frozenshop.wsgi:application"]
        worker = ["-A", "frozenshop", "worker", "--concurrency", "2", "--without-gossip", "--without-mingle"]
        stack.enter_context(running([f"{bin_}/granian", *web], environment))
        stack.enter_context(running([sys.executable, "manage.py", "relay"], environment))
        stack.enter_context(running([f"{bin_}/celery", *worker, "--loglevel", "ERROR"], environment))
        time.sleep(12)
        started = time.monotonic()
        threading.Timer(AWAY_FROM, near.away).start()
        threading.Timer(AWAY_UNTIL, near.here).start()
        done = send(port, bodies, started)
        accepted = sum(one[2] for one in done)
        applied, waited = caught_up(environment, run, accepted)
        phases = {"before": (0, AWAY_FROM), "away": (AWAY_FROM, AWAY_UNTIL), "after": (AWAY_UNTIL, SECONDS)}
        for phase, (begin, end) in phases.items():
            took = [seconds for due, seconds, _ in done if begin <= due < end]
            show(f"push intake, {phase}", p50_ms=percentile(took, 0.5), p99_ms=percentile(took, 0.99), pushes=len(took))
        all_of_it = [seconds for _, seconds, _ in done]
        show(
            "push intake while Redis and RabbitMQ are away",
            per_s=RATE,
            p99_ms=percentile(all_of_it, 0.99),
            limit_ms=250,
            accepted=accepted,
            refused=len(done) - accepted,
            applied=applied,
            caught_up_s=round(waited, 1),
        )
        if applied != accepted:
            raise SystemExit(f"{accepted - applied} accepted pushes were not applied")


def caught_up(environment: dict[str, str], run: str, wanted: int) -> tuple[int, float]:
    """Wait until every accepted push was applied; return how many were, and the seconds it took."""
    started = time.monotonic()
    while True:
        applied = int(database.run([sys.executable, "-c", COUNT, run], environment).split()[-1])
        waited = time.monotonic() - started
        if applied >= wanted or waited > CATCH_UP_SECONDS:
            return applied, waited
        time.sleep(2)


MAKE = """
import sys, json, django
django.setup()
from datetime import timedelta
from django.conf import settings
from frozenshop.kernel import clock
from benchmarks.client import kdniao_push
from logistics.models import Shipment
run, count = sys.argv[1], int(sys.argv[2])
rows = Shipment.objects.filter(voided_at=None).order_by("-id")
parcels = list(rows.values_list("waybill_no", "carrier__kdniao_code", "shipped_at")[:5000])
for number in range(count):
    waybill_no, code, shipped_at = parcels[number % len(parcels)]
    at = clock.shanghai(shipped_at + timedelta(minutes=1 + number // len(parcels)))
    item = {"ShipperCode": code, "LogisticCode": waybill_no, "Success": True, "State": "2", "StateEx": "2",
            "Traces": [{"AcceptTime": f"{at:%Y-%m-%d %H:%M:%S}", "AcceptStation": f"{run} {number}", "Action": "2"}]}
    (push,) = kdniao_push(settings.KDNIAO_API_KEY, [item])
    print(push.partition(b"\\r\\n\\r\\n")[2].decode())
"""
COUNT = """
import sys, django
django.setup()
from logistics.models import TrackingEvent
print(TrackingEvent.objects.filter(text__startswith=sys.argv[1]).values("text").distinct().count())
"""

if __name__ == "__main__":
    main()
