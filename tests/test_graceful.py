"""Roles stopped while buyers read, shops write and carriers push: no request fails, nothing is lost, nothing is twice.

nginx with the rules of deploy/nginx, and two of each role, started as the image starts them.
"""

import random
import signal
import time
from dataclasses import dataclass

import pytest

from deploy.release import fleet, lost
from deploy.release.drill import Ports
from deploy.release.load import Load
from deploy.release.nginx import Nginx, NginxIngress, Slot
from deploy.release.surroundings import Surroundings, nginx, surroundings

pytestmark = [
    pytest.mark.drill,
    pytest.mark.timeout(600),
    pytest.mark.services("mysql", "redis", "rabbitmq"),
    pytest.mark.xdist_group("processes"),
]
RATE = 15
FIRST_PORT = 21640


class TwoOfEach(Ports):
    def __init__(self, first: int) -> None:
        super().__init__(first)
        roles = ("web", "web", "worker", "worker", "relay", "relay", "beat", "beat")
        self.slots = {"blue": [(role, first + 10 + number) for number, role in enumerate(roles)]}


@dataclass
class Running:
    around: Surroundings
    load: Load
    processes: list[fleet.Process]

    def begin_again(self, process: fleet.Process, *, seconds: float = 60) -> None:
        fleet.up([process], "1.0.0", seconds=seconds)

    def wait_until_gone(self, process: fleet.Process, *, seconds: float = 60) -> None:
        deadline = time.monotonic() + seconds
        while process.pid:
            assert time.monotonic() < deadline, (
                f"{process.role} does not end\n{(process.folder / 'log').read_text()[-2000:]}"
            )
            time.sleep(0.05)

    def wait_for_requests(self, count: int) -> None:
        wanted = len(self.load.answers) + count
        while len(self.load.answers) < wanted:
            time.sleep(0.05)


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    """Two of each behind nginx; yields what is around them, and the processes."""
    ports, folder = TwoOfEach(FIRST_PORT), tmp_path_factory.mktemp("shop")
    servers = ports.servers("blue")
    with surroundings(folder, ports.slots, ports.sandbox) as around:
        processes = fleet.processes(folder, "blue")
        fleet.up(processes, "1.0.0")
        slots = {"blue": Slot(servers, ""), "green": Slot(servers, "")}
        settings = Nginx(folder / "release.conf", reload=[], test=[], start=[], stop=[], slots=slots)
        NginxIngress(settings).install("1.0.0")
        with nginx(folder, ports.nginx):
            yield around, processes


@pytest.fixture
def running(shop):
    around, processes = shop
    load = Load(TwoOfEach(FIRST_PORT).nginx, around.people, around.environment["KDNIAO_API_KEY"], RATE)
    with load:
        yield Running(around, load, processes)


def test_sigterm_to_each_in_turn_fails_no_request_and_loses_nothing(running):
    running.wait_for_requests(20)
    for process in running.processes:
        process.signal(signal.SIGTERM)
        running.wait_until_gone(process)
        running.wait_for_requests(10)
        running.begin_again(process)
        running.wait_for_requests(10)
    running.load.stop()
    assert running.load.failed() == []
    kept = lost.kept(running.load, running.around)
    assert kept.whole, kept
    assert min(kept.orders, kept.parcels, kept.scans) > 10


def test_kill_of_any_at_any_time_loses_nothing_that_was_accepted(running):
    for _ in range(10):
        running.wait_for_requests(random.randrange(5, 30))
        process = random.choice(running.processes)
        process.signal(signal.SIGKILL)
        running.wait_until_gone(process)
        running.begin_again(process)
    running.load.stop()
    kept = lost.kept(running.load, running.around)
    assert kept.whole, kept
    assert min(kept.orders, kept.parcels, kept.scans) > 10
    # What was under way in the killed process itself got no answer, and nobody else's did.
    assert len(running.load.failed()) < 0.05 * len(running.load.answers)
