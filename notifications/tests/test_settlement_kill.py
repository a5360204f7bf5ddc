"""`kill -9` of workers, relay and WeChat itself at random: every order is told exactly once, counted at WeChat."""

import pytest

from notifications.tests.hasty import fleet

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900), pytest.mark.xdist_group("processes")]


def settled(processes, count, *, kill_every):
    processes.prepare(count)
    processes.settle(count, 780, kill_every=kill_every)
    assert processes.deaths.total() >= 3
    assert processes.counted() == {1: count}


def test_every_order_is_told_once_on_the_embedded_default(tmp_path):
    with fleet.embedded(tmp_path) as processes:
        settled(processes, 300, kill_every=40)


@pytest.mark.services("mysql", "rabbitmq")
def test_every_order_is_told_once_on_the_services(tmp_path):
    with fleet.on_services(tmp_path) as processes:
        settled(processes, 800, kill_every=100)
