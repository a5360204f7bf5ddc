"""顺丰丰桥: the routes of up to ten waybills a call, and their registration for the push.

That a wrong phone tail finds nothing (and is no error) is an assumption, and so is the order of refusals. Wordings of
business errors are not published.
"""

import base64
import dataclasses
import hashlib
import hmac
import json
import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote_plus

from sandbox.instants import wall_clock
from sandbox.scenarios import Event
from sandbox.shipments import Shipment
from sandbox.world import World

PATH = "/std/service"
SEARCH, REGISTER = "EXP_RECE_SEARCH_ROUTES", "EXP_RECE_REGISTER_ROUTE"
CARRIERS = frozenset({"SF", "SHUNFENGLENGYUN"})
MOST = 10
FIELDS = ("partnerID", "requestID", "serviceCode", "timestamp", "msgDigest", "msgData")

# The story's code → opCode, reasonCode (pushes only), firstStatusCode, secondaryStatusCode.
CODES: Mapping[str, tuple[str, str, str, str]] = {
    "1": ("50", "", "1", "101"),
    "2": ("36", "", "2", "201"),
    "201": ("31", "", "2", "201"),
    "204": ("31", "", "2", "201"),
    "205": ("31", "", "2", "201"),
    "206": ("30", "", "2", "201"),
    "202": ("204", "", "3", "301"),
    "419": ("204", "", "13", "1301"),
    "211": ("125", "", "11", "-"),
    "3": ("80", "", "4", "401"),
    "301": ("80", "", "4", "401"),
    "302": ("80", "", "4", "401"),
    "304": ("80", "", "4", "401"),
    "311": ("80", "", "4", "401"),
    "404": ("99", "2", "-", "-"),
    "407": ("648", "", "-", "-"),
    "406": ("631", "", "-", "-"),
    "416": ("70", "", "3", "301"),
    "5": ("517", "", "-", "-"),
    "6": ("31", "", "2", "204"),
    "601": ("31", "", "2", "204"),
    "602": ("31", "", "2", "204"),
    "603": ("31", "", "2", "205"),
}
TROUBLE = ("33", "", "2", "201")


@dataclasses.dataclass
class Manners:
    """Pushes as a form of XML instead of JSON, the limits of each interface, and accounts without first status."""

    xml: bool = False
    calls_per_second: int = 30
    calls_per_day: int = 3000
    first_status: bool = True


@dataclasses.dataclass
class Meter:
    """Calls of the present second and of the present day, by service code."""

    counts: dict[tuple[str, str], int] = dataclasses.field(default_factory=dict)

    def over(self, manners: Manners, service: str, now: float) -> bool:
        second = wall_clock(now)
        limits = {(service, second): manners.calls_per_second, (service, second[:10]): manners.calls_per_day}
        self.counts = {key: self.counts.get(key, 0) + 1 for key in limits} | {
            key: count for key, count in self.counts.items() if key[0] != service
        }
        return any(self.counts[key] > most for key, most in limits.items())


class Refused(Exception):
    """`code` A…: the platform's; any other: the service's own, inside `apiResultData`."""

    def __init__(self, code: str, message: str) -> None:
        self.code, self.message = code, message
        super().__init__(code)


def sign(msg_data: str, timestamp: str, checkword: str) -> str:
    """Return msgDigest: base64 of the raw MD5 over the texts as Java's URLEncoder writes them."""
    encoded = quote_plus(msg_data + timestamp + checkword, safe="*", errors="replace").replace("~", "%7E")
    return base64.b64encode(hashlib.md5(encoded.encode(), usedforsecurity=False).digest()).decode()


def answer(world: World, form: Mapping[str, str]) -> Any:
    """Answer a call. Text is a verbatim payload."""
    with world.lock:
        try:
            service = _authenticate(world, form)
            asked = _asked(form["msgData"])
            told = _register(world, asked) if service == REGISTER else _search(world, asked)
        except Refused as refusal:
            return _refusal(refusal)
        return told if isinstance(told, str) or "apiResultCode" in told else _outer(_inner(told))


def _refusal(refusal: Refused) -> dict[str, Any]:
    if refusal.code.startswith("A"):
        head = {"apiErrorMsg": refusal.message, "apiResponseID": "0", "apiResultCode": refusal.code}
        return {**head, "apiResultData": None}
    return _outer(_inner(None, refusal.code, refusal.message))


def _inner(data: Any, code: str = "S0000", message: str | None = None) -> dict[str, Any]:
    return {"success": code == "S0000", "errorCode": code, "errorMsg": message, "msgData": data}


def _outer(inner: Mapping[str, Any]) -> dict[str, Any]:
    text = json.dumps(inner, ensure_ascii=False)
    return {"apiErrorMsg": "", "apiResponseID": "0", "apiResultCode": "A1000", "apiResultData": text}


