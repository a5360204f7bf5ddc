"""`make soak`: the whole program under load for twenty minutes, with a trouble every half minute.

First the most that this machine answers is measured, then half of it is asked for, by the clock. Nothing that was
accepted may be lost or counted twice, no lag may be left, and the processes that lived through it may not have grown.
Exit 1 otherwise. SOAK_MINUTES (20), SOAK_ORDERS (20,000 seeded), SOAK_RATE (requests a second, instead of
half of the most). Needs MariaDB, RabbitMQ and redis-server; leaves its database for the next time.
"""

import itertools
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from pathlib import Path
from typing import Any

from benchmarks import database
from benchmarks.intake import free_port, percentile
from benchmarks.soak.faults import FAULTS
from benchmarks.soak.stack import QUEUE, Stack, wait_until
from benchmarks.soak.watching import Watch
from benchmarks.wrk import show

MINUTES = float(os.environ.get("SOAK_MINUTES", "20"))
ORDERS = int(os.environ.get("SOAK_ORDERS", "20000"))
RATE = float(os.environ.get("SOAK_RATE", "0"))
MOST_SECONDS, FAULT_EVERY_SECONDS, LAG_SECONDS = 30, 30.0, 300.0
MIX = {
    "list": 15, "counts": 10, "document": 40, "refresh": 5, "search": 4, "queue": 2, "order": 6, "push": 18,
}  # fmt: skip
ALLOWED = {200, 201, 429}
UNFINISHED = """
import django; django.setup()
from frozenshop.kernel import clock
from frozenshop.kernel.models import OutboxMessage
print(OutboxMessage.objects.filter(status__in=("pending", "sent"), due_at__lte=clock.now()).count())
"""


class Soak:
    def __init__(self, folder: Path) -> None:
        os.environ["SANDBOX_PORT"] = str(free_port())
        environment, _ = database.prepared(ORDERS)
        forget_the_last_run(environment)
        self.stack, self.folder = Stack(environment, folder), folder
        self.run = f"S{int(time.time())}"
        self.people = json.loads(self.program("-m", "benchmarks.soak.people").splitlines()[-1])

    def program(self, *arguments: str) -> str:
        return database.run([sys.executable, *arguments], self.stack.environment)

    def load(self, name: str, *, rate: float, seconds: float) -> "subprocess.Popen[str]":
        """Start the load; its facts go to FOLDER/NAME.facts."""
        plan = self.people | {
            "rate": rate,
            "seconds": seconds,
            "mix": MIX,
            "run": f"{self.run}{name}",
            "serial": time.time_ns() // 1000 % 10**10 * 1000,
            "ports": [self.stack.ports["web-a"], self.stack.ports["web-b"]],
        }
        (self.folder / f"{name}.plan").write_text(json.dumps(plan))
        command = [
            sys.executable,
            "-m",
            "benchmarks.soak.load",
            *(str(self.folder / f"{name}.{k}") for k in ("plan", "facts")),
        ]
        return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=database.ROOT)

    def most(self) -> float:
        """Return how many requests of the mix are answered a second when each sender asks again at once."""
        took = outcome(self.load("most", rate=0, seconds=MOST_SECONDS))
        show("the most of the mix", per_s=round(len(took) / MOST_SECONDS, 1), answers=answers(took))
        return len(took) / MOST_SECONDS

    def lag(self) -> int:
        return int(self.program("-c", UNFINISHED).split()[-1])

    def go(self) -> int:
        rate = RATE or self.most() / 2
        wait_until("what the first load left is done", lambda: self.lag() == 0, LAG_SECONDS)
        watch, over = Watch(self.stack), threading.Event()
        troubles = threading.Thread(target=make_trouble, args=(self.stack, over))
        load = self.load("soak", rate=rate, seconds=MINUTES * 60)
        watch.start()
        troubles.start()
        took = outcome(load)
        over.set()
        troubles.join()
        watch.stop.set()
        waited = wait_until("the lag is gone", lambda: self.lag() == 0, LAG_SECONDS)
        return self.judge(rate, took, watch, waited)

    def judge(self, rate: float, took: list[list[Any]], watch: Watch, waited: float) -> int:
        verdict = json.loads(
            self.program("-m", "benchmarks.soak.verdict", str(self.folder / "soak.facts"), self.run).splitlines()[-1]
        )
        for kind in MIX:
            seconds = [one[1] for one in took if one[0] == kind] or [0.0]
            show(f"soak: {kind}", n=len(seconds), p50_ms=percentile(seconds, 0.5), p99_ms=percentile(seconds, 0.99))
        show("soak: held by the processes that lived", **watch.summary())
        show("soak: accepted, lost, twice", **verdict)
        statuses = Counter(status for *_, status in took)
        show("soak", minutes=MINUTES, per_s=round(rate, 1), answers=answers(took), lag_gone_after_s=round(waited, 1))
        faults = watch.grown() + [f"answered {s}: {n}" for s, n in statuses.items() if s not in ALLOWED]
        faults += [f"{k}: {v}" for k, v in verdict.items() if isinstance(v, dict) and (v.get("lost") or v.get("twice"))]
        if verdict["steps_twice"] or verdict["outbox"].get("dead"):
            faults.append(f"steps twice {verdict['steps_twice']}, dead {verdict['dead']}")
        print("\n".join(["FAILED", *faults]) if faults else "ok")
        return 1 if faults else 0


def outcome(load: "subprocess.Popen[str]") -> list[list[Any]]:
    told, _ = load.communicate()
    if load.returncode:
        raise SystemExit("the load ended before its time")
    return list(json.loads(told))


def answers(took: list[list[Any]]) -> dict[str, int]:
    """Return how many there were of each status, the unwanted ones by what was asked."""
    return dict(Counter(str(status) if status in ALLOWED else f"{kind} {status}" for kind, _, status in took))


def make_trouble(stack: Stack, over: threading.Event) -> None:
    for what, fault in itertools.cycle(FAULTS.items()):
        if over.wait(FAULT_EVERY_SECONDS):
            return
        print(f"{time.strftime('%H:%M:%S')} {what}", flush=True)
        fault(stack)


def forget_the_last_run(environment: dict[str, str]) -> None:
    """An outbox that an earlier run left behind would be this one's lag; its queues hold what nobody waits for."""
    database.manage(environment, "migrate", "--verbosity=0")
    database.manage(environment, "sync_schedule")
    database.manage(environment, "shell", "-c", FORGET)
    from kombu import Connection

    from benchmarks.intake import BROKER

    with Connection(BROKER) as connection, connection.channel() as channel:
        for kind in ("", ".tracking", ".messages"):
            channel.queue_delete(QUEUE + kind)


FORGET = "from frozenshop.kernel.models import OutboxMessage as M; M.objects.exclude(status='done').delete()"


def main() -> int:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    with tempfile.TemporaryDirectory() as folder:
        soak = Soak(Path(folder))
        try:
            soak.stack.start_all()
            return soak.go()
        finally:
            soak.stack.end()


if __name__ == "__main__":
    sys.exit(main())
