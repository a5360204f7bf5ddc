"""A slot as processes of this machine, started as in the image: for the drill and for tests.

`python -m deploy.release.fleet up|down` reads FLEET (a folder with fleet.json), SLOT and VERSION. `up` ends once all
answer; `down` once all are gone. Versions that do badly are made of this code by a planted fault: see faults.py.
"""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from deploy.release.faults import FAULTS

ROOT = Path(__file__).parents[2]
ENTRYPOINT = ROOT / "deploy/image/entrypoint.sh"
STOP_SECONDS, ENDING_SECONDS = 60, 10


@dataclass(frozen=True, slots=True)
class Process:
    """One role in a folder of its own; `port` is web's own, or that of the others' metrics."""

    folder: Path
    role: str
    port: int
    environment: dict[str, str]

    @property
    def pid(self) -> int | None:
        """The process id while it runs."""
        with contextlib.suppress(OSError, ValueError):
            pid = int((self.folder / "pid").read_text())
            return pid if _runs(pid) else None
        return None

    @property
    def version(self) -> str:
        with contextlib.suppress(OSError):
            return (self.folder / "version").read_text()
        return ""

    def start(self, version: str) -> None:
        self.folder.mkdir(exist_ok=True)
        (self.folder / f"alive-{self.role}").unlink(missing_ok=True)
        with (self.folder / "log").open("ab") as log:
            process = subprocess.Popen(
                ["sh", str(ENTRYPOINT), self.role],
                cwd=ROOT,
                env=os.environ | self.environment | self._own(version),
                stdout=log,
                stderr=log,
                stdin=subprocess.DEVNULL,
                start_new_session=True,
            )
        _children[process.pid] = process
        (self.folder / "pid").write_text(str(process.pid))
        (self.folder / "version").write_text(version)

    def _own(self, version: str) -> dict[str, str]:
        mine = {"PORT": str(self.port)} if self.role == "web" else {"METRICS_PORT": str(self.port)}
        fault = {"DJANGO_SETTINGS_MODULE": "deploy.release.faulty_settings"} if version in FAULTS else {}
        return {
            **mine,
            **fault,
            "VAR_DIR": str(self.folder),
            "FROZENSHOP_VERSION": version,
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        }

    def ready(self) -> bool:
        if self.role == "web":
            with contextlib.suppress(OSError), urllib.request.urlopen(self._ready_url, timeout=5) as answer:
                return bool(answer.status == 200)
            return False
        return (self.folder / f"alive-{self.role}").exists()

    @property
    def _ready_url(self) -> str:
        return f"http://127.0.0.1:{self.port}/readyz"

    def signal(self, number: signal.Signals) -> None:
        """SIGKILL goes to all that it started, as when a container is killed; the others to itself."""
        with contextlib.suppress(ProcessLookupError, TypeError):
            os.killpg(self.pid, number) if number == signal.SIGKILL else os.kill(self.pid, number)  # type: ignore[arg-type]


_children: dict[int, subprocess.Popen[bytes]] = {}
"""Those that this very process started: they must be waited for, or they stay as zombies."""


def _runs(pid: int) -> bool:
    if pid in _children:
        return _children[pid].poll() is None
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    return False


def processes(folder: Path, slot: str) -> list[Process]:
    """Return what a slot consists of: fleet.json has `environment` and `slots: {slot: [[role, port], …]}`."""
    told = json.loads((folder / "fleet.json").read_text())
    return [
        Process(folder / f"{slot}-{role}-{port}", role, port, told["environment"]) for role, port in told["slots"][slot]
    ]


def up(slot: list[Process], version: str, *, seconds: float = 90) -> None:
    """Bring the slot up with that version; raises `SystemExit` when a process ends or isn't ready in time."""
    if any(process.pid and process.version != version for process in slot):
        down(slot)
    for process in slot:
        if not process.pid:
            _refuse_taken(process)
            process.start(version)
    deadline = time.monotonic() + seconds
    for process in slot:
        while not process.ready():
            if not process.pid:
                raise SystemExit(f"{process.role} ended at its start:\n{_last_words(process)}")
            if time.monotonic() > deadline:
                raise SystemExit(f"{process.role} is not ready after {seconds:.0f} s:\n{_last_words(process)}")
            time.sleep(0.2)


def _refuse_taken(process: Process) -> None:
    """A second server on a port gets half of the requests instead of an error. What was killed may still be ending."""
    deadline = time.monotonic() + ENDING_SECONDS
    while _listens(process.port):
        if time.monotonic() > deadline:
            raise SystemExit(f"{process.role}: something listens on {process.port} already")
        time.sleep(0.1)


def _listens(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
        return True
    return False


def down(slot: list[Process]) -> None:
    """End the slot by SIGTERM, and by SIGKILL what doesn't obey."""
    for process in slot:
        process.signal(signal.SIGTERM)
    deadline = time.monotonic() + STOP_SECONDS
    for process in slot:
        while process.pid and time.monotonic() < deadline:
            time.sleep(0.1)
        process.signal(signal.SIGKILL)


def _last_words(process: Process) -> str:
    with contextlib.suppress(OSError):
        return (process.folder / "log").read_text()[-1500:]
    return ""


@contextlib.contextmanager
def all_down_afterwards(folder: Path) -> Iterator[None]:
    try:
        yield
    finally:
        everything = json.loads((folder / "fleet.json").read_text())["slots"]
        for slot in everything:
            down(processes(folder, slot))


def main() -> None:
    slot = processes(Path(os.environ["FLEET"]), os.environ["SLOT"])
    if sys.argv[1:] == ["up"]:
        up(slot, os.environ["VERSION"])
    elif sys.argv[1:] == ["down"]:
        down(slot)
    else:
        raise SystemExit("Usage: python -m deploy.release.fleet up|down")


if __name__ == "__main__":
    main()
