"""The sandbox's own controls under `/_sim/`. A wrong input is refused with 400, naming the field."""

import dataclasses
import datetime as dt
import math
from collections.abc import Iterable, Mapping
from typing import Any

from sandbox.carriers import CARRIERS
from sandbox.faults import KINDS, Fault
from sandbox.instants import SHANGHAI, isoformat
from sandbox.scenarios import SCENARIOS
from sandbox.services import SERVICES, VOICES
from sandbox.shipments import Shipment, captured, sample_names
from sandbox.world import World

KNOWN = ("provider", "carrier_code", "scenario", "payload", "speed", "push", "consignee", "known_by")
TEXTS = ("group", "phone_tail", "origin", "destination", "order_code", "callback")


class BadControl(Exception):
    """`field` is what must be put right."""

    def __init__(self, field: str, message: str) -> None:
        self.field, self.message = field, message
        super().__init__(message)


def text(asked: Mapping[str, Any], field: str, *, default: str | None = None, longest: int = 128) -> str:
    value = asked.get(field, default)
    if not isinstance(value, str) or len(value) > longest or (default is None and not value.strip()):
        raise BadControl(field, f"要填 1–{longest} 个字符的文字")
    return value


def number(asked: Mapping[str, Any], field: str, *, default: float, least: float, most: float) -> float:
    value = asked.get(field, default)
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise BadControl(field, "要填数字")
    if not least <= value <= most:
        raise BadControl(field, f"要在 {least:g} 和 {most:g} 之间")
    return float(value)


def flag(asked: Mapping[str, Any], field: str, *, default: bool) -> bool:
    value = asked.get(field, default)
    if not isinstance(value, bool):
        raise BadControl(field, "要填 true 或 false")
    return value


def choice(asked: Mapping[str, Any], field: str, choices: Mapping[str, Any] | tuple[str, ...]) -> str:
    value = asked.get(field)
    if not isinstance(value, str) or value not in choices:
        raise BadControl(field, "只能是：" + "、".join(choices))
    return value


def several(asked: Mapping[str, Any], field: str, choices: Iterable[str]) -> list[str]:
    value, named = asked.get(field, []), sorted(choices)
    if not isinstance(value, list) or not all(isinstance(part, str) and part in named for part in value):
        raise BadControl(field, "要填列表，可用：" + "、".join(named))
    return value


def known_fields(asked: Mapping[str, Any], *names: str) -> None:
    for field in asked:
        if field not in names:
            raise BadControl(field, "没有这一项；可用：" + "、".join(names))


def set_manners(manners: Any, asked: Mapping[str, Any]) -> dict[str, Any]:
    """Set a service's manners by name, each after the kind of its present value; all or nothing."""
    fields = {field.name: field for field in dataclasses.fields(manners)}
    known_fields(asked, *fields)
    found = {name: _manner(asked, fields[name], getattr(manners, name)) for name in asked}
    for name, value in found.items():
        setattr(manners, name, value)
    return {name: sorted(v) if isinstance(v := getattr(manners, name), frozenset) else v for name in fields}


def _manner(asked: Mapping[str, Any], field: dataclasses.Field[Any], known: Any) -> Any:
    if isinstance(known, bool):
        return flag(asked, field.name, default=known)
    if isinstance(known, int | float):
        least, most = field.metadata.get("least", 0), field.metadata.get("most", 1_000_000_000)
        return type(known)(number(asked, field.name, default=known, least=least, most=most))
    if isinstance(known, frozenset):
        return frozenset(several(asked, field.name, field.metadata["choices"]))
    if "choices" in field.metadata:
        return choice(asked, field.name, field.metadata["choices"])
    return text(asked, field.name, default="")


def add_fault(world: World, asked: Mapping[str, Any]) -> dict[str, Any]:
    """`latency_seconds` is for kind "latency"; `seconds` 0 ends a fault."""
    known_fields(asked, "service", "kind", "rate", "seconds", "latency_seconds")
    fault = Fault(
        service=choice(asked, "service", SERVICES),
        kind=choice(asked, "kind", KINDS),
        rate=number(asked, "rate", default=1.0, least=0, most=1),
        until=world.clock() + number(asked, "seconds", default=60, least=0, most=86_400),
        latency_seconds=number(asked, "latency_seconds", default=2, least=0, most=60),
    )
    world.faults.add(fault)
    return faults(world)


def faults(world: World) -> dict[str, Any]:
    return {
        "faults": [
            {"service": f.service, "kind": f.kind, "rate": f.rate, "until": isoformat(f.until)}
            for f in world.faults.active()
        ]
    }


def clear_faults(world: World) -> dict[str, Any]:
    world.faults.clear()
    return faults(world)


