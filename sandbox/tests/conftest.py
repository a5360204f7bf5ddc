import itertools
import random
import threading
from types import SimpleNamespace

import pytest
import requests

from sandbox.config import Config
from sandbox.server import Sandbox

CONFIG = Config(
    kdniao_business_id="1237100",
    kdniao_api_key="test-api-key-0000-0001",
    cainiao_provider_id="0123456789abcdef0123456789abcdef",
    cainiao_app_code="demo-app",
    cainiao_secret="demo-secret-0001",
    cainiao_callback_secret="test-only-path-Secret-0001",
    sf_partner_id="DEMO",
    sf_checkword="demoCheckWord0001",
    sf_callback_secret="0f1e2d3c4b5a69788796a5b4c3d2e19a",
    wechat_appid="wx0123456789abcdef",
    wechat_app_secret="test-only-app-secret",
    kuaidi100_customer="TESTCUSTOMER0000000000000000001",
    kuaidi100_key="testKey000001",
    wechat_push_token="test-only-push-token",
    wechat_push_aes_key="abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG",
    wechat_official_appid="wxfedcba9876543210",
    wechat_official_app_secret="test-only-official-secret",
    public_url="http://merchant.test",
    port=0,
)
START = 1_767_225_600.0  # 2026-01-01 08:00:00 in Shanghai


class FakeClock:
    def __init__(self, now=START):
        self.now = now

    def __call__(self):
        return self.now

    def forward(self, seconds):
        self.now += seconds


class FakeMerchant:
    """Keeps what was pushed, and answers what it was told to."""

    def __init__(self):
        self.pushed, self.answers = [], []

    def __call__(self, url, body, headers, patience_seconds):
        self.pushed.append(SimpleNamespace(url=url, body=body, headers=headers))
        return self.answers.pop(0) if self.answers else (200, '{"Success": true}')


@pytest.fixture
def clock():
    return FakeClock()


@pytest.fixture
def merchant():
    return FakeMerchant()


@pytest.fixture
def slept():
    return []


@pytest.fixture
def sandbox(clock, merchant, slept):
    return Sandbox(CONFIG, clock=clock, rng=random.Random(7), send=merchant, sleep=slept.append)


@pytest.fixture
def put(sandbox):
    """Register a shipment without the wire."""
    from sandbox import controls

    def register(waybill_no="YT0000000000001", *, carrier_code="YTO", **asked):
        if "payload" not in asked:
            asked.setdefault("scenario", "normal")
        return controls.put_shipment(sandbox.world, waybill_no, {"carrier_code": carrier_code, **asked})

    return register


@pytest.fixture
def play(sandbox, clock):
    """Let time pass in small steps, with the scheduler run by hand at each."""

    def run(seconds, *, step=60):
        for _ in itertools.repeat(None, int(seconds / step)):
            clock.forward(step)
            sandbox.pusher.tick()

    return run


@pytest.fixture
def http(sandbox):
    """A client of the server, which runs on a free port."""
    server = sandbox.bind()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()

    def call(method, path, **kwargs):
        return requests.request(method, f"http://127.0.0.1:{server.server_port}{path}", timeout=10, **kwargs)

    yield call
    server.shutdown()
    thread.join()
    server.server_close()
