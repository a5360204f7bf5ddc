"""`kill -9` of the sending process between every two steps: nothing is lost, and little is sent twice."""

import os
import subprocess
import sys
from collections import Counter

import pytest

from notifications.tests.mortal_webhooks import COUNT
from notifications.tests.receiver import receiving
from notifications.webhooks import sending

pytestmark = [
    pytest.mark.xdist_group("processes"),
    pytest.mark.skipif("mysql" in os.environ.get("DATABASE_URL", ""), reason="the run on the embedded default has it"),
]
STEPS = {f"{when}-{what}" for when in ("before", "after") for what in ("_claim_of", "post", "settle", "_taken")}


def test_killed_once_at_each_step_every_message_arrives(tmp_path):
    with receiving() as first, receiving() as second:
        command = [sys.executable, "-m", "notifications.tests.mortal_webhooks", str(tmp_path), first.url, second.url]
        environment = os.environ | {
            "DJANGO_SETTINGS_MODULE": "tests.settings",
            "DATABASE_URL": f"sqlite:///{tmp_path}/mortal.sqlite3",
            "ALLOW_LOOPBACK_INTEGRATIONS": "true",
            "VAR_DIR": str(tmp_path),
        }
        done = subprocess.run(command, env=environment, timeout=90, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        deaths = int(done.stdout)
        assert {path.name for path in tmp_path.iterdir()} >= STEPS
        for server in (first, second):
            times = Counter(server.ids())
            assert len(times) == COUNT
            assert times.total() - COUNT <= deaths * sending.PER_ENDPOINT
        assert deaths == len(STEPS)
