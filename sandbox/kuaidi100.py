"""快递100: query, subscription and recognition; what it says of a parcel.

Order of refusals of a query: signature, param, carrier, phone, lock, no result (assumed). How a locked number is
answered is not published.
"""

import dataclasses
import hashlib
import hmac
import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from sandbox.carriers import CODES, NAMES, NEED_PHONE_TAIL, recognise
from sandbox.instants import shanghai, wall_clock
from sandbox.scenarios import Event
from sandbox.serving import Asked
from sandbox.shipments import Shipment
from sandbox.world import World

QUERY_PATH, SUBSCRIBE_PATH, RECOGNISE_PATH = "/poll/query.do", "/poll", "/autonumber/auto"
SERVED = frozenset({QUERY_PATH, SUBSCRIBE_PATH, RECOGNISE_PATH})
NAME = "kuaidi100"
MONTH_SECONDS = 31 * 86_400.0
MOST_A_MONTH = 4
NEED_PHONE = frozenset(CODES[NAME][code] for code in NEED_PHONE_TAIL if code in CODES[NAME])

# 快递鸟's code of the stories → 快递100's code and the name that stands beside it.
STATES: Mapping[str, tuple[str, str]] = {
    "10": ("102", "待揽收"),
    "1": ("103", "已揽收"),
    "2": ("1002", "干线"),
    "201": ("1001", "到达派件城市"),
    "204": ("1002", "干线"),
    "205": ("0", "在途"),
    "206": ("1002", "干线"),
    "202": ("5", "派件"),
    "419": ("5", "派件"),
    "211": ("501", "投柜或驿站"),
    "418": ("501", "投柜或驿站"),
    "3": ("3", "签收"),
    "301": ("301", "本人签收"),
    "302": ("302", "派件异常后签收"),
    "304": ("303", "代签"),
    "311": ("304", "投柜或站签收"),
    "4": ("2", "疑难"),
    "401": ("101", "已下单"),
    "402": ("201", "超时未签收"),
    "403": ("202", "超时未更新"),
    "404": ("203", "拒收"),
    "405": ("204", "派件异常"),
    "406": ("6", "退回"),
    "407": ("6", "退回"),
    "412": ("205", "柜或驿站超时未取"),
    "413": ("210", "销单"),
    "414": ("209", "破损"),
    "415": ("210", "销单"),
    "416": ("206", "无法联系"),
    "417": ("208", "滞留"),
    "420": ("204", "派件异常"),
    "421": ("206", "无法联系"),
    "422": ("204", "派件异常"),
    "423": ("207", "超区"),
    "5": ("7", "转投"),
    "6": ("8", "清关"),
    "601": ("10", "待清关"),
    "602": ("11", "清关中"),
    "603": ("12", "已清关"),
    "604": ("13", "清关异常"),
}
OVER = frozenset({"3", "301", "302", "304", "311", "406"})
"""Codes of the stories after which nothing follows: signed for, here or by the sender."""


@dataclasses.dataclass
class Manners:
    """`lock_seconds`: how soon one number may be asked about again, compressed by its speed; 0: at any time.

    `auto_check`: a wrong carrier of a subscription is put right. `advanced_state`: `state` is the fine code too.
    """

    lock_seconds: float = dataclasses.field(default=1800.0, metadata={"most": 86_400})
    abort_seconds: float = dataclasses.field(default=3 * 86_400.0, metadata={"most": 10_000_000})
    auto_check: bool = True
    advanced_state: bool = False


@dataclasses.dataclass
class Note:
    """What is kept with a parcel: its subscription, what was told last (`ended_as_of`), and when it was asked about."""

    company: str = ""
    callback: str = ""
    salt: str | None = None
    subscribed_at: float = 0.0
    live: bool = False
    ended_as_of: float = 0.0
    times: list[float] = dataclasses.field(default_factory=list)
    asked_at: float | None = None


class Refused(Exception):
    def __init__(self, code: str, message: str) -> None:
        self.code = code
        super().__init__(message)


def sign(*parts: str) -> str:
    """Return the upper-case hex MD5 of the parts put together: param, key, customer; or param, salt."""
    return hashlib.md5("".join(parts).encode(), usedforsecurity=False).hexdigest().upper()


def note_of(shipment: Shipment) -> Note:
    return Note(**shipment.notes.get(NAME, {}))


