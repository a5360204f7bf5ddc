"""One at a time: a lock that ends with its process, however that ends."""

import contextlib
import fcntl
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from .errors import Failed

PAUSE_SECONDS = 0.5


@contextlib.contextmanager
def only_one(spool: Path, what: str, *, wait: float = 0) -> Iterator[None]:
    """Raise Failed where another process does it, and still does after `wait` seconds."""
    spool.mkdir(parents=True, exist_ok=True)
    deadline = time.monotonic() + wait
    with (spool / f"{what}.lock").open("w") as file:
        while not _taken(file):
            if time.monotonic() >= deadline:
                raise Failed(f"another `{what}` is under way")
            time.sleep(PAUSE_SECONDS)
        yield


def _taken(file: IO[str]) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
