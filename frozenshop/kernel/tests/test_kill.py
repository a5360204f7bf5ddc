"""`kill -9` of relay and worker between every two steps: nothing is lost, nothing is done twice."""

import os

import pytest

from frozenshop.kernel.tests import processes

pytestmark = pytest.mark.xdist_group("processes")
embedded_pass = pytest.mark.skipif(
    "mysql" in os.environ.get("DATABASE_URL", ""), reason="the run on the embedded default has it"
)

STEPS = {
    "relay-claimed",
    "relay-published",
    "relay-marked",
    "worker-received",
    "worker-called",
    "worker-wrote",
    "worker-finished",
}
ONCE_EACH = dict.fromkeys(range(200), 1)


def killed(folder):
    return {path.name for path in folder.iterdir() if path.name in STEPS}


@embedded_pass
def test_killed_once_at_each_step_on_the_embedded_default(tmp_path):
    with processes.embedded(tmp_path) as fleet:
        fleet.prepare(200)
        fleet.run_until_done(90)
        assert killed(tmp_path) == STEPS
        assert fleet.effects() == ONCE_EACH


@pytest.mark.services("mysql", "rabbitmq")
def test_killed_once_at_each_step_on_the_services(tmp_path):
    with processes.on_services(tmp_path) as fleet:
        fleet.prepare(200)
        fleet.run_until_done(90)
        assert killed(tmp_path) == STEPS
        assert fleet.effects() == ONCE_EACH


@embedded_pass
def test_a_round_trip_through_files_ends_cleanly_on_sigterm(tmp_path):
    with processes.embedded(tmp_path) as fleet:
        fleet.environment["KILL_TOKENS"] = "/nonexistent"
        fleet.prepare(20)
        fleet.run_until_done(60)
        codes = fleet.stop()
        assert fleet.effects() == dict.fromkeys(range(20), 1)
    assert codes == {"relay": 0, "worker": 0}
    assert not fleet.deaths


@pytest.mark.services("mysql", "rabbitmq")
def test_a_round_trip_through_rabbitmq_ends_cleanly_on_sigterm(tmp_path):
    with processes.on_services(tmp_path) as fleet:
        fleet.environment["KILL_TOKENS"] = "/nonexistent"
        fleet.prepare(20)
        fleet.run_until_done(60)
        codes = fleet.stop()
        assert fleet.effects() == dict.fromkeys(range(20), 1)
    assert codes == {"relay": 0, "worker": 0}
    assert not fleet.deaths


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_killed_at_random_for_minutes_on_the_embedded_default(tmp_path):
    with processes.embedded(tmp_path) as fleet:
        fleet.environment |= {"KILL_RATE": "0.002", "OUTBOX_RESEND_SECONDS": "15"}
        fleet.prepare(1000)
        fleet.run_until_done(600, kill_every=80)
        assert fleet.deaths.total() >= 5
        assert fleet.effects() == dict.fromkeys(range(1000), 1)


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.services("mysql", "rabbitmq")
def test_killed_at_random_for_minutes_on_the_services(tmp_path):
    with processes.on_services(tmp_path) as fleet:
        fleet.environment |= {"KILL_RATE": "0.015", "OUTBOX_RESEND_SECONDS": "15"}
        fleet.prepare(1000)
        fleet.run_until_done(600, kill_every=80)
        assert fleet.deaths.total() >= 10
        assert fleet.effects() == dict.fromkeys(range(1000), 1)
