"""快递鸟: instant query, subscribe, recognise, and the body of its pushes.

Order of refusals: plan, signature, ShipperCode, CustomerName, data; the first is measured, the rest assumed.
Wordings after "…" and those of the data errors are not published.
"""

import base64
import dataclasses
import hashlib
import hmac
import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote

from sandbox.carriers import CODES, NAMES, NEED_PHONE_TAIL, recognise
from sandbox.instants import wall_clock
from sandbox.scenarios import Event
from sandbox.shipments import Shipment
from sandbox.world import World

QUERY_PATH = "/Ebusiness/EbusinessOrderHandle.aspx"
DIST_PATH = "/api/dist"
QUERIES = frozenset({"1002", "8001", "8002"})
SUBSCRIPTIONS = frozenset({"1008", "8008"})
SERVED = {QUERY_PATH: QUERIES | {"2002"}, DIST_PATH: QUERIES | SUBSCRIPTIONS | {"2002"}}
BASIC = frozenset({"1002", "1008"})

NO_PLAN = "业务错误[没有可用套餐]"
BAD_SIGNATURE = "非法参数[请核实ID和key是否正确]"
BAD_CARRIER = "无效的输入[【ShipperCode】不正确]"
NO_PHONE_TAIL = "手机尾号不能为空"
NO_WAYBILL = "无效的输入[【LogisticCode】不正确]"
NO_TRACE = "暂无轨迹信息"


PLANS = frozenset({"1002", "8001", "8002", "1008", "8008", "2002"})


@dataclasses.dataclass
class Manners:
    """Paid plans, State as a number (older accounts), the older form of "no trace"."""

    plans: frozenset[str] = dataclasses.field(default=PLANS, metadata={"choices": PLANS})
    state_as_number: bool = False
    old_no_trace: bool = False


class Refused(Exception):
    """Answered with Success false and this Reason."""


def sign(request_data: str, api_key: str) -> str:
    """Return DataSign: base64 of the 32 lower-case hex characters of md5(data + key)."""
    digest = hashlib.md5((request_data + api_key).encode(), usedforsecurity=False).hexdigest()
    return base64.b64encode(digest.encode()).decode()


def signature_matches(given: str, request_data: str, api_key: str) -> bool:
    """Many clients encode DataSign twice; the live server is known to bear with them."""
    right = sign(request_data, api_key).encode()
    return any(hmac.compare_digest(right, text.encode()) for text in (given, unquote(given)))


def answer(world: World, path: str, form: Mapping[str, str]) -> Any:
    """Answer a call. Text is a verbatim payload."""
    with world.lock:
        try:
            return _answer(world, path, form)
        except Refused as refusal:
            return {"EBusinessID": form.get("EBusinessID", ""), "Success": False, "Reason": str(refusal)}


def _answer(world: World, path: str, form: Mapping[str, str]) -> Any:
    kind = form.get("RequestType", "")
    _authenticate(world, path, kind, form)
    asked = _parse(form.get("RequestData", ""))
    waybill_no = asked.get("logisticcode", "")
    if kind == "2002":
        return _recognise(world, waybill_no)
    carrier_code = _carrier(world, kind, asked)
    if carrier_code in NEED_PHONE_TAIL and not asked.get("customername"):
        raise Refused(NO_PHONE_TAIL)
    if not waybill_no:
        raise Refused(NO_WAYBILL)
    shipment = _find(world, waybill_no, carrier_code, asked)
    if kind in SUBSCRIPTIONS:
        return _subscribe(world, kind, shipment, asked)
    return _query(world, kind, shipment, asked | {"shippercode": carrier_code})


def _authenticate(world: World, path: str, kind: str, form: Mapping[str, str]) -> None:
    config = world.config
    if kind not in SERVED[path] or kind not in world.own(Manners).plans:
        raise Refused(NO_PLAN)
    known = config.kdniao_api_key and form.get("EBusinessID") == config.kdniao_business_id
    data, signature = form.get("RequestData", ""), form.get("DataSign", "")
    if not known or not signature_matches(signature, data, config.kdniao_api_key):
        raise Refused(BAD_SIGNATURE)


def _parse(text: str) -> dict[str, str]:
    """Keys in lower case (`Callback`, `CallBack`); single quotes are borne with, as the live parser does."""
    for candidate in (text, text.replace("'", '"')):
        try:
            found = json.loads(candidate)
        except ValueError:
            continue
        if isinstance(found, dict):
            return {key.lower(): "" if value is None else str(value) for key, value in found.items()}
    return {}


def _carrier(world: World, kind: str, asked: Mapping[str, str]) -> str:
    code = asked.get("shippercode", "")
    if not code and kind == "8002":
        code = next(iter(_candidates(world, asked.get("logisticcode", ""))), "")
        if not code:
            raise Refused(BAD_CARRIER)
    if code not in NAMES["kdniao"]:
        raise Refused(BAD_CARRIER)
    return code


