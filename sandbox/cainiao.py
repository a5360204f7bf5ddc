"""菜鸟: the LINK gateway (detail query in the shapes that were seen, subscription), and its pushes of the newest node.

Invented: the order of refusals, the wording of those beyond the gateway's list, and how long it waits for an answer.
"""

import base64
import dataclasses
import hashlib
import hmac
import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from sandbox.carriers import CODES, NAMES
from sandbox.instants import wall_clock
from sandbox.pushing import Message, Push, Voice, answered_json, encode_form
from sandbox.scenarios import Event
from sandbox.shipments import Shipment
from sandbox.world import World

GATEWAY = "/gateway/link.do"
CALLBACK = "/callbacks/cainiao"
DETAIL_GET = "CNTECH_LV_LOGISTICS_DETAIL_GET"
SUBSCRIBE = "CNTECH_LV_LOGISTICS_DETAIL_SUBSCRIBE"
PACK_QUERY = "LPC_PACK_PUB_QUERY"
SERVED = frozenset({DETAIL_GET, SUBSCRIBE, PACK_QUERY})

DIGESTS: Mapping[str, Callable[[bytes], str]] = {
    "base64-raw": lambda md5: base64.b64encode(md5).decode(),
    "upper-hex": lambda md5: md5.hex().upper(),
    "lower-hex": lambda md5: md5.hex(),
    "base64-hex": lambda md5: base64.b64encode(md5.hex().encode()).decode(),
}

# The stories' codes are 快递鸟's. Main status and sub-status here; what isn't listed falls under its first digit.
STATUSES: Mapping[str, tuple[str, str]] = {
    "10": ("WAIT_ACCEPT", ""),
    "1": ("ACCEPT", ""),
    "2": ("TRANSPORT", ""),
    "201": ("TRANSPORT", "ARRIVE_CITY"),
    "204": ("TRANSPORT", "ON_THE_WAY"),
    "205": ("TRANSPORT", "ON_THE_WAY"),
    "206": ("TRANSPORT", "SEND_ON"),
    "202": ("DELIVERING", ""),
    "211": ("AGENT_SIGN", "STA_INBOUND"),
    "3": ("SIGN", ""),
    "304": ("OTHER_SIGN", ""),
    "311": ("SIGN", "STA_SIGN"),
    "4": ("FAILED", ""),
    "404": ("FAILED", "REFUSE_SIGN"),
    "406": ("SIGN", "RETURN_SIGN"),
    "407": ("TRANSPORT", "RETURN"),
    "412": ("FAILED", "RETENTION"),
    "413": ("CANCEL_ORDER", ""),
    "414": ("FAILED", "DAMAGE"),
    "415": ("CANCEL_ORDER", ""),
    "416": ("FAILED", "DELIVER_ABNORMAL"),
    "417": ("FAILED", "ISSUE"),
    "419": ("DELIVERING", ""),
    "5": ("ORDER_TRANSER", ""),
    "6": ("CC_HO", ""),
}
NAMED: Mapping[str, str] = {
    "WAIT_ACCEPT": "待揽收",
    "ACCEPT": "已揽收",
    "TRANSPORT": "运输中",
    "DELIVERING": "派送中",
    "AGENT_SIGN": "待取件",
    "SIGN": "已签收",
    "OTHER_SIGN": "他人代收",
    "FAILED": "包裹异常",
    "ORDER_TRANSER": "转单",
    "CC_HO": "清关中",
    "CANCEL_ORDER": "已取消",
}


@dataclasses.dataclass
class Manners:
    """Which of the variants that were seen this account has. `open`: the messages that it may send."""

    open: frozenset[str] = dataclasses.field(default=SERVED, metadata={"choices": SERVED})
    shape: str = dataclasses.field(default="flat", metadata={"choices": ("flat", "nested", "nested_text")})
    digest: str = dataclasses.field(default="base64-raw", metadata={"choices": tuple(DIGESTS)})
    push_form: str = dataclasses.field(default="link", metadata={"choices": ("link", "array")})
    push_digest: str = dataclasses.field(default="base64-raw", metadata={"choices": tuple(DIGESTS)})
    epoch_times: bool = False


class Refused(Exception):
    """Answered with success false, this errorCode and errorMsg."""

    def __init__(self, code: str, message: str) -> None:
        self.code, self.message = code, message
        super().__init__(message)


