"""快递100: query, subscription with an address per parcel, the pushes that answer it, and recognition.

What is documented, what was only seen, and what is unproved stands in docs/providers/kuaidi100.md.
"""

import datetime as dt
import hashlib
import hmac
import json
import re
from collections.abc import Iterable, Mapping
from typing import Any

from django.conf import settings

from frozenshop.kernel import strict_json
from logistics import callback_tokens
from logistics.models import ShipmentStatus
from logistics.providers import reading, wire
from logistics.providers.base import (
    Candidate,
    Concerns,
    Forged,
    Overall,
    ProviderError,
    ProviderEvent,
    ProviderReport,
    Question,
    Reply,
    Unreadable,
)
from logistics.providers.kuaidi100_codes import CODES, NAMES, REASONS, RETURNED_WHEN_CHECKED, known

NAME = "kuaidi100"
QUERY_PATH = "/poll/query.do"
SUBSCRIBE_PATH = "/poll"
RECOGNISE_PATH = "/autonumber/auto"

OK, NOTHING_KNOWN, KNOWN_ALREADY = "200", "500", "501"
LOCKED = "锁"

# returnCode → (asking again can't help, what it concerns). A query and a subscription use the same numbers otherwise:
# 500 and 501 are "no result" and "server error" of a query, "server error" and "subscribed already" of a subscription.
QUERY_REFUSALS: Mapping[str, tuple[bool, Concerns]] = {
    "400": (True, Concerns.CARRIER),  # 找不到对应公司; also said of a wrong customer or a spent quota
    "408": (True, Concerns.WAYBILL),  # 验证码错误: the phone is not the parcel's
    "501": (False, Concerns.ACCOUNT),  # 服务器错误
    "502": (False, Concerns.ACCOUNT),  # 服务器繁忙
    "503": (True, Concerns.ACCOUNT),  # 验证签名失败, 签名错误
    "601": (True, Concerns.ACCOUNT),  # key 已过期, or its quota is spent
}
SUBSCRIBE_REFUSALS: Mapping[str, tuple[bool, Concerns]] = {
    "500": (False, Concerns.ACCOUNT),  # 服务器错误
    "600": (True, Concerns.ACCOUNT),  # 非法订阅者: the key
    "601": (True, Concerns.ACCOUNT),  # key 已过期
    "700": (True, Concerns.WAYBILL),  # data or address refused
    "701": (True, Concerns.CARRIER),  # 拒绝订阅的快递公司
    "702": (True, Concerns.CARRIER),  # 识别不到公司
}
ACCOUNT_WORDS = ("customer", "账号", "余量", "单量", "充值")

NO_MORE: Mapping[str, str] = {"shutdown": "已结束推送", "abort": "已中止推送"}
HOUR_ONLY = re.compile(r"\d{4}-\d{1,2}-\d{1,2} \d{1,2}", re.ASCII)


def configured() -> bool:
    return bool(settings.KUAIDI100_CUSTOMER and settings.KUAIDI100_KEY)


def sign_query(param: str, key: str, customer: str) -> str:
    """Return the signature of a query: the upper-case hex MD5 of the exact `param` text, key and customer."""
    return _digest(param + key + customer)


def sign_push(param: str, salt: str) -> str:
    """Return the signature of a push; an empty salt signs too."""
    return _digest(param + salt)


def _digest(text: str) -> str:
    return hashlib.md5(text.encode("utf-8", "surrogatepass"), usedforsecurity=False).hexdigest().upper()


# --- asking ---------------------------------------------------------------------------------------


def query(question: Question, *, timeout: float = 5.0) -> ProviderReport:
    about = {"com": question.carrier_code, "num": question.waybill_no} | _extras(question)
    param = _json(about | {"show": "0", "order": "desc"})
    sign = sign_query(param, settings.KUAIDI100_KEY, settings.KUAIDI100_CUSTOMER)
    form = {"customer": settings.KUAIDI100_CUSTOMER, "sign": sign, "param": param}
    told = wire.ask(NAME, "POST", _url(QUERY_PATH), data=form, timeout=timeout)
    answer, code = told.content, _return_code(told.content)
    if code == NOTHING_KNOWN:
        said = reading.text(answer.get("message"))[:200]
        return ProviderReport(question.waybill_no, question.carrier_code, found=False, reason=said, raw=told.raw)
    if code != OK:
        raise _refusal(answer, code, QUERY_REFUSALS)
    reading.check_answered(reading.text(answer.get("nu")), question)
    return _report([answer], notes=told.notes, raw=told.raw)


