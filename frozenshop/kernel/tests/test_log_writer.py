"""Nobody waits for the logs; nothing that was taken is lost but by a kill, and nothing is there twice."""

import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from prometheus_client import REGISTRY

from frozenshop.kernel import logstore
from frozenshop.kernel.logstore import spool, stores, writer
from frozenshop.kernel.logstore.entries import Kind
from frozenshop.kernel.tests import logs
from frozenshop.kernel.tests.mongo import Hanging, Mongo
from frozenshop.kernel.tests.stores import in_parallel

ROOT = Path(__file__).parents[3]
NOWHERE = "mongodb://127.0.0.1:1/logs"


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    mongo = Mongo(tmp_path_factory.mktemp("mongo"))
    mongo.start()
    yield mongo
    mongo.kill()


@pytest.fixture
def empty(server):
    with server.client() as client:
        client.drop_database("logs")
    return server


@pytest.fixture
def by_hand(monkeypatch, settings, tmp_path):
    """Return a maker of writers without a thread, each of which takes the place of the one before."""
    made = []

    def make(url):
        close()
        made.append(logs.use(monkeypatch, settings, var_dir=tmp_path, mongodb_url=url))
        return made[-1]

    def close():
        logs.close()
        for one in made:
            one._spool.close()

    yield make
    close()


@pytest.fixture
def alive(monkeypatch, settings, tmp_path):
    """Return a maker of writers with their thread."""
    made = []

    def make(url):
        logs.use(monkeypatch, settings, var_dir=tmp_path, mongodb_url=url)
        made.append(writer.Writer())
        monkeypatch.setattr(writer, "_writer", made[0])
        return made[0]

    yield make
    made[0].end()
    logs.close()


def note(number, kind=Kind.CALL, **fields):
    logstore.write(kind, service="kdniao", what="query", outcome="ok", subject=f"S{number}", **fields)


def kept(mongo, kind="call"):
    """Return the numbers that the server holds, ascending."""
    with mongo.client() as client:
        return sorted(int(row["subject"][1:]) for row in client.logs[f"log_{kind}"].find())


def metric(name, **labels):
    return REGISTRY.get_sample_value(f"frozenshop_logs_{name}", labels) or 0


# --- the server goes and comes --------------------------------------------------------------------


@pytest.fixture
def mortal(tmp_path_factory):
    mongo = Mongo(tmp_path_factory.mktemp("mongo"))
    yield mongo
    mongo.kill()


def test_a_killed_server_loses_nothing_that_it_took_and_the_spool_catches_up(by_hand, mortal):
    mortal.start()
    taken = by_hand(mortal.url)
    for number in range(300):
        note(number)
    taken.flush()
    mortal.kill()
    spooled = metric("spooled_total")
    for number in range(300, 500):
        note(number)
        if number % 50 == 0:
            taken.flush()
    taken.flush()
    assert metric("spooled_total") == spooled + 200
    assert spool.size() > 0
    mortal.start()
    taken._resting_until = 0.1
    taken.flush()
    assert kept(mortal) == list(range(500))
    assert spool.waiting() == []


def test_a_part_of_the_spool_that_was_taken_before_is_there_once(by_hand, empty):
    taken = by_hand(NOWHERE)
    for number in range(40):
        note(number)
    taken.flush()
    (segment,) = spool.waiting()
    copy = segment.read_bytes()
    taken = by_hand(empty.url)
    taken.flush()
    assert not segment.exists()
    segment.write_bytes(copy)  # as after a kill between the answer and the removal
    taken.flush()
    assert kept(empty) == list(range(40))


@pytest.mark.django_db
def test_what_waited_for_mongodb_goes_to_the_database_where_that_keeps_the_logs_now(by_hand):
    taken = by_hand(NOWHERE)
    note(7)
    taken.flush()
    taken = by_hand("")
    taken.flush()
    assert [entry.subject for entry in logstore.find(logstore.Query())] == ["S7"]


def test_a_store_that_failed_rests_a_while_and_is_not_asked(by_hand, monkeypatch):
    taken = by_hand(NOWHERE)
    note(1)
    taken.flush()
    monkeypatch.setattr(stores, "current", lambda: pytest.fail("asked"))
    note(2)
    taken.flush()
    monkeypatch.undo()
    assert sum(path.read_bytes().count(b"\n") for path in spool.waiting()) == 2


# --- bounds ---------------------------------------------------------------------------------------


def test_a_full_spool_drops_the_oldest_and_counts_them(by_hand, settings, empty):
    settings.LOG_SPOOL_MB = 1
    taken = by_hand(NOWHERE)
    dropped = metric("dropped_total", why="spool")
    for number in range(200):
        note(number, body="x" * 20_000)
        taken.flush()
        assert spool.size() <= spool.MIB
    lost = metric("dropped_total", why="spool") - dropped
    assert 0 < lost < 200
    assert spool.drops_since(0) == lost
    taken = by_hand(empty.url)
    taken.flush()
    assert kept(empty) == list(range(int(lost), 200))


def test_a_segment_that_another_process_writes_is_neither_dropped_nor_read(by_hand, settings, empty, tmp_path):
    settings.LOG_SPOOL_MB = 1
    taken = by_hand(NOWHERE)
    note(1)
    taken.flush()  # holds its segment
    other = spool.Spool()
    note(2, body="x" * (spool.MIB - 300))
    assert other.append(taken._queue) == 1
    list(other.drain(lambda batch: pytest.fail("read"), 10))
    assert len(spool.waiting()) == 1


