"""快递鸟: instant query, subscription, recognition, and the push that answers a subscription.

What is documented, what was only seen, and what is unproved stands in docs/providers/kdniao.md.
"""

import base64
import dataclasses
import datetime as dt
import hashlib
import hmac
import json
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import unquote

from django.conf import settings

from frozenshop.kernel import clock, strict_json
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
from logistics.providers.kdniao_codes import CODES

QUERY_PATH = "/Ebusiness/EbusinessOrderHandle.aspx"
DIST_PATH = "/api/dist"
RECOGNISE = "2002"
CASH_ON_DELIVERY_PUSH = "107"

SUBSCRIBE_TYPES: Mapping[str, str] = {
    "1002": "1008",  # basic: no StateEx, Location or Action
    "8001": "8008",  # 在途监控
    "8002": "8008",  # 快递查询, which needs no ShipperCode
}

NOTHING_KNOWN = ("暂无轨迹", "无轨迹", "暂无物流")

# A part of 快递鸟's Reason → (asking again can't help, what it concerns). Seen in answers up to 2026-10; the wording
# around the part varies. Any other reason may pass by itself.
REASONS: Mapping[str, tuple[bool, Concerns]] = {
    "没有可用套餐": (True, Concerns.PLAN),  # said before the signature is looked at
    "已到期": (True, Concerns.PLAN),
    "非法参数": (True, Concerns.ACCOUNT),  # 请核实ID和key是否正确
    "ShipperCode": (True, Concerns.CARRIER),  # 无效的输入[【ShipperCode】…不正确]
    "手机尾号": (True, Concerns.WAYBILL),  # 手机尾号不能为空
    "查询次数": (False, Concerns.ACCOUNT),  # 超出查询次数限制: over by tomorrow
    "频繁": (False, Concerns.ACCOUNT),
    "繁忙": (False, Concerns.ACCOUNT),
}


def configured() -> bool:
    return bool(settings.KDNIAO_BUSINESS_ID and settings.KDNIAO_API_KEY)


def sign(request_data: str, api_key: str) -> str:
    """Return 快递鸟's DataSign: the base64 of the lower-case hex MD5 of text and key, always 44 characters.

    `request_data` is the exact JSON text that is sent, not re-serialised and not yet form-encoded.
    """
    digest = hashlib.md5((request_data + api_key).encode("utf-8", "surrogatepass"), usedforsecurity=False)
    return base64.b64encode(digest.hexdigest().encode()).decode()


# --- asking ---------------------------------------------------------------------------------------


def query(question: Question, *, timeout: float = 5.0) -> ProviderReport:
    answer = _call(QUERY_PATH, settings.KDNIAO_QUERY_TYPE, _about(question), timeout=timeout)
    if not answer.content.get("Success"):
        _raise_unless_nothing_known(answer.content)
    report = _report(answer.content, said_at=reading.said_today())
    reading.check_answered(report.waybill_no, question)
    return dataclasses.replace(report, raw=answer.raw)


def subscribe(question: Question, *, timeout: float = 5.0) -> None:
    request_type = SUBSCRIBE_TYPES.get(settings.KDNIAO_QUERY_TYPE, "8008")
    answer = _call(DIST_PATH, request_type, _about(question), timeout=timeout).content
    if not answer.get("Success"):
        _raise_unless_nothing_known(answer)


def recognise(waybill_no: str, *, timeout: float = 5.0) -> tuple[Candidate, ...]:
    """Return the carriers that a number may belong to, most likely first; empty where 快递鸟 can't tell."""
    answer = _call(QUERY_PATH, RECOGNISE, {"LogisticCode": waybill_no}, timeout=timeout).content
    shippers = answer.get("Shippers")
    if not answer.get("Success") and not isinstance(shippers, list):
        _raise_unless_nothing_known(answer)
    return tuple(
        Candidate(reading.text(shipper.get("ShipperCode")), reading.text(shipper.get("ShipperName")))
        for shipper in reading.mappings(shippers)
        if reading.text(shipper.get("ShipperCode"))
    )


def _about(question: Question) -> dict[str, str]:
    about = {
        "OrderCode": "",
        "CustomerName": question.phone_tail,
        "ShipperCode": question.carrier_code,
        "LogisticCode": question.waybill_no,
    }
    return {name: value for name, value in about.items() if value or name == "OrderCode"}


def _call(path: str, request_type: str, data: Mapping[str, str], *, timeout: float) -> wire.Answer:
    request_data = json.dumps(data, ensure_ascii=False, separators=(",", ":"))
    form = {
        "RequestData": request_data,
        "EBusinessID": settings.KDNIAO_BUSINESS_ID,
        "RequestType": request_type,
        "DataSign": sign(request_data, _keys()[0]),
        "DataType": "2",
    }
    url = settings.KDNIAO_BASE_URL.rstrip("/") + path
    return wire.ask("kdniao", "POST", url, data=form, timeout=timeout)


