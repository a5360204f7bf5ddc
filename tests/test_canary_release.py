"""A good version comes out without a failed request, though its command is killed on the way; a bad one is withdrawn.

The canary drill (`make canary-drill`), shortened.
"""

import shutil
import time

import pytest

from deploy.release import drill

pytestmark = [
    pytest.mark.drill,
    pytest.mark.timeout(600),
    pytest.mark.services("mysql", "redis", "rabbitmq"),
    pytest.mark.skipif(shutil.which("prometheus") is None, reason="Prometheus is not installed"),
    pytest.mark.xdist_group("processes"),
]


def test_a_good_version_comes_out_though_its_command_is_killed_and_a_bad_one_is_withdrawn():
    with drill.stage(21660, rate=20, step_seconds=3, requests=8) as on:
        command = on.command("canary", "1.1.0")
        deadline = time.monotonic() + 120
        while on.state["weight"] != 25:
            assert time.monotonic() < deadline, on.state
            time.sleep(0.1)
        command.kill()
        command.communicate()
        assert on.state == {"stable": "1.0.0", "canary": "1.1.0", "weight": 25, "former": None}
        assert drill.good(on, "1.1.0") == []
        assert on.state == {"stable": "1.1.0", "canary": None, "weight": 0, "former": "1.0.0"}
        assert drill.bad(on, "errors") == []
        assert on.state == {"stable": "1.1.0", "canary": None, "weight": 0, "former": "1.0.0"}
        assert drill.whole(on) == []
        assert {answer.status for answer in on.load.failed()} <= {500}
