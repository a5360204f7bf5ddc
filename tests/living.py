"""The demo shop of `make run`, alive on free ports: one for all tests that watch it from outside."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

ROOT = Path(__file__).resolve().parent.parent
BIN = Path(sys.executable).parent
SETTINGS = (
    *("DATABASE_URL", "REDIS_URL", "CELERY_BROKER_URL", "DJANGO_SETTINGS_MODULE", "DEBUG", "SECRET_KEY"),
    *("ALLOWED_HOSTS", "LOG_KINDS", "METRICS_TOKEN", "SHOP_PHONE", "SECURE_SSL_REDIRECT"),
)
SETTINGS_BEGIN = ("KDNIAO_", "WECHAT_", "AUDIT_", "PUBLIC_")


@pytest.fixture(scope="session")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    """Start the demo in a folder of its own and yield demo.json and the folder; it is stopped as Ctrl-C stops it."""
    port, sandbox_port, folder = free_port(), free_port(), tmp_path_factory.mktemp("var")
    ports = {"PORT": str(port), "SANDBOX_PORT": str(sandbox_port)}
    environment = _without_settings() | ports | {"VAR_DIR": str(folder), "LOG_LEVEL": "DEBUG"}
    for command in (["-m", "frozenshop.bootstrap", "local"], ["manage.py", "prepare_local"]):
        subprocess.run([sys.executable, *command], cwd=ROOT, env=environment, check=True, timeout=180)
    log = (folder / "log").open("w")
    metrics = {"web": port} | {role: free_port() for role in ("worker", "relay", "beat")}
    tree = subprocess.Popen(
        [str(BIN / "honcho"), "-f", str(_procfile(folder, metrics)), "start"],
        cwd=ROOT,
        env=environment,
        stdout=log,
        stderr=log,
        start_new_session=True,
    )
    try:
        _wait_until_ready(f"http://127.0.0.1:{port}/readyz")
        yield json.loads((folder / "demo.json").read_text()) | {"folder": folder, "metrics": metrics}
    finally:
        tree.send_signal(signal.SIGINT)
        with contextlib.suppress(subprocess.TimeoutExpired):
            tree.wait(timeout=40)
        left = tree.poll() is None
        if left:
            os.killpg(tree.pid, signal.SIGKILL)
        log.close()
        assert not left, (folder / "log").read_text()[-3000:]


def _procfile(folder: Path, metrics: dict[str, int]) -> Path:
    """Let each process that isn't asked over HTTP show its metrics on a port of its own."""
    lines = (ROOT / "Procfile").read_text().splitlines()
    named = (line.partition(": ") for line in lines)
    given = {role: f"METRICS_PORT={port} METRICS_HOST=127.0.0.1 " for role, port in metrics.items() if role != "web"}
    path = folder / "Procfile"
    path.write_text("".join(f"{role}: {given.get(role, '')}{command}\n" for role, _, command in named))
    return path


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _without_settings() -> dict[str, str]:
    """Return the environment as a newcomer has it, without the settings of the tests."""
    return {
        name: value
        for name, value in os.environ.items()
        if name not in SETTINGS and not name.startswith(SETTINGS_BEGIN) and not name.endswith("_KEYS")
    }


def _wait_until_ready(url: str) -> None:
    deadline = time.monotonic() + 90
    while time.monotonic() < deadline:
        with contextlib.suppress(requests.RequestException):
            if requests.get(url, timeout=2).status_code == 200:
                return
        time.sleep(0.5)
    raise AssertionError(f"{url} is not ready")
