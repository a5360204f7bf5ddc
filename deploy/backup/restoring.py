"""Restoring to a chosen second. What is asked for is there whole at the end, or nothing is and a sentence says why."""

import contextlib
import datetime as dt
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from . import binlogs, keys, manifest, mongo, private, settings
from .binlogs import Shipped
from .errors import Failed
from .full import DATABASE, FILES, KEYS, LOGS, NAMES
from .manifest import Manifest
from .mariadb import Server
from .processes import pipe, run
from .repository import Repository, Saved

MEMORY = "512M"
OF_NO_ACCOUNT = ("lost+found", ".restoring", ".restoring.binlogs")
REPLAYING = (
    *("--skip-networking", "--skip-log-bin", "--skip-slave-start", "--innodb-flush-log-at-trx-commit=0"),
    *(f"--innodb-buffer-pool-size={MEMORY}", "--innodb-log-file-size=512M", "--max-allowed-packet=1G"),
)


@dataclass(frozen=True, slots=True)
class Plan:
    """A full backup, the logs that follow it, and the instant to stop at (None: where they end)."""

    manifest: Manifest
    chains: list[tuple[str, Shipped]]
    until: dt.datetime | None

    @property
    def reached(self) -> dt.datetime:
        return self.until or self.chains[-1][1].until


def plan(repository: Repository, until: dt.datetime | None, run_id: str = "") -> Plan:
    """Choose the newest full backup before the instant, or the named one, and the chains from it on to the instant."""
    snapshots = repository.snapshots()
    fulls = [one for one in snapshots if manifest.TAG in one.tags and run_id in ("", one.run)]
    fitting = [one for one in fulls if until is None or one.at <= until]
    if not fitting:
        first = f"the oldest is of {fulls[0].at:%Y-%m-%d %H:%M:%S} UTC" if fulls else "there is none"
        raise Failed(f"no full backup is older than the chosen second: {first}")
    chosen = manifest.read(repository, fitting[-1])
    newest = {one.run: one.id for one in snapshots if binlogs.TAG in one.tags and one.run >= chosen.run}
    return Plan(chosen, list(_chains(repository, chosen, until, newest)), until)


def _chains(
    repository: Repository, chosen: Manifest, until: dt.datetime | None, newest: dict[str, str]
) -> Iterator[tuple[str, Shipped]]:
    reached = None
    for run_id in sorted(newest):
        shipped = binlogs.read_shipped(repository.text(newest[run_id], binlogs.TOLD))
        yield newest[run_id], shipped
        reached = shipped.until
        if until and reached >= until:
            return
    if reached is None:
        raise Failed(f"no binary log was shipped after the full backup {chosen.run}")
    if until:
        raise Failed(f"the shipped binary logs reach to {reached:%Y-%m-%d %H:%M:%S} UTC only: choose that or `latest`")


def open_keys(repository: Repository, chosen: Manifest) -> dict[str, str]:
    sealed = repository.text(chosen.part(KEYS).snapshot, NAMES[KEYS])
    return keys.open_sealed(sealed, settings.passphrase())


def write_keys(found: dict[str, str], path: Path) -> None:
    path.touch(0o600, exist_ok=False)
    path.write_text(keys.as_environment(found))


def into_folder(repository: Repository, chosen: Plan, data: Path) -> None:
    """Make a server's data folder. Raises Failed and leaves none where anything is missing or doesn't fit."""
    if data.is_dir() and any(path.name not in OF_NO_ACCOUNT for path in data.iterdir()):
        raise Failed(f"{data} is not empty")
    scratch = data / ".restoring" if data.is_dir() else data.with_name(f"{data.name}.restoring")
    shutil.rmtree(scratch, ignore_errors=True)
    try:
        with _logs(repository, chosen, scratch.with_suffix(".binlogs")) as logs:
            _unpack(repository, chosen.manifest, scratch)
            with private.started(scratch, chosen.manifest.database, REPLAYING, defaults=_defaults(scratch)) as server:
                _replay(server, logs, chosen, only=False)
        _put_in_place(scratch, data)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _put_in_place(scratch: Path, data: Path) -> None:
    """A folder that is there already may be a volume, which can't be replaced: it is filled."""
    if not data.is_dir():
        scratch.rename(data)
        return
    for path in scratch.iterdir():
        path.rename(data / path.name)


