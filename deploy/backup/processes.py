"""Other programs, started so that none outlives us and no failure goes unseen."""

import os
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO

from .errors import Failed

Command = Sequence[str | Path]
SERIOUS = ("error", "fatal", "failed")
LEASH = ("setpriv", "--pdeathsig", "KILL")
"""Whoever kills us ends them too: an orphan would go on reading a server or writing into the repository."""


def run(command: Command, *, extra: Mapping[str, str] | None = None, cwd: Path | None = None) -> str:
    """Return what the command printed. Raises Failed with its last words."""
    return pipe([command], extra=extra, cwd=cwd)[0]


def pipe(
    commands: Sequence[Command],
    *,
    extra: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    cut: bool = False,
) -> tuple[str, str]:
    """Run commands joined by pipes; return the output of the last and the complaints of the first.

    `cut`: the last may stop reading early. Raises Failed with the last words of the one that caused the failure.
    """
    environment = {**os.environ, "TZ": "UTC", "LC_ALL": "C.UTF-8", **(extra or {})}
    running: list[subprocess.Popen[bytes]] = []
    words: list[IO[bytes]] = []
    with tempfile.TemporaryFile() as output:
        try:
            feed: IO[bytes] | int | None = subprocess.DEVNULL
            for command in commands:
                words.append(tempfile.TemporaryFile())  # noqa: SIM115 (closed below)
                out = output if len(running) == len(commands) - 1 else subprocess.PIPE
                running.append(_start(command, feed, out, words[-1], environment, cwd))
                if not isinstance(feed, int) and feed:
                    feed.close()
                feed = running[-1].stdout
            codes = [process.wait() for process in running]
            told = [_read(file) for file in words]
            _refuse(commands, codes[-1:] if cut else codes, told)
            return _read(output), told[0]
        finally:
            for process in running:
                process.kill()
                process.wait()
            for file in words:
                file.close()


def _start(
    command: Command,
    feed: IO[bytes] | int | None,
    out: IO[bytes] | int,
    words: IO[bytes],
    environment: Mapping[str, str],
    cwd: Path | None,
) -> subprocess.Popen[bytes]:
    try:
        arguments = [*LEASH, *map(str, command)]
        return subprocess.Popen(arguments, stdin=feed, stdout=out, stderr=words, env=environment, cwd=cwd)
    except FileNotFoundError:
        raise Failed(f"{LEASH[0]} is not installed") from None


def _refuse(commands: Sequence[Command], codes: Sequence[int], told: Sequence[str]) -> None:
    """Raise Failed if any failed. Of several, the one that only lost its reader is not the cause."""
    offset = len(commands) - len(codes)
    failed = [offset + number for number, code in enumerate(codes) if code]
    if failed:
        causes = [number for number in failed if not _lost_its_reader(codes[number - offset], told[number])] or failed
        number = causes[0]
        name, words = Path(commands[number][0]).name, _last_words(told[number], codes[number - offset])
        raise Failed(f"{name}: {words}", "\n".join(told))


def _lost_its_reader(code: int, told: str) -> bool:
    return code in (-13, 141) or "broken pipe" in told.lower() or "errno: 32" in told.lower()


def _last_words(told: str, code: int) -> str:
    lines = [line.strip() for line in told.splitlines() if line.strip()]
    serious = [line for line in lines if any(word in line.lower() for word in SERIOUS)] or lines
    return serious[-1][:400] if serious else f"ended with {code}"


def _read(file: IO[bytes]) -> str:
    file.seek(0)
    return file.read().decode(errors="replace")
