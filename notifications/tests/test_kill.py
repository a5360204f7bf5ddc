"""`kill -9` between every two steps of sending: nobody is told twice, and what was cut off is settled or in doubt."""

import os
import sqlite3
import subprocess
import sys
from collections import Counter
from contextlib import closing
from pathlib import Path

import pytest

from notifications.tests.mortal import COUNT

ROOT = Path(__file__).parents[2]
STEPS = {"before-claim", "after-claim", "before-call", "taken", "before-answered", "before-_taken", "after-_taken",
         "after-answered"}  # fmt: skip
pytestmark = [
    pytest.mark.xdist_group("processes"),
    pytest.mark.skipif("mysql" in os.environ.get("DATABASE_URL", ""), reason="the run on the embedded default has it"),
]


def run(folder, askable):
    """Live until all is told; return how often it was killed."""
    environment = os.environ | {
        "DJANGO_SETTINGS_MODULE": "tests.settings",
        "VAR_DIR": str(folder),
        "DATABASE_URL": f"sqlite:///{folder}/mortal.sqlite3",
        "REDIS_URL": "",
        "NOTIFY_THREADS": "1",
        "LOG_LEVEL": "ERROR",
    }
    command = [sys.executable, "-m", "notifications.tests.mortal", str(folder), askable]
    done = subprocess.run(command, env=environment, cwd=ROOT, timeout=90, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return int(done.stdout)


def rows(folder, sql):
    with closing(sqlite3.connect(folder / "mortal.sqlite3")) as connection:
        return Counter(connection.execute(sql).fetchall())


def told(folder):
    return Counter(line.split()[0] for line in (folder / "taken").read_text().splitlines())


def died_at(folder):
    return {path.name for path in folder.iterdir()} & (STEPS | {"before-reported", "after-reported"})


def test_without_an_answer_to_our_question_what_was_cut_off_stays_in_doubt(tmp_path):
    deaths = run(tmp_path, "silent")
    assert died_at(tmp_path) == STEPS
    assert max(told(tmp_path).values()) == 1
    states = rows(tmp_path, "SELECT state, why FROM notifications_notice")
    doubtful = states["not_told", "unknown"]
    assert states == {("told", ""): COUNT - doubtful, ("not_told", "unknown"): doubtful}
    assert 0 < doubtful <= deaths
    assert rows(tmp_path, "SELECT state FROM notifications_delivery") == {
        ("sent",): COUNT - doubtful,
        ("unknown",): doubtful,
    }


def test_with_an_answer_everybody_is_told_once(tmp_path):
    run(tmp_path, "askable")
    assert died_at(tmp_path) >= STEPS
    assert told(tmp_path) == Counter(str(number) for number in range(COUNT))
    assert rows(tmp_path, "SELECT state, why FROM notifications_notice") == {("told", ""): COUNT}
