"""Subscribe messages of the mini-program: one consent, one message."""

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from django.conf import settings

from frozenshop.kernel import caching
from notifications.wechat import client
from notifications.wechat.errors import SAME_USER, WechatError

SEND = "/cgi-bin/message/subscribe/send"
TURN_SECONDS = 15
WAIT_SECONDS = 1.5


def send(openid: str, template_id: str, fields: Mapping[str, str], page: str = "", *, timeout: float = 10.0) -> str:
    """Send one message and return WeChat's id of it, "" where it tells none. Raises WechatError, ServiceError.

    Messages to one buyer go one after the other: WeChat refuses two at a time (43108).
    """
    asked: dict[str, Any] = {
        "touser": openid,
        "template_id": template_id,
        "data": {name: {"value": value} for name, value in fields.items()},
        "miniprogram_state": settings.WECHAT_MINIPROGRAM_STATE,
        "lang": "zh_CN",
    }
    with _turn_of(openid):
        found = client.authorised(SEND, asked | ({"page": page} if page else {}), timeout=timeout)
    return str(found.get("msgid") or "")


@contextmanager
def _turn_of(openid: str) -> Iterator[None]:
    """Raises WechatError (43108, as WeChat would) where another message to the same buyer takes long."""
    key, deadline = f"wechat:sending:{openid}", time.monotonic() + WAIT_SECONDS
    while not caching.claim(key, TURN_SECONDS):
        if time.monotonic() > deadline:
            raise WechatError(SAME_USER, path=SEND)
        time.sleep(0.05)
    try:
        yield
    finally:
        caching.release(key)
