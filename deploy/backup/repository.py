"""The restic repository: what is in it, and putting things in and out.

A full backup is a *run*: several snapshots with the tag `run=<id>`, of which the one with the tag `full` (its manifest)
is written last. A run without a manifest never came to its end and does not count.
"""

import datetime as dt
import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .errors import Failed, Locked
from .processes import Command, pipe
from .settings import Target

HOST = "frozenshop"
"""One name for all pods and machines: restic looks for the former snapshot of the same host."""
READING = ("--no-lock",)
"""Who only reads waits for nobody: a lock that a lost machine left behind must not keep anybody from restoring."""
LOCK_WAIT_SECONDS = 240
LOCK_PAUSE_SECONDS = 5
SENTENCES = {
    "wrong password": "BACKUP_PASSWORD does not open the repository",
    "Is there a repository": "there is no repository at BACKUP_REPOSITORY, or it can't be reached"
    " (a new one is made by `init`)",
}


@dataclass(frozen=True, slots=True)
class Snapshot:
    """One entry of the repository; `at` is the instant that it stands for."""

    id: str
    at: dt.datetime
    tags: frozenset[str]

    @property
    def run(self) -> str:
        return next((tag[4:] for tag in self.tags if tag.startswith("run=")), "")


@dataclass(frozen=True, slots=True)
class Saved:
    """What one `put` left behind."""

    snapshot: str
    size: int


class Repository:
    def __init__(self, target: Target) -> None:
        self.target = target
        self.environment = {
            "RESTIC_REPOSITORY": target.repository,
            "RESTIC_PASSWORD": target.password,
            "RESTIC_CACHE_DIR": str(target.spool / "cache"),
            "RESTIC_PASSWORD_FILE": "",
            "RESTIC_PASSWORD_COMMAND": "",
        }

    def init(self) -> None:
        self._restic("init")

    def snapshots(self, *tags: str) -> list[Snapshot]:
        """Return the snapshots that carry all these tags, oldest first."""
        rows = json.loads(self._restic("snapshots", "--json", *READING)) or []
        found = [snapshot for snapshot in map(_snapshot, rows) if snapshot.tags >= {*tags}]
        return sorted(found, key=lambda snapshot: snapshot.at)

    def put_output(
        self,
        command: Command,
        name: str,
        tags: Sequence[str],
        at: dt.datetime,
        *,
        extra: Mapping[str, str] | None = None,
    ) -> tuple[Saved, str]:
        """Keep what the command prints; return what was kept, and its complaints. A failed command leaves no trace
        that counts: its snapshot belongs to a run without manifest."""
        restic = ["restic", "backup", "--stdin", "--stdin-filename", name, *_labels(tags, at)]
        environment = {**self.environment, **(extra or {})}
        out, words = self._waiting(lambda: pipe([command, restic], extra=environment))
        return _saved(out), words

    def put_folder(self, folder: Path, tags: Sequence[str], at: dt.datetime, *options: str) -> Saved:
        """Keep the content of a folder (with its names relative to it)."""
        restic = ["restic", "backup", ".", *_labels(tags, at), *options]
        return _saved(self._waiting(lambda: pipe([restic], extra=self.environment, cwd=folder))[0])

    def text(self, snapshot: str, name: str) -> str:
        return self._restic("dump", *READING, snapshot, name)

    def get_into(self, snapshot: str, name: str, command: Command, *, extra: Mapping[str, str] | None = None) -> None:
        """Feed a kept file to a command."""
        environment = {**self.environment, **(extra or {})}
        self._waiting(lambda: pipe([["restic", "dump", *READING, snapshot, name], command], extra=environment))

    def get_head(self, snapshot: str, name: str, length: int) -> str:
        """Return the beginning of a kept file."""
        commands = [["restic", "dump", *READING, snapshot, name], ["head", "-c", str(length)]]
        return pipe(commands, extra=self.environment, cut=True)[0]

    def get_folder(self, snapshot: str, folder: Path) -> None:
        self._restic("restore", *READING, snapshot, "--target", str(folder))

    def names(self, snapshot: str) -> dict[str, int]:
        """Return the files of a snapshot with their sizes."""
        rows = [json.loads(line) for line in self._restic("ls", *READING, snapshot, "--json").splitlines()]
        return {row["path"].lstrip("/"): int(row.get("size", 0)) for row in rows if row.get("type") == "file"}

    def forget(self, snapshots: Sequence[str]) -> None:
        if snapshots:
            self._restic("forget", *snapshots)

    def forget_old(self, tag: str, policy: Sequence[str]) -> None:
        self._restic("forget", "--tag", tag, "--group-by", "host", *policy)

    def prune(self) -> None:
        """Give back the room of what was forgotten."""
        self._restic("prune", "--quiet")

    def unlock(self) -> None:
        """Take away the locks of killed processes; restic knows them by their age, or that nobody has their number."""
        self._restic("unlock")

    def check(self, percent: int) -> None:
        self._restic("check", *([f"--read-data-subset={percent}%"] if percent else []))

    def _restic(self, *arguments: str) -> str:
        return self._waiting(lambda: pipe([["restic", *arguments]], extra=self.environment))[0]

    def _waiting(self, work: Callable[[], tuple[str, str]]) -> tuple[str, str]:
        """Do it; while another process has the repository to itself (pruning), try again for some minutes."""
        deadline = time.monotonic() + LOCK_WAIT_SECONDS
        while True:
            try:
                out, words = work()
                return out, words
            except Failed as error:
                told = _sentence(error)
                if not isinstance(told, Locked) or time.monotonic() > deadline:
                    raise told from None
            time.sleep(LOCK_PAUSE_SECONDS)


def _sentence(error: Failed) -> Failed:
    if "already locked" in error.told:
        return Locked("another process has the repository to itself")
    return next((Failed(sentence) for words, sentence in SENTENCES.items() if words in error.told), error)


def _labels(tags: Sequence[str], at: dt.datetime) -> list[str]:
    instant = at.astimezone(dt.UTC).strftime("%Y-%m-%d %H:%M:%S")
    return ["--json", "--quiet", "--host", HOST, "--tag", ",".join(tags), "--time", instant]


def _saved(out: str) -> Saved:
    summary = json.loads(out.splitlines()[-1])
    return Saved(summary["snapshot_id"], int(summary["total_bytes_processed"]))


def _snapshot(row: dict[str, Any]) -> Snapshot:
    at = dt.datetime.fromisoformat(row["time"][:19] + "+00:00")
    return Snapshot(row["id"], at, frozenset(row.get("tags") or ()))
