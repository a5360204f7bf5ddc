"""Real beat processes: two at once, and no broker at all."""

import time

import pytest

from frozenshop.kernel.tests import processes
from frozenshop.schedule import JOBS

pytestmark = pytest.mark.xdist_group("processes")
BEAT = ["-m", "celery", "-A", "frozenshop", "beat", "--pidfile=", "--loglevel", "WARNING"]


def test_two_beats_without_a_broker_start_each_job_once(tmp_path):
    with processes.embedded(tmp_path) as fleet:
        fleet.environment["CELERY_BROKER_URL"] = "amqp://127.0.0.1:9//"
        fleet.prepare(0)
        fleet.run("from django.core.management import call_command; call_command('sync_schedule', verbosity=0)")
        fleet.commands = {"one": BEAT, "other": BEAT}
        fleet.keep_alive()
        deadline = time.monotonic() + 40
        while len(runs(fleet)) < len(JOBS) and time.monotonic() < deadline:
            time.sleep(0.2)
        time.sleep(1)  # for the slower beat to try the same slots
        codes = fleet.stop()
        assert codes == {"one": 0, "other": 0}, fleet.logs()
        assert {job for job, _ in runs(fleet)} == {job.name for job in JOBS}
        assert len(set(runs(fleet))) == len(runs(fleet)) == len(messages(fleet))


def runs(fleet):
    return fleet.rows("SELECT job, slot FROM kernel_jobrun")


def messages(fleet):
    return fleet.rows("SELECT topic FROM kernel_outboxmessage")
