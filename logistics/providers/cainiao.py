"""菜鸟: detail query and subscription at the LINK gateway, and its pushes in the LINK and the array form.

What is documented, what was only seen, and what is unproved stands in docs/providers/cainiao.md;
`manage.py check_cainiao` finds out which variant an account has.
"""

import base64
import datetime as dt
import hashlib
import hmac
import json
from collections.abc import Callable, Iterable, Mapping
from typing import Any
from urllib.parse import unquote

from django.conf import settings

from frozenshop.kernel import callback_secrets, clock, strict_json
from logistics.models import ShipmentStatus
from logistics.providers import reading, wire
from logistics.providers.base import (
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
from logistics.providers.cainiao_codes import ERRORS, REASONS, WORDINGS, known, status_of

GATEWAY = "/gateway/link.do"
DETAIL_GET = "CNTECH_LV_LOGISTICS_DETAIL_GET"
SUBSCRIBE = "CNTECH_LV_LOGISTICS_DETAIL_SUBSCRIBE"
PACK_QUERY = "LPC_PACK_PUB_QUERY"

TO_CODES: Mapping[str, str] = {
    DETAIL_GET: "CNTECH_LV",
    SUBSCRIBE: "CNTECH_LV",
    PACK_QUERY: "LD-PACKPUSH",  # older
}
QUERY_TYPES = (DETAIL_GET, PACK_QUERY)

DIGESTS: Mapping[str, Callable[[bytes], str]] = {
    "base64-raw": lambda md5: base64.b64encode(md5).decode(),  # documented for LINK, 24 characters
    "upper-hex": lambda md5: md5.hex().upper(),  # one public receiver compares this
    "lower-hex": lambda md5: md5.hex(),
    "base64-hex": lambda md5: base64.b64encode(md5.hex().encode()).decode(),  # as 快递鸟's
}

NOTHING_KNOWN = ("暂无", "无物流", "无轨迹", "没有物流", "查询无结果")
ALREADY_SUBSCRIBED = ("重复订阅", "已订阅")


def configured() -> bool:
    return bool(settings.CAINIAO_PROVIDER_ID and settings.CAINIAO_APP_CODE and settings.CAINIAO_SECRET)


def sign(logistics_interface: str, secret: str, digest: str = "base64-raw") -> str:
    """Return data_digest: of the exact text that is sent, not yet form-encoded. `digest` is a key of DIGESTS."""
    told = (logistics_interface + secret).encode("utf-8", "surrogatepass")
    return DIGESTS[digest](hashlib.md5(told, usedforsecurity=False).digest())


# --- asking ---------------------------------------------------------------------------------------


def query(question: Question, *, timeout: float = 5.0) -> ProviderReport:
    answer = ask(settings.CAINIAO_QUERY_TYPE, question, digest=settings.CAINIAO_DIGEST, timeout=timeout)
    return told_by(answer, question)


def subscribe(question: Question, *, timeout: float = 5.0) -> None:
    answer = ask(SUBSCRIBE, question, digest=settings.CAINIAO_DIGEST, timeout=timeout)
    if not any(part in _reason(answer.content) for part in ALREADY_SUBSCRIBED):
        _raise_unless_nothing_known(answer.content)


def ask(msg_type: str, question: Question, *, digest: str, timeout: float) -> wire.Answer:
    """Put one question in one of the gateway's forms. Raises ProviderError."""
    text = json.dumps(_about(msg_type, question), ensure_ascii=False, separators=(",", ":"))
    form = {
        "msg_type": msg_type,
        "logistic_provider_id": settings.CAINIAO_PROVIDER_ID,
        "to_code": TO_CODES[msg_type],
        "logistics_interface": text,
        "data_digest": sign(text, _secrets()[0], digest),
    }
    url = settings.CAINIAO_BASE_URL.rstrip("/") + GATEWAY
    return wire.ask("cainiao", "POST", url, data=form, timeout=timeout)


def _about(msg_type: str, question: Question) -> dict[str, Any]:
    about = {"cpCode": question.carrier_code, "mailNo": question.waybill_no}
    if msg_type == PACK_QUERY:
        return {"appName": settings.CAINIAO_APP_CODE, **about}
    phone = {"receiverPhone": question.phone_tail} if question.phone_tail else {}
    return {"arg0": {"appCode": settings.CAINIAO_APP_CODE, **about, **phone}}


def told_by(answer: wire.Answer, question: Question) -> ProviderReport:
    """Return what an answer says of the waybill that was asked about. Raises ProviderError."""
    shape, parcel, details, notes = unfold(answer.content)
    if not details:
        _raise_unless_nothing_known(answer.content)
        if not shape:
            raise ProviderError("答复的形状不认识，请运行 manage.py check_cainiao", concerns=Concerns.ACCOUNT)
    waybill_no = reading.text(parcel.get("mailNo")) or question.waybill_no
    reading.check_answered(waybill_no, question)
    events, unreadable = _events(_scan(detail) for detail in details)
    as_of = events[-1].occurred_at if events else reading.said_today()
    overall = _overall(parcel, as_of, has_events=bool(events))
    return ProviderReport(
        waybill_no=waybill_no,
        carrier_code=reading.text(parcel.get("cpCode")) or question.carrier_code,
        events=events,
        overall=overall,
        found=bool(events),
        reason=_reason(answer.content)[:200],
        unknown_codes=reading.unknown_codes(events, overall, known),
        notes=(*answer.notes, *notes, *unreadable),
        raw=answer.raw,
    )


def unfold(
    content: Mapping[str, Any],
) -> tuple[str, Mapping[str, Any], list[Mapping[str, Any]], tuple[str, ...]]:
    """Return which of the known shapes an answer has, the object about the parcel, its scans, and notes.

    A: `fullTraceDetail` beside the statuses. B: `result.data.detail`, where `data` may be JSON text once more.
    C: `data.logisticsDetails` (菜鸟裹裹). Empty where it is none of them.
    """
    result, first = _opened(content.get("result"))
    inner, second = _opened(result.get("data"))
    outer, third = _opened(content.get("data"))
    shapes = (
        ("A", content, "fullTraceDetail"),
        ("B", inner, "detail"),
        ("C", outer, "logisticsDetails"),
    )
    for shape, holder, name in shapes:
        if name in holder:
            return shape, {**content, **holder}, reading.mappings(holder[name]), first + second + third
    shape = "A" if "logisticsStatus" in content else ""
    return shape, content, [], ()


def _opened(value: Any) -> tuple[Mapping[str, Any], tuple[str, ...]]:
    """Return an object that may have come as JSON text; nothing where it is none."""
    notes: tuple[str, ...] = ()
    if isinstance(value, str):
        try:
            value, notes = strict_json.load(value)
        except ValueError:
            return {}, ()
    return (value, notes) if isinstance(value, dict) else ({}, ())


def _raise_unless_nothing_known(content: Mapping[str, Any]) -> None:
    """Return where nothing was refused, or the refusal only means that there are no scans yet."""
    reason, code = _reason(content), reading.text(content.get("errorCode"))
    refused = str(content.get("success")).lower() == "false" or (code and "success" not in content)
    if not refused or any(part in reason for part in NOTHING_KNOWN):
        return
    reason = wire.masked(reason, _secrets())
    by_wording = next((kind for part, kind in WORDINGS.items() if part in reason), (False, Concerns.WAYBILL))
    permanent, concerns = ERRORS.get(code, by_wording)
    raise ProviderError(f"{code} {reason}".strip()[:200], permanent=permanent, concerns=concerns)


def _reason(content: Mapping[str, Any]) -> str:
    return reading.text(content.get("errorMsg"))


def _secrets() -> list[str]:
    """Return the live secrets: the first signs, all are accepted on pushes, so that one can change without a gap."""
    return [secret.strip() for secret in settings.CAINIAO_SECRET.split(",") if secret.strip()]


# --- pushes ---------------------------------------------------------------------------------------


def authenticate(body: bytes, secret: str = "") -> None:
    if _is_array(body):
        _check_address(body, secret)
        return
    if not _is_signed(body, settings.CAINIAO_PUSH_DIGEST):
        raise Forged("data_digest 不符")


def digest_of(body: bytes) -> str:
    """Return in which of DIGESTS a LINK push is signed; empty where in none. Raises Forged and Unreadable."""
    return next((digest for digest in DIGESTS if _is_signed(body, digest)), "")


def _is_signed(body: bytes, digest: str) -> bool:
    envelope = _envelope(body)
    # A base64 digest may have been form-encoded twice, or not at all: then it lost its plus signs on the way.
    given = unquote(envelope["data_digest"]).strip().replace(" ", "+").encode("utf-8", "surrogatepass")
    texts = {envelope["logistics_interface"], wire.decoded_once_more(envelope["logistics_interface"])}
    wanted = [sign(text, secret, digest).encode() for text in texts for secret in _secrets()]
    matches = [hmac.compare_digest(right, given) for right in wanted]
    return any(matches)


def _check_address(body: bytes, secret: str) -> None:
    """The array form carries no signature: its address, known to its sender only, stands in for one."""
    wire.check_length(body)
    if not callback_secrets.opens(secret, "CAINIAO_CALLBACK_SECRETS"):
        raise Forged("地址中的密钥不符")


def parse(body: bytes, received_at: dt.datetime | None = None) -> tuple[ProviderReport, ...]:
    try:
        text = body.decode() if _is_array(body) else wire.decoded_once_more(_envelope(body)["logistics_interface"])
        content, notes = strict_json.load(text)
    except ValueError as error:
        raise Unreadable("内容不是可读的 JSON") from error
    by_parcel: dict[tuple[str, str], list[Mapping[str, Any]]] = {}
    for record in reading.mappings(content if isinstance(content, list) else [content]):
        if waybill_no := reading.waybill_no(record.get("mailNo")):
            by_parcel.setdefault((waybill_no, reading.text(record.get("cpCode"))), []).append(record)
    if not by_parcel:
        raise Unreadable("没有可读的运单（mailNo）")
    said_at = received_at or clock.now()
    return tuple(_pushed(parcel, records, said_at, notes) for parcel, records in by_parcel.items())


def _pushed(
    parcel: tuple[str, str], records: list[Mapping[str, Any]], said_at: dt.datetime, notes: tuple[str, ...]
) -> ProviderReport:
    """Each record is the newest node only. One without a readable time is what holds since it came."""
    events, unreadable = _events(_node(record) for record in records)
    undated = [record for record in records if reading.instant(record.get("logisticsGmtModified")) is None]
    overall = _overall(undated[-1], said_at, has_events=True) if undated else None
    return ProviderReport(
        waybill_no=parcel[0],
        carrier_code=parcel[1],
        events=events,
        overall=overall,
        unknown_codes=reading.unknown_codes(events, overall, known),
        notes=notes + unreadable,
    )


def accepted(body: bytes) -> Reply:
    if _is_array(body):
        return _json_reply(200, {"code": 0, "msg": "接收成功"})
    return _json_reply(200, {"success": True, "errorCode": "", "errorMsg": ""})


def refused(body: bytes, reason: str, *, status: int) -> Reply:
    if _is_array(body):
        return _json_reply(status, {"code": status, "msg": reason})
    code = {401: "S02", 400: "S05"}.get(status, "S07")
    return _json_reply(status, {"success": False, "errorCode": code, "errorMsg": reason})


def _json_reply(status: int, answer: Mapping[str, Any]) -> Reply:
    return Reply(status, json.dumps(answer, ensure_ascii=False))


def _is_array(body: bytes) -> bool:
    return body[:64].lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"[")


