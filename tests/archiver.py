"""`python -m tests.archiver FOLDER STEP:PASSES …`: archive, dying as by `kill -9` at each step; then to the end.

A child for each step, so that Django is set up once. Prints how each child ended.
"""

import os
import sys
from pathlib import Path

import django

django.setup()

from logistics.archive import candidates, moving, snapshots  # noqa: E402
from logistics.archive.tests.factories import archive  # noqa: E402
from notifications.tests.dying import Dying  # noqa: E402

PLACES = {
    **dict.fromkeys(("free", "compose", "store", "insert", "count"), moving),
    **dict.fromkeys(("read", "delete"), snapshots.Rows),
    "lock": candidates,
}
STEPS = [f"{when}-{name}" for name in ("lock", "free", "read", "compose", "store", "insert", "delete", "count")
         for when in ("before", "after")]  # fmt: skip


class DyingAt(Dying):
    """Only at one step."""

    def __init__(self, folder: Path, wanted: str, *, passes: int) -> None:
        super().__init__(folder, passes=passes)
        self.wanted = wanted

    def step(self, name: str) -> None:
        if name == self.wanted:
            super().step(name)


def run(folder: Path, step: str = "", passes: int = 0) -> None:
    if step:
        name = step.partition("-")[2]
        folder.mkdir(parents=True)
        DyingAt(folder, step, passes=passes).around(PLACES[name], name)
    archive(size=3)


def in_child(*arguments: object) -> int:
    """Return the signal that ended it, 0 where it came to its end, -1 where it broke."""
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            run(*arguments)  # type: ignore[arg-type]
            code = 0
        finally:
            os._exit(code)
    status = os.waitpid(pid, 0)[1]
    return os.WTERMSIG(status) if os.WIFSIGNALED(status) else -os.WEXITSTATUS(status)


def main(folder: Path, wanted: list[str]) -> None:
    for number, one in enumerate(wanted):
        step, _, passes = one.partition(":")
        print(step, in_child(folder / str(number), step, int(passes)), flush=True)
    print("end", in_child(folder), flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
