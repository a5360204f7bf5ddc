"""Files that hold what the store didn't take, until it does: in segments, each locked by the process that writes it.

A process that was killed leaves its segment unlocked; any other one writes it into the store. What is beyond the cap
is dropped, oldest first, and counted.
"""

import fcntl
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from django.conf import settings

from frozenshop.kernel import clock
from frozenshop.kernel.logstore import entries
from frozenshop.kernel.logstore.entries import Entry

MIB = 1024 * 1024
SEGMENTS, LARGEST_SEGMENT = 16, 4 * MIB
"""Into how many at least the cap is cut, so that little is dropped at once, and little is read at once."""
SUFFIX = ".jsonl"
DROPS = "dropped"
MOST_DROPS = 64 * 1024


def folder() -> Path:
    return Path(settings.VAR_DIR) / "log-spool"


def waiting(where: Path | None = None) -> list[Path]:
    """Return the segments, oldest first."""
    return sorted((where or folder()).glob(f"*{SUFFIX}"))


def size(where: Path | None = None) -> int:
    return sum(_size(path) for path in waiting(where))


class Spool:
    """This process's way to the folder. Not for several threads at once."""

    def __init__(self) -> None:
        self._folder, self._cap = folder(), settings.LOG_SPOOL_MB * MIB
        self._active: tuple[Path, int] | None = None

    def append(self, batch: Sequence[Entry]) -> int:
        """Write down, and return how many entries were dropped, here or of the oldest. Raises OSError (disk full)."""
        data = b"".join(map(entries.to_line, batch))
        dropped = self._make_room(len(data))
        if size(self._folder) + len(data) > self._cap:
            return dropped + len(batch)
        path, file = self._segment()
        _write(file, data)
        if _size(path) >= min(self._cap // SEGMENTS, LARGEST_SEGMENT):
            self.close()
        return dropped

    def drain(self, insert: Callable[[list[Entry]], None], batch: int) -> Iterator[int]:
        """Hand over segments that nobody writes to, and yield after each how many lines of it were unreadable.

        A segment stays until the last of it was taken: `insert` must bear to be given an entry twice.
        """
        self.close()
        for path in waiting(self._folder):
            with _claimed(path) as file:
                if file is None:
                    continue
                with open(file, "rb", closefd=False) as lines:
                    unreadable = _hand_over(lines, insert, batch)
                path.unlink(missing_ok=True)
            yield unreadable

    def close(self) -> None:
        """Let others have what was written."""
        if self._active:
            os.close(self._active[1])
            self._active = None

    def _segment(self) -> tuple[Path, int]:
        """A segment gets its name once it is locked, so that nobody takes it from under its writer."""
        if self._active is None:
            self._folder.mkdir(parents=True, exist_ok=True)
            name = f"{entries.new_id(clock.now())}{SUFFIX}"
            draft = self._folder / f"{name}.draft"
            file = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o600)
            fcntl.flock(file, fcntl.LOCK_EX)
            self._active = draft.rename(self._folder / name), file
        return self._active

    def _make_room(self, needed: int) -> int:
        dropped, total = 0, size(self._folder)
        for path in waiting(self._folder):
            if total + needed <= self._cap:
                break
            if self._active and path == self._active[0]:
                self.close()
            with _claimed(path) as file:
                if file is not None:
                    total -= _size(path)
                    dropped += path.read_bytes().count(b"\n")
                    path.unlink(missing_ok=True)
        return dropped


def note_drops(count: int) -> None:
    """Leave word for whoever asks from outside this process. Never fails: a full disk may be the reason."""
    path = folder() / DROPS
    with suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        if _size(path) > MOST_DROPS:
            path.unlink()
        with path.open("a") as file:
            file.write(f"{int(clock.now().timestamp())} {count}\n")


def drops_since(timestamp: float) -> int:
    """Return how many entries were dropped on this machine since then, as far as it could be written down."""
    try:
        rows = [line.split() for line in (folder() / DROPS).read_text().splitlines()]
    except OSError:
        return 0
    return sum(int(row[1]) for row in rows if len(row) == 2 and int(row[0]) >= timestamp)


def _hand_over(lines: Iterable[bytes], insert: Callable[[list[Entry]], None], batch: int) -> int:
    found: list[Entry] = []
    unreadable = 0
    for line in lines:
        try:
            found.append(entries.from_line(line))
        except ValueError:  # the last one of a process that was killed
            unreadable += 1
        if len(found) >= batch:
            insert(found)
            found = []
    insert(found)
    return unreadable


def _write(file: int, data: bytes) -> None:
    """Write all of it or nothing: half a line would spoil the next one."""
    before = os.fstat(file).st_size
    try:
        while data:
            data = data[os.write(file, data) :]
    except OSError:
        os.ftruncate(file, before)
        raise


@contextmanager
def _claimed(path: Path) -> Iterator[int | None]:
    """Give the locked segment, or None while another process has it or has just removed it."""
    try:
        file = os.open(path, os.O_RDONLY)
    except FileNotFoundError:
        yield None
        return
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield file if os.fstat(file).st_nlink else None
    except BlockingIOError:
        yield None
    finally:
        os.close(file)


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0