def subscribe(question: Question, *, timeout: float = 5.0) -> None:
    if not question.callback_url:
        raise ProviderError("没有回调地址，请检查 PUBLIC_URL", permanent=True)
    parameters = {"callbackurl": question.callback_url, "salt": _salts()[0], "autoCom": "1", "interCom": "0"}
    param = {
        "company": question.carrier_code,
        "number": question.waybill_no,
        "from": question.origin,
        "to": question.destination,
        "key": settings.KUAIDI100_KEY,
        "parameters": parameters | _extras(question),
    }
    form = {"schema": "json", "param": _json(param)}
    answer = wire.ask(NAME, "POST", _url(SUBSCRIBE_PATH), data=form, timeout=timeout).content
    code = _return_code(answer)
    if code not in (OK, KNOWN_ALREADY):
        raise _refusal(answer, code, SUBSCRIBE_REFUSALS)


def recognise(waybill_no: str, *, timeout: float = 5.0) -> tuple[Candidate, ...]:
    """Return the carriers that a number may belong to, most likely first; empty where 快递100 can't tell."""
    params = {"num": waybill_no, "key": settings.KUAIDI100_KEY}
    answer = wire.ask_for_any(NAME, "GET", _url(RECOGNISE_PATH), params=params, timeout=timeout).content
    if isinstance(answer, dict):
        raise _refusal(answer, _return_code(answer), SUBSCRIBE_REFUSALS)
    if not isinstance(answer, list):
        raise ProviderError("答复不是 JSON 列表", concerns=Concerns.ACCOUNT)
    return tuple(
        Candidate(reading.text(found.get("comCode")), reading.text(found.get("name")))
        for found in reading.mappings(answer)
        if reading.text(found.get("comCode"))
    )


def _extras(question: Question) -> dict[str, str]:
    """Return the phone where it is wanted, and how much to tell: 8 adds the arrival and needs the destination."""
    lane = {"from": question.origin, "to": question.destination} if question.destination else {}
    extras = {"phone": question.phone_tail, "resultv2": "8" if lane else "4"} | lane
    return {name: value for name, value in extras.items() if value}


def _json(value: Mapping[str, Any]) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _url(path: str) -> str:
    return f"{settings.KUAIDI100_BASE_URL.rstrip('/')}{path}"


def _return_code(answer: Mapping[str, Any]) -> str:
    """A refusal has `returnCode`, an answer `status`."""
    return reading.text(answer.get("returnCode")) or reading.text(answer.get("status"))


def _refusal(answer: Mapping[str, Any], code: str, kinds: Mapping[str, tuple[bool, Concerns]]) -> ProviderError:
    secrets = (settings.KUAIDI100_KEY, settings.KUAIDI100_CUSTOMER, *_salts())
    reason = wire.masked(reading.text(answer.get("message")), secrets)
    permanent, concerns = kinds.get(code, (False, Concerns.WAYBILL))
    if LOCKED in reason:
        permanent, concerns = False, Concerns.WAYBILL
    elif concerns == Concerns.CARRIER and any(word in reason for word in ACCOUNT_WORDS):
        concerns = Concerns.ACCOUNT
    return ProviderError(f"{code} {reason}".strip()[:200], permanent=permanent, concerns=concerns)


def _salts() -> list[str]:
    """Return the live salts: the first goes with new subscriptions, all are accepted. None given: the empty one."""
    return [salt.strip() for salt in settings.KUAIDI100_CALLBACK_SALT.split(",")]


# --- pushes ---------------------------------------------------------------------------------------


def authenticate(body: bytes, secret: str = "") -> None:
    """`secret` is the parcel's token: without a salt of its own a push is signed with what everybody knows."""
    fields = _fields(body)
    given = fields["sign"].strip().encode("utf-8", "surrogatepass")
    matches = [hmac.compare_digest(sign_push(fields["param"], salt).encode(), given) for salt in _salts()]
    if not any(matches):
        raise Forged("sign 不符")
    (report,) = parse(body)
    if not callback_tokens.is_good(secret, report.waybill_no, NAME):
        raise Forged("回调地址不符")


def parse(body: bytes, received_at: dt.datetime | None = None) -> tuple[ProviderReport, ...]:
    try:
        push, notes = strict_json.load(_fields(body)["param"])
    except ValueError as error:
        raise Unreadable("param 不是可读的 JSON") from error
    if not isinstance(push, dict):
        raise Unreadable("param 不是 JSON 对象")
    results = reading.mappings([push.get("lastResult"), push.get("destResult")])
    if not results or not reading.waybill_no(results[0].get("nu")):
        raise Unreadable("lastResult 中没有可读的运单")
    return (_report(results, push=push, notes=notes),)


def accepted(body: bytes) -> Reply:
    return _reply(200, "成功")


def refused(body: bytes, reason: str, *, status: int) -> Reply:
    return _reply(status, reason)


def _reply(status: int, message: str) -> Reply:
    answer = {"result": status == 200, "returnCode": str(status), "message": message}
    return Reply(status, json.dumps(answer, ensure_ascii=False))


def _fields(body: bytes) -> dict[str, str]:
    return wire.signed_fields(body, "param", "sign", or_json=False)


