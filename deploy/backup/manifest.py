"""The last word of a full backup: what it consists of. A run counts from when its manifest is in the repository."""

import datetime as dt
import json
from dataclasses import asdict, dataclass
from typing import Any

from .errors import Failed
from .repository import Repository, Saved, Snapshot

TAG = "full"
NAME = "manifest.json"


@dataclass(frozen=True, slots=True)
class Manifest:
    """`at`: everything committed before is in it or in the binary log from `position` of `log` on."""

    run: str
    method: str
    at: str
    server: str
    database: str
    log: str
    position: int
    parts: dict[str, Saved]

    def text(self) -> str:
        return json.dumps(asdict(self), indent=1)

    @property
    def instant(self) -> dt.datetime:
        return dt.datetime.fromisoformat(self.at)

    def part(self, name: str) -> Saved:
        if name not in self.parts:
            raise Failed(f"the backup {self.run} holds no {name}")
        return self.parts[name]


def read(repository: Repository, snapshot: Snapshot) -> Manifest:
    row: dict[str, Any] = json.loads(repository.text(snapshot.id, NAME))
    parts = {name: Saved(**part) for name, part in row.pop("parts").items()}
    return Manifest(parts=parts, **row)


def newest(repository: Repository) -> Manifest:
    found = repository.snapshots(TAG)
    if not found:
        raise Failed("there is no full backup yet")
    return read(repository, found[-1])
