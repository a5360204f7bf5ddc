"""What a process holds while the soak goes on: memory and open files, and whether they grow."""

import statistics
import threading
from collections import defaultdict
from contextlib import suppress
from pathlib import Path

from benchmarks.soak.stack import Stack

EVERY_SECONDS = 10.0
WATCHED = ("web-a", "worker-a", "relay-a", "beat-a")
GROWTH, SLACK_MB, SLACK_FILES = 1.10, 15.0, 15
"""The last quarter may hold a tenth more than the second (the first warms up), and a little besides."""


class Watch(threading.Thread):
    def __init__(self, stack: Stack) -> None:
        super().__init__(daemon=True)
        self.stack, self.stop = stack, threading.Event()
        self.memory_mb: defaultdict[str, list[float]] = defaultdict(list)
        self.files: defaultdict[str, list[int]] = defaultdict(list)

    def run(self) -> None:
        while not self.stop.wait(EVERY_SECONDS):
            for name in WATCHED:
                held = [held_by(pid) for pid in self.stack.pids(name)]
                self.memory_mb[name].append(sum(memory for memory, _ in held))
                self.files[name].append(sum(files for _, files in held))

    def summary(self) -> dict[str, dict[str, float]]:
        """Return, by process, the median memory (MB) and files of the second and of the last quarter."""
        told = {}
        for name in WATCHED:
            memory, files = quarters(self.memory_mb[name]), quarters(self.files[name])
            told[name] = {"mb_then": memory[0], "mb_now": memory[1], "files_then": files[0], "files_now": files[1]}
        return told

    def grown(self) -> list[str]:
        return [
            f"{name}: {held}"
            for name, held in self.summary().items()
            if held["mb_now"] > held["mb_then"] * GROWTH + SLACK_MB
            or held["files_now"] > held["files_then"] * GROWTH + SLACK_FILES
        ]


def quarters(values: list[float] | list[int]) -> tuple[float, float]:
    size = max(len(values) // 4, 1)
    return round(statistics.median(values[size : 2 * size] or [0]), 1), round(
        statistics.median(values[-size:] or [0]), 1
    )


def held_by(pid: int) -> tuple[float, int]:
    """Return a process's resident memory in MB (shared pages by their share) and its open files."""
    memory, files = 0.0, 0
    with suppress(OSError):
        rollup = Path(f"/proc/{pid}/smaps_rollup").read_text()
        memory = next(int(line.split()[1]) for line in rollup.splitlines() if line.startswith("Pss:")) / 1024
        files = len(list(Path(f"/proc/{pid}/fd").iterdir()))
    return memory, files