# --- reading what it says -------------------------------------------------------------------------


def _report(
    results: list[Mapping[str, Any]],
    *,
    push: Mapping[str, Any] | None = None,
    notes: tuple[str, ...] = (),
    raw: bytes = b"",
) -> ProviderReport:
    """`results`: of the sender's country, and of the destination's where it has its own carrier."""
    first, push = results[0], push or {}
    events, odd = _events(scan for result in results for scan in reading.mappings(result.get("data")))
    overall = _overall(first, events)
    asked, found = _carriers(first, push)
    ended = NO_MORE.get(reading.text(push.get("status")), "")
    said = reading.text(push.get("message"))
    return ProviderReport(
        waybill_no=reading.text(first.get("nu")),
        carrier_code=asked,
        events=events,
        overall=overall,
        found=bool(events),
        reason=(said or _unless_ok(first))[:200],
        unknown_codes=reading.unknown_codes(events, overall, known),
        notes=notes + odd,
        corrected_carrier_code=found,
        pushes_ended=f"{ended}：{said}".rstrip("：")[:200] if ended else "",
        arrival_at=_arrival(first) if events else None,
        raw=raw,
    )


def _unless_ok(result: Mapping[str, Any]) -> str:
    said = reading.text(result.get("message"))
    return "" if said == "ok" else said


def _carriers(result: Mapping[str, Any], push: Mapping[str, Any]) -> tuple[str, str]:
    """Return the carrier that was asked for, and the one that 快递100 found instead."""
    asked, found = reading.text(result.get("com")), reading.text(push.get("comNew"))
    if push and reading.text(push.get("autoCheck")) == "1":
        asked = reading.text(push.get("comOld")) or asked
    return asked, found if found != asked else ""


def _events(scans: Iterable[Mapping[str, Any]]) -> tuple[tuple[ProviderEvent, ...], tuple[str, ...]]:
    """Return the scans, and a note for each that can't be read in full."""
    events, notes = [], []
    # Newest first as it comes: turned round, scans of one second keep their order.
    for scan in reversed(list(scans)):
        occurred_at = reading.wall_clock(scan.get("ftime")) or reading.wall_clock(scan.get("time"))
        if occurred_at is None:
            notes.append(f"time 无法识别：{reading.text(scan.get('time'))[:40]}")
            continue
        text, code = reading.text(scan.get("context")), _code(scan)
        if code not in CODES and known(code):
            notes.append(f"状态码 {code} 按 {known(code)} 理解")
        if not code and reading.text(scan.get("status")):
            notes.append(f"没有对应的状态名：{reading.text(scan.get('status'))[:20]}")
        events.append(ProviderEvent(_status(code), occurred_at, text, _place(scan), code, REASONS.get(code, "")))
    return reading.in_order(events), tuple(dict.fromkeys(notes))


def _code(scan: Mapping[str, Any]) -> str:
    """Return the scan's code; the plainer plans tell its Chinese name, or nothing."""
    name = reading.text(scan.get("status"))
    return reading.text(scan.get("statusCode"))[:20] or NAMES.get(name, "") or (name[:20] if name.isascii() else "")


def _overall(result: Mapping[str, Any], events: tuple[ProviderEvent, ...]) -> Overall | None:
    """Return `state`: a coarse word beside coded scans, an exact one where it is an advanced code.

    Without scans it says nothing: it is 0 (在途) then.
    """
    code = reading.text(result.get("state"))[:20]
    if not code or not events:
        return None
    back = code in RETURNED_WHEN_CHECKED and reading.text(result.get("ischeck")) == "1"
    status = ShipmentStatus.RETURNED if back else _status(code)
    return Overall(status, code, events[-1].occurred_at, weak=len(code) == 1 and not back, location=_current(result))


def _status(code: str) -> ShipmentStatus:
    return CODES.get(known(code), ShipmentStatus.UNKNOWN)


def _place(scan: Mapping[str, Any]) -> str:
    """Return the area, 上海市浦东新区 for 上海,上海市,浦东新区; else `location`."""
    parts = [part.strip() for part in reading.text(scan.get("areaName")).split(",")]
    area = "".join(part for part, after in zip(parts, [*parts[1:], ""], strict=True) if not after.startswith(part))
    return (area or reading.text(scan.get("location")))[:100]


def _current(result: Mapping[str, Any]) -> str:
    route = result.get("routeInfo")
    current = route.get("cur") if isinstance(route, dict) else None
    return _place({"areaName": current.get("name")}) if isinstance(current, dict) else ""


def _arrival(result: Mapping[str, Any]) -> dt.datetime | None:
    """`arrivalTime` of a parcel that is still on its way; seen with the hour alone."""
    written = reading.text(result.get("arrivalTime"))
    if reading.text(result.get("ischeck")) == "1":
        return None
    return reading.wall_clock(f"{written}:00" if HOUR_ONLY.fullmatch(written) else written)
