"""A full backup: the database, the keys, the log store, files; then what was written since, and old ones go."""

import datetime as dt
import fnmatch
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

from . import binlogs, keys, manifest, mariadb, mongo, retention, settings, status
from .errors import Failed
from .locking import only_one
from .manifest import Manifest
from .mariadb import Server
from .processes import Command
from .repository import Repository, Saved

PART = "part"
DATABASE, KEYS, LOGS, FILES = "database", "keys", "logs", "files"
NAMES = {"physical": "database.xbstream", "logical": "database.sql", KEYS: "keys.sealed", LOGS: "logs.bson"}
HEAD = 65536
SHIP_WAIT_SECONDS = 600
NO_FILES = ("backup", "broker", "*.sqlite3*", "local.env", "demo.json")


def back_up(server: Server, repository: Repository) -> Manifest:
    """Raises Failed, and then nothing of it counts: the former backups stay as they were."""
    method, secrets, passphrase, policy = settings.method(), settings.keys(), settings.passphrase(), settings.keep()
    with only_one(repository.target.spool, manifest.TAG):
        run = dt.datetime.now(dt.UTC).strftime("%Y%m%dT%H%M%S.%f")
        parts = {KEYS: _put_keys(repository, run, keys.seal(secrets, passphrase))}
        saved, (log, position) = (_copy if method == "physical" else _dump)(server, repository, run)
        parts[DATABASE] = saved
        parts |= _others(repository, run)
        at = server.now() + dt.timedelta(seconds=1)
        made = Manifest(run, method, at.isoformat(), server.version(), server.name, log, position, parts)
        _finish(repository, made)
    binlogs.ship(server, repository, wait=SHIP_WAIT_SECONDS)
    status.record(server, status.FULL, at, f"{method}, {parts[DATABASE].size} bytes")
    retention.rotate(repository, policy)
    return made


def _finish(repository: Repository, made: Manifest) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, manifest.NAME)
        path.write_text(made.text())
        repository.put_output(["cat", path], manifest.NAME, [manifest.TAG, f"run={made.run}"], made.instant)


def _copy(server: Server, repository: Repository, run: str) -> tuple[Saved, tuple[str, int]]:
    with tempfile.TemporaryDirectory(prefix="mariabackup-") as scratch:
        saved, words = _put(repository, run, server.copy(Path(scratch)), NAMES["physical"])
    if "completed OK!" not in words:
        raise Failed("mariabackup did not say that it completed")
    return saved, mariadb.position(mariadb.BY_MARIABACKUP, words)


def _dump(server: Server, repository: Repository, run: str) -> tuple[Saved, tuple[str, int]]:
    saved, _ = _put(repository, run, server.dump(), NAMES["logical"])
    head = repository.get_head(saved.snapshot, NAMES["logical"], HEAD)
    return saved, mariadb.position(mariadb.IN_DUMP, head)


def _put_keys(repository: Repository, run: str, sealed: str) -> Saved:
    with tempfile.NamedTemporaryFile("w") as file:
        file.write(sealed)
        file.flush()
        return _put(repository, run, ["cat", file.name], NAMES[KEYS])[0]


def _others(repository: Repository, run: str) -> dict[str, Saved]:
    parts: dict[str, Saved] = {}
    if url := settings.mongodb_url():
        command = [sys.executable, mongo.__file__, "dump"]
        parts[LOGS], _ = _put(repository, run, command, NAMES[LOGS], extra={"MONGODB_URL": url})
    folder = settings.var_dir()
    if folder.is_dir() and any(not _left_out(path.name) for path in folder.iterdir()):
        excluded = [f"--exclude={folder / name}" for name in NO_FILES]
        parts[FILES] = repository.put_folder(folder, [PART, f"run={run}"], dt.datetime.now(dt.UTC), *excluded)
    return parts


def _left_out(name: str) -> bool:
    return any(fnmatch.fnmatch(name, pattern) for pattern in NO_FILES)


def _put(
    repository: Repository, run: str, command: Command, name: str, *, extra: Mapping[str, str] | None = None
) -> tuple[Saved, str]:
    return repository.put_output(command, name, [PART, f"run={run}"], dt.datetime.now(dt.UTC), extra=extra)