def put_shipment(world: World, waybill_no: str, asked: Mapping[str, Any]) -> dict[str, Any]:
    """Start a scenario or serve a payload; a second PUT starts anew. A null counts as absent."""
    asked = {field: value for field, value in asked.items() if value is not None}
    known_fields(asked, *KNOWN, *TEXTS)
    if not waybill_no.isprintable() or not 1 <= len(waybill_no) <= 64:
        raise BadControl("waybill_no", "要填 1–64 个字符的运单号")
    now = world.clock()
    shipment = Shipment(
        waybill_no=waybill_no,
        provider=choice({"provider": _spoken_by(asked), **asked}, "provider", VOICES),
        known_by=several(asked, "known_by", VOICES),
        carrier_code=choice(_named_by_payload(asked) | asked, "carrier_code", CARRIERS),
        started_at=now,
        pushed_until=now,
        speed=number(asked, "speed", default=1, least=0.001, most=10_000_000),
        push=flag(asked, "push", default=True),
        **dict[str, Any]({field: text(asked, field, default="") for field in TEXTS}),
        **_consignee(asked),
    )
    _tell_what(shipment, asked)
    world.register(shipment)
    return show(shipment, now)


def _tell_what(shipment: Shipment, asked: Mapping[str, Any]) -> None:
    if ("scenario" in asked) == ("payload" in asked):
        raise BadControl("scenario", "scenario 和 payload 要填一个，且只填一个")
    if "payload" in asked:
        if not isinstance(asked["payload"], dict | str):
            raise BadControl("payload", "要填服务商应答的 JSON 对象，或原样发出的文字")
        shipment.payload = asked["payload"]
    else:
        shipment.scenario = choice(asked, "scenario", (*SCENARIOS, *sample_names()))
        if shipment.scenario not in SCENARIOS:
            shipment.payload = _sample(shipment)
    if shipment.payload is not None:
        shipment.pushed_until = 0.0


def _sample(shipment: Shipment) -> Any:
    service = _service_of_sample(shipment.scenario)
    tell = SERVICES[service].sample
    if service != shipment.provider or tell is None:
        raise BadControl("scenario", f"这是 {service} 的应答，provider 要填 {service}")
    return tell(captured(shipment.scenario), shipment.waybill_no, shipment.carrier_code)


def _service_of_sample(name: str) -> str:
    return name.split("_")[0]


def _spoken_by(asked: Mapping[str, Any]) -> str:
    """A captured payload names its provider by itself."""
    named = _service_of_sample(str(asked.get("scenario", "")))
    return named if named in VOICES else "kdniao"


def _named_by_payload(asked: dict[str, Any]) -> dict[str, Any]:
    payload = asked.get("payload")
    code = payload.get("ShipperCode") if isinstance(payload, dict) else None
    return {"carrier_code": code} if code else {}


def _consignee(asked: Mapping[str, Any]) -> dict[str, Any]:
    """Carriers' sentences quote names and numbers; these are the ones to quote."""
    found = asked.get("consignee", {})
    if not isinstance(found, dict):
        raise BadControl("consignee", '要填 {"name","phone"}')
    return {
        "consignee": text(found, "name", default="", longest=60),
        "consignee_phone": text(found, "phone", default="", longest=30),
    }


def show(shipment: Shipment, now: float) -> dict[str, Any]:
    scenario = SCENARIOS.get(shipment.scenario)
    story = shipment.story
    return {
        "waybill_no": shipment.waybill_no,
        "provider": shipment.provider,
        "known_by": shipment.known_by,
        "carrier_code": shipment.carrier_code,
        "scenario": shipment.scenario or None,
        "title": scenario.title if scenario else "指定的应答",
        "speed": shipment.speed,
        "push": shipment.push,
        "subscribed": bool(shipment.subscription),
        "started_at": isoformat(shipment.started_at),
        "ends_at": isoformat(story[-1].at) if story else None,
        "end_code": scenario.end_code if scenario else None,
        "happened": len(shipment.events(now)),
        "of": len(story),
        "planned": [{"at": isoformat(event.at), "code": event.code, "text": event.text} for event in story],
    }


def get_shipment(world: World, waybill_no: str) -> dict[str, Any] | None:
    shipment = world.shipments.get(waybill_no)
    return show(shipment, world.clock()) if shipment else None


def calls(world: World, query: Mapping[str, str]) -> dict[str, Any]:
    """`since`: an ISO instant (without zone: Shanghai) or Unix seconds."""
    service = query.get("service", "")
    if service and service not in SERVICES:
        raise BadControl("service", "只能是：" + "、".join(SERVICES))
    return {"calls": [call.as_json() for call in world.calls.find(service, _since(query.get("since", "")))]}


def _since(given: str) -> float:
    if not given:
        return 0.0
    try:
        return float(given)
    except ValueError:
        pass
    try:
        instant = dt.datetime.fromisoformat(given.replace(" ", "+"))
    except ValueError:
        raise BadControl("since", "要填 ISO 时间或 Unix 秒") from None
    return (instant if instant.tzinfo else instant.replace(tzinfo=SHANGHAI)).timestamp()
