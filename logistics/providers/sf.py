"""顺丰丰桥: the carrier's own routes of up to ten waybills a call, their registration, and the push of new routes.

What is documented, what was only seen, and what is unproved stands in docs/providers/sf.md.
"""

import base64
import dataclasses
import datetime as dt
import hashlib
import json
import uuid
from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from urllib.parse import parse_qsl, quote_plus, unquote_plus
from xml.parsers import expat
from xml.sax.saxutils import escape

from django.conf import settings

from frozenshop.kernel import callback_secrets, clock, strict_json
from logistics.cold_products import cold_product
from logistics.models import ShipmentStatus
from logistics.providers import reading, wire
from logistics.providers.base import (
    Concerns,
    Forged,
    ProviderError,
    ProviderEvent,
    ProviderReport,
    Question,
    Reply,
    Unreadable,
)
from logistics.providers.sf_codes import reading_of

PATH = "/std/service"
SEARCH = "EXP_RECE_SEARCH_ROUTES"
REGISTER = "EXP_RECE_REGISTER_ROUTE"
CARRIER = "SF"
BATCH = 10
SECRETS = "SF_CALLBACK_SECRETS"
_CODES = ("opCode", "reasonCode", "firstStatusCode", "secondaryStatusCode")

# 丰桥's apiResultCode → (asking again can't help, what it concerns). A1000 only says that the service itself answered.
PLATFORM: Mapping[str, tuple[bool, Concerns]] = {
    "A1001": (True, Concerns.ACCOUNT),  # 必传参数不可为空: partnerID or checkword is missing
    "A1002": (False, Concerns.ACCOUNT),  # 请求时效已过期: a clock is wrong
    "A1003": (True, Concerns.ACCOUNT),  # IP无效
    "A1004": (True, Concerns.PLAN),  # 无对应服务权限: the interface is not part of the account
    "A1005": (False, Concerns.ACCOUNT),  # 流量受控
    "A1006": (True, Concerns.ACCOUNT),  # 数字签名无效
    "A1007": (False, Concerns.WAYBILL),  # 重复请求
    "A1008": (True, Concerns.ACCOUNT),  # 数据解密失败
    "A1009": (False, Concerns.ACCOUNT),  # 目标服务异常或不可达
    "A1010": (True, Concerns.ACCOUNT),  # 状态为沙箱测试: wrong address for this account
    "A1011": (True, Concerns.ACCOUNT),  # OAuth2 认证失败
}

# errorCode of the service itself. All other numbers are of single waybills, and may pass.
BUSINESS: Mapping[str, tuple[bool, Concerns]] = {
    "S0001": (True, Concerns.ACCOUNT),  # 非法的 JSON 格式: ours, whoever is asked about
    "S0002": (True, Concerns.WAYBILL),  # 必填参数为空
    "S0003": (False, Concerns.ACCOUNT),  # 系统发生数据错误或运行时异常
    "8003": (False, Concerns.ACCOUNT),  # more than ten numbers
}
TAKEN = "S0000"


def configured() -> bool:
    return bool(settings.SF_PARTNER_ID and settings.SF_CHECKWORD)


def sign(msg_data: str, timestamp: str, checkword: str) -> str:
    """Return msgDigest: base64 of the raw MD5 of the three texts, form-encoded as Java's URLEncoder does it.

    Java keeps `*` and encodes `~`; `msg_data` is the exact text that is sent.
    """
    encoded = quote_plus(msg_data + timestamp + checkword, safe="*", errors="replace").replace("~", "%7E")
    return base64.b64encode(hashlib.md5(encoded.encode(), usedforsecurity=False).digest()).decode()


# --- asking ---------------------------------------------------------------------------------------


def query(question: Question, *, timeout: float = 5.0) -> ProviderReport:
    (outcome,) = query_many([question], timeout=timeout).values()
    if isinstance(outcome, ProviderError):
        raise outcome
    return outcome


def query_many(questions: Sequence[Question], *, timeout: float = 5.0) -> Mapping[str, ProviderReport | ProviderError]:
    """Ask about at most ten waybills. One that the answer leaves out has its own error; the others count."""
    data = {
        "language": "zh-CN",
        "trackingType": "1",
        "trackingNumber": [question.waybill_no for question in questions],
        "methodType": "1",
        "checkPhoneNo": _tails(questions),
    }
    answer = _call(SEARCH, data, timeout=timeout, several=len(questions) > 1)
    routes = answer.get("msgData")
    told = reading.mappings(routes.get("routeResps")) if isinstance(routes, dict) else []
    return {question.waybill_no: _outcome(question, told) for question in questions}