def test_a_full_queue_drops_the_newest_and_counts_them(by_hand, monkeypatch, empty):
    monkeypatch.setattr(writer, "MOST_QUEUED", 20_000)
    taken = by_hand(empty.url)
    dropped = metric("dropped_total", why="queue")
    for number in range(100):
        note(number)
    taken.flush()
    assert kept(empty) == list(range(33))
    assert metric("dropped_total", why="queue") - dropped == 67


def test_without_store_and_without_disk_entries_are_dropped_and_counted_and_nobody_fails(by_hand, tmp_path):
    (tmp_path / "log-spool").write_text("no folder")
    taken = by_hand(NOWHERE)
    dropped = metric("dropped_total", why="disk")
    note(1)
    taken.flush()
    assert metric("dropped_total", why="disk") == dropped + 1


def test_a_line_cut_off_by_a_kill_is_counted_and_the_others_are_read(by_hand, empty):
    taken = by_hand(NOWHERE)
    for number in range(3):
        note(number)
    taken.flush()
    (segment,) = spool.waiting()
    segment.write_bytes(segment.read_bytes()[:-20])
    by_hand(empty.url).flush()
    assert kept(empty) == [0, 1]
    assert spool.drops_since(0) == 1


# --- threads and processes ------------------------------------------------------------------------


def test_many_threads_write_at_once_and_nothing_is_lost_or_doubled(alive, by_hand, empty):
    taken = alive(empty.url)
    in_parallel(16, lambda number: [note(number * 500 + step) for step in range(500)], threads=16)
    taken.end()
    by_hand(empty.url).flush()  # what a slow server refused for a moment
    assert kept(empty) == list(range(8000))


def test_where_no_thread_is_left_nobody_fails_and_the_next_entry_begins_one(alive, empty, monkeypatch):
    taken = alive(empty.url)
    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", no_thread)
        note(1)
    note(2)
    taken.end()
    assert kept(empty) == [1, 2]


def no_thread(thread):
    raise RuntimeError("can't start new thread")


def test_a_server_that_never_answers_holds_up_nobody(alive):
    hanging = Hanging()
    taken = alive(hanging.url)
    note(0)
    wait_for(lambda: hanging.taken and taken._delivering.locked())
    for number in range(1, 5000):
        note(number)
    assert taken._delivering.locked()  # all were taken while the thread still waits for its first answer
    taken.end()
    assert sum(path.read_bytes().count(b"\n") for path in spool.waiting()) == 5000
    with pytest.raises(logstore.StoreDown):
        logstore.find(logstore.Query())
    hanging.close()


PROCESS = """
import os, sys, multiprocessing, threading, time
import django; django.setup()
from frozenshop.kernel import logstore
def note(number):
    logstore.write(logstore.Kind.CALL, service="s", what="w", outcome="ok", subject=f"S{number}")
def child(first):
    for number in range(first, first + 100): note(number)
"""


def start(code, mongo, folder):
    environment = {
        "DJANGO_SETTINGS_MODULE": "tests.settings",
        "MONGODB_URL": mongo.url,
        "LOG_KINDS": "call",
        "VAR_DIR": str(folder),
        "PYTHONPATH": str(ROOT),
    }
    script = folder / "process.py"
    script.write_text(PROCESS + code)
    return subprocess.Popen(
        [sys.executable, str(script)], cwd=ROOT, env=os.environ | environment, stdout=subprocess.PIPE
    )


FORKS = """
child(0)
if os.fork() == 0:
    from frozenshop.kernel.logstore import writer
    child(100)
    ours, until = writer.current(), time.monotonic() + 20
    while (ours._queue or ours._delivering.locked()) and time.monotonic() < until:
        time.sleep(.02)
    os._exit(0)  # its own thread has written, or nobody will
os.wait()
"""
EXITS = "threading.Thread(target=child, args=(0,)).start(); child(100); sys.exit(3)"
STARTS = """
if __name__ == "__main__":
    for first, method in ((0, "fork"), (100, "spawn")):
        one = multiprocessing.get_context(method).Process(target=child, args=(first,))
        one.start()
        one.join()
"""


@pytest.mark.parametrize("code", [FORKS, EXITS, STARTS], ids=["forks", "exits", "starts others"])
def test_a_process_that_ends_has_written_all(code, by_hand, empty, tmp_path):
    start(code, empty, tmp_path).communicate(timeout=60)
    by_hand(empty.url).flush()  # what a slow server refused for a moment
    assert kept(empty) == list(range(200))


ENDLESS = """
for number in range(10**6):
    note(number)
    print(number, flush=True)
    time.sleep(.002)
"""


@pytest.mark.slow
def test_a_killed_process_loses_its_last_second_at_most_and_another_hands_over_its_spool(by_hand, mortal, tmp_path):
    """Killed while MongoDB is down: what was spooled is there, in order and without a gap."""
    process = start(ENDLESS, mortal, tmp_path)
    shown = [(int(process.stdout.readline()), time.monotonic()) for _ in range(1500)]
    process.kill()
    killed_at = time.monotonic()
    process.communicate()
    mortal.start()
    by_hand(mortal.url).flush()
    numbers = kept(mortal)
    assert numbers == list(range(len(numbers)))
    # One second until it is written, and the one that the first try took.
    settled = [number for number, at in shown if killed_at - at > 2 * writer.FLUSH_SECONDS + 0.5]
    assert settled
    assert numbers[-1] >= settled[-1]


def wait_for(condition, seconds=60):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        threading.Event().wait(0.01)
