"""Services tell the merchant: news as it comes, in each service's own voice, again until the answer is right.

However high a parcel's speed, a merchant that is just starting is given the voice's least waits.
"""

import dataclasses
import json
import random
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol
from urllib.parse import quote, urlencode, urljoin

import requests

from sandbox.faults import PUSH_FAULTS, Fault
from sandbox.shipments import Shipment
from sandbox.world import World

LATE_SECONDS = 3600.0
BATCH = 3
FORM = "application/x-www-form-urlencoded;charset=utf-8"

Post = Callable[[str, bytes, Mapping[str, str], float], tuple[int, str]]


def post(url: str, body: bytes, headers: Mapping[str, str], patience_seconds: float) -> tuple[int, str]:
    """Return status and text; 0 when nobody answered."""
    try:
        response = requests.post(url, data=body, headers=dict(headers), timeout=patience_seconds, allow_redirects=False)
    except requests.RequestException as error:
        return 0, type(error).__name__
    return response.status_code, response.text


@dataclasses.dataclass(frozen=True)
class Push:
    """News of some parcels as they stood at `as_of`, to be sent at `due`; the first parcel's is the new one.

    A voice that tells only what is new tells the event whose `at` is `as_of`. `encoding`: "twice_encoded" or
    "raw_json", for voices that send forms.
    """

    service: str
    due: float
    as_of: float
    waybill_nos: tuple[str, ...]
    attempt: int = 0
    forged: bool = False
    encoding: str = ""


@dataclasses.dataclass(frozen=True)
class Message:
    """`path` at the merchant, or a whole URL where the service was told one. `fields`: for the log of calls."""

    path: str
    fields: Any
    body: bytes
    headers: Mapping[str, str]


class Voice(Protocol):
    """How one service pushes. A voice derives from this class; `news` may stay as it is."""

    service: str
    retry_after_seconds: tuple[float, ...]
    least_retry_seconds: tuple[float, ...]
    patience_seconds: float

    def message(self, world: World, shipments: Sequence[Shipment], push: Push) -> Message | None:
        """Return what to send; nothing where nobody wants to be told. The world's lock is held."""

    def accepted(self, status: int, text: str) -> bool:
        """Return whether the merchant's answer stops the repetitions."""

    def news(self, world: World, shipment: Shipment, now: float) -> list[float]:
        """Return the instants of what is to be told; a payload is told once, when it was registered."""
        if shipment.payload is not None:
            tells = isinstance(shipment.payload, str) or self.pushable(shipment.payload)
            return [shipment.started_at] if tells and shipment.pushed_until < shipment.started_at else []
        return [event.at for event in shipment.events(now) if event.at > shipment.pushed_until]

    def pushable(self, payload: Mapping[str, Any]) -> bool:
        """Return whether a payload is news of a parcel, and not the answer to some other call."""
        return True


class Pusher:
    """`tick` is the whole scheduler: it sends what is due now, and never sleeps."""

    def __init__(self, world: World, voices: Mapping[str, Voice], send: Post = post) -> None:
        self.world, self.voices, self._send, self.queue = world, voices, send, list[Push]()

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
            if shipment.push and (voice := self.voices.get(shipment.provider)):
                for as_of in voice.news(self.world, shipment, now):
                    shipment.pushed_until, self.world.dirty = as_of, True
                    self._enqueue(shipment, as_of)

    def _enqueue(self, shipment: Shipment, as_of: float) -> None:
        faults = {fault.kind: fault for fault in self.world.faults.draw(shipment.provider, PUSH_FAULTS)}
        due = self._due(shipment, as_of, faults)
        push = Push(shipment.provider, due, as_of, self._together(shipment, faults))
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
        same = [s for s in self.world.shipments.values() if s.provider == shipment.provider]
        group = [s.waybill_no for s in same if shipment.group and s.group == shipment.group]
        if "batched" in faults:
            others = [s.waybill_no for s in same if s.push and s is not shipment]
            group += random.Random(shipment.waybill_no).sample(others, min(BATCH - 1, len(others)))  # noqa: S311
        return tuple(dict.fromkeys([shipment.waybill_no, *group]))

    def _deliver(self, push: Push) -> None:
        voice = self.voices[push.service]
        with self.world.lock:
            shipments = [s for no in push.waybill_nos if (s := self.world.shipments.get(no))]
            message = voice.message(self.world, shipments, push) if shipments else None
        if message is None:
            return
        url = urljoin(self.world.config.public_url, message.path)
        status, text = self._send(url, message.body, message.headers, voice.patience_seconds)
        with self.world.lock:
            fault = " ".join(filter(None, ("forged" if push.forged else "", push.encoding)))
            self.world.calls.pushed(push.service, message.path, message.fields, (status, text), fault=fault)
            if not push.forged and not voice.accepted(status, text):
                self._again(push, voice, shipments[0].speed)

    def _again(self, push: Push, voice: Voice, speed: float) -> None:
        if push.attempt < len(voice.retry_after_seconds):
            wait = max(voice.retry_after_seconds[push.attempt] / speed, voice.least_retry_seconds[push.attempt])
            self.queue.append(dataclasses.replace(push, due=self.world.clock() + wait, attempt=push.attempt + 1))


def encode_form(fields: Mapping[str, str], encoding: str) -> tuple[bytes, dict[str, str]]:
    """Return body and headers of a form, or of what the fault `encoding` makes of it."""
    if encoding == "raw_json":
        return json.dumps(fields, ensure_ascii=False).encode(), {"Content-Type": "application/json;charset=utf-8"}
    if encoding == "twice_encoded":
        fields = {key: quote(value) for key, value in fields.items()}
    return urlencode(fields).encode(), {"Content-Type": FORM}


def answered_json(status: int, text: str) -> dict[str, Any]:
    """Return the object that was answered with 200; empty where there was none."""
    try:
        found = json.loads(text) if status == 200 else None
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
