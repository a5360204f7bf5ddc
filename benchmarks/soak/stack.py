"""The whole program as production runs it, on this machine: each role twice, so that one of each can be killed."""

import contextlib
import json
import multiprocessing
import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO
from urllib.parse import urlsplit

from benchmarks import database
from benchmarks.intake import BROKER, forward, free_port

BIN = Path(sys.executable).parent
QUEUE = "frozenshop_soak"
PAIRS = ("web", "worker", "relay", "beat")


class Stack:
    """Processes by name (`web-a`, `web-b` …). `-a` are never killed: their memory and files are watched."""

    def __init__(self, environment: dict[str, str], folder: Path) -> None:
        self.folder = folder
        self.ports = {"web-a": free_port(), "web-b": free_port(), "redis": free_port(), "broker": free_port()}
        self.environment = environment | {
            "REDIS_URL": f"redis://127.0.0.1:{self.ports['redis']}/0",
            "CELERY_BROKER_URL": urlsplit(BROKER)
            ._replace(netloc=f"guest:guest@127.0.0.1:{self.ports['broker']}")
            .geturl(),
            "CELERY_QUEUE": QUEUE,
            "LOG_LEVEL": "WARNING",
        }
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        self.gate: multiprocessing.process.BaseProcess | None = None

    def command(self, name: str) -> list[str]:
        role = name.partition("-")[0]
        web = ["--interface", "wsgi", "--host", "127.0.0.1", "--workers", "1", "--blocking-threads", "8"]
        web += ["--backlog", "512", "--no-ws", "--log-level", "error"]
        celery = [f"{BIN}/celery", "-A", "frozenshop"]
        worker = ["worker", "--hostname", f"{name}@soak", "--concurrency", "2", "--without-gossip", "--without-mingle"]
        return {
            "web": [f"{BIN}/granian", *web, "--port", str(self.ports.get(name, 0)), "frozenshop.wsgi:application"],
            "worker": [*celery, *worker, "--loglevel", "ERROR"],
            "relay": [sys.executable, "manage.py", "relay"],
            "beat": [*celery, "beat", "--pidfile=", "--loglevel", "ERROR"],
            "sandbox": [sys.executable, "manage.py", "sandbox"],
            "redis": [
                *("redis-server", "--port", str(self.ports["redis"]), "--bind", "127.0.0.1", "--save", ""),
                *("--dir", str(self.folder)),
            ],
        }[role]

    def start(self, name: str) -> None:
        with self._log(name) as log:
            self.processes[name] = subprocess.Popen(
                self.command(name),
                env=os.environ | self.environment,
                cwd=database.ROOT,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def kill(self, name: str) -> None:
        """`kill -9` of the process and its children, as a machine that is lost takes them all."""
        process = self.processes.pop(name)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()

    def open_gate(self) -> None:
        target = urlsplit(BROKER).port or 5672
        context = multiprocessing.get_context("spawn")
        self.gate = context.Process(target=forward, args=(self.ports["broker"], target))
        self.gate.start()

    def cut_gate(self) -> None:
        if self.gate is not None:
            self.gate.kill()
            self.gate.join()

    def start_all(self) -> None:
        self.open_gate()
        for name in ("redis", "sandbox", *(f"{role}-{one}" for role in PAIRS for one in "ab")):
            self.start(name)
        for name in ("web-a", "web-b"):
            wait_until(f"{name} is ready", lambda name=name: self.answers(name), 90)

    def answers(self, name: str) -> bool:
        url = f"http://127.0.0.1:{self.ports[name]}/readyz"
        try:
            with urllib.request.urlopen(url, timeout=3) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False

    def end(self) -> None:
        """SIGTERM to all, and what is left after 40 s is killed."""
        for process in self.processes.values():
            process.terminate()
        deadline = time.monotonic() + 40
        for name, process in list(self.processes.items()):
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(max(deadline - time.monotonic(), 0.1))
            self.kill(name)
        self.cut_gate()

    def pids(self, name: str) -> Iterator[int]:
        """Yield the process and all that descend from it."""
        waiting = [self.processes[name].pid] if name in self.processes else []
        while waiting:
            pid = waiting.pop()
            yield pid
            with contextlib.suppress(OSError):
                for task in Path(f"/proc/{pid}/task").iterdir():
                    waiting += map(int, (task / "children").read_text().split())

    def sandbox(self, target: str, payload: object) -> None:
        url = f"http://127.0.0.1:{os.environ['SANDBOX_PORT']}/_sim{target}"
        request = urllib.request.Request(url, json.dumps(payload).encode(), method="POST")
        urllib.request.urlopen(request, timeout=5).close()

    def _log(self, name: str) -> IO[bytes]:
        return (self.folder / f"{name}.log").open("ab")


def wait_until(what: str, holds: Callable[[], bool], seconds: float) -> float:
    """Return the seconds that it took. Raises SystemExit when it takes longer than `seconds`."""
    started = time.monotonic()
    while time.monotonic() - started < seconds:
        if holds():
            return time.monotonic() - started
        time.sleep(0.5)
    raise SystemExit(f"{what}: not within {seconds:.0f} s")
