"""A second opinion for wordings that no rule knows: character n-grams, weighed by naive Bayes, silent unless sure.

`learned.json` is made by `manage.py train_texts`. It answers rarely and is meant to.
"""

import json
import math
from collections import Counter
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from logistics.models import ShipmentStatus
from logistics.texts.grammar import ABSTAINED, Reading

WEIGHTS = Path(__file__).with_name("learned.json")
SURE = 0.95
# N-grams of one sentence repeat each other: each counts only this much.
_DAMPED = 0.3
_UNSEEN, _SMOOTH = 0.2, 0.4
_LEAST = 2
"""An n-gram seen only once says more of the sentence than of the status."""

Model = Mapping[str, Any]


def train(sentences: Iterable[tuple[str, str]]) -> Model:
    """Return how often each n-gram occurs per status in (cleaned text, status) pairs."""
    counts: dict[str, Counter[str]] = {}
    totals: Counter[str] = Counter()
    for text, status in sentences:
        totals[status] += 1
        counts.setdefault(status, Counter()).update(_grams(text))
    overall: Counter[str] = Counter()
    for grams in counts.values():
        overall.update(grams)
    kept = sorted(gram for gram, count in overall.items() if count >= _LEAST)
    statuses = sorted(totals)
    return {
        "totals": {status: totals[status] for status in statuses},
        "grams": {gram: [counts[status][gram] for status in statuses] for gram in kept},
    }


def read_by_likeness(text: str, model: Model | None = None) -> Reading:
    """Return what a cleaned sentence most likely says, or abstain."""
    model = model or _stored()
    known = [model["grams"][gram] for gram in _grams(text) if gram in model["grams"]]
    totals: Mapping[str, int] = model["totals"]
    if not known:
        return ABSTAINED
    scores = {
        status: math.log(total) + _DAMPED * sum(math.log((row[i] + _UNSEEN) / (total + _SMOOTH)) for row in known)
        for i, (status, total) in enumerate(totals.items())
    }
    best = max(scores, key=lambda status: scores[status])
    share = 1 / sum(math.exp(score - scores[best]) for score in scores.values())
    return Reading(ShipmentStatus(best), "", round(share, 3)) if share >= SURE else ABSTAINED


def _grams(text: str) -> set[str]:
    framed = f"^{text}$"
    return {framed[i : i + size] for size in (1, 2, 3) for i in range(len(framed) - size + 1)}


@cache
def _stored() -> Model:
    model: Model = json.loads(WEIGHTS.read_text(encoding="utf-8"))
    return model
