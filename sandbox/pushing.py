"""快递鸟 tells the merchant: full traces each time, signed, again until the answer is right.

How often and how long the live service repeats is not published: 1, 5 and 30 minutes, compressed by the
parcel's speed, are invented here. However high the speed, a merchant that is just starting is given 22 seconds.
"""

import dataclasses
import json
import random
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import quote, urlencode

import requests

from sandbox.faults import PUSH_FAULTS, Fault
from sandbox.instants import wall_clock
from sandbox.kdniao import BASIC, sign, tell
from sandbox.shipments import Shipment
from sandbox.world import World

CALLBACK = "/callbacks/kdniao"
RETRY_AFTER_SECONDS = (60.0, 300.0, 1800.0)
LEAST_RETRY_SECONDS = (2.0, 5.0, 15.0)
LATE_SECONDS = 3600.0
PATIENCE_SECONDS = 10.0
BATCH = 3
FORM = "application/x-www-form-urlencoded;charset=utf-8"

Post = Callable[[str, bytes, Mapping[str, str]], tuple[int, str]]


def post(url: str, body: bytes, headers: Mapping[str, str]) -> tuple[int, str]:
    """Return status and text; 0 when nobody answered."""
    try:
        response = requests.post(url, data=body, headers=dict(headers), timeout=PATIENCE_SECONDS, allow_redirects=False)
    except requests.RequestException as error:
        return 0, type(error).__name__
    return response.status_code, response.text


@dataclasses.dataclass(frozen=True)
class Push:
    """News of some parcels as they stood at `as_of`, to be sent at `due`."""

    due: float
    as_of: float
    waybill_nos: tuple[str, ...]
    attempt: int = 0
    forged: bool = False
    encoding: str = ""


