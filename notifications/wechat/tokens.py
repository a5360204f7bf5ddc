"""The access token, fetched by one process for all and kept in the cache.

Only `stable_token` in normal mode is used: repeated calls return the same token, so that two refreshers can't
kill each other's, and what a second deployment fetches with the older endpoint doesn't matter.
"""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from frozenshop.kernel import caching, clock
from notifications.wechat import wire
from notifications.wechat.accounts import Account, mini_program
from notifications.wechat.errors import UNREADABLE, WechatError

EARLY_SECONDS = 300  # WeChat renews five minutes before the end; both tokens are good meanwhile
LEAST_SECONDS = 30  # so long a token is used at least: WeChat may renew late, and everybody would ask meanwhile
LOCK_SECONDS = 15
WAIT_SECONDS = 5.0
FORCE_AGAIN_SECONDS = 600

_thread_lock = threading.Lock()
_here: dict[str, dict[str, Any]] = {}


def access_token(account: Account | None = None) -> str:
    """Return a token of the account (the mini-program's) that is good for minutes. Raises WechatError, ServiceError."""
    account = account or mini_program()
    if found := _cached(account):
        return found
    with _one_refresher(account):
        return _cached(account) or _fetch(account)


def renewed(failed: str, account: Account | None = None) -> str:
    """Return another token than the one that WeChat refused. Raises WechatError, ServiceError.

    Somebody may have renewed it already. Should WeChat insist on the refused one, it is forced, which kills it
    for everybody, at most once in ten minutes.
    """
    account = account or mini_program()
    with _one_refresher(account):
        cached = _cached(account)
        if cached and cached != failed:
            return cached
        token = _fetch(account)
        if token == failed and caching.claim(_key(account, "forced"), FORCE_AGAIN_SECONDS):
            token = _fetch(account, force=True)
        return token


def _cached(account: Account) -> str | None:
    """Return what this process knows, else the cache: without the cache each process asks for itself."""
    key = _key(account, "token")
    found: dict[str, Any] | None = caching.get_many([key]).get(key) or _here.get(key)
    if found is None or found["expires_at"] - EARLY_SECONDS < clock.now().timestamp():
        return None
    return str(found["token"])


def _fetch(account: Account, *, force: bool = False) -> str:
    asked = {
        "grant_type": "client_credential",
        "appid": account.appid,
        "secret": account.secret,
        "force_refresh": force,
    }
    found = wire.post("/cgi-bin/stable_token", asked)
    try:
        token, seconds = str(found["access_token"]), int(found["expires_in"])
    except (KeyError, ValueError, TypeError) as error:
        raise WechatError(UNREADABLE, path="/cgi-bin/stable_token") from error
    used_for = max(seconds, EARLY_SECONDS + min(seconds, LEAST_SECONDS))
    kept = {"token": token, "expires_at": clock.now().timestamp() + used_for}
    _here[_key(account, "token")] = kept
    caching.put(_key(account, "token"), kept, seconds)
    return token


@contextmanager
def _one_refresher(account: Account) -> Iterator[None]:
    """Let one thread of one process at a time ask; waiting has an end, since asking twice does no harm."""
    with _thread_lock:
        held = _wait_for_lock(_key(account, "lock"))
        try:
            yield
        finally:
            if held:
                caching.release(_key(account, "lock"))


def _wait_for_lock(key: str) -> bool:
    deadline = time.monotonic() + WAIT_SECONDS
    while not caching.claim(key, LOCK_SECONDS):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


def _key(account: Account, name: str) -> str:
    return f"wechat:{account.appid}:{name}"
