"""WeChat's stand-in on a free port, in WeChat's place, with the pushes led back into this program."""

import threading
import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qsl, urlsplit
from uuid import uuid4

import pytest

from notifications.models import MessageTemplate
from notifications.wechat import events
from notifications.wechat.push_crypto import Forged, Unreadable
from sandbox.config import Config
from sandbox.server import Sandbox
from sandbox.wechat_templates import id_of

SECRET = "test-only-app-secret"
SHIPPED, SIGNED = id_of("订单发货通知"), id_of("订单签收通知")
FIELDS = {"character_string1": "A20261122001", "thing2": "虾仁×2", "time3": "2026年11月22日 09:30"}


class Sim:
    """`world` is the sandbox's; `push` lets its events out to us."""

    def __init__(self, sandbox: Sandbox) -> None:
        self.sandbox, self.world, self.wechat = sandbox, sandbox.world, sandbox.world.wechat

    @property
    def messages(self) -> Any:
        return self.wechat.messages

    def allow(self, openid: str = "oBuyer", template_id: str = SIGNED, times: int = 1) -> None:
        for _ in range(times):
            self.messages.popup(openid, {template_id: "accept"})

    def force(self, errcode: int, path: str = "/cgi-bin/message/subscribe/send", times: int = 1) -> None:
        self.wechat.forced[path] = errcode, times

    def push(self) -> None:
        for event in list(self.wechat.events):
            object.__setattr__(event, "due", 0.0)
        self.sandbox.event_pusher.tick()

    def asked_for(self, path: str) -> list[Any]:
        return [call for call in self.world.calls.find("wechat") if call.path == path]


def into_the_program(url: str, body: bytes, headers: Any, patience: float) -> tuple[int, str]:
    try:
        events.receive(dict(parse_qsl(urlsplit(url).query)), body)
    except (Forged, Unreadable) as error:
        return 401, str(error)
    return 200, "success"


@pytest.fixture
def sim(settings: Any) -> Iterator[Sim]:
    """New appids have no token in the cache."""
    appid, official = f"wx{uuid4().hex[:16]}", f"wx{uuid4().hex[:16]}"
    config = Config(
        "1", "key", appid, SECRET, port=0, public_url="http://shop.test",
        wechat_push_token=settings.WECHAT_PUSH_TOKEN, wechat_push_aes_key=settings.WECHAT_PUSH_AES_KEY,
        wechat_official_appid=official, wechat_official_app_secret=SECRET,
    )  # fmt: skip
    sandbox = Sandbox(config, clock=lambda: time.time(), sleep=lambda seconds: None, send=into_the_program)
    server = sandbox.bind()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    settings.WECHAT_BASE_URL = f"http://127.0.0.1:{server.server_port}"
    settings.WECHAT_APPID, settings.WECHAT_APP_SECRET = appid, SECRET
    settings.WECHAT_OFFICIAL_APPID, settings.WECHAT_OFFICIAL_APP_SECRET = official, SECRET
    yield Sim(sandbox)
    server.shutdown()
    thread.join()
    server.server_close()


def template(milestone: str = "delivered", **changes: Any) -> MessageTemplate:
    given = {
        "channel": "wechat_subscribe",
        "template_id": SIGNED,
        "title": "订单签收通知",
        "fields": {"character_string1": "{order_no}", "thing2": "{lines}", "time3": "{time}"},
    }
    return MessageTemplate.objects.create(milestone=milestone, **given | changes)