def _authenticate(world: World, form: Mapping[str, str]) -> str:
    """Return the service code of an authentic call."""
    config, service = world.config, form.get("serviceCode", "")
    if not all(form.get(name) for name in FIELDS):
        raise Refused("A1001", "必传参数不可为空")
    right = sign(form["msgData"], form["timestamp"], config.sf_checkword)
    known = config.sf_checkword and form["partnerID"] == config.sf_partner_id
    if not known or not hmac.compare_digest(right.encode(), form["msgDigest"].encode()):
        raise Refused("A1006", "数字签名无效")
    if service not in (SEARCH, REGISTER):
        raise Refused("A1004", "无对应服务权限")
    if world.own(Meter).over(world.own(Manners), service, world.clock()):
        raise Refused("A1005", "流量受控")
    return service


def _asked(msg_data: str) -> dict[str, Any]:
    try:
        found = json.loads(msg_data)
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise Refused("S0001", "非法的JSON格式")
    return found


def _register(world: World, asked: Mapping[str, Any]) -> dict[str, Any]:
    number = asked.get("attributeNo")
    if not isinstance(number, str) or not number:
        raise Refused("S0002", "必填参数attributeNo为空")
    if shipment := _find(world, number, str(asked.get("checkPhoneNo", ""))):
        shipment.subscription, world.dirty = REGISTER, True
    return {}


def _search(world: World, asked: Mapping[str, Any]) -> Any:
    numbers = asked.get("trackingNumber")
    if not isinstance(numbers, list) or not numbers:
        raise Refused("S0002", "必填参数trackingNumber为空")
    if len(numbers) > MOST:
        raise Refused("8003", "查询单号超过10个")
    tails = str(asked.get("checkPhoneNo", "")).split(",")
    tails += [""] * (len(numbers) - len(tails))
    found = [_find(world, str(number), tail) for number, tail in zip(numbers, tails, strict=False)]
    if len(numbers) == 1 and found[0] and _is_answer(found[0].payload):
        return found[0].payload
    rows = [_routes(world, shipment) if shipment else [] for shipment in found]
    return {"routeResps": [{"mailNo": no, "routes": routes} for no, routes in zip(numbers, rows, strict=True)]}


def _is_answer(payload: Any) -> bool:
    return isinstance(payload, str) or (isinstance(payload, dict) and "apiResultCode" in payload)


def _find(world: World, waybill_no: str, tail: str) -> Shipment | None:
    shipment = world.known(waybill_no, "sf")
    if shipment is None or shipment.carrier_code not in CARRIERS:
        return None
    wrong = shipment.phone_tail and tail not in ("", shipment.phone_tail)
    return None if wrong else shipment


def _routes(world: World, shipment: Shipment) -> list[dict[str, Any]]:
    """Return what is known, newest first, or of a whole push that part which is about the parcel."""
    if isinstance(shipment.payload, dict):
        rows = shipment.payload.get("Body", {}).get("WaybillRoute", [])
        return [{k: v for k, v in row.items() if k != "mailno"} for row in rows if row["mailno"] == shipment.waybill_no]
    events = shipment.events(world.clock())
    return [route(event, first_status=world.own(Manners).first_status) for event in reversed(events)]


def route(event: Event, *, first_status: bool) -> dict[str, str]:
    op_code, _, first, secondary = CODES.get(event.code, TROUBLE)
    told = {
        "acceptTime": wall_clock(event.at),
        "acceptAddress": event.location,
        "remark": event.text,
        "opCode": op_code,
    }
    return told | ({"firstStatusCode": first, "secondaryStatusCode": secondary} if first_status else {})


def sample(captured: Mapping[str, Any], waybill_no: str, carrier_code: str) -> Any:
    """Return what a captured payload says of a parcel, under the waybill it is asked for."""
    if "response" in captured:
        return json.loads(re.sub(r"SF\d{13}", waybill_no, json.dumps(captured["response"])))
    if "content_xml" in captured:
        return re.sub(r"SF\d{13}", waybill_no, captured["content_xml"])
    rows = captured["request_body"]["Body"]["WaybillRoute"] if "request_body" in captured else _wrapped(captured)
    return {"Body": {"WaybillRoute": [{**row, "mailno": waybill_no} for row in rows]}}


def _wrapped(captured: Mapping[str, Any]) -> list[dict[str, str]]:
    names = {"scanDateTime": "acceptTime", "zoneCode": "acceptAddress", "remark": "remark", "opCode": "opCode"}
    return [{theirs: row[name] for name, theirs in names.items()} for row in captured["routes"]]
