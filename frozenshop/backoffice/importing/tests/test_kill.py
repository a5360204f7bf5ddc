"""`kill -9` between every two steps of a check, a run and an undo: nothing is lost, nothing is there twice."""

import os
import sqlite3
from contextlib import closing

import pytest

from frozenshop.backoffice.importing.tests.mortal import COUNT, WRONG
from notifications.tests.dying import run_to_the_end

NAMES = ("_perform_many", "undo_many", "add_rows")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(900),
    pytest.mark.xdist_group("processes"),
    pytest.mark.skipif("mysql" in os.environ.get("DATABASE_URL", ""), reason="the run on the embedded default has it"),
]


def rows(folder, sql):
    with closing(sqlite3.connect(folder / "mortal.sqlite3")) as connection:
        return connection.execute(sql).fetchall()


def killed_everywhere(folder, *names):
    """Check that an import and its undo, killed at every step, have done each row once."""
    run_to_the_end("frozenshop.backoffice.importing.tests.mortal", folder)
    assert {path.name for path in folder.iterdir()} >= {
        f"{when}-{name}" for when in ("before", "after") for name in (*NAMES, *names)
    }
    assert (folder / "counted").read_text() == str(COUNT)
    imported, undone = rows(
        folder, "SELECT state, total, done, refused FROM backoffice_batch WHERE kind='import' ORDER BY id"
    )
    assert imported == undone == ("done", COUNT, COUNT, 0)


def test_killed_at_any_step_an_import_ends_whole_and_comes_back_whole(tmp_path):
    killed_everywhere(tmp_path, "perform")
    assert rows(tmp_path, "SELECT COUNT(*) FROM orders_order") == [(0,)]
    assert rows(tmp_path, "SELECT COUNT(*) FROM logistics_shipment") == [(0,)]


def test_killed_at_any_step_corrections_are_taken_back_whole(tmp_path):
    (tmp_path / "corrections").touch()
    killed_everywhere(tmp_path, "correct")
    live = "SELECT waybill_no FROM logistics_shipment WHERE voided_at IS NULL ORDER BY id"
    assert rows(tmp_path, live) == [(f"{WRONG}{n:02}",) for n in range(COUNT)]
    assert rows(tmp_path, "SELECT COUNT(*) FROM orders_order WHERE status != 'shipped'") == [(0,)]
    history = "SELECT kind, COUNT(*) FROM orders_orderevent WHERE kind IN ('shipped', 'voided') GROUP BY kind"
    assert dict(rows(tmp_path, history)) == {"shipped": 3 * COUNT, "voided": 2 * COUNT}