class Pusher:
    """`tick` is the whole scheduler: it sends what is due now, and never sleeps."""

    def __init__(self, world: World, send: Post = post) -> None:
        self.world, self._send, self.queue = world, send, list[Push]()

    def tick(self) -> None:
        with self.world.lock:
            self._collect()
            now = self.world.clock()
            due = sorted((push for push in self.queue if push.due <= now), key=lambda push: push.due)
            self.queue = [push for push in self.queue if push.due > now]
        for push in due:
            self._deliver(push)

    def _collect(self) -> None:
        now = self.world.clock()
        if not self.world.config.public_url:
            return
        for shipment in self.world.shipments.values():
            if shipment.push:
                for as_of in _news(shipment, now):
                    shipment.pushed_until, self.world.dirty = as_of, True
                    self._enqueue(shipment, as_of)

    def _enqueue(self, shipment: Shipment, as_of: float) -> None:
        faults = {fault.kind: fault for fault in self.world.faults.draw("kdniao", PUSH_FAULTS)}
        push = Push(self._due(shipment, as_of, faults), as_of, self._together(shipment, faults))
        push = dataclasses.replace(push, encoding=next((k for k in ("twice_encoded", "raw_json") if k in faults), ""))
        if "forged" in faults:
            self.queue.append(dataclasses.replace(push, forged=True))
        self.queue.append(push)
        if "duplicate" in faults:
            self.queue.append(push)

    def _due(self, shipment: Shipment, as_of: float, faults: Mapping[str, Fault]) -> float:
        """A reordered push waits until just after the next one; a late one for a compressed hour."""
        now = self.world.clock()
        following = shipment.next_at(as_of)
        if "reordered" in faults and following is not None:
            return max(now, following + 1)
        return now + (max(LATE_SECONDS / shipment.speed, 5.0) if "late" in faults else 0)

    def _together(self, shipment: Shipment, faults: Mapping[str, Fault]) -> tuple[str, ...]:
        group = [s.waybill_no for s in self.world.shipments.values() if shipment.group and s.group == shipment.group]
        if "batched" in faults:
            others = [s.waybill_no for s in self.world.shipments.values() if s.push and s is not shipment]
            group += random.Random(shipment.waybill_no).sample(others, min(BATCH - 1, len(others)))  # noqa: S311
        return tuple(dict.fromkeys([shipment.waybill_no, *group]))

    def _deliver(self, push: Push) -> None:
        with self.world.lock:
            prepared = self._prepare(push)
        if prepared is None:
            return
        fields, body, headers, speed = prepared
        status, text = self._send(self.world.config.public_url.rstrip("/") + CALLBACK, body, headers)
        with self.world.lock:
            fault = " ".join(filter(None, ("forged" if push.forged else "", push.encoding)))
            self.world.calls.add(
                "kdniao", "out", "POST", CALLBACK, request=fields, status=status, response=text[:500], fault=fault
            )
            if not accepted(status, text) and not push.forged:
                self._again(push, speed)

    def _again(self, push: Push, speed: float) -> None:
        if push.attempt < len(RETRY_AFTER_SECONDS):
            wait = max(RETRY_AFTER_SECONDS[push.attempt] / speed, LEAST_RETRY_SECONDS[push.attempt])
            self.queue.append(dataclasses.replace(push, due=self.world.clock() + wait, attempt=push.attempt + 1))

    def _prepare(self, push: Push) -> tuple[dict[str, str], bytes, dict[str, str], float] | None:
        shipments = [s for no in push.waybill_nos if (s := self.world.shipments.get(no))]
        if not shipments:
            return None
        basic = shipments[0].subscription in BASIC
        text = self._request_data([item for s in shipments if (item := self._item(s, push.as_of, basic=basic))])
        key = "forged" if push.forged else self.world.config.kdniao_api_key
        fields = {"RequestData": text, "RequestType": "101" if basic else "102", "DataSign": sign(text, key)}
        body, headers = _encode(fields, push.encoding)
        return fields, body, headers, shipments[0].speed

    def _item(self, shipment: Shipment, as_of: float, *, basic: bool) -> Any:
        if shipment.payload is not None:
            return shipment.payload
        told = tell(self.world, shipment.carrier_code, shipment.waybill_no, shipment.events(as_of), basic=basic)
        return {**told, "OrderCode": shipment.order_code, "CallBack": shipment.callback}

    def _request_data(self, items: list[Any]) -> str:
        """A payload that is a whole push already (it has Data), or text, goes out as it is."""
        if len(items) == 1 and (isinstance(items[0], str) or "Data" in items[0]):
            return items[0] if isinstance(items[0], str) else json.dumps(items[0], ensure_ascii=False)
        said = {
            "EBusinessID": self.world.config.kdniao_business_id,
            "PushTime": wall_clock(self.world.clock()),
            "Count": str(len(items)),
            "Data": items,
        }
        return json.dumps(said, ensure_ascii=False)


def _news(shipment: Shipment, now: float) -> list[float]:
    """Return the instants of what is to be told; a payload is told once, when it was registered."""
    if shipment.payload is not None:
        tells = isinstance(shipment.payload, str) or bool({"Traces", "Data"} & set(shipment.payload))
        return [shipment.started_at] if tells and shipment.pushed_until < shipment.started_at else []
    return [event.at for event in shipment.events(now) if event.at > shipment.pushed_until]


def _encode(fields: dict[str, str], encoding: str) -> tuple[bytes, dict[str, str]]:
    if encoding == "raw_json":
        return json.dumps(fields, ensure_ascii=False).encode(), {"Content-Type": "application/json;charset=utf-8"}
    if encoding == "twice_encoded":
        fields = {key: quote(value) for key, value in fields.items()}
    return urlencode(fields).encode(), {"Content-Type": FORM}


def accepted(status: int, text: str) -> bool:
    """The merchant must answer 200 with Success true."""
    try:
        found = json.loads(text) if status == 200 else None
    except ValueError:
        return False
    return isinstance(found, dict) and found.get("Success") is True
