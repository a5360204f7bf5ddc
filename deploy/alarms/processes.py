"""Processes of the drill: each in a session of its own, its output in a file, ended with the drill."""

import contextlib
import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
START_SECONDS = 90.0


class Failed(Exception):
    """The drill can't go on."""


@dataclass
class Part:
    """A part of the shop that can be killed and started again."""

    name: str
    command: Sequence[str | Path]
    folder: Path
    answers: Callable[[], bool]
    environment: Mapping[str, str] | None = None
    process: "subprocess.Popen[bytes] | None" = field(default=None)

    def start(self) -> None:
        with (self.folder / f"{self.name}.log").open("ab") as log:
            self.process = subprocess.Popen(
                [str(part) for part in self.command],
                cwd=ROOT,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def wait(self) -> None:
        until(f"{self.name} to answer", self.answers, START_SECONDS, alive=self._alive)

    def kill(self) -> None:
        """End it and all that it started by SIGKILL."""
        if self.process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()

    def _alive(self) -> None:
        if self.process is not None and self.process.poll() is not None:
            log = (self.folder / f"{self.name}.log").read_text(errors="replace")
            raise Failed(f"{self.name} ended with {self.process.returncode}:\n{log[-2000:]}")


def until(what: str, holds: Callable[[], bool], seconds: float, *, alive: Callable[[], None] = lambda: None) -> float:
    """Wait until it holds; return how many seconds that took. Raises Failed."""
    started = time.monotonic()
    while (passed := time.monotonic() - started) < seconds:
        alive()
        with contextlib.suppress(OSError):
            if holds():
                return passed
        time.sleep(0.25)
    raise Failed(f"waited {seconds:.0f} s in vain for {what}")


def open_port(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0


class Ports:
    """Free ports of loopback, counted from where the drill was told to begin."""

    def __init__(self, first: int) -> None:
        self._next = first

    def take(self) -> int:
        while True:
            port, self._next = self._next, self._next + 1
            with socket.socket() as probe, contextlib.suppress(OSError):
                probe.bind(("127.0.0.1", port))
                return port