def sign(text: str, secret: str, digest: str = "base64-raw") -> str:
    """Return data_digest: of the MD5 over text and secret, written in one of the ways of DIGESTS."""
    return DIGESTS[digest](hashlib.md5((text + secret).encode(), usedforsecurity=False).digest())


# --- questions ------------------------------------------------------------------------------------


def answer(world: World, form: Mapping[str, str]) -> Any:
    """Answer a call. Text is a verbatim payload."""
    try:
        return _answer(world, form)
    except Refused as refusal:
        return {"success": False, "errorCode": refusal.code, "errorMsg": refusal.message}


def _answer(world: World, form: Mapping[str, str]) -> Any:
    msg_type, manners = form.get("msg_type", ""), world.own(Manners)
    if msg_type not in manners.open:
        raise Refused("S04", "非法的通知类型")
    _authenticate(world, form, manners)
    asked = _asked(world, msg_type, form.get("logistics_interface", ""))
    shipment = world.known(asked["mailNo"], "cainiao")
    if shipment and (CODES["cainiao"].get(shipment.carrier_code) != asked["cpCode"] or _other_phone(shipment, asked)):
        shipment = None
    if msg_type == SUBSCRIBE:
        _subscribe(world, shipment)
        return {"success": True, "errorCode": "", "errorMsg": ""}
    if shipment and shipment.payload is not None:
        return shipment.payload
    events = shipment.events(world.clock()) if shipment else []
    return _tell(asked, events, manners)


def _authenticate(world: World, form: Mapping[str, str], manners: Manners) -> None:
    config, text = world.config, form.get("logistics_interface", "")
    if not config.cainiao_provider_id or form.get("logistic_provider_id") != config.cainiao_provider_id:
        raise Refused("S03", "非法的物流公司/仓储公司")
    right = sign(text, config.cainiao_secret, manners.digest)
    if not config.cainiao_secret or not hmac.compare_digest(right.encode(), form.get("data_digest", "").encode()):
        raise Refused("S02", "非法的数字签名")


def _asked(world: World, msg_type: str, text: str) -> dict[str, str]:
    try:
        found = json.loads(text)
    except ValueError:
        raise Refused("S01", "非法的XML/JSON") from None
    inner = found if msg_type == PACK_QUERY else found.get("arg0") if isinstance(found, dict) else None
    if not isinstance(inner, dict):
        raise Refused("S12", "非法的请求参数")
    asked = {name: str(inner.get(name) or "") for name in ("appCode", "appName", "cpCode", "mailNo", "receiverPhone")}
    if (asked["appName"] if msg_type == PACK_QUERY else asked["appCode"]) != world.config.cainiao_app_code:
        raise Refused("S12", "appCode 无效")
    if asked["cpCode"] not in NAMES["cainiao"]:
        raise Refused("S12", "cpCode 无效")
    if not asked["mailNo"]:
        raise Refused("S12", "mailNo 不能为空")
    return asked


def _other_phone(shipment: Shipment, asked: Mapping[str, str]) -> bool:
    phone = asked["receiverPhone"]
    return bool(shipment.phone_tail and phone and not phone.endswith(shipment.phone_tail))


def _subscribe(world: World, shipment: Shipment | None) -> None:
    """What is known already is told once more: its newest node."""
    if shipment is None:
        return
    shipment.subscription, world.dirty = SUBSCRIBE, True
    happened = shipment.events(world.clock())
    if happened and shipment.push:
        shipment.pushed_until = min(shipment.pushed_until, happened[-1].at - 0.001)


def _tell(asked: Mapping[str, str], events: Sequence[Event], manners: Manners) -> dict[str, Any]:
    if manners.shape == "flat":
        details = [{"time": _time(event.at, manners), "desc": event.text} for event in events]
        head = {"success": True, "mailNo": asked["mailNo"], "cpCode": asked["cpCode"]}
        return {**head, **(_status(events[-1]) if events else {}), "fullTraceDetail": details}
    nested = {
        "detail": [
            {"opTime": _time(e.at, manners), "opMessage": e.text, "opDesc": NAMED[statuses(e.code)[0]]} for e in events
        ]
    }
    return {
        "success": True,
        "result": {"data": json.dumps(nested, ensure_ascii=False) if manners.shape == "nested_text" else nested},
    }