def _raise_unless_nothing_known(answer: Mapping[str, Any]) -> None:
    """Return where a failure only means "no scans yet" (older answers give no reason at all)."""
    reason = reading.text(answer.get("Reason"))
    if not reason or any(part in reason for part in NOTHING_KNOWN):
        return
    reason = wire.masked(reason, _keys())
    permanent, concerns = next((kind for part, kind in REASONS.items() if part in reason), (False, Concerns.WAYBILL))
    raise ProviderError(reason[:200], permanent=permanent, concerns=concerns)


def _keys() -> list[str]:
    """Return the live keys: the first signs, all are accepted on pushes, so that a key can be changed without a gap."""
    return [key.strip() for key in settings.KDNIAO_API_KEY.split(",") if key.strip()]


# --- pushes ---------------------------------------------------------------------------------------


def authenticate(body: bytes, secret: str = "") -> None:
    fields = _fields(body)
    given = unquote(fields["DataSign"]).strip().encode("utf-8", "surrogatepass")
    texts = {fields["RequestData"], wire.decoded_once_more(fields["RequestData"])}
    matches = [hmac.compare_digest(sign(text, key).encode(), given) for text in texts for key in _keys()]
    if not any(matches):
        raise Forged("DataSign 不符")


def parse(body: bytes, received_at: dt.datetime | None = None) -> tuple[ProviderReport, ...]:
    fields = _fields(body)
    if fields.get("RequestType") == CASH_ON_DELIVERY_PUSH:
        return ()
    try:
        message, notes = strict_json.load(wire.decoded_once_more(fields["RequestData"]))
    except ValueError as error:
        raise Unreadable("RequestData 不是可读的 JSON") from error
    if not isinstance(message, dict) or not isinstance(message.get("Data"), list):
        raise Unreadable("RequestData 中没有 Data")
    received_at = received_at or clock.now()
    said_at = min(reading.wall_clock(message.get("PushTime")) or received_at, received_at)
    return _reports(message["Data"], said_at, notes)


def accepted(body: bytes) -> Reply:
    return _reply(200, reason="")


def refused(body: bytes, reason: str, *, status: int) -> Reply:
    return _reply(status, reason=reason)


def _reply(status: int, *, reason: str) -> Reply:
    answer = {
        "EBusinessID": settings.KDNIAO_BUSINESS_ID,
        "UpdateTime": f"{clock.shanghai(clock.now()):%Y-%m-%d %H:%M:%S}",
        "Success": status == 200,
        "Reason": reason,
    }
    return Reply(status, json.dumps(answer, ensure_ascii=False))


def _fields(body: bytes) -> dict[str, str]:
    return wire.signed_fields(body, "RequestData", "DataSign")


# --- reading what it says -------------------------------------------------------------------------


def _reports(items: Iterable[Any], said_at: dt.datetime, notes: tuple[str, ...]) -> tuple[ProviderReport, ...]:
    """Return a report per readable item; one that can't be read doesn't hold up the others."""
    readable = [item for item in reading.mappings(items) if reading.waybill_no(item.get("LogisticCode"))]
    if not readable:
        raise Unreadable("Data 中没有可读的运单")
    return tuple(_report(item, said_at=said_at, notes=notes) for item in readable)


def _report(item: Mapping[str, Any], *, said_at: dt.datetime, notes: tuple[str, ...] = ()) -> ProviderReport:
    events, unreadable = _events(reading.mappings(item.get("Traces")))
    overall = _overall(item, events[-1].occurred_at if events else said_at, has_events=bool(events))
    return ProviderReport(
        waybill_no=reading.text(item.get("LogisticCode")),
        carrier_code=reading.text(item.get("ShipperCode")),
        events=events,
        overall=overall,
        found=bool(events),
        reason=reading.text(item.get("Reason"))[:200],
        unknown_codes=reading.unknown_codes(events, overall, CODES.get),
        notes=notes + unreadable,
    )


def _events(traces: Iterable[Mapping[str, Any]]) -> tuple[tuple[ProviderEvent, ...], tuple[str, ...]]:
    """Return the scans, and a note for each whose time can't be read."""
    events, notes = [], []
    for trace in traces:
        occurred_at = reading.wall_clock(trace.get("AcceptTime"))
        if occurred_at is None:
            notes.append(f"AcceptTime 无法识别：{reading.text(trace.get('AcceptTime'))[:40]}")
            continue
        text, code = reading.text(trace.get("AcceptStation")), _code(trace.get("Action"))
        place = reading.text(trace.get("Location"))[:100]
        events.append(ProviderEvent(_status(code), occurred_at, text, place, code))
    return reading.in_order(events), tuple(notes)


def _overall(item: Mapping[str, Any], as_of: dt.datetime, *, has_events: bool) -> Overall | None:
    """Return StateEx, else State as a weak word; None where nothing was said of a parcel without scans."""
    exact, coarse = _code(item.get("StateEx")), _code(item.get("State"))
    code = exact or coarse
    status = _status(code)
    if not code or (status is ShipmentStatus.NO_TRACE and not has_events):
        return None
    return Overall(status, code, as_of, weak=not exact, location=reading.text(item.get("Location"))[:100])


def _status(code: str) -> ShipmentStatus:
    return CODES.get(code, ShipmentStatus.UNKNOWN)


def _code(value: Any) -> str:
    return reading.text(value)[:20]
