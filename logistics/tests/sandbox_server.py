"""The sandbox on a free port of this machine, pushing into this process: for tests over the real wire."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

import requests
from django.test import Client

from sandbox.config import Config
from sandbox.server import Sandbox


class Served:
    """`url` is where it listens. Its time is this process's, so that a frozen clock moves both."""

    def __init__(self, sandbox: Sandbox, url: str) -> None:
        self.sandbox, self.world, self.url = sandbox, sandbox.world, url

    def put(self, path: str, **asked: Any) -> None:
        answer = requests.put(f"{self.url}/_sim/{path}", json=asked, timeout=5)
        assert answer.ok, answer.text

    def fault(self, service: str, kind: str) -> None:
        """Let a fault strike every time, for the next day."""
        asked = {"service": service, "kind": kind, "seconds": 86_400}
        assert requests.post(f"{self.url}/_sim/faults", json=asked, timeout=5).ok

    def push(self) -> None:
        """Send what is due."""
        self.sandbox.pusher.tick()

    def pushed(self, service: str) -> list[tuple[int, str]]:
        """Return status and fault of each push so far."""
        return [(c.status, c.fault) for c in self.world.calls.find(service) if c.direction == "out"]


@contextmanager
def served(**config: Any) -> Iterator[Served]:
    """Start a sandbox with these keys; end it afterwards."""
    nothing = dict.fromkeys(("kdniao_business_id", "kdniao_api_key", "wechat_appid", "wechat_app_secret"), "")
    sandbox = Sandbox(Config(**nothing | {"public_url": "https://testserver", "port": 0} | config), send=_to_us)
    server = sandbox.bind()
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield Served(sandbox, f"http://127.0.0.1:{server.server_port}")
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def _to_us(url: str, body: bytes, headers: Any, patience_seconds: float) -> tuple[int, str]:
    answer = Client().generic("POST", urlsplit(url).path, body, content_type=headers["Content-Type"])
    return answer.status_code, answer.content.decode()