def _unpack(repository: Repository, chosen: Manifest, folder: Path) -> None:
    folder.mkdir(mode=0o700, parents=True)
    saved = chosen.part(DATABASE)
    name = NAMES[chosen.method]
    refuse_other_size(repository, saved, name)
    say(f"unpacking {saved.size / 1e9:.2f} GB")
    repository.get_into(saved.snapshot, name, ["mbstream", "--extract", f"--directory={folder}", "--parallel=2"])
    say("preparing")
    run(["mariabackup", "--prepare", f"--target-dir={folder}", f"--use-memory={MEMORY}"])


def _defaults(folder: Path) -> Path:
    """Return the options with which the copied server wrote its files (page size and the like)."""
    return folder / "backup-my.cnf"


def refuse_other_size(repository: Repository, saved: Saved, name: str) -> None:
    found = repository.names(saved.snapshot).get(name, "no")
    if found != saved.size:
        raise Failed(f"{name} of the backup has {found} bytes, not {saved.size}: it is not whole")


def into_server(repository: Repository, chosen: Plan, target: Server) -> None:
    """Fill an empty database of a running server from a logical backup; on failure it is empty again."""
    if chosen.manifest.database != target.name:
        raise Failed(f"the backup is of the database {chosen.manifest.database}: name the target like it")
    if target.ask(f"SELECT COUNT(*) FROM information_schema.tables WHERE table_schema = '{target.name}'") != [["0"]]:
        raise Failed(f"the database {target.name} is not empty")
    saved, name = chosen.manifest.part(DATABASE), NAMES["logical"]
    refuse_other_size(repository, saved, name)
    try:
        with tempfile.TemporaryDirectory() as folder, _logs(repository, chosen, Path(folder, "binlogs")) as logs:
            say(f"loading {saved.size / 1e9:.2f} GB")
            repository.get_into(saved.snapshot, name, target.client(target.name))
            _replay(target, logs, chosen, only=True)
    except BaseException:
        _empty(target)
        raise


def _empty(target: Server) -> None:
    with contextlib.suppress(Failed):
        target.ask(f"DROP DATABASE {target.name}; CREATE DATABASE {target.name} CHARACTER SET utf8mb4")


def get_files(repository: Repository, chosen: Manifest, folder: Path) -> None:
    if FILES in chosen.parts:
        repository.get_folder(chosen.part(FILES).snapshot, folder)


def load_logs(repository: Repository, chosen: Manifest, url: str) -> None:
    """Fill an empty MongoDB database with the log store as it was at the full backup."""
    saved = chosen.part(LOGS)
    command = [sys.executable, mongo.__file__, "load"]
    repository.get_into(saved.snapshot, NAMES[LOGS], command, extra={"MONGODB_URL": url})


@contextlib.contextmanager
def _logs(repository: Repository, chosen: Plan, folder: Path) -> Iterator[list[Path]]:
    """Fetch the binary logs of the chains and refuse what is not whole, before anything large is touched."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(mode=0o700, parents=True)
    try:
        sizes: dict[str, int] = {}
        for snapshot, shipped in chosen.chains:
            repository.get_folder(snapshot, folder)
            refuse_incomplete(shipped, {path.name: path.stat().st_size for path in folder.iterdir()})
            sizes |= shipped.logs
        binlogs.refuse_gaps(sizes, chosen.manifest.log)
        say(f"{len(sizes)} binary logs of {sum(sizes.values()) / 1e6:.1f} MB")
        yield [folder / name for name in sorted(sizes, key=binlogs.number)]
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def refuse_incomplete(shipped: Shipped, sizes: dict[str, int]) -> None:
    binlogs.refuse_gaps(shipped.logs, shipped.first)
    for name, size in shipped.logs.items():
        if sizes.get(name) != size:
            raise Failed(f"the binary log {name} has {sizes.get(name, 'no')} bytes, not {size}: it is not whole")


def _replay(server: Server, logs: list[Path], chosen: Plan, *, only: bool) -> None:
    say(f"replaying the binary logs until {chosen.reached:%Y-%m-%d %H:%M:%S} UTC")
    command = server.replay(logs, chosen.manifest.position, chosen.until, only=only)
    pipe([command, server.client()])


_began = time.monotonic()


def say(what: str) -> None:
    print(f"{time.monotonic() - _began:6.1f} s  {what}", flush=True)
