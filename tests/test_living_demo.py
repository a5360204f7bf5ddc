"""`make run` as a newcomer meets it: the whole tree of processes, watched from outside over the wire."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
import requests

from benchmarks.client import signed_headers

ROOT = Path(__file__).resolve().parent.parent
BIN = Path(sys.executable).parent
WATCH_SECONDS = 150

pytestmark = pytest.mark.slow


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Buyer:
    """A buyer's client written from the contract alone."""

    def __init__(self, demo: dict) -> None:
        self.base = demo["urls"]["admin"].removesuffix("/admin/")
        sandbox = demo["urls"]["sandbox"].removesuffix("/")
        code = requests.post(f"{sandbox}/wechat/code", json={"openid": demo["buyer"]["openid"]}, timeout=5).json()
        answer = requests.post(f"{self.base}/api/auth/login", json={"code": code["code"]}, timeout=10)
        assert answer.status_code == 200, answer.text
        self.login = answer.json()

    def call(self, method: str, target: str, payload: object = None) -> requests.Response:
        body = b"" if payload is None else json.dumps(payload).encode()
        signed = signed_headers("MP1-HMAC-SHA256", self.login["sign_secret"], method, target, body)
        headers = {
            "Authorization": f"Bearer {self.login['token']}",
            "X-MP-Timestamp": signed["timestamp"],
            "X-MP-Nonce": signed["nonce"],
            "X-MP-Signature": signed["signature"],
            "Content-Type": "application/json",
        }
        return requests.request(method, self.base + target, data=body, headers=headers, timeout=10)


@pytest.fixture(scope="module")
def running(tmp_path_factory):
    """The demo shop on free ports and a folder of its own; stopped as Ctrl-C stops it."""
    port, sandbox_port, folder = free_port(), free_port(), tmp_path_factory.mktemp("var")
    ours = ("DATABASE_URL", "REDIS_URL", "CELERY_BROKER_URL", "DJANGO_SETTINGS_MODULE", "DEBUG", "SECRET_KEY")
    theirs = {name: value for name, value in os.environ.items() if name not in ours and not name.endswith("_KEYS")}
    environment = {
        name: value
        for name, value in theirs.items()
        if not name.startswith(("KDNIAO_", "WECHAT_", "AUDIT_", "PUBLIC_"))
    } | {"VAR_DIR": str(folder), "PORT": str(port), "SANDBOX_PORT": str(sandbox_port)}
    for name in ("ALLOWED_HOSTS", "METRICS_TOKEN", "SHOP_PHONE", "SECURE_SSL_REDIRECT"):
        environment.pop(name, None)
    for command in (["-m", "frozenshop.bootstrap", "local"], ["manage.py", "prepare_local"]):
        subprocess.run([sys.executable, *command], cwd=ROOT, env=environment, check=True, timeout=180)
    log = (folder / "log").open("w")
    tree = subprocess.Popen(
        [str(BIN / "honcho"), "-f", "Procfile", "start"],
        cwd=ROOT,
        env=environment,
        stdout=log,
        stderr=log,
        start_new_session=True,
    )
    try:
        _wait_until_ready(f"http://127.0.0.1:{port}/readyz")
        yield json.loads((folder / "demo.json").read_text())
    finally:
        tree.send_signal(signal.SIGINT)
        with contextlib.suppress(subprocess.TimeoutExpired):
            tree.wait(timeout=40)
        left = tree.poll() is None
        if left:
            os.killpg(tree.pid, signal.SIGKILL)
        log.close()
        assert not left, (folder / "log").read_text()[-3000:]


def _wait_until_ready(url: str) -> None:
    deadline = time.monotonic() + 90
    while time.monotonic() < deadline:
        with contextlib.suppress(requests.RequestException):
            if requests.get(url, timeout=2).status_code == 200:
                return
        time.sleep(0.5)
    raise AssertionError(f"{url} is not ready")


@pytest.mark.timeout(400)
def test_orders_move_by_themselves_from_paid_to_delivered_to_returned_and_into_trouble(running):
    buyer, seen, alerted = Buyer(running), {}, False
    deadline = time.monotonic() + WATCH_SECONDS
    while time.monotonic() < deadline:
        page = buyer.call("GET", "/api/orders?limit=50").json()["results"]
        for summary in page:
            seen.setdefault(summary["order_no"], []).append(summary["status"])
            alerted |= summary["alert_count"] > 0
        lives = [set(statuses) for statuses in seen.values()]
        delivered = any({"paid", "delivered"} <= life or {"shipped", "delivered"} <= life for life in lives)
        returned = any("returned" in life and len(life) > 1 for life in lives)
        if delivered and returned and alerted:
            break
        time.sleep(1)
    assert delivered, seen
    assert returned, seen
    assert alerted
    newest = buyer.call("GET", "/api/orders?limit=25").json()["results"]
    everything = {"placed", "paid", "shipped", "in_transit", "delivered", "cancelled", "refunded", "returned"}
    assert {summary["status"] for summary in newest} == everything


def test_the_buyers_journey_works_with_the_contract_alone(running):
    buyer = Buyer(running)
    summary = next(
        one
        for one in buyer.call("GET", "/api/orders?limit=50").json()["results"]
        if one["status"] in ("in_transit", "shipped")
    )
    document = buyer.call("GET", f"/api/orders/{summary['order_no']}")
    refreshed = buyer.call("POST", f"/api/orders/{summary['order_no']}/refresh")
    confirmed = buyer.call("POST", f"/api/orders/{summary['order_no']}/confirm")
    assert document.json()["consignee"]["phone"].count("*") == 4
    assert set(refreshed.json()) == {"refreshed", "next_allowed_at"}
    assert confirmed.json()["status"] == "delivered"
    assert buyer.call("GET", "/api/orders/NOPE").json()["error"]["code"] == "order_not_found"
