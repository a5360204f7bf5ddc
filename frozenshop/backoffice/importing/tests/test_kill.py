"""`kill -9` between every two steps of a check, a run and an undo: nothing is lost, nothing is there twice."""

import os
import sqlite3
from contextlib import closing

import pytest

from frozenshop.backoffice.importing.tests.mortal import COUNT
from notifications.tests.dying import run_to_the_end

NAMES = ("_perform_many", "perform", "undo_many", "add_rows")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(900),
    pytest.mark.xdist_group("processes"),
    pytest.mark.skipif("mysql" in os.environ.get("DATABASE_URL", ""), reason="the run on the embedded default has it"),
]


def rows(folder, sql):
    with closing(sqlite3.connect(folder / "mortal.sqlite3")) as connection:
        return connection.execute(sql).fetchall()


def test_killed_at_any_step_an_import_ends_whole_and_comes_back_whole(tmp_path):
    run_to_the_end("frozenshop.backoffice.importing.tests.mortal", tmp_path)
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
