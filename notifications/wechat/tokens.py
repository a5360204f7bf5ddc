"""The access token, fetched by one process for all and kept in the cache.

Only `stable_token` in normal mode is used: repeated calls return the same token, so that two refreshers can't
kill each other's, and what a second deployment fetches with the older endpoint doesn't matter.
"""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.conf import settings
from django.core.cache import cache

from frozenshop.kernel import clock
from notifications.wechat import wire

EARLY_SECONDS = 300  # WeChat renews five minutes before the end; both tokens are good meanwhile
LOCK_SECONDS = 15
WAIT_SECONDS = 5.0
FORCE_AGAIN_SECONDS = 600

_thread_lock = threading.Lock()


def access_token() -> str:
    """Return a token that is good for minutes. Raises WechatError, ServiceError."""
    if found := _cached():
        return found
    with _one_refresher():
        return _cached() or _fetch()


def renewed(failed: str) -> str:
    """Return another token than the one that WeChat refused. Raises WechatError, ServiceError.

    Somebody may have renewed it already. Should WeChat insist on the refused one, it is forced, which kills it
    for everybody, at most once in ten minutes.
    """
    with _one_refresher():
        cached = _cached()
        if cached and cached != failed:
            return cached
        token = _fetch()
        if token == failed and cache.add(_key("forced"), 1, FORCE_AGAIN_SECONDS):
            token = _fetch(force=True)
        return token


def _cached() -> str | None:
    found: dict[str, Any] | None = cache.get(_key("token"))
    if found is None or found["expires_at"] - EARLY_SECONDS < clock.now().timestamp():
        return None
    return str(found["token"])


def _fetch(*, force: bool = False) -> str:
    asked = {
        "grant_type": "client_credential",
        "appid": settings.WECHAT_APPID,
        "secret": settings.WECHAT_APP_SECRET,
        "force_refresh": force,
    }
    found = wire.post("/cgi-bin/stable_token", asked)
    token, seconds = str(found["access_token"]), int(found["expires_in"])
    cache.set(_key("token"), {"token": token, "expires_at": clock.now().timestamp() + seconds}, seconds)
    return token


@contextmanager
def _one_refresher() -> Iterator[None]:
    """Let one thread of one process at a time ask; waiting has an end, since asking twice does no harm."""
    with _thread_lock:
        held = _wait_for_lock()
        try:
            yield
        finally:
            if held:
                cache.delete(_key("lock"))


def _wait_for_lock() -> bool:
    deadline = time.monotonic() + WAIT_SECONDS
    while not cache.add(_key("lock"), 1, LOCK_SECONDS):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


def _key(name: str) -> str:
    return f"wechat:{settings.WECHAT_APPID}:{name}"
