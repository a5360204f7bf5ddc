"""Prometheus and Alertmanager as shipped, on the running shop: who is called when parts of it are killed."""

import subprocess
import sys

import pytest

from tests.living import ROOT


@pytest.mark.drill
@pytest.mark.services("rabbitmq")
@pytest.mark.timeout(600)
def test_what_is_killed_is_told_within_two_minutes_and_nothing_else_is(capsys):
    done = subprocess.run(
        [sys.executable, "-m", "deploy.alarms", "--together"], cwd=ROOT, capture_output=True, text=True, timeout=580
    )
    with capsys.disabled():  # what was left out, and how soon the rest was told
        print(done.stdout)
    assert done.returncode == 0, done.stdout + done.stderr
