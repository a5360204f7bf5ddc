"""All that the sandbox remembers, behind one lock, with a snapshot so that a restart goes on."""

import dataclasses
import json
import os
import random
import threading
import time
from pathlib import Path
from typing import Any, TypeVar

from sandbox.calls import CallLog
from sandbox.config import Config
from sandbox.faults import Faults
from sandbox.instants import Clock
from sandbox.shipments import Shipment
from sandbox.wechat import WeChat

SNAPSHOT = "sandbox.json"
REMEMBERED = 20_000
Own = TypeVar("Own")


class World:
    """Shared by request threads, the pusher and the demo shop; take `lock` around every use of its parts."""

    def __init__(self, config: Config, *, clock: Clock = time.time, rng: random.Random | None = None) -> None:
        self.config, self.clock, self.rng = config, clock, rng or random.Random()  # noqa: S311 - a simulation
        self.lock = threading.RLock()
        self.shipments: dict[str, Shipment] = {}
        self.faults = Faults(clock, self.rng)
        self.calls = CallLog(clock)
        self._own: dict[type[Any], Any] = {}
        self.wechat = WeChat(config, clock, self.rng)
        self.wechat.express.parcel = lambda waybill_no: self.shipments.get(waybill_no)
        self.dirty = False
        self._load()

    def own(self, kind: type[Own]) -> Own:
        """Return the world's one object of a service's own class, such as its manners; a restart forgets it."""
        found: Own = self._own.setdefault(kind, kind())
        return found

    def known(self, waybill_no: str, service: str) -> Shipment | None:
        """Return what a service knows of a waybill. A payload is the words of its own provider, and of nobody else."""
        shipment = self.shipments.get(waybill_no)
        if shipment is None or (shipment.known_by and service not in shipment.known_by):
            return None
        return shipment if shipment.payload is None or shipment.provider == service else None

    def register(self, shipment: Shipment) -> None:
        """Start a parcel's story; what stood under the waybill before is forgotten."""
        with self.lock:
            self.shipments.pop(shipment.waybill_no, None)
            self.shipments[shipment.waybill_no] = shipment
            while len(self.shipments) > REMEMBERED:
                self.shipments.pop(next(iter(self.shipments)))
            self.dirty = True

    def save(self) -> None:
        """Write the snapshot if anything changed."""
        with self.lock:
            if not self.dirty or self.config.state_dir is None:
                return
            self.dirty = False
            rows = [_row(shipment) for shipment in self.shipments.values()]
        write_owner_only(self.config.state_dir / SNAPSHOT, {"shipments": rows})

    def _load(self) -> None:
        found = read_json(self.config.state_dir / SNAPSHOT) if self.config.state_dir else None
        for row in (found or {}).get("shipments", []):
            self.shipments[row["waybill_no"]] = Shipment(**row)


def _row(shipment: Shipment) -> dict[str, Any]:
    return {field.name: getattr(shipment, field.name) for field in dataclasses.fields(shipment)}


def write_owner_only(path: Path, value: Any) -> None:
    """Replace the file in one step; nobody else may read it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_suffix(".tmp")
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
        json.dump(value, file, ensure_ascii=False)
    draft.replace(path)


def read_json(path: Path) -> dict[str, Any] | None:
    """Return the object in the file, or nothing where there is none that can be read."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) else None
