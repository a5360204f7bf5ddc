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
    `provider` pushes; every service answers questions, unless `known_by` names those that know the waybill.
    `notes`: what a service keeps with the waybill beyond a restart, by the service's name.
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
    known_by: list[str] = dataclasses.field(default_factory=list)
    notes: dict[str, Any] = dataclasses.field(default_factory=dict)

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


def captured(name: str) -> dict[str, Any]:
    """Return a captured payload as it was kept."""
    found: dict[str, Any] = json.loads((PAYLOADS / f"{name}.json").read_text(encoding="utf-8"))
    return found
