"""Steps at which a process kills itself, as `kill -9` would: each name once, whichever process comes there."""

import os
import signal
import subprocess
import sys
import traceback
from collections import Counter
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).parents[2]


class Dying:
    """`passes`: so often a step is passed before it kills. What has killed is kept as a file in the folder."""

    def __init__(self, folder: Path, *, passes: int) -> None:
        self.folder, self.passes, self.seen = folder, passes, Counter()

    def step(self, name: str) -> None:
        self.seen[name] += 1
        if self.seen[name] <= self.passes:
            return
        try:
            (self.folder / name).touch(exist_ok=False)
        except FileExistsError:
            return
        os.kill(os.getpid(), signal.SIGKILL)

    def around(self, module, name: str) -> None:
        """Put a step before and one after a function of a module."""
        function = getattr(module, name)

        def stepped(*args, **kwargs):
            self.step(f"before-{name}")
            result = function(*args, **kwargs)
            self.step(f"after-{name}")
            return result

        setattr(module, name, stepped)


def lives(live: Callable[[], None]) -> int:
    """Live in one fork after another until it ends by itself; return how many were killed.

    For lives shorter than the import of the program, which is then done once.
    """
    for deaths in range(30):
        if not (child := os.fork()):
            _end_as(live)
        _, status = os.waitpid(child, 0)
        code = os.waitstatus_to_exitcode(status)
        if code == 0:
            return deaths
        assert code == -signal.SIGKILL, code
    raise AssertionError("never done")


def _end_as(live: Callable[[], None]) -> None:
    code = 1
    try:
        live()
        code = 0
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(code)


def run_to_the_end(module: str, folder: Path) -> None:
    """Start a module that dies at its steps, with a SQLite of its own in the folder, again until it ends by itself."""
    environment = os.environ | {
        "DJANGO_SETTINGS_MODULE": "tests.settings",
        "VAR_DIR": str(folder),
        "DATABASE_URL": f"sqlite:///{folder}/mortal.sqlite3",
        "REDIS_URL": "",
        "LOG_LEVEL": "ERROR",
    }
    command = [sys.executable, "-m", module, str(folder)]
    for _ in range(30):
        done = subprocess.run(command, env=environment, cwd=ROOT, timeout=300, capture_output=True, text=True)
        if done.returncode == 0:
            return
        assert done.returncode == -signal.SIGKILL, done.stderr
    raise AssertionError("never done")
