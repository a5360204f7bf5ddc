"""Signs of life, and the check that reads them in a container."""

import os
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from frozenshop.kernel import liveness

CHECK = Path(__file__).resolve().parents[3] / "deploy/image/healthcheck.py"


@pytest.fixture(autouse=True)
def folder(settings, tmp_path) -> Path:
    settings.VAR_DIR = tmp_path
    return tmp_path


def check(folder: Path, **environment: str) -> int:
    given = {"PATH": os.environ["PATH"], "VAR_DIR": str(folder)} | environment
    return subprocess.run([sys.executable, CHECK], env=given, capture_output=True, timeout=20).returncode


def test_a_role_that_shows_life_is_healthy(folder):
    (folder / "role").write_text("relay\n")
    liveness.show("relay")
    assert check(folder) == 0


def test_a_role_that_never_showed_life_is_not(folder):
    (folder / "role").write_text("beat\n")
    assert check(folder) == 1


def test_a_role_that_fell_silent_is_not(folder):
    (folder / "role").write_text("worker\n")
    liveness.show("worker")
    long_ago = time.time() - 120
    os.utime(folder / "alive-worker", (long_ago, long_ago))
    assert check(folder) == 1


def test_a_container_without_a_role_is_not(folder):
    assert check(folder) == 1


def test_the_web_tier_is_asked_at_its_address(folder):
    class Answers(BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200 if self.path == "/healthz" else 404)
            self.end_headers()

        def log_message(self, *args):
            pass

    (folder / "role").write_text("web\n")
    server = HTTPServer(("127.0.0.1", 0), Answers)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        assert check(folder, PORT=str(server.server_port)) == 0
    finally:
        server.shutdown()
        server.server_close()
    assert check(folder, PORT=str(server.server_port)) == 1


def test_a_full_disk_does_not_stop_the_work(settings, tmp_path):
    settings.VAR_DIR = tmp_path / "absent"
    liveness.show("relay")


def test_a_thread_goes_on_showing_life_until_it_is_stopped(folder):
    before = set(threading.enumerate())
    stop = liveness.keep_showing("worker", every_seconds=0.01)
    (thread,) = set(threading.enumerate()) - before
    shown = folder / "alive-worker"
    deadline = time.monotonic() + 5
    try:
        while not shown.exists() and time.monotonic() < deadline:
            time.sleep(0.01)
        os.utime(shown, (0, 0))
        while shown.stat().st_mtime == 0 and time.monotonic() < deadline:
            time.sleep(0.01)
        assert shown.stat().st_mtime > 0
    finally:
        stop.set()
    thread.join(5)
    assert not thread.is_alive()
