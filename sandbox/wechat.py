"""WeChat's server API: login codes, the two books of access tokens, phone codes.

HTTP status is 200 for errors too; `errmsg` ends with a rid whose first group is the time.
"""

import base64
import dataclasses
import random
import secrets
from collections.abc import Callable, Mapping
from typing import Any

from sandbox.config import Config
from sandbox.instants import Clock

SERVED = ("/sns/", "/cgi-bin/", "/wxa/")
CODE_SECONDS = 300
TOKEN_SECONDS = 7200
OVERLAP_SECONDS = 300
FORCED_PER_DAY = 20
FORCED_APART_SECONDS = 30
ERRORS = {
    40001: "invalid credential, access_token is invalid or not latest, could get access_token by "
    "getStableAccessToken, more details at https://mmbizurl.cn/s/JtxxFh33r",
    40002: "invalid grant_type",
    40013: "invalid appid",
    40029: "invalid code,",
    40125: "invalid appsecret",
    40163: "code been used,",
    40164: "invalid ip 127.0.0.1 ipv6 ::ffff:127.0.0.1, not in whitelist",
    40066: "invalid url",
    41001: "access_token missing",
    41002: "appid missing",
    41004: "appsecret missing",
    41008: "missing code",
    42001: "access_token expired",
    43001: "require GET method",
    43002: "require POST method",
    45009: "reach max api daily quota limit",
    47001: "data format error",
}


class Refused(Exception):
    def __init__(self, errcode: int) -> None:
        self.errcode = errcode
        super().__init__(ERRORS[errcode])


@dataclasses.dataclass
class Code:
    """Good for five minutes, once. A login code stands for an openid, a phone code for a number."""

    minted_at: float
    openid: str = ""
    unionid: str = ""
    phone: str = ""
    country_code: str = "86"
    used: bool = False


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


