"""WeChat's server API: login codes, access tokens, phone codes; its other parts stand in modules of their own."""

import base64
import dataclasses
import random
import secrets
from collections.abc import Mapping, Sequence
from typing import Any

from sandbox.config import Config
from sandbox.instants import Clock
from sandbox.payments import PaymentBook
from sandbox.wechat_base import TOKEN_SECONDS, Account, Manners, Platform, Refused, Routes, ok
from sandbox.wechat_express import Express
from sandbox.wechat_messages import Messages
from sandbox.wechat_push import Event
from sandbox.wechat_shipping import Shipping

SERVED = ("/sns/", "/cgi-bin/", "/wxa/", "/wxaapi/")
CODE_SECONDS = 300


@dataclasses.dataclass
class Code:
    """Good for five minutes, once. A login code stands for an openid, a phone code for a number."""

    minted_at: float
    openid: str = ""
    unionid: str = ""
    phone: str = ""
    country_code: str = "86"
    used: bool = False


class WeChat(Platform):
    """One merchant's mini-program and official account; callers hold the world's lock.

    `forced`: by path, how often the call answers an errcode whatever it asks.
    """

    def __init__(self, config: Config, clock: Clock, rng: random.Random) -> None:
        self.config, self.clock, self.rng = config, clock, rng
        self.mini = Account(config.wechat_appid, config.wechat_app_secret)
        self.official = Account(config.wechat_official_appid, config.wechat_official_app_secret)
        self._logins, self._phones = dict[str, Code](), dict[str, Code]()
        self.ip_allowed, self.manners = True, Manners()
        self.forced = dict[str, tuple[int, int]]()
        self.events = list[Event]()
        self.messages = Messages(self)
        self.shipping, self.express = Shipping(self, PaymentBook(config.state_dir)), Express(self)
        self.routes: Routes = {
            "/sns/jscode2session": ("GET", self._session),
            "/cgi-bin/token": ("GET", self._token),
            "/cgi-bin/stable_token": ("POST", self._stable_token),
            "/wxa/business/getuserphonenumber": ("POST", self._phone),
            **self.messages.routes(),
            **self.shipping.routes(),
            **self.express.routes(),
        }

    def mint_login(self, openid: str, unionid: str = "") -> str:
        return self._mint(self._logins, "0" + secrets.token_urlsafe(23), Code(self.clock(), openid, unionid))

    def mint_phone(self, phone: str, *, country_code: str = "86", openid: str = "") -> str:
        """With an openid the code is good for that user only."""
        code = Code(self.clock(), openid, phone=phone, country_code=country_code)
        return self._mint(self._phones, secrets.token_hex(32), code)

    def _mint(self, book: dict[str, Code], value: str, code: Code) -> str:
        for old in [known for known in book if book[known].minted_at < code.minted_at - 2 * CODE_SECONDS]:
            del book[old]
        book[value] = code
        return value

    def expire_tokens(self) -> None:
        for account in (self.mini, self.official):
            account.end_tokens(self.clock(), forget=False)

    def revoke_tokens(self) -> None:
        for account in (self.mini, self.official):
            account.end_tokens(self.clock(), forget=True)

    def push(
        self,
        event: Mapping[str, Any],
        items: Sequence[Mapping[str, Any]] = (),
        *,
        account: Account | None = None,
        after: float = 0.0,
    ) -> None:
        now = self.clock()
        self.events.append(Event(event, tuple(items), (account or self.mini).appid, int(now), now + after))

    def answer(self, method: str, path: str, query: Mapping[str, str], body: Any) -> dict[str, Any]:
        """Answer a call. `body`: the parsed JSON, nothing where it can't be read."""
        try:
            if path not in self.routes:
                raise Refused(40066)
            self._refuse_forced(path)
            verb, handler = self.routes[path]
            if method != verb:
                raise Refused(43001 if verb == "GET" else 43002)
            return handler(query, body)
        except Refused as refusal:
            return {"errcode": refusal.errcode, "errmsg": f"{refusal.errmsg} rid: {self._rid()}"}

    def _refuse_forced(self, path: str) -> None:
        errcode, times = self.forced.get(path, (0, 0))
        if times:
            self.forced[path] = errcode, times - 1
            raise Refused(errcode)

    def _rid(self) -> str:
        return f"{int(self.clock()):08x}-{self.rng.getrandbits(32):08x}-{self.rng.getrandbits(32):08x}"

    def _authenticate(self, asked: Mapping[str, Any], grant_type: str) -> Account:
        if not asked.get("appid"):
            raise Refused(41002)
        account = self.official if asked["appid"] == self.official.appid else self.mini
        if asked["appid"] != account.appid:
            raise Refused(40013)
        if not asked.get("secret"):
            raise Refused(41004)
        if asked["secret"] != account.secret:
            raise Refused(40125)
        if asked.get("grant_type") != grant_type:
            raise Refused(40002)
        return account

    def _session(self, query: Mapping[str, str], body: Any) -> dict[str, Any]:
        self._authenticate(query, "authorization_code")
        if not query.get("js_code"):
            raise Refused(41008)
        code = self._spend(self._logins, query["js_code"])
        session_key = base64.b64encode(secrets.token_bytes(16)).decode()
        found = {"session_key": session_key, "openid": code.openid}
        return found | ({"unionid": code.unionid} if code.unionid else {})

    def _spend(self, book: dict[str, Code], value: str, *, openid: str = "") -> Code:
        code = book.get(value)
        if code is None or code.minted_at + CODE_SECONDS < self.clock():
            raise Refused(40029)
        if code.used:
            raise Refused(40163 if book is self._logins else 40029)
        if openid and code.openid and openid != code.openid:
            raise Refused(40029)
        code.used = True
        return code

    def _token(self, query: Mapping[str, str], body: Any) -> dict[str, Any]:
        account = self._authenticate(query, "client_credential")
        self._check_address()
        return {"access_token": account.plain.mint(self.clock()).value, "expires_in": TOKEN_SECONDS}

    def _stable_token(self, query: Mapping[str, str], body: Any) -> dict[str, Any]:
        if not isinstance(body, dict):
            raise Refused(47001)
        account = self._authenticate(body, "client_credential")
        self._check_address()
        now = self.clock()
        token = account.stable_token(now, force=body.get("force_refresh") is True)
        return {"access_token": token.value, "expires_in": int(token.dies_at - now)}

    def _check_address(self) -> None:
        if not self.ip_allowed:
            raise Refused(40164)

    def check_token(self, query: Mapping[str, str]) -> None:
        self.mini.check(query.get("access_token", ""), self.clock())

    def _phone(self, query: Mapping[str, str], body: Any) -> dict[str, Any]:
        self.check_token(query)
        if not isinstance(body, dict) or not isinstance(body.get("code"), str):
            raise Refused(47001)
        code = self._spend(self._phones, body["code"], openid=str(body.get("openid") or ""))
        abroad = code.country_code != "86"
        info = {
            "phoneNumber": f"+{code.country_code}{code.phone}" if abroad else code.phone,
            "purePhoneNumber": code.phone,
            "countryCode": code.country_code,
            "watermark": {"timestamp": int(self.clock()), "appid": self.config.wechat_appid},
        }
        return ok(phone_info=info)
