"""What all parts of WeChat's stand-in share: errors, accounts with their tokens, and what a part may ask.

HTTP status is 200 for errors too; `errmsg` ends with a rid whose first group is the time.
"""

import dataclasses
import random
import secrets
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from sandbox.config import Config
from sandbox.instants import Clock

TOKEN_SECONDS = 7200
OVERLAP_SECONDS = 300
FORCED_PER_DAY = 20
FORCED_APART_SECONDS = 30
Handler = Callable[[Mapping[str, str], Any], dict[str, Any]]
Routes = dict[str, tuple[str, Handler]]
"""By path: the verb, and who answers a call's query and parsed body."""
ERRORS = {
    -1: "system error",
    40001: "invalid credential, access_token is invalid or not latest, could get access_token by "
    "getStableAccessToken, more details at https://mmbizurl.cn/s/JtxxFh33r",
    40002: "invalid grant_type",
    40003: "invalid openid",
    40013: "invalid appid",
    40014: "invalid access_token",
    40029: "invalid code,",
    40037: "invalid template_id",
    40066: "invalid url",
    40125: "invalid appsecret",
    40163: "code been used,",
    40164: "invalid ip 127.0.0.1 ipv6 ::ffff:127.0.0.1, not in whitelist",
    40243: "appsecret is frozen",
    41001: "access_token missing",
    41002: "appid missing",
    41004: "appsecret missing",
    41008: "missing code",
    41030: "invalid page",
    42001: "access_token expired",
    43001: "require GET method",
    43002: "require POST method",
    43004: "require subscribe",
    43101: "user refuse to accept the msg",
    43107: "subscribe message is banned",
    43108: "send too frequently to the same user",
    44002: "empty post data",
    45009: "reach max api daily quota limit",
    45011: "api minute-quota reach limit must slower retry next minute",
    45109: "This API has been unsupported",
    45168: "hit sensitive word",
    47001: "data format error",
    47003: "argument invalid!",
    48001: "api unauthorized",
    48004: "api forbidden for irregularities",
    50004: "token api is forbidden",
    50007: "account is frozen",
    89503: "ip needs the administrator's confirmation",
    89506: "ip is refused for 24 hours",
    89507: "ip is refused for an hour",
}


class Refused(Exception):
    """An error to be answered. `detail` follows the wording of the table."""

    def __init__(self, errcode: int, detail: str = "") -> None:
        self.errcode = errcode
        self.errmsg = f"{ERRORS.get(errcode, 'error')}{' ' if detail else ''}{detail}"
        super().__init__(self.errmsg)


def ok(**more: Any) -> dict[str, Any]:
    return {"errcode": 0, "errmsg": "ok", **more}


@dataclasses.dataclass
class Token:
    value: str
    minted_at: float
    dies_at: float


class TokenBook:
    """The tokens of one endpoint: a new one leaves the former alive for five minutes more."""

    def __init__(self, prefix: str) -> None:
        self._prefix, self.tokens = prefix, list[Token]()

    def latest(self, now: float) -> Token | None:
        """Return the token that lasts longer than the change-over."""
        last = self.tokens[-1] if self.tokens else None
        return last if last and last.dies_at - OVERLAP_SECONDS > now else None

    def mint(self, now: float, *, kill_former: bool = False) -> Token:
        for token in self.tokens:
            token.dies_at = min(token.dies_at, now if kill_former else now + OVERLAP_SECONDS)
        self.tokens = [
            *self.tokens[-4:],
            Token(f"{self._prefix}_{secrets.token_urlsafe(96)}", now, now + TOKEN_SECONDS),
        ]
        return self.tokens[-1]

    def find(self, value: str) -> Token | None:
        return next((token for token in self.tokens if token.value == value), None)


class Account:
    """A mini-program or an official account: its two books of tokens, which don't touch each other."""

    def __init__(self, appid: str, secret: str) -> None:
        self.appid, self.secret = appid, secret
        self.plain, self.stable = TokenBook("98"), TokenBook("STABLE")
        self._forced = list[float]()

    def end_tokens(self, now: float, *, forget: bool) -> None:
        for book in (self.plain, self.stable):
            for token in book.tokens:
                token.dies_at = now
            if forget:
                book.tokens = []

    def stable_token(self, now: float, *, force: bool) -> Token:
        token = self.stable.latest(now)
        if force and self._may_force(now):
            self._forced.append(now)
            token = self.stable.mint(now, kill_former=True)
        return token or self.stable.mint(now)

    def check(self, value: str, now: float) -> None:
        """Raises Refused unless the token is one of this account's and alive."""
        if not value:
            raise Refused(41001)
        token = self.stable.find(value) or self.plain.find(value)
        if token is None:
            raise Refused(40001)
        if token.dies_at <= now:
            raise Refused(42001)

    def _may_force(self, now: float) -> bool:
        """Closer than 30 s: no refresh, same token. More than 20 a day: refused."""
        self._forced = [at for at in self._forced if at > now - 86_400]
        if self._forced and now - self._forced[-1] < FORCED_APART_SECONDS:
            return False
        if len(self._forced) >= FORCED_PER_DAY:
            raise Refused(45009)
        return True


@dataclasses.dataclass
class Manners:
    """How the accounts are set up. A quota of 0 is none. `pages`: those released, comma-separated; empty: any."""

    push_mode: str = dataclasses.field(default="safe", metadata={"choices": ("plain", "compatible", "safe")})
    push_format: str = dataclasses.field(default="json", metadata={"choices": ("json", "xml")})
    push_shape: str = dataclasses.field(default="list", metadata={"choices": ("list", "named")})
    daily_quota: int = 0
    minute_quota: int = 0
    pages: str = ""


class Platform(Protocol):
    """What a part of the stand-in may ask of the whole; the world's lock is held."""

    config: Config
    clock: Clock
    rng: random.Random
    manners: Manners
    mini: Account
    official: Account

    def check_token(self, query: Mapping[str, str]) -> None:
        """Raises Refused unless the call carries a token of the mini-program."""

    def push(
        self,
        event: Mapping[str, Any],
        items: Sequence[Mapping[str, Any]] = (),
        *,
        account: Account | None = None,
        after: float = 0.0,
    ) -> None:
        """Tell the merchant of an event (FromUserName, Event and its own fields), after some seconds.

        `items` are the entries of an event that has a list. `account` is the mini-program unless told otherwise.
        """
