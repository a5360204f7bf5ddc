"""The database's disk is full: orders are refused or taken whole, buyers still read, and room is all that it needs."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from frozenshop.kernel.tests.stores import OwnRedis
from tests.mariadb import OwnMariaDB
from tests.stack import Stack, wait_until

pytestmark = [pytest.mark.drill, pytest.mark.services("mysql")]

DISK_MB = 260


class SmallDisk:
    """A disk of a few megabytes, which can be filled to the last byte."""

    def __init__(self, folder: Path) -> None:
        self.folder, self._filler = folder, folder / "filler"

    def mount(self) -> bool:
        self.folder.mkdir()
        command = ["mount", "-t", "tmpfs", "-o", f"size={DISK_MB}m", "tmpfs", str(self.folder)]
        return subprocess.run(command, capture_output=True).returncode == 0

    def fill(self) -> None:
        command = ["dd", "if=/dev/zero", f"of={self._filler}", "bs=64k", "oflag=append", "conv=notrunc"]
        assert b"No space left" in subprocess.run(command, capture_output=True).stderr

    def make_room(self) -> None:
        self._filler.unlink()

    def unmount(self) -> None:
        subprocess.run(["umount", "-l", str(self.folder)], check=True)


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[SmallDisk]:
    disk = SmallDisk(tmp_path / "disk")
    if not disk.mount():
        pytest.skip("only root may mount a small disk")
    yield disk
    disk.unmount()


@pytest.fixture
def stack(tmp_path: Path, disk: SmallDisk) -> Iterator[Stack]:
    database, redis = OwnMariaDB(disk.folder / "database"), OwnRedis(tmp_path)
    (tmp_path / "var").mkdir()
    stack = Stack(tmp_path / "var", DATABASE_URL=database.url, REDIS_URL=redis.url)
    stack.database = database
    try:
        database.install()
        database.start("--general-log=OFF", f"--max-binlog-size={4 * 1024 * 1024}")
        database.create_database()
        redis.start()
        stack.prepare()
        stack.start("sandbox", "web")
        yield stack
    finally:
        stack.stop()
        redis.kill()
        database.kill()


@pytest.mark.timeout(400)
def test_a_full_disk_refuses_orders_whole_and_room_brings_them_back(stack, disk):
    shop, buyer = stack.shop(), stack.buyer()
    wait_until(lambda: _taken(shop), 30, stack.logs)  # a young Redis refuses what was signed before its time
    disk.fill()
    taken, refused = _send_until_refused(shop)
    assert buyer.call("GET", "/api/orders").status_code == 200
    disk.make_room()
    wait_until(lambda: _taken(shop), 150, stack.logs)
    found = dict(
        stack.database.sql(
            "SELECT order_no, (SELECT COUNT(*) FROM orders_orderline WHERE order_id = o.id) FROM orders_order o "
            "WHERE order_no LIKE 'S%'",
            "frozenshop",
        )
    )
    assert set(taken) <= set(found)
    assert set(found.values()) == {1}
    events = "SELECT COUNT(*), COUNT(DISTINCT order_id) FROM orders_orderevent JOIN orders_order o ON o.id = order_id"
    assert stack.database.sql(f"{events} WHERE order_no LIKE 'S%'", "frozenshop") == [(len(found), len(found))]
    assert shop.call("POST", "/merchant/orders", refused).status_code in (200, 201)
    assert stack.died() == []


def _send_until_refused(shop) -> tuple[list[str], dict]:
    """Send orders until one is refused; a client waits for longer than web waits for its database."""
    taken: list[str] = []
    for number in range(3000):
        payload = shop.order(f"1380000{number:04}")
        answer = shop.call("POST", "/merchant/orders", payload, timeout=30)
        if answer.status_code != 201:
            assert (answer.status_code, answer.json()["error"]["code"]) == (503, "unavailable")
            return taken, payload
        taken.append(payload["order_no"])
    raise AssertionError("the disk was not full")


def _taken(shop) -> bool:
    try:
        return shop.call("POST", "/merchant/orders", shop.order("13800002222"), timeout=30).status_code == 201
    except requests.RequestException:
        return False
