"""`kill -9` between every two steps of a batch: no row is done twice, none is left."""

import os
import sqlite3
from collections import Counter
from contextlib import closing

import pytest

from frozenshop.backoffice.batches.tests.mortal import COUNT
from notifications.tests.dying import run_to_the_end

STEPS = {f"{when}-{what}" for when in ("before", "after") for what in ("_perform", "_do", "_refuse", "ask")}
pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(900),
    pytest.mark.xdist_group("processes"),
    pytest.mark.skipif("mysql" in os.environ.get("DATABASE_URL", ""), reason="the run on the embedded default has it"),
]


def rows(folder, sql):
    with closing(sqlite3.connect(folder / "mortal.sqlite3")) as connection:
        return Counter(connection.execute(sql).fetchall())


def test_killed_at_any_step_each_row_has_one_end(tmp_path):
    run_to_the_end("frozenshop.backoffice.batches.tests.mortal", tmp_path)
    assert {path.name for path in tmp_path.iterdir()} >= STEPS
    refused = COUNT // 2
    assert rows(tmp_path, "SELECT state, done, refused FROM backoffice_batch") == {
        ("done", COUNT - refused, refused): 1
    }
    assert rows(tmp_path, "SELECT order_no FROM backoffice_ordernote") == {
        (f"A{n}",): 1 for n in range(COUNT) if not n % 2
    }
    assert rows(tmp_path, "SELECT state FROM backoffice_batchrow") == {
        ("done",): COUNT - refused,
        ("refused",): refused,
    }
    assert rows(tmp_path, "SELECT action FROM kernel_auditentry WHERE action LIKE 'batch%'") == {("batch.finished",): 1}
