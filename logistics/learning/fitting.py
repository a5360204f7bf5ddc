"""The daily fit: what the merchant's own history teaches, scored, and kept as the newest version."""

import datetime as dt
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from django.db import transaction

from frozenshop.kernel import clock
from logistics.learning import gaps, history, learnt, rhythm
from logistics.learning.history import Finished
from logistics.learning.learner import Learner
from logistics.learning.parcels import Parcel, on_clock
from logistics.learning.scoring import QUANTILES, Quantiles, quantile, score
from logistics.models import TransitModel

LEAST = 40
"""A stage with fewer finished parcels is told by the table of usual times."""
REPLAYED_DAYS, STEP_DAYS = 75.0, 5.0
SCORED_DAYS = 30.0
SUPPORT_DAYS = 60
LEAST_GAPS = 30
KEPT = 30
"""Versions."""


def fit() -> TransitModel | None:
    """Learn from all that was delivered by now, and use it from now on. None: too little history, nothing changes."""
    now = clock.now()
    taught = history.read(now)
    if len(taught.finished) < LEAST:
        return None
    stages = {stage: fit_stage(parcels, now) for stage, parcels in taught.stages.items() if len(parcels) >= LEAST}
    waits = usual_gaps(taught.gaps)
    body = {
        "stages": {stage: fitted for stage, (fitted, _) in stages.items()},
        "gaps": waits,
        "rhythm": rhythm.from_history(now, waits),
        "support": support(taught.finished, now),
        "origin": next(
            (name for name, _ in Counter(one.origin for one in taught.finished if one.origin).most_common(1)), ""
        ),
    }
    scores = {stage: scored for stage, (_, scored) in stages.items() if scored}
    model = TransitModel(
        fitted_at=now,
        since_at=taught.finished[-1].shipped_at,
        until_at=now,
        parcels=len(taught.finished),
        body=body,
        score=scores,
    )
    _keep(model)
    return model


def fit_stage(parcels: Sequence[Parcel], now: dt.datetime) -> tuple[dict[str, Any], dict[str, float]]:
    """Return a stage's tables as they stand now, and how they did on what started in the last SCORED_DAYS."""
    end = on_clock(now)
    learner = Learner(parcels)
    begin = min(max(learner.starts[0] + STEP_DAYS, end - REPLAYED_DAYS), end)
    said = dict(learner.replay(begin, end, step=STEP_DAYS))
    fitted = learner.fit(end).as_json()
    recent = [index for index in said if learner.starts[index] >= end - SCORED_DAYS]
    if not recent:
        return fitted, {}
    took = [learner.parcels[index].days or 0.0 for index in recent]
    return fitted, score(took, [_quantiles(said[index]) for index in recent]).as_json()


def support(finished: Sequence[Finished], now: dt.datetime) -> dict[str, int]:
    """Return how many parcels of the last SUPPORT_DAYS stand behind each lane, destination and carrier."""
    counts: Counter[str] = Counter()
    for one in finished:
        if one.shipped_at >= now - dt.timedelta(days=SUPPORT_DAYS):
            counts.update(support_keys(one.carrier, one.origin, one.destination))
    return dict(counts)


def support_keys(carrier: str, origin: str, destination: str) -> tuple[str, str, str, str, str]:
    """Return the names under which a parcel counts: its carrier's lane, lane, destination, carrier, and all."""
    return f"{carrier}|{origin}|{destination}", f"|{origin}|{destination}", f"||{destination}", f"{carrier}||", "||"


def usual_gaps(hours: Mapping[tuple[str, str, str, str], Sequence[float]]) -> dict[str, list[float]]:
    """Return the tables of `gaps.usual_gap`: hours of p50, p90 and p999, and how many were measured."""
    joined: dict[str, list[float]] = {}
    for (carrier, origin, destination, status), measured in hours.items():
        for key in dict.fromkeys(gaps.keys(carrier, origin, destination, status)):
            joined.setdefault(key, []).extend(measured)
    return {key: _gap(sorted(measured)) for key, measured in joined.items() if len(measured) >= LEAST_GAPS}


def _gap(measured: Sequence[float]) -> list[float]:
    """A hundred gaps don't know the one in a thousand: it is at least twice the one in ten."""
    p50, p90, p999 = (quantile(measured, level) for level in (0.5, 0.9, 0.999))
    return [round(p50, 2), round(p90, 2), round(max(p999, 2 * p90), 2), len(measured)]


def _quantiles(said: Any) -> Quantiles:
    q05, q10, q50, q90, q95 = (said.quantile(level) for level in QUANTILES)
    return q05, q10, q50, q90, q95


def _keep(model: TransitModel) -> None:
    with transaction.atomic():
        TransitModel.objects.filter(active=True).update(active=False)
        model.save()
    kept = TransitModel.objects.order_by("-id").values_list("id", flat=True)[:KEPT]
    TransitModel.objects.exclude(id__in=list(kept)).delete()
    learnt.forget()
