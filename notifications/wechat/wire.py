"""One call of WeChat's server API: UTF-8 JSON both ways, HTTP 200 for errors too."""

import json
import re
from collections.abc import Mapping
from typing import Any

from django.conf import settings

from frozenshop.kernel import http
from notifications.wechat.errors import UNREADABLE, WechatError

SERVICE = "wechat"
TIMEOUT = 5.0
_RID = re.compile(r"rid: ([0-9a-f]{8}-[0-9a-f]{8}-[0-9a-f]{8})")
# Shown to staff, never decided by: the field that broke a rule, the address that is not on the list.
_NAMED = re.compile(r"data\.([a-z_]+\d+)\.value|invalid ip ([0-9a-f.:]{3,45})")


def get(path: str, params: Mapping[str, str]) -> dict[str, Any]:
    """Raises WechatError, ServiceError. Never repeated: a login code is spent even when the answer got lost."""
    return _read(path, http.call(SERVICE, "GET", settings.WECHAT_BASE_URL + path, params=params).content)


def post(
    path: str, body: Mapping[str, Any], *, params: Mapping[str, str] | None = None, timeout: float = TIMEOUT
) -> dict[str, Any]:
    """Raises WechatError, ServiceError. Repeated once when nothing was sent.

    Not escaped to ASCII, and always with the content type: some endpoints misread anything else.
    """
    response = http.call(
        SERVICE,
        "POST",
        settings.WECHAT_BASE_URL + path,
        params=params,
        data=json.dumps(body, ensure_ascii=False).encode(),
        headers={"Content-Type": "application/json"},
        timeout=timeout,
        retries=1,
    )
    return _read(path, response.content)


def _read(path: str, content: bytes) -> dict[str, Any]:
    """Whatever content type the answer claims (`/sns/jscode2session` says text/plain), it is JSON."""
    try:
        found = json.loads(content)
        errcode = int(found.get("errcode") or 0)  # a few endpoints send it as text
    except (ValueError, TypeError, AttributeError):
        raise WechatError(UNREADABLE, path=path) from None
    if errcode:
        said = str(found.get("errmsg", ""))
        rid, named = _RID.search(said), _NAMED.search(said)
        subject = (named[1] or named[2]) if named else ""
        raise WechatError(errcode, path=path, rid=rid[1] if rid else "", subject=subject)
    answer: dict[str, Any] = found
    return answer
