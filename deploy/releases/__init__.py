"""What was released, version by version: its revision, its newest migrations, what its background work understands."""

import json
from dataclasses import dataclass
from pathlib import Path

FOLDER = Path(__file__).parent
ROOT = FOLDER.parents[1]

Task = dict[str, dict[str, str | bool]]
"""A consumer's keywords: `{"shipment_id": {"type": "int", "required": true}}`; `**` stands for any other."""


@dataclass(frozen=True, slots=True)
class Release:
    """`migrations` names the newest one of each app, `tasks` the keywords of each topic's consumer."""

    version: str
    revision: str
    migrations: dict[str, str]
    tasks: dict[str, Task]


def last() -> Release:
    """Return the newest release: what runs out there while the next one is being brought out."""
    newest = max(FOLDER.glob("*.json"), key=lambda path: [int(part) for part in path.stem.split(".")])
    return Release(**json.loads(newest.read_text(encoding="utf-8")))