def subscribe(question: Question, *, timeout: float = 5.0) -> None:
    """Register a waybill for the push. Those ordered through 丰桥 are pushed anyhow; once more does no harm."""
    data = {
        "type": "2",
        "attributeNo": question.waybill_no,
        "checkPhoneNo": question.phone_tail,
        "language": "zh-CN",
        "country": "CN",
    }
    _call(REGISTER, data, timeout=timeout)


def _tails(questions: Sequence[Question]) -> str:
    """Return the last four digits of each number, in the order of the waybills; empty where none is known."""
    tails = [question.phone_tail for question in questions]
    return ",".join(tails) if any(tails) else ""


def _outcome(question: Question, told: Sequence[Mapping[str, Any]]) -> ProviderReport | ProviderError:
    own = [item for item in told if reading.text(item.get("mailNo")).casefold() == question.waybill_no.casefold()]
    if not own:
        return ProviderError("答复中没有所问的运单号")
    routes = [route for item in own for route in reading.mappings(item.get("routes"))]
    raw = json.dumps({"routeResps": own}, ensure_ascii=False).encode("utf-8", "replace")
    return dataclasses.replace(_report(question.waybill_no, routes), raw=raw)


def _call(service: str, data: Mapping[str, Any], *, timeout: float, several: bool = False) -> Mapping[str, Any]:
    """Return what the service answered, or raise ProviderError. `several`: a bad waybill must not blame others."""
    msg_data = json.dumps({k: v for k, v in data.items() if v}, ensure_ascii=False, separators=(",", ":"))
    timestamp = str(int(clock.now().timestamp() * 1000))
    form = {
        "partnerID": settings.SF_PARTNER_ID,
        "requestID": str(uuid.uuid4()),
        "serviceCode": service,
        "timestamp": timestamp,
        "msgDigest": sign(msg_data, timestamp, settings.SF_CHECKWORD),
        "msgData": msg_data,
    }
    url = settings.SF_BASE_URL.rstrip("/") + PATH
    outer = wire.ask("sf", "POST", url, data=form, timeout=timeout).content
    code = reading.text(outer.get("apiResultCode"))
    if code != "A1000":
        raise _refusal(code, outer.get("apiErrorMsg"), PLATFORM.get(code, (False, Concerns.ACCOUNT)))
    inner = _inner(outer.get("apiResultData"))
    _check_success(inner, several=several)
    return inner


def _check_success(inner: Mapping[str, Any], *, several: bool) -> None:
    code = reading.text(inner.get("errorCode"))
    if str(inner.get("success")).lower() == "true" and code in ("", TAKEN):
        return
    permanent, concerns = BUSINESS.get(code, (False, Concerns.WAYBILL))
    permanent &= not (several and concerns is Concerns.WAYBILL)
    raise _refusal(code, inner.get("errorMsg"), (permanent, concerns))


def _refusal(code: str, message: Any, kind: tuple[bool, Concerns]) -> ProviderError:
    reason = f"{code} {reading.text(message)}".strip() or "没有说明原因"
    reason = wire.masked(reason, (settings.SF_CHECKWORD, *callback_secrets.listed(SECRETS)))
    return ProviderError(reason[:200], permanent=kind[0], concerns=kind[1])


def _inner(data: Any) -> Mapping[str, Any]:
    """Return `apiResultData`: an object, or one written as a text."""
    try:
        value = data if isinstance(data, dict) else strict_json.load(reading.scalar(data))[0]
    except ValueError:
        value = None
    if not isinstance(value, dict):
        raise ProviderError("答复不是 JSON 对象", concerns=Concerns.ACCOUNT)
    return value


# --- pushes ---------------------------------------------------------------------------------------


def authenticate(body: bytes, secret: str = "") -> None:
    """A push is not signed: whoever knows the path may push."""
    if not callback_secrets.opens(secret, SECRETS):
        raise Forged("回调地址中的密钥不符")
    wire.check_length(body)


def parse(body: bytes, received_at: dt.datetime | None = None) -> tuple[ProviderReport, ...]:
    routes, notes = routes_of(body)
    parcels: dict[str, list[Mapping[str, Any]]] = {}
    for route in routes:
        if waybill_no := reading.waybill_no(route.get("mailno")):
            parcels.setdefault(waybill_no, []).append(route)
    if routes and not parcels:
        raise Unreadable("WaybillRoute 中没有可读的运单号")
    return tuple(_report(waybill_no, own, notes) for waybill_no, own in parcels.items())


def accepted(body: bytes) -> Reply:
    if _is_xml(body):
        return _xml_reply(200, "<Head>OK</Head>")
    return _json_reply(200, "0000", "成功")


def refused(body: bytes, reason: str, *, status: int) -> Reply:
    if _is_xml(body):
        return _xml_reply(status, f'<Head>ERR</Head><ERROR code="4001">{escape(reason)}</ERROR>')
    return _json_reply(status, "1000", reason)


