"""What the program asks of WeChat about a buyer: who they are, and their verified telephone number."""

import datetime as dt
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import structlog
from django.conf import settings

from frozenshop.kernel.errors import Forbidden, Invalid, RateLimited, Unavailable
from frozenshop.kernel.http import ServiceError
from notifications.wechat import tokens, wire
from notifications.wechat.accounts import Account, mini_program
from notifications.wechat.errors import INVALID_CODE, RISKY_USER, STALE_TOKEN, TOO_OFTEN, WechatError

logger = structlog.get_logger(__name__)

CHINA = "86"


@dataclass(frozen=True, slots=True)
class WechatSession:
    """WeChat's session key is dropped on receipt: nothing here decrypts client data."""

    openid: str
    unionid: str | None


def enabled() -> bool:
    """Say whether the mini-program's keys are set."""
    return mini_program().configured


def code_to_session(code: str) -> WechatSession:
    """Exchange a `wx.login` code, which is good once within five minutes.

    Raises Invalid on field "code", Forbidden (WeChat finds the user risky), RateLimited, Unavailable.
    """
    _check_code(code)
    asked = {
        "appid": settings.WECHAT_APPID,
        "secret": settings.WECHAT_APP_SECRET,
        "js_code": code,
        "grant_type": "authorization_code",
    }
    with _for_a_buyer("登录码已失效，请重新登录"):
        found = wire.get("/sns/jscode2session", asked)
        return WechatSession(str(found["openid"]), found.get("unionid") or None)


def phone_number(code: str, openid: str | None = None) -> str:
    """Exchange the code of the phone button. Mainland numbers are bare digits, others start with `+` and the country.

    With `openid` WeChat checks that the code is that user's. Raises as `code_to_session`.
    """
    _check_code(code)
    with _for_a_buyer("手机号授权已失效，请重新点击授权"):
        found = authorised("/wxa/business/getuserphonenumber", {"code": code, **({"openid": openid} if openid else {})})
        info = found["phone_info"]
        number, country = str(info["purePhoneNumber"]), str(info["countryCode"]).removeprefix("+")
    return number if country == CHINA else f"+{country}{number}"


def authorised(
    path: str, body: Mapping[str, Any], *, account: Account | None = None, timeout: float = wire.TIMEOUT
) -> dict[str, Any]:
    """POST with the access token, renewing it once if WeChat refuses it. Raises WechatError, ServiceError."""
    return _with_token(lambda token: wire.post(path, body, params={"access_token": token}, timeout=timeout), account)


def authorised_get(
    path: str, params: Mapping[str, str] | None = None, *, account: Account | None = None
) -> dict[str, Any]:
    """GET with the access token, as `authorised`."""
    return _with_token(lambda token: wire.get(path, {**(params or {}), "access_token": token}), account)


def _with_token(call: Callable[[str], dict[str, Any]], account: Account | None) -> dict[str, Any]:
    token = _before_the_call(lambda: tokens.access_token(account))
    try:
        return call(token)
    except WechatError as error:
        if error.errcode not in STALE_TOKEN:
            raise
    return call(_before_the_call(lambda: tokens.renewed(token, account)))


def _before_the_call(get_token: Callable[[], str]) -> str:
    """A token that can't be had leaves no doubt about the call itself."""
    try:
        return get_token()
    except ServiceError as error:
        error.sent = False
        raise


def _check_code(code: str) -> None:
    if not enabled():
        raise Unavailable("微信登录没有启用，请联系商家")
    if not isinstance(code, str) or not 1 <= len(code) <= 256 or not code.isascii() or not code.isprintable():
        raise Invalid(fields={"code": "登录码格式不正确，请重新获取"})


@contextmanager
def _for_a_buyer(invalid_code: str) -> Iterator[None]:
    """Turn what WeChat said into what a buyer can do; what only staff can cure is logged as an error."""
    try:
        yield
    except WechatError as error:
        if error.errcode in INVALID_CODE:
            raise Invalid(invalid_code, fields={"code": invalid_code}) from error
        if error.errcode == RISKY_USER:
            raise Forbidden("微信提示当前账号有风险，暂时不能登录") from error
        if error.errcode == TOO_OFTEN:
            raise RateLimited(retry_after=dt.timedelta(minutes=1)) from error
        log = logger.error if error.permanent else logger.warning
        log("wechat.refused", errcode=error.errcode, path=error.path, rid=error.rid)
        raise Unavailable("微信服务暂时不可用，请稍后再试") from error
    except (ServiceError, KeyError, TypeError, ValueError) as error:
        raise Unavailable("微信服务暂时不可用，请稍后再试") from error