def _envelope(body: bytes) -> dict[str, str]:
    return wire.signed_fields(body, "logistics_interface", "data_digest")


# --- reading what it says -------------------------------------------------------------------------

Read = tuple[Any, ProviderEvent | None]
"""The time as written, and the scan, None where the time can't be read."""


def _events(read: Iterable[Read]) -> tuple[tuple[ProviderEvent, ...], tuple[str, ...]]:
    """Return the scans, and a note for each whose time can't be read."""
    events, notes = [], []
    for written, event in read:
        if event is None:
            notes.append(f"时间无法识别：{reading.text(written)[:40]}")
        else:
            events.append(event)
    return reading.in_order(events), tuple(notes)


def _scan(detail: Mapping[str, Any]) -> Read:
    """Read a line of an answer; only 菜鸟裹裹's have a code."""
    text = _first(detail, "desc", "opMessage", "opDesc")
    place = reading.text(detail.get("city")) + reading.text(detail.get("area"))
    return _read(detail.get("time", detail.get("opTime")), text, place, "", _code(detail.get("status")))


def _node(record: Mapping[str, Any]) -> Read:
    """Read a pushed record."""
    text = _first(record, "lastLogisticDetail", "logisticsStatusDesc")
    exact, coarse = _code(record.get("logisticsStatusEx")), _code(record.get("logisticsStatus"))
    return _read(record.get("logisticsGmtModified"), text, reading.text(record.get("city")), exact, coarse)


