"""The servers of the drill, each on a folder and a port of loopback of its own."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from .errors import Failed
from .mariadb import Server, connected
from .private import as_ourselves
from .processes import LEASH, run
from .settings import Account

ROOT = Path(__file__).resolve().parents[2]
NAME = "frozenshop"
DURABLE = (
    *("--log-bin=mysql-bin", "--binlog-format=ROW", "--sync-binlog=1", "--server-id=1"),
    *("--innodb-flush-log-at-trx-commit=1", "--innodb-log-file-size=512M"),
)
START_SECONDS = 120


class Mariadb:
    """mariadbd on `data`; root without password, on loopback alone."""

    def __init__(self, data: Path, options: Sequence[str] = ()) -> None:
        self.data, self.options, self.port = data, options, free_port()
        self.url = f"mysql://root@127.0.0.1:{self.port}/{NAME}"
        self.process: subprocess.Popen[bytes] | None = None

    def install(self) -> None:
        run(["mariadb-install-db", "--no-defaults", f"--datadir={self.data}", *as_ourselves(), *_PLAIN_ROOT])

    def start(self) -> None:
        command = ["mariadbd", "--no-defaults", f"--datadir={self.data}", f"--port={self.port}", *_HERE, *self.options]
        command += [f"--socket={self.data}.socket", f"--log-error={self.data}.log", f"--pid-file={self.data}.pid"]
        self.process = start([*command, *as_ourselves()])
        until(f"mariadbd on {self.data.name}", lambda: bool(self.ask("SELECT 1")), START_SECONDS)

    def ask(self, statement: str) -> list[list[str]]:
        with self.seen() as server:
            return server.ask(statement)

    def seen(self) -> contextlib.AbstractContextManager[Server]:
        return connected(Account("127.0.0.1", self.port, "root", "", NAME))

    def stop(self, how: signal.Signals = signal.SIGTERM) -> None:
        if self.process:
            self.process.send_signal(how)
            self.process.wait()
            self.process = None


_PLAIN_ROOT = ("--auth-root-authentication-method=normal", "--skip-test-db")
_HERE = ("--bind-address=127.0.0.1", "--skip-name-resolve", "--innodb-buffer-pool-size=1G")


class Secantus:
    """A server that speaks MongoDB's protocol, for tests alone."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.port = folder, free_port()
        self.process: subprocess.Popen[bytes] | None = None

    def url(self, name: str) -> str:
        return f"mongodb://127.0.0.1:{self.port}/{name}"

    def start(self) -> None:
        program = Path(sys.executable).with_name("secantusd-py")
        place = ["--host", "127.0.0.1", "--port", str(self.port), "--storage-path", str(self.folder)]
        self.process = start([program, "--standalone", "--log-level", "ERROR", *place])
        until("the MongoDB server", lambda: answers(self.port), START_SECONDS)

    def stop(self) -> None:
        if self.process:
            self.process.kill()
            self.process.wait()
            self.process = None


def start(
    command: Sequence[str | Path], environment: Mapping[str, str] | None = None, out: Path | None = None
) -> subprocess.Popen[bytes]:
    with (out or Path(os.devnull)).open("ab") as file:
        arguments = [*LEASH, *map(str, command)]
        return subprocess.Popen(arguments, cwd=ROOT, env=environment, stdout=file, stderr=subprocess.STDOUT)


def until(what: str, holds: Callable[[], bool], seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        with contextlib.suppress(Failed, OSError):
            if holds():
                return
        time.sleep(0.1)
    raise Failed(f"{what}: not within {seconds:.0f} s")


def answers(port: int) -> bool:
    with socket.create_connection(("127.0.0.1", port), timeout=1):
        return True


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