def _status(event: Event) -> dict[str, str]:
    main, exact = statuses(event.code)
    return {
        "logisticsStatus": main,
        "logisticsStatusDesc": NAMED[main],
        "logisticsStatusEx": exact,
        "logisticsStatusExDesc": "",
        "city": event.location,
    }


def statuses(code: str) -> tuple[str, str]:
    """Return main status and sub-status (empty where there is none) for a code of the stories."""
    return STATUSES.get(code) or STATUSES[code[0]]


def _time(at: float, manners: Manners) -> str | int:
    return int(at) * 1000 if manners.epoch_times else wall_clock(at)


# --- pushes ---------------------------------------------------------------------------------------


class CainiaoVoice(Voice):
    """The newest node only; LINK tells of one parcel at a time, the array of several.

    Documented for the array form, assumed for LINK: again after 1, 5 and 10 minutes.
    """

    service = "cainiao"
    retry_after_seconds = (60.0, 300.0, 600.0)
    least_retry_seconds = (2.0, 5.0, 15.0)
    patience_seconds = 10.0

    def message(self, world: World, shipments: Sequence[Shipment], push: Push) -> Message | None:
        manners = world.own(Manners)
        if manners.push_form == "array":
            return _array(world, [n for s in shipments if (n := _node(s, push.as_of, manners)) is not None], push)
        node = _node(shipments[0], push.as_of, manners)
        return None if node is None else _link(world, node, push, manners)

    def accepted(self, status: int, text: str) -> bool:
        """The array form wants the number 0, LINK's a success."""
        found = answered_json(status, text)
        return found.get("success") is True or (found.get("code") == 0 and found.get("code") is not False)

    def pushable(self, payload: Mapping[str, Any]) -> bool:
        return bool({"lastLogisticDetail", "logisticsGmtModified"} & set(payload))


def _node(shipment: Shipment, as_of: float, manners: Manners) -> Any:
    """Return the record of the newest node, or a payload as it is; nothing where nothing has happened yet."""
    if shipment.payload is not None:
        return shipment.payload
    events = shipment.events(as_of)
    if not events:
        return None
    return {
        "cpCode": CODES["cainiao"].get(shipment.carrier_code, ""),
        "mailNo": shipment.waybill_no,
        **_status(events[-1]),
        "lastLogisticDetail": events[-1].text,
        "logisticsGmtModified": _time(events[-1].at, manners),
        "bizKey": shipment.order_code or shipment.waybill_no,
    }


def _link(world: World, node: Any, push: Push, manners: Manners) -> Message:
    text = node if isinstance(node, str) else json.dumps(node, ensure_ascii=False)
    secret = "forged" if push.forged else world.config.cainiao_secret
    fields = {
        "msg_type": "LOGISTICS_DETAIL_PUSH",
        "msg_id": hashlib.sha256(text.encode()).hexdigest()[:16],
        "from_code": "CNTECH_LV",
        "partner_code": world.config.cainiao_provider_id,
        "logistics_interface": text,
        "data_digest": sign(text, secret, manners.push_digest),
    }
    body, headers = encode_form(fields, push.encoding)
    return Message(CALLBACK, fields, body, headers)


def _array(world: World, nodes: Sequence[Any], push: Push) -> Message | None:
    """Nothing is signed: whoever knows the address may push."""
    if not nodes:
        return None
    secret = "forged" if push.forged else world.config.cainiao_callback_secret
    body = nodes[0] if isinstance(nodes[0], str) else json.dumps(nodes, ensure_ascii=False)
    return Message(f"{CALLBACK}/{secret}", nodes, body.encode(), {"Content-Type": "application/json;charset=utf-8"})


def sample(captured: Mapping[str, Any], waybill_no: str, carrier_code: str) -> Any:
    """Return what a captured payload says of a parcel, under the waybill it is asked for."""
    named = {"mailNo": waybill_no, "cpCode": CODES["cainiao"].get(carrier_code, carrier_code)}
    if "request_body" in captured:
        return captured["request_body"][0] | named
    if "form" in captured and "expected_response" in captured:
        return json.loads(captured["form"]["logistics_interface"]) | named
    if "response_shape_A_flat" in captured:
        return captured["response_shape_A_flat"] | named
    return captured["response"]
