"""What goes on while the drill backs up: orders come in, logs are shipped, and at one second all tables are summed."""

import contextlib
import datetime as dt
import math
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from .drill_servers import start, until
from .errors import Failed
from .mariadb import Server

WRITERS = 2
SETTLE_SECONDS = 0.5
SUM_SECONDS = 1800
NEVER = dt.datetime.min.replace(tzinfo=dt.UTC)
_REACH = re.compile(r"shipped until (\S+ \S+) UTC")


@dataclass
class Ledger:
    """What the writers were told to be committed, until when the logs were shipped, and what came back."""

    files: list[Path] = field(default_factory=list)
    processes: list[subprocess.Popen[bytes]] = field(default_factory=list)
    shipped: dt.datetime = NEVER
    quiet: threading.Lock = field(default_factory=threading.Lock)
    restored: set[str] = field(default_factory=set)

    def acknowledged(self) -> list[tuple[str, float, float]]:
        """Return order numbers with the instants before and after their commit."""
        lines = [line for file in self.files for line in file.read_text().splitlines(keepends=True)]
        rows = [line.split() for line in lines if line.endswith("\n") and line.startswith("DRILL")]
        return [(row[0], float(row[1]), float(row[2])) for row in rows]

    def signal(self, which: signal.Signals) -> None:
        for process in self.processes:
            process.send_signal(which)

    def refuse_difference(self, found: set[str], second: float) -> None:
        """Raise Failed unless exactly what was committed before the second is there."""
        rows = self.acknowledged()
        missing = [order_no for order_no, _, after in rows if after < second and order_no not in found]
        early = [order_no for order_no, before, _ in rows if before >= second and order_no in found]
        if missing or early:
            raise Failed(
                f"orders from before T that are missing: {missing[:3]}, from after T that are there: {early[:3]}"
            )

    def refuse_holes(self) -> None:
        """Raise Failed where an order is missing that was shipped, or whose writer wrote a later one that is there."""
        shipped = 0 if self.shipped is NEVER else self.shipped.timestamp()
        newest = {no[:6]: no for no in sorted(self.restored)}
        for order_no, _, after in self.acknowledged():
            if order_no not in self.restored and (after < shipped or order_no < newest.get(order_no[:6], "")):
                raise Failed(f"the order {order_no} is missing among those that were shipped")

    def lost(self, at: float) -> tuple[int, float]:
        """Return how many acknowledged orders are lost, and how many seconds before the disaster the first was made."""
        lost = [after for order_no, _, after in self.acknowledged() if order_no not in self.restored]
        return len(lost), at - min(lost, default=at)


@contextlib.contextmanager
def orders_coming_in(folder: Path, environment: Mapping[str, str]) -> Iterator[Ledger]:
    ledger = Ledger()
    for number in range(WRITERS):
        ledger.files.append(folder / f"writer-{number}")
        command = [sys.executable, "-m", "deploy.backup.drill_orders", "write", f"DRILL{number}"]
        ledger.processes.append(start(command, environment, ledger.files[-1]))
    try:
        until("orders come in", lambda: len(ledger.acknowledged()) > 20, 120)
        yield ledger
    finally:
        for process in ledger.processes:
            process.kill()
            process.wait()


@contextlib.contextmanager
def shipping(ship: Callable[[], str], ledger: Ledger, every: float) -> Iterator[None]:
    """Ship again and again, as `binlog --every` does, but never within the quiet second."""
    ended = threading.Event()

    def again() -> None:
        while not ended.is_set():
            with ledger.quiet, contextlib.suppress(Failed):
                if found := _REACH.search(ship()):
                    ledger.shipped = dt.datetime.fromisoformat(f"{found[1]}+00:00")
            ended.wait(every)

    thread = threading.Thread(target=again)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def sum_at_a_second(server: Server, ledger: Ledger) -> tuple[dt.datetime, dict[str, str]]:
    """Hold the orders for a second, look at the database as it is then, and let them go on; return the second and the
    sum of each table as this look shows it. Whatever was committed before the second, and nothing else, is in it."""
    with ledger.quiet:
        ledger.signal(signal.SIGSTOP)
        time.sleep(SETTLE_SECONDS)
        session = _Session(server)
        second = dt.datetime.fromtimestamp(math.ceil(time.time()) + 1, dt.UTC)
        time.sleep(second.timestamp() - time.time() + 0.1)
        ledger.signal(signal.SIGCONT)
    return second, session.sums(checksums(server))


def checksums(server: Server) -> str:
    tables = server.ask(f"SELECT table_name FROM information_schema.tables WHERE table_schema = '{server.name}'")
    return "CHECKSUM TABLE " + ", ".join(f"{server.name}.{row[0]}" for row in sorted(tables))


class _Session:
    """One connection with a consistent view of the moment at which it was made."""

    def __init__(self, server: Server) -> None:
        command = [*server.client(), "--unbuffered", "--batch", "--skip-column-names"]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert self.process.stdin
        assert self.process.stdout
        self.process.stdin.write("START TRANSACTION WITH CONSISTENT SNAPSHOT; SELECT 'ready';\n")
        self.process.stdin.flush()
        if self.process.stdout.readline() != "ready\n":
            raise Failed("no consistent view of the database")

    def sums(self, statement: str) -> dict[str, str]:
        out, _ = self.process.communicate(f"{statement};\n", timeout=SUM_SECONDS)
        return dict(line.split("\t") for line in out.splitlines())
