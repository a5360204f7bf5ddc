"""Binary logs on their way to the repository.

A *chain* is what was written since a full backup: the logs from the one that the backup names on, all of them in each
snapshot (restic stores what is new), and `shipped.json` which says until when and how large each must be.
"""

import datetime as dt
import json
import re
import shutil
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from .errors import Failed
from .locking import only_one
from .manifest import newest
from .mariadb import Server
from .repository import Repository

TAG = "binlog"
TOLD = "shipped.json"
SETTLED = dt.timedelta(seconds=2)
"""A commit is dated when it begins; what began longer ago stands in the log."""
HEAD = 65536
_NUMBERED = re.compile(r"(.+\.)(\d+)")


@dataclass(frozen=True, slots=True)
class Shipped:
    """How far a chain reaches: everything that was committed before `until` is in it."""

    run: str
    first: str
    until: dt.datetime
    logs: dict[str, int]

    def text(self) -> str:
        row = {"run": self.run, "first": self.first, "until": self.until.isoformat(), "logs": self.logs}
        return json.dumps(row, indent=1)


def read_shipped(text: str) -> Shipped:
    row = json.loads(text)
    return Shipped(row["run"], row["first"], dt.datetime.fromisoformat(row["until"]), row["logs"])


def ship(server: Server, repository: Repository, *, wait: float = 0) -> Shipped:
    """Bring what was written since the last time to the repository. Safe to repeat, and to kill at any point.

    `wait`: so many seconds for another process that is at it.
    """
    with only_one(repository.target.spool, TAG, wait=wait):
        latest = newest(repository)
        former = _spooled(_folder(repository))
        if former and former.run != latest.run:
            _end(server, repository, former)
        return _ship(server, repository, latest.run, latest.log)


def _end(server: Server, repository: Repository, former: Shipped) -> None:
    """Ship a last time for the former full backup, so that its chain reaches to the new one."""
    try:
        _ship(server, repository, former.run, former.first)
    except Failed as error:
        print(
            f"the logs since the former full backup end at {former.until:%Y-%m-%d %H:%M:%S} UTC: {error}",
            file=sys.stderr,
        )
    shutil.rmtree(_folder(repository))


def _ship(server: Server, repository: Repository, run: str, first: str) -> Shipped:
    folder = _folder(repository)
    _refill(repository, run, folder)
    until, logs = server.now() - SETTLED, server.logs()
    _fetch(server, folder, first, logs)
    shipped = Shipped(run, first, until, _sizes(folder))
    refuse_gaps(shipped.logs, first)
    _write(folder / TOLD, shipped.text())
    repository.put_folder(folder, [TAG, f"run={run}"], until)
    return shipped


def _folder(repository: Repository) -> Path:
    folder = repository.target.spool / "binlogs"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _spooled(folder: Path) -> Shipped | None:
    try:
        return read_shipped((folder / TOLD).read_text())
    except (OSError, ValueError, KeyError):
        return None


def _refill(repository: Repository, run: str, folder: Path) -> None:
    """An empty spool (another machine, a new pod) is filled from the repository: the server may have purged since."""
    if _spooled(folder) is None:
        shutil.rmtree(folder)
        folder.mkdir()
        if chain := repository.snapshots(TAG, f"run={run}"):
            repository.get_folder(chain[-1].id, folder)


def _fetch(server: Server, folder: Path, first: str, logs: dict[str, int]) -> None:
    """Fetch what is new or has grown. Raises Failed where the server no longer has what the chain needs."""
    have = _sizes(folder)
    refuse_another_history(have, first, logs)
    wanted = [name for name in logs if number(name) >= number(first) and have.get(name) != logs[name]]
    fresh = folder.parent / "fetched"
    shutil.rmtree(fresh, ignore_errors=True)
    fresh.mkdir()
    if wanted:
        server.fetch(wanted, fresh)
    for name in wanted:
        if not (fresh / name).exists() or (fresh / name).stat().st_size < logs[name]:
            raise Failed(f"the binary log {name} came in only in part")
        if name in have and beginning(fresh / name, have[name]) != beginning(folder / name, have[name]):
            raise Failed(f"the server's binary logs began anew at {name}: take a full backup")
        (fresh / name).replace(folder / name)


def refuse_another_history(have: dict[str, int], first: str, logs: dict[str, int]) -> None:
    """Raise Failed unless what the server has now can be what follows `have`."""
    newest = max([number(first), *map(number, have)])
    numbers = [number(name) for name in logs]
    if max(numbers) < newest or any(logs.get(name, size) < size for name, size in have.items()):
        raise Failed("the server's binary logs began anew (RESET, or another server): take a full backup")
    if min(numbers) > newest:
        raise Failed(f"the server no longer has the binary logs that follow number {newest:06}: take a full backup")


def beginning(path: Path, size: int) -> bytes:
    """Return what tells a log from another of its name: when it was begun and by whom, and its first events.

    Left out are the first event's flags and sum: they change when the log is closed.
    """
    with path.open("rb") as file:
        head = file.read(min(size, HEAD))
    described = int.from_bytes(head[13:17], "little")
    return head[4:21] + head[4 + described :]


def _sizes(folder: Path) -> dict[str, int]:
    files = (path for path in folder.iterdir() if _NUMBERED.fullmatch(path.name))
    return {path.name: path.stat().st_size for path in sorted(files, key=lambda path: number(path.name))}


def refuse_gaps(names: Iterable[str], first: str) -> None:
    """Raise Failed unless the logs follow each other from `first` on."""
    expected = number(first)
    for name in sorted(names, key=number):
        if number(name) != expected:
            raise Failed(f"the binary log number {expected:06} is missing")
        expected += 1
    if expected == number(first):
        raise Failed(f"the binary log {first} is missing")


def number(name: str) -> int:
    found = _NUMBERED.fullmatch(name)
    if not found:
        raise Failed(f"{name} is not the name of a binary log")
    return int(found[2])


def _write(path: Path, text: str) -> None:
    scratch = path.with_suffix(".part")
    scratch.write_text(text)
    scratch.replace(path)