def _read(written: Any, text: str, place: str, exact: str, coarse: str) -> Read:
    occurred_at, code = reading.instant(written), exact or coarse
    if occurred_at is None:
        return written, None
    reason = REASONS.get(code, "")
    return written, ProviderEvent(status_of(exact, coarse), occurred_at, text, place[:100], code, reason)


def _overall(parcel: Mapping[str, Any], as_of: dt.datetime, *, has_events: bool) -> Overall | None:
    """Return the sub-status, else the main status; None where nothing was said of a parcel without scans.

    A main status that only says "on the way" yields to what the newest scan says.
    """
    exact, coarse = _code(parcel.get("logisticsStatusEx")), _code(parcel.get("logisticsStatus"))
    code, status = exact or coarse, status_of(exact, coarse)
    if not code or (status is ShipmentStatus.NO_TRACE and not has_events):
        return None
    weak = not exact and status in (ShipmentStatus.NO_TRACE, ShipmentStatus.PICKED_UP, ShipmentStatus.IN_TRANSIT)
    return Overall(status, code, as_of, weak=weak, location=reading.text(parcel.get("city"))[:100])


def _code(value: Any) -> str:
    return reading.text(value).upper()[:20]


def _first(record: Mapping[str, Any], *names: str) -> str:
    return next((text for name in names if (text := reading.text(record.get(name)))), "")