def keep(world: World, shipment: Shipment, note: Note) -> None:
    shipment.notes[NAME], world.dirty = dataclasses.asdict(note), True


def answer(world: World, asked: Asked) -> Any:
    try:
        if asked.path == RECOGNISE_PATH:
            return _recognise(world, asked.query)
        return _subscribe(world, asked.form) if asked.path == SUBSCRIBE_PATH else _query(world, asked.form)
    except Refused as refusal:
        return {"result": False, "returnCode": refusal.code, "message": str(refusal)}


# --- query ----------------------------------------------------------------------------------------


def _query(world: World, form: Mapping[str, str]) -> Any:
    config, param = world.config, form.get("param", "")
    right = sign(param, config.kuaidi100_key, config.kuaidi100_customer)
    known = config.kuaidi100_key and form.get("customer") == config.kuaidi100_customer
    if not known or not hmac.compare_digest(right.encode(), form.get("sign", "").encode()):
        raise Refused("503", "验证签名失败")
    asked = _parse(param, code="400", message="找不到对应公司")
    company, waybill_no = text(asked, "com"), text(asked, "num")
    if company not in NAMES[NAME] or not 6 <= len(waybill_no) <= 32:
        raise Refused("400", "找不到对应公司")
    shipment = _find(world, waybill_no, company)
    _check_phone(shipment, company, text(asked, "phone"))
    if shipment is None:
        raise Refused("500", "查询无结果，请隔段时间再查")
    _check_lock(world, shipment)
    told = told_of(world, shipment, world.clock(), resultv2=text(asked, "resultv2"))
    if told is None:
        raise Refused("500", "查询无结果，请隔段时间再查")
    if text(asked, "order") == "asc" and isinstance(told, dict) and isinstance(told.get("data"), list):
        told = {**told, "data": told["data"][::-1]}
    return told


def _find(world: World, waybill_no: str, company: str) -> Shipment | None:
    shipment = world.known(waybill_no, NAME)
    return shipment if shipment and CODES[NAME].get(shipment.carrier_code) == company else None


def _check_phone(shipment: Shipment | None, company: str, phone: str) -> None:
    wrong = shipment and shipment.phone_tail and phone and phone[-4:] != shipment.phone_tail
    if wrong or (company in NEED_PHONE and not phone):
        raise Refused("408", "快递公司参数异常：验证码错误")


def _check_lock(world: World, shipment: Shipment) -> None:
    now, note = world.clock(), note_of(shipment)
    lock = world.own(Manners).lock_seconds / shipment.speed
    if note.asked_at is not None and now - note.asked_at < lock:
        raise Refused("502", "查询过于频繁，该单号已被锁单，请稍后再查")
    note.asked_at = now
    keep(world, shipment, note)


def told_of(world: World, shipment: Shipment, until: float, *, resultv2: str) -> Any:
    """Return what 快递100 says of a parcel; nothing where there is nothing to say."""
    if shipment.payload is not None:
        pushed = isinstance(shipment.payload, dict) and "lastResult" in shipment.payload
        return shipment.payload["lastResult"] if pushed else shipment.payload
    events = shipment.events(until)
    return tell(world, shipment, events, resultv2=resultv2) if events else None


def tell(world: World, shipment: Shipment, events: list[Event], *, resultv2: str) -> dict[str, Any]:
    """Without `resultv2` a scan has neither code nor place; 4 adds both, 8 an arrival."""
    fine = resultv2 in ("4", "6", "8")
    newest = events[-1].code if events else ""
    told: dict[str, Any] = {
        "message": "ok",
        "nu": shipment.waybill_no,
        "ischeck": "1" if newest in OVER else "0",
        "com": CODES[NAME].get(shipment.carrier_code, ""),
        "status": "200",
        "state": _state(newest, advanced=fine and world.own(Manners).advanced_state),
        "condition": "00",
        "data": [_scan(event, fine=fine) for event in reversed(events)],
    }
    if fine:
        current = {"number": None, "name": events[-1].location} if events else None
        told |= {"routeInfo": {"from": None, "cur": current, "to": None}, "isLoop": False}
    if resultv2 == "8" and newest not in OVER and shipment.story:
        told |= {"arrivalTime": f"{shanghai(shipment.story[-1].at):%Y-%m-%d %H}", "totalTime": None, "remainTime": None}
    return told


