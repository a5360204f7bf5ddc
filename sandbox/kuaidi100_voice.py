"""How 快递100 pushes: to the address of the subscription, the whole trace each time, signed where a salt was given.

Repeated three times, 35 minutes apart, compressed by the parcel's speed.
"""

import dataclasses
import json
from collections.abc import Mapping, Sequence
from typing import Any

from sandbox.carriers import CODES
from sandbox.kuaidi100 import NAME, OVER, Manners, Note, keep, note_of, sign, told_of
from sandbox.pushing import Message, Push, Voice, answered_json, encode_form
from sandbox.scenarios import Event
from sandbox.shipments import Shipment
from sandbox.world import World

RESULTV2 = "4"
ENDS = ("shutdown", "abort")


class Kuaidi100Voice(Voice):
    service = NAME
    retry_after_seconds = (2100.0, 2100.0, 2100.0)
    least_retry_seconds = (2.0, 5.0, 15.0)
    patience_seconds = 20.0

    def message(self, world: World, shipments: Sequence[Shipment], push: Push) -> Message | None:
        """One parcel in a message; `encoding` plays no part, as nothing else than the form was ever seen."""
        shipment = shipments[0]
        note = note_of(shipment)
        if not note.callback or not (note.live or push.as_of <= note.ended_as_of):
            return None
        said = _said(world, shipment, note, push.as_of)
        if isinstance(said, dict) and said.get("status") in ENDS and not push.forged:
            keep(world, shipment, dataclasses.replace(note, live=False, ended_as_of=push.as_of))
        param = said if isinstance(said, str) else json.dumps(said, ensure_ascii=False)
        salt = "forged" if push.forged else note.salt
        fields = {"param": param} | ({"sign": sign(param, salt)} if salt is not None else {})
        body, headers = encode_form(fields, "")
        return Message(note.callback, fields, body, headers)

    def accepted(self, status: int, text: str) -> bool:
        return answered_json(status, text).get("result") is True

    def news(self, world: World, shipment: Shipment, now: float) -> list[float]:
        """Besides its events: three days without any since the subscription."""
        note = note_of(shipment)
        if shipment.payload is not None or _events(world, shipment, note, now):
            return super().news(world, shipment, now)
        gives_up = note.subscribed_at + world.own(Manners).abort_seconds / shipment.speed
        return [gives_up] if note.live and shipment.pushed_until < gives_up <= now else []

    def pushable(self, payload: Mapping[str, Any]) -> bool:
        return bool({"lastResult", "data"} & set(payload))


def _events(world: World, shipment: Shipment, note: Note, until: float) -> list[Event]:
    """Under a wrong carrier nothing is found, unless that is put right."""
    right = note.company == CODES[NAME].get(shipment.carrier_code)
    return shipment.events(until) if right or world.own(Manners).auto_check else []


def _said(world: World, shipment: Shipment, note: Note, as_of: float) -> Any:
    """Return the push; text is a payload that goes out as it is."""
    payload, right = shipment.payload, CODES[NAME].get(shipment.carrier_code, "")
    if isinstance(payload, str) or (payload and "lastResult" in payload):
        return payload
    wrong = note.company != right
    events = _events(world, shipment, note, as_of)
    if payload is None and not events:
        return _abort(shipment, note, right if wrong else "")
    over = bool(events) and events[-1].code in OVER and shipment.next_at(as_of) is None
    checked = {"autoCheck": "1", "comOld": note.company, "comNew": right}
    return {
        "status": "shutdown" if over else "polling",
        "billstatus": "check" if over else "got",
        "message": "",
        **(checked if wrong else {"autoCheck": "0", "comOld": "", "comNew": ""}),
        "lastResult": told_of(world, shipment, as_of, resultv2=RESULTV2),
    }


def _abort(shipment: Shipment, note: Note, right: str) -> dict[str, Any]:
    """The right carrier is named where another was asked about, and is known by now."""
    last = {
        "message": "快递公司参数异常：单号不存在或者已经过期",
        "nu": shipment.waybill_no,
        "ischeck": "0",
        "com": note.company,
        "status": "201",
        "state": "0",
        "data": [],
    }
    said = {"status": "abort", "billstatus": "", "message": "3天查询无记录", "autoCheck": "0", "comOld": ""}
    return {**said, "comNew": right, "lastResult": last}
