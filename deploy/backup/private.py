"""A MariaDB server of one's own on a folder: no network, or one port of loopback; ended with its starter."""

import contextlib
import os
import secrets
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from .errors import Failed
from .mariadb import Server, connected
from .processes import LEASH
from .settings import Account

START_SECONDS = 300
STOP_SECONDS = 300
USER = "backup_restorer"


@contextlib.contextmanager
def started(data: Path, name: str, options: Sequence[str] = (), *, defaults: Path | None = None) -> Iterator[Server]:
    """Start mariadbd on `data` and yield it, seen by an account that exists only meanwhile; stop it cleanly."""
    password = secrets.token_urlsafe(24)
    with tempfile.TemporaryDirectory(prefix="mariadbd-") as folder:
        socket, log, init = Path(folder, "socket"), Path(folder, "log"), Path(folder, "init.sql")
        init.write_text(_account(password))
        first = f"--defaults-file={defaults}" if defaults else "--no-defaults"
        command = ["mariadbd", first, f"--datadir={data}", f"--socket={socket}", f"--init-file={init}"]
        command += [*as_ourselves(), f"--log-error={log}", f"--pid-file={folder}/pid", *options]
        process = subprocess.Popen([*LEASH, *command], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            with connected(Account("localhost", 0, USER, password, name), socket=socket) as server:
                _wait(process, server, log)
                yield server
                server.ask(f"DROP USER {USER}@localhost")
                _stop(process, log)
        finally:
            process.kill()
            process.wait()


def as_ourselves() -> list[str]:
    """mariadbd refuses to be root unless it is told to."""
    return [] if os.geteuid() else ["--user=root"]


def _account(password: str) -> str:
    return (
        f"CREATE OR REPLACE USER {USER}@localhost IDENTIFIED BY '{password}';\n"
        f"GRANT ALL PRIVILEGES ON *.* TO {USER}@localhost WITH GRANT OPTION;\n"
    )


def _wait(process: subprocess.Popen[bytes], server: Server, log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        with contextlib.suppress(Failed):
            server.version()
            return
        time.sleep(0.2)
    raise Failed(f"the restored database does not start: {_tail(log)}")


def _stop(process: subprocess.Popen[bytes], log: Path) -> None:
    process.terminate()
    try:
        if process.wait(STOP_SECONDS):
            raise Failed(f"the restored database ended badly: {_tail(log)}")
    except subprocess.TimeoutExpired:
        raise Failed("the restored database does not stop") from None


def _tail(log: Path) -> str:
    lines = log.read_text(errors="replace").splitlines() if log.exists() else []
    serious = [line for line in lines if "[ERROR]" in line] or lines
    return serious[0][:400] if serious else "it says nothing"
