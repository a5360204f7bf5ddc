"""The stand-ins of both SMS services on a free port, in their place, with their reports led back into this program."""

import threading
import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.test import Client

from sandbox.config import Config
from sandbox.server import Sandbox
from sandbox.sms import PhoneBook, Sms
from sandbox.sms_aliyun import Manners as AliyunManners
from sandbox.sms_tencent import Manners as TencentManners

ALIYUN_SECRET, TENCENT_SECRET = "0f1e2d3c4b5a69788796a5b4c3d2e19a", "1f1e2d3c4b5a69788796a5b4c3d2e19b"
PHONE = "13800138000"


class Sim:
    """`world` is the sandbox's; `report` lets its delivery reports out to us."""

    def __init__(self, sandbox: Sandbox) -> None:
        self.sandbox, self.world = sandbox, sandbox.world

    @property
    def sent(self) -> list[Sms]:
        return self.world.own(PhoneBook).sent

    def aliyun(self, **manners: Any) -> None:
        for name, value in manners.items():
            setattr(self.world.own(AliyunManners), name, value)

    def tencent(self, **manners: Any) -> None:
        for name, value in manners.items():
            setattr(self.world.own(TencentManners), name, value)

    def fault(self, service: str, kind: str) -> None:
        from sandbox.controls import add_fault

        add_fault(self.world, {"service": service, "kind": kind, "seconds": 3600})

    def report(self) -> None:
        for coming in self.world.own(PhoneBook).coming:
            object.__setattr__(coming, "due", 0.0)
        self.sandbox.report_pusher.tick()

    def asked(self, service: str) -> list[Any]:
        return [call for call in self.world.calls.find(service) if call.direction == "in"]

    def pushed(self, service: str) -> list[Any]:
        return [call for call in self.world.calls.find(service) if call.direction == "out"]


def into_the_program(url: str, body: bytes, headers: Any, patience: float) -> tuple[int, str]:
    answer = Client().generic("POST", urlsplit(url).path, body, content_type="application/json")
    return answer.status_code, answer.content.decode()


def settings_of(settings: Any, url: str) -> None:
    """Point both channels at the stand-in, with its keys."""
    settings.ALIYUN_SMS_BASE_URL = settings.TENCENT_SMS_BASE_URL = url
    settings.ALIYUN_SMS_ACCESS_KEY_ID, settings.ALIYUN_SMS_ACCESS_KEY_SECRET = "testid", "testsecret"
    settings.ALIYUN_SMS_SIGN_NAME = settings.TENCENT_SMS_SIGN_NAME = "冻品到家"
    settings.ALIYUN_SMS_CODE_TEMPLATE, settings.TENCENT_SMS_CODE_TEMPLATE = "SMS_100000001", "1000001"
    settings.TENCENT_SMS_CODE_FIELDS = "code,minutes"
    settings.ALIYUN_SMS_CALLBACK_SECRETS, settings.TENCENT_SMS_CALLBACK_SECRETS = ALIYUN_SECRET, TENCENT_SECRET
    settings.TENCENT_SMS_SECRET_ID, settings.TENCENT_SMS_SECRET_KEY = "AKIDtest", "test-only-secret-key"
    settings.TENCENT_SMS_SDK_APP_ID = "1400006666"


CONFIG = Config(
    "1", "key", "wx", "secret", port=0, public_url="http://shop.test",
    aliyun_sms_access_key_id="testid", aliyun_sms_access_key_secret="testsecret", aliyun_sms_sign_name="冻品到家",
    aliyun_sms_callback_secret=ALIYUN_SECRET,
    tencent_sms_secret_id="AKIDtest", tencent_sms_secret_key="test-only-secret-key",
    tencent_sms_sdk_app_id="1400006666", tencent_sms_sign_name="冻品到家", tencent_sms_callback_secret=TENCENT_SECRET,
)  # fmt: skip


@pytest.fixture
def sms(settings: Any) -> Iterator[Sim]:
    sandbox = Sandbox(CONFIG, clock=lambda: time.time(), sleep=lambda seconds: None, send=into_the_program)
    server = sandbox.bind()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    settings_of(settings, f"http://127.0.0.1:{server.server_port}")
    yield Sim(sandbox)
    server.shutdown()
    thread.join()
    server.server_close()