def _state(code: str, *, advanced: bool) -> str:
    fine = STATES.get(code, ("0", ""))[0]
    if advanced:
        return fine
    if fine in ("10", "11", "12", "13"):
        return "8"
    return "0" if len(fine) == 4 else fine if len(fine) < 3 else fine[0]


def _scan(event: Event, *, fine: bool) -> dict[str, Any]:
    at = wall_clock(event.at)
    scan: dict[str, Any] = {"time": at, "ftime": at, "context": event.text}
    if not fine:
        return scan
    code, name = STATES.get(event.code, ("", ""))
    area = {"areaCode": None, "areaName": event.location, "areaCenter": None, "areaPinYin": None, "location": None}
    return {**scan, **area, "status": name, "statusCode": code}


# --- subscription ---------------------------------------------------------------------------------


def _subscribe(world: World, form: Mapping[str, str]) -> Any:
    asked = _parse(form.get("param", ""), code="700", message="数据格式错误")
    parameters = asked.get("parameters")
    if not world.config.kuaidi100_key or text(asked, "key") != world.config.kuaidi100_key:
        raise Refused("600", "您不是合法的订阅者")
    if not isinstance(parameters, dict) or not _is_address(text(parameters, "callbackurl")):
        raise Refused("700", "订阅参数错误：callbackurl 不可用")
    company, waybill_no = text(asked, "company"), text(asked, "number")
    if not company and text(parameters, "autoCom") == "1":
        company = next(iter(_candidates(world, waybill_no)), "")
        if not company:
            raise Refused("702", "识别不到该单号对应的快递公司")
    if company not in NAMES[NAME]:
        raise Refused("701", "拒绝订阅的快递公司")
    shipment = world.known(waybill_no, NAME)
    if shipment:
        _keep_subscription(world, shipment, company, parameters)
    return {"result": True, "returnCode": "200", "message": "提交成功"}


def _keep_subscription(world: World, shipment: Shipment, company: str, parameters: Mapping[str, Any]) -> None:
    now, note = world.clock(), note_of(shipment)
    recent = [at for at in note.times if at > now - MONTH_SECONDS / shipment.speed]
    if (note.live and note.company == company) or len(recent) >= MOST_A_MONTH:
        raise Refused("501", "重复订阅")
    salt = parameters.get("salt")
    fresh = Note(
        company=company,
        callback=text(parameters, "callbackurl"),
        salt=salt if isinstance(salt, str) else None,
        subscribed_at=now,
        live=True,
        times=[*recent, now],
        asked_at=note.asked_at,
    )
    keep(world, shipment, fresh)
    happened = shipment.events(now)
    if happened and shipment.push:
        shipment.pushed_until = min(shipment.pushed_until, happened[-1].at - 0.001)


def _is_address(url: str) -> bool:
    parts = urlsplit(url)
    return parts.scheme in ("http", "https") and bool(parts.hostname)


# --- recognition ----------------------------------------------------------------------------------


def _recognise(world: World, query: Mapping[str, str]) -> Any:
    if not world.config.kuaidi100_key or query.get("key") != world.config.kuaidi100_key:
        raise Refused("601", "POLL:KEY 已过期")
    return [
        {"lengthPre": len(query.get("num", "")), "comCode": code, "name": NAMES[NAME][code]}
        for code in _candidates(world, query.get("num", ""))
    ]


def _candidates(world: World, waybill_no: str) -> list[str]:
    shipment = world.known(waybill_no, NAME)
    ours = [shipment.carrier_code] if shipment else []
    codes = [CODES[NAME].get(code, "") for code in [*ours, *recognise(waybill_no)]]
    return list(dict.fromkeys(filter(None, codes)))


def _parse(param: str, *, code: str, message: str) -> dict[str, Any]:
    try:
        found = json.loads(param)
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise Refused(code, message)
    return found


def text(asked: Mapping[str, Any], field: str) -> str:
    value = asked.get(field)
    return value if isinstance(value, str) else ""


def sample(captured: Mapping[str, Any], waybill_no: str, carrier_code: str) -> Any:
    """Return what a captured payload says of a parcel, under the waybill it is asked for."""
    own = {"nu": waybill_no}
    if "response" in captured:
        return captured["response"] | own
    form = captured["form"] if "form" in captured else captured["cases"][-1]["form"]
    push = json.loads(form["param"])
    return {**push, "lastResult": push["lastResult"] | own}
