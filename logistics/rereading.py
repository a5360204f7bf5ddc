"""Reading stored scans anew after staff decided what their code or their wording means, in bounded batches."""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass

from django.db import transaction
from django.db.models import Q, QuerySet

from frozenshop.kernel.actor import Actor, Source
from logistics import texts, tracking
from logistics.models import Shipment, TrackingEvent, UnknownCode, UnreadText

BATCH = 200
FINISHED_AFTER = dt.timedelta(days=60)
"""Parcels that were shipped so long before a wording was first seen are over: they are not read anew."""


@dataclass(frozen=True, slots=True)
class Decision:
    """What is to be read anew: scans that `which` finds, and of these the ones whose text has `digest` (if any)."""

    status: str
    reason: str
    shipments: QuerySet[Shipment]
    which: Q
    digest: str = ""

    def holds(self, event: TrackingEvent) -> bool:
        return not self.digest or texts.digest(texts.shape(event.text)) == self.digest


def read_anew(kind: str, row_id: int, after: int = 0) -> int | None:
    """Correct the reading of one batch of shipments; return where to go on (an id), None at the end. Repeatable."""
    decision = _decision(kind, row_id)
    if decision is None:
        return None
    ids = list(decision.shipments.filter(pk__gt=after).order_by("pk").values_list("pk", flat=True)[:BATCH])
    found: dict[int, list[TrackingEvent]] = {}
    for event in TrackingEvent.objects.filter(decision.which, shipment_id__in=ids, overall=False).order_by("pk"):
        differs = (event.status, event.reason) != (decision.status, decision.reason)
        if differs and decision.holds(event):
            found.setdefault(event.shipment_id, []).append(event)
    for shipment_id, events in found.items():
        _correct(shipment_id, events, decision)
    return ids[-1] if len(ids) == BATCH else None


def _decision(kind: str, row_id: int) -> Decision | None:
    return _of_code(row_id) if kind == "code" else _of_text(row_id)


def _of_code(row_id: int) -> Decision | None:
    code = UnknownCode.objects.filter(pk=row_id).exclude(mapped_status="").first()
    if code is None:
        return None
    which = Q(provider=code.provider, code=code.code)
    return Decision(code.mapped_status, code.mapped_reason, _alive_since(code.first_seen_at), which)


def _of_text(row_id: int) -> Decision | None:
    text = UnreadText.objects.filter(pk=row_id).exclude(status="").first()
    if text is None:
        return None
    shipments = _alive_since(text.first_seen_at).filter(carrier__code=text.carrier_code)
    return Decision(text.status, text.reason, shipments, Q(code=""), text.digest)


def _alive_since(instant: dt.datetime) -> QuerySet[Shipment]:
    return Shipment.objects.filter(shipped_at__gte=instant - FINISHED_AFTER)


def _correct(shipment_id: int, events: Sequence[TrackingEvent], decision: Decision) -> None:
    with transaction.atomic():
        shipment = Shipment.objects.select_for_update().get(pk=shipment_id)
        TrackingEvent.objects.filter(pk__in=[event.pk for event in events]).update(
            status=decision.status, reason=decision.reason
        )
        tracking.settle(shipment, tracking.orders_of(shipment), actor=Actor(Source.CARRIER))
