"""The newest fitted tables, read once in a while by each process."""

import time
from dataclasses import dataclass

from logistics.learning.history import Stage
from logistics.learning.transit import Transit
from logistics.models import TransitModel

FRESH_SECONDS = 300.0


@dataclass(frozen=True, slots=True)
class Learnt:
    """What was learnt, ready to be asked. `support` counts the parcels behind it, `origin` is where most start.

    `gaps` and `rhythm` are the tables of the modules of that name.
    """

    stages: dict[Stage, Transit]
    gaps: dict[str, list[float]]
    rhythm: dict[str, list[list[float]]]
    support: dict[str, int]
    origin: str


_known: tuple[float, Learnt | None] | None = None


def current() -> Learnt | None:
    """Return what the active model holds, at most five minutes old; None while nothing is learnt."""
    global _known
    if _known is None or time.monotonic() - _known[0] > FRESH_SECONDS:
        row = TransitModel.objects.filter(active=True).order_by("-id").first()
        _known = time.monotonic(), _learnt(row) if row else None
    return _known[1]


def forget() -> None:
    """Read the row again at the next question."""
    global _known
    _known = None


def _learnt(row: TransitModel) -> Learnt:
    body = row.body
    stages = {Stage(name): Transit.from_json(tables) for name, tables in body.get("stages", {}).items()}
    return Learnt(stages, body.get("gaps", {}), body.get("rhythm", {}), body.get("support", {}), body.get("origin", ""))