def _candidates(world: World, waybill_no: str) -> list[str]:
    shipment = world.known(waybill_no, "kdniao")
    code = CODES["kdniao"].get(shipment.carrier_code) if shipment else None
    first = [code] if code else []
    return first + [code for code in recognise(waybill_no) if code not in first]


def _recognise(world: World, waybill_no: str) -> Any:
    shipment = world.known(waybill_no, "kdniao")
    if shipment and isinstance(shipment.payload, dict) and "Shippers" in shipment.payload:
        return shipment.payload
    shippers = [{"ShipperCode": code, "ShipperName": NAMES["kdniao"][code]} for code in _candidates(world, waybill_no)]
    return {
        "EBusinessID": world.config.kdniao_business_id,
        "LogisticCode": waybill_no,
        "Success": True,
        "Reason": "",
        "Shippers": shippers,
    }


def _find(world: World, waybill_no: str, carrier_code: str, asked: Mapping[str, str]) -> Shipment | None:
    shipment = world.known(waybill_no, "kdniao")
    if shipment is None or CODES["kdniao"].get(shipment.carrier_code) != carrier_code:
        return None
    if shipment.phone_tail and asked.get("customername") not in ("", None, shipment.phone_tail):
        return None
    return shipment


def _subscribe(world: World, kind: str, shipment: Shipment | None, asked: Mapping[str, str]) -> Any:
    now = world.clock()
    if shipment:
        shipment.subscription, shipment.order_code = kind, asked.get("ordercode", "")
        shipment.callback = asked.get("callback", "")
        happened = shipment.events(now)
        if happened and shipment.push:
            shipment.pushed_until = min(shipment.pushed_until, happened[-1].at - 0.001)
        world.dirty = True
        if isinstance(shipment.payload, dict) and "UpdateTime" in shipment.payload:
            return shipment.payload
    return {
        "EBusinessID": world.config.kdniao_business_id,
        "UpdateTime": wall_clock(now),
        "Success": True,
        "Reason": "",
        "EstimatedDeliveryTime": "",
    }


def _query(world: World, kind: str, shipment: Shipment | None, asked: Mapping[str, str]) -> Any:
    if shipment and shipment.payload is not None:
        return _told_of(shipment)
    found = {"OrderCode": asked.get("ordercode", ""), "Callback": asked.get("callback", "")}
    events = shipment.events(world.clock()) if shipment else []
    told = tell(world, asked["shippercode"], asked["logisticcode"], events, basic=kind in BASIC)
    if asked.get("sort") == "1":
        told["Traces"].reverse()
    return {**told, **{key: value for key, value in found.items() if value}}


def _told_of(shipment: Shipment) -> Any:
    """Return the payload, or of a whole push that part which is about the parcel."""
    payload = shipment.payload
    items = payload.get("Data") if isinstance(payload, dict) else None
    if not isinstance(items, list) or not items:
        return payload
    own = [item for item in items if isinstance(item, dict) and item.get("LogisticCode") == shipment.waybill_no]
    return (own or items)[0]


def tell(world: World, carrier_code: str, waybill_no: str, events: list[Event], *, basic: bool) -> dict[str, Any]:
    """Return what 快递鸟 says of a parcel; the basic plan knows no StateEx, Location or Action."""
    head = {
        "EBusinessID": world.config.kdniao_business_id,
        "ShipperCode": carrier_code,
        "LogisticCode": waybill_no,
    }
    if not events and world.own(Manners).old_no_trace:
        return {**head, "Success": False, "Reason": None, "Traces": []}
    number = state(events)
    fine = {"StateEx": events[-1].code, "Location": events[-1].location} if events else {"StateEx": "0"}
    return {
        **head,
        "Success": True,
        "Reason": "" if events else NO_TRACE,
        "State": number if world.own(Manners).state_as_number else str(number),
        **({} if basic else fine),
        "Traces": [_trace(event, basic=basic) for event in events],
    }


def state(events: list[Event]) -> int:
    """Return State, which stays 4 for ever once anything went wrong on the way."""
    if not events:
        return 0
    if any(event.code.startswith("4") for event in events):
        return 4
    return 0 if events[-1].code == "10" else int(events[-1].code[0])


def _trace(event: Event, *, basic: bool) -> dict[str, Any]:
    trace = {"AcceptTime": wall_clock(event.at), "AcceptStation": event.text, "Remark": None}
    return trace if basic else {**trace, "Location": event.location, "Action": event.code}


def sample(captured: Mapping[str, Any], waybill_no: str, carrier_code: str) -> Any:
    """Return what a captured payload says of a parcel, under the waybill it is asked for."""
    if "push" in captured:
        found: dict[str, Any] = captured["push"]["RequestData_pretty"]
        own = {item["LogisticCode"]: item for item in found["Data"]}
        items = [own[waybill_no]] if waybill_no in own else found["Data"][:1]
        return {**items[0], "LogisticCode": waybill_no, "ShipperCode": CODES["kdniao"].get(carrier_code, carrier_code)}
    answer = captured.get("response") or captured.get("response_ok_SYNTHETIC") or captured["responses"][0]
    return {**answer, "LogisticCode": waybill_no} if "LogisticCode" in answer else answer
