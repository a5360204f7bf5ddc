from queue import Empty

import pytest
from kombu import Connection

from frozenshop.kernel.file_broker import Transport


@pytest.fixture
def channel(tmp_path):
    (tmp_path / "control").mkdir()
    folders = {"data_folder_in": str(tmp_path), "data_folder_out": str(tmp_path)}
    options = folders | {"control_folder": str(tmp_path / "control")}
    connection = Connection("filesystem://localhost", transport=Transport, transport_options=options)
    with connection, connection.channel() as channel:
        yield channel


def take_all(channel, queue="work"):
    taken = []
    while True:
        try:
            taken.append(channel._get(queue)["n"])
        except Empty:
            return taken


def test_messages_are_taken_once_and_oldest_first(channel):
    for n in range(20):
        channel._put("work", {"n": n})
    assert take_all(channel) == list(range(20))
    assert take_all(channel) == []


def test_a_queue_takes_only_its_own(channel):
    channel._put("work", {"n": 1})
    channel._put("other", {"n": 2})
    assert take_all(channel, "other") == [2]


def test_a_half_written_message_is_not_seen(channel, tmp_path):
    (tmp_path / ".00000000000000000001_a.work.msg").write_text("{")
    assert take_all(channel) == []


def test_a_message_that_another_worker_took_first_is_passed_over(channel, tmp_path, monkeypatch):
    channel._put("work", {"n": 1})
    names = [path.name for path in tmp_path.glob("*.work.msg")]
    monkeypatch.setattr("frozenshop.kernel.file_broker.os.listdir", lambda folder: ["0_gone.work.msg", *names])
    assert channel._get("work") == {"n": 1}


def test_nothing_is_left_in_the_folder(channel, tmp_path):
    channel._put("work", {"n": 1})
    take_all(channel)
    assert [path for path in tmp_path.iterdir() if path.is_file()] == []