def _xml_reply(status: int, inner: str) -> Reply:
    text = f'<Response service="RoutePushService">{inner}</Response>'
    return Reply(status, text, "application/xml; charset=utf-8")


def _json_reply(status: int, code: str, message: str) -> Reply:
    return Reply(status, json.dumps({"return_code": code, "return_msg": message}, ensure_ascii=False))


def _is_xml(body: bytes) -> bool:
    """Return whether the push came as a form, whose sender reads XML."""
    start = body.lstrip(b"\xef\xbb\xbf \r\n\t")
    return start.startswith(b"<") or (not start.startswith(b"{") and b"content=" in start)


def routes_of(body: bytes) -> tuple[list[Mapping[str, Any]], tuple[str, ...]]:
    """Return the routes of a push in either form, and what was odd about it. Raises Unreadable."""
    wire.check_length(body)
    try:
        text = body.decode("utf-8-sig").strip()
        if text.startswith("{"):
            message, notes = strict_json.load(text)
            return _json_routes(message), notes
        return _xml_routes(text if text.startswith("<") else _content(text)), ()
    except ValueError as error:
        raise Unreadable("既不是可读的 JSON 也不是表单") from error


def _content(form: str) -> str:
    """Return the form's XML. The documentation has the receiver decode it once more: some pushes are encoded twice."""
    fields = dict(parse_qsl(form, keep_blank_values=True, errors="strict", max_num_fields=20))
    content = fields.get("content", "").strip()
    return unquote_plus(content, errors="strict") if content[:3].upper() == "%3C" else content


def _json_routes(message: Any) -> list[Mapping[str, Any]]:
    body = message.get("Body") if isinstance(message, dict) else None
    routes = body.get("WaybillRoute") if isinstance(body, dict) else None
    if isinstance(routes, dict):
        return [routes]
    if not isinstance(routes, list):
        raise Unreadable("没有 Body.WaybillRoute")
    return reading.mappings(routes)


def _xml_routes(text: str) -> list[Mapping[str, Any]]:
    """Return the attributes of each WaybillRoute. A document type, and with it every entity, is refused unread."""
    found: list[Mapping[str, Any]] = []
    path: list[str] = []

    def start(name: str, attributes: dict[str, str]) -> None:
        path.append(name)
        if len(path) > strict_json.MAX_DEPTH:
            raise Unreadable("XML 嵌套过深")
        if path == ["Request", "Body", "WaybillRoute"]:
            found.append(attributes)

    def end(_: str) -> None:
        path.pop()

    def document_type(*_: Any) -> None:
        raise Unreadable("XML 中不能有 DOCTYPE")

    parser = expat.ParserCreate("utf-8")
    parser.StartElementHandler, parser.EndElementHandler = start, end
    parser.StartDoctypeDeclHandler = document_type
    try:
        parser.Parse(text.encode(), True)
    except expat.ExpatError as error:
        raise Unreadable("XML 无法解析") from error
    if not found:
        raise Unreadable("没有 WaybillRoute")
    return found


# --- reading what it says -------------------------------------------------------------------------


def _report(waybill_no: str, routes: Iterable[Mapping[str, Any]], notes: tuple[str, ...] = ()) -> ProviderReport:
    """Return what the routes of one waybill amount to: oldest first, each of the many repetitions once."""
    events = []
    remarks = dict.fromkeys(notes)
    for route in routes:
        if product := cold_product(CARRIER, reading.text(route.get("expressTypeId"))):
            remarks[f"冷链产品：{product}"] = None
        if event := _event(route):
            events.append(event)
        else:
            remarks[f"acceptTime 无法识别：{reading.text(route.get('acceptTime'))[:40]}"] = None
    told = reading.in_order(events)
    unknown = {event.code: event.text[:200] for event in told if _is_unknown(event)}
    return ProviderReport(
        waybill_no=waybill_no,
        carrier_code=CARRIER,
        events=told,
        found=bool(told),
        unknown_codes=tuple(unknown.items()),
        notes=tuple(remarks),
    )


def _event(route: Mapping[str, Any]) -> ProviderEvent | None:
    """Return a route as a scan; None where its time can't be read."""
    occurred_at = reading.wall_clock(route.get("acceptTime"))
    if occurred_at is None:
        return None
    text = reading.text(route.get("remark"))
    op_code, reason_code, first, secondary = (reading.text(route.get(name)) for name in _CODES)
    status, reason, code = reading_of(op_code, reason_code, first, secondary, text)
    return ProviderEvent(status, occurred_at, text, reading.text(route.get("acceptAddress"))[:100], code[:20], reason)


def _is_unknown(event: ProviderEvent) -> bool:
    return bool(event.code) and event.status is ShipmentStatus.UNKNOWN
