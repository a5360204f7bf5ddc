"""Waybills that somebody registered, and the one rule about them: what was not registered has no trace."""

import dataclasses
import functools
import json
from pathlib import Path
from typing import Any

from sandbox.places import make_route
from sandbox.scenarios import SCENARIOS, Event, timeline

PAYLOADS = Path(__file__).parent / "payloads"


@dataclasses.dataclass
class Shipment:
    """A waybill with its story. `payload`, a provider's answer, replaces the scenario and is served verbatim.

    `pushed_until` is the instant up to which events were handed to the pusher.
    `phone_tail`: other tails find nothing. `group`: waybills whose news travel in one push.
    """

    waybill_no: str
    carrier_code: str
    started_at: float
    scenario: str = ""
    provider: str = "kdniao"
    speed: float = 1.0
    push: bool = True
    payload: Any = None
    group: str = ""
    phone_tail: str = ""
    origin: str = ""
    destination: str = ""
    consignee: str = ""
    consignee_phone: str = ""
    order_code: str = ""
    callback: str = ""
    subscription: str = ""
    pushed_until: float = 0.0

    @functools.cached_property
    def story(self) -> tuple[Event, ...]:
        if self.scenario not in SCENARIOS:
            return ()
        route = make_route(
            self.waybill_no,
            origin=self.origin,
            destination=self.destination,
            consignee=self.consignee,
            consignee_phone=self.consignee_phone,
        )
        return timeline(SCENARIOS[self.scenario], started_at=self.started_at, speed=self.speed, route=route)

    def events(self, until: float) -> list[Event]:
        """Return what has happened by that instant, oldest first."""
        return [event for event in self.story if event.at <= until]

    def next_at(self, now: float) -> float | None:
        return next((event.at for event in self.story if event.at > now), None)


def sample_names() -> list[str]:
    """Return the names of the captured payloads, usable as scenarios: `kdniao_14_push_102_returned_to_sender`."""
    return sorted(path.stem for path in PAYLOADS.glob("*.json"))


def sample_payload(name: str, waybill_no: str, carrier_code: str) -> Any:
    """Return what a captured payload says of a parcel, under the waybill it is asked for."""
    captured = json.loads((PAYLOADS / f"{name}.json").read_text(encoding="utf-8"))
    if "push" in captured:
        found: dict[str, Any] = captured["push"]["RequestData_pretty"]
        own = {item["LogisticCode"]: item for item in found["Data"]}
        items = [own[waybill_no]] if waybill_no in own else found["Data"][:1]
        return {**items[0], "LogisticCode": waybill_no, "ShipperCode": carrier_code}
    answer = captured.get("response") or captured.get("response_ok_SYNTHETIC") or captured["responses"][0]
    return {**answer, "LogisticCode": waybill_no} if "LogisticCode" in answer else answer