class WeChat:
    """One mini-program's account; callers hold the world's lock."""

    def __init__(self, config: Config, clock: Clock, rng: random.Random) -> None:
        self._config, self._clock, self._rng = config, clock, rng
        self._logins, self._phones = dict[str, Code](), dict[str, Code]()
        self._plain, self._stable = TokenBook("98"), TokenBook("STABLE")
        self._forced = list[float]()
        self.ip_allowed = True

    def mint_login(self, openid: str, unionid: str = "") -> str:
        return self._mint(self._logins, "0" + secrets.token_urlsafe(23), Code(self._clock(), openid, unionid))

    def mint_phone(self, phone: str, *, country_code: str = "86", openid: str = "") -> str:
        """With an openid the code is good for that user only."""
        code = Code(self._clock(), openid, phone=phone, country_code=country_code)
        return self._mint(self._phones, secrets.token_hex(32), code)

    def _mint(self, book: dict[str, Code], value: str, code: Code) -> str:
        for old in [known for known in book if book[known].minted_at < code.minted_at - 2 * CODE_SECONDS]:
            del book[old]
        book[value] = code
        return value

    def expire_tokens(self) -> None:
        for token in self._plain.tokens + self._stable.tokens:
            token.dies_at = self._clock()

    def revoke_tokens(self) -> None:
        self._plain.tokens, self._stable.tokens = [], []

    def answer(self, method: str, path: str, query: Mapping[str, str], body: Any) -> dict[str, Any]:
        """Answer a call. `body`: the parsed JSON, nothing where it can't be read."""
        try:
            routes: dict[str, tuple[str, Callable[[], dict[str, Any]]]] = {
                "/sns/jscode2session": ("GET", lambda: self._session(query)),
                "/cgi-bin/token": ("GET", lambda: self._token(query)),
                "/cgi-bin/stable_token": ("POST", lambda: self._stable_token(body)),
                "/wxa/business/getuserphonenumber": ("POST", lambda: self._phone(query, body)),
            }
            if path not in routes:
                raise Refused(40066)
            verb, handler = routes[path]
            if method != verb:
                raise Refused(43001 if verb == "GET" else 43002)
            return handler()
        except Refused as refusal:
            return {"errcode": refusal.errcode, "errmsg": f"{ERRORS[refusal.errcode]} rid: {self._rid()}"}

    def _rid(self) -> str:
        return f"{int(self._clock()):08x}-{self._rng.getrandbits(32):08x}-{self._rng.getrandbits(32):08x}"

    def _authenticate(self, asked: Mapping[str, Any], grant_type: str) -> None:
        if not asked.get("appid"):
            raise Refused(41002)
        if asked["appid"] != self._config.wechat_appid:
            raise Refused(40013)
        if not asked.get("secret"):
            raise Refused(41004)
        if asked["secret"] != self._config.wechat_app_secret:
            raise Refused(40125)
        if asked.get("grant_type") != grant_type:
            raise Refused(40002)

    def _session(self, query: Mapping[str, str]) -> dict[str, Any]:
        self._authenticate(query, "authorization_code")
        if not query.get("js_code"):
            raise Refused(41008)
        code = self._spend(self._logins, query["js_code"])
        session_key = base64.b64encode(secrets.token_bytes(16)).decode()
        found = {"session_key": session_key, "openid": code.openid}
        return found | ({"unionid": code.unionid} if code.unionid else {})

    def _spend(self, book: dict[str, Code], value: str, *, openid: str = "") -> Code:
        code = book.get(value)
        if code is None or code.minted_at + CODE_SECONDS < self._clock():
            raise Refused(40029)
        if code.used:
            raise Refused(40163 if book is self._logins else 40029)
        if openid and code.openid and openid != code.openid:
            raise Refused(40029)
        code.used = True
        return code

    def _token(self, query: Mapping[str, str]) -> dict[str, Any]:
        self._authenticate(query, "client_credential")
        self._check_address()
        return {"access_token": self._plain.mint(self._clock()).value, "expires_in": TOKEN_SECONDS}

    def _stable_token(self, body: Any) -> dict[str, Any]:
        if not isinstance(body, dict):
            raise Refused(47001)
        self._authenticate(body, "client_credential")
        self._check_address()
        now = self._clock()
        token = self._stable.latest(now)
        if body.get("force_refresh") is True and self._may_force(now):
            self._forced.append(now)
            token = self._stable.mint(now, kill_former=True)
        token = token or self._stable.mint(now)
        return {"access_token": token.value, "expires_in": int(token.dies_at - now)}

    def _may_force(self, now: float) -> bool:
        """Closer than 30 s: no refresh, same token. More than 20 a day: refused."""
        self._forced = [at for at in self._forced if at > now - 86_400]
        if self._forced and now - self._forced[-1] < FORCED_APART_SECONDS:
            return False
        if len(self._forced) >= FORCED_PER_DAY:
            raise Refused(45009)
        return True

    def _check_address(self) -> None:
        if not self.ip_allowed:
            raise Refused(40164)

    def _check_token(self, query: Mapping[str, str]) -> None:
        value = query.get("access_token", "")
        if not value:
            raise Refused(41001)
        token = self._stable.find(value) or self._plain.find(value)
        if token is None:
            raise Refused(40001)
        if token.dies_at <= self._clock():
            raise Refused(42001)

    def _phone(self, query: Mapping[str, str], body: Any) -> dict[str, Any]:
        self._check_token(query)
        if not isinstance(body, dict) or not isinstance(body.get("code"), str):
            raise Refused(47001)
        code = self._spend(self._phones, body["code"], openid=str(body.get("openid") or ""))
        abroad = code.country_code != "86"
        info = {
            "phoneNumber": f"+{code.country_code}{code.phone}" if abroad else code.phone,
            "purePhoneNumber": code.phone,
            "countryCode": code.country_code,
            "watermark": {"timestamp": int(self._clock()), "appid": self._config.wechat_appid},
        }
        return {"errcode": 0, "errmsg": "ok", "phone_info": info}
