"""`kill -9` of workers, relay and stand-ins at random: no buyer is told twice, and every cut-off letter has an end."""

import pytest

from notifications.tests.hasty import fleet
from notifications.tests.hasty.telling import TellingFleet, verdict

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900), pytest.mark.xdist_group("processes")]


def told(processes, count, *, kill_every):
    processes.prepare(count)
    processes.tell(count, 780, kill_every=kill_every)
    assert processes.deaths.total() >= 3
    verdict(processes, count)


def test_no_buyer_is_told_twice_on_the_embedded_default(tmp_path):
    with fleet.embedded(tmp_path, TellingFleet) as processes:
        told(processes, 240, kill_every=30)


@pytest.mark.services("mysql", "rabbitmq")
def test_no_buyer_is_told_twice_on_the_services(tmp_path):
    with fleet.on_services(tmp_path, TellingFleet) as processes:
        processes.let_send(4)
        told(processes, 600, kill_every=75)
