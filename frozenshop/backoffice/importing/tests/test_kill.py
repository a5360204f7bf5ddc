"""`kill -9` between every two steps of a check, a run and an undo: nothing is lost, nothing is there twice."""

import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from frozenshop.backoffice.importing.tests.mortal import COUNT

ROOT = Path(__file__).parents[4]
NAMES = ("_perform_many", "perform", "undo", "add_rows")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(900),
    pytest.mark.xdist_group("processes"),
    pytest.mark.skipif("mysql" in os.environ.get("DATABASE_URL", ""), reason="the run on the embedded default has it"),
]


def run(folder):
    """Start the worker again until it ends by itself."""
    environment = os.environ | {
        "DJANGO_SETTINGS_MODULE": "tests.settings",
        "VAR_DIR": str(folder),
        "DATABASE_URL": f"sqlite:///{folder}/mortal.sqlite3",
        "REDIS_URL": "",
        "LOG_LEVEL": "ERROR",
    }
    command = [sys.executable, "-m", "frozenshop.backoffice.importing.tests.mortal", str(folder)]
    for _ in range(30):
        done = subprocess.run(command, env=environment, cwd=ROOT, timeout=300, capture_output=True, text=True)
        if done.returncode == 0:
            return
        assert done.returncode == -9, done.stderr
    raise AssertionError("never done")


def rows(folder, sql):
    with closing(sqlite3.connect(folder / "mortal.sqlite3")) as connection:
        return connection.execute(sql).fetchall()


def test_killed_at_any_step_an_import_ends_whole_and_comes_back_whole(tmp_path):
    run(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} >= {
        f"{when}-{name}" for when in ("before", "after") for name in NAMES
    }
    assert (tmp_path / "counted").read_text() == str(COUNT)
    imported, undone = rows(
        tmp_path, "SELECT state, total, done, refused FROM backoffice_batch WHERE kind='import' ORDER BY id"
    )
    assert imported == undone == ("done", COUNT, COUNT, 0)
    assert rows(tmp_path, "SELECT COUNT(*) FROM orders_order") == [(0,)]
    assert rows(tmp_path, "SELECT COUNT(*) FROM logistics_shipment") == [(0,)]
