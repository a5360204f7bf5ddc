"""Whose turn it is to tell about a parcel: by the carrier's order, but who knows the parcel goes first.

While nobody has told anything for too long, the one who was asked longest ago goes first, so that turns alternate: one
knows what another doesn't.
"""

import datetime as dt
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import cast

from django.db.models import Max

from frozenshop.kernel import clock
from logistics.asking import providers_of
from logistics.derivation import CLOCK_TOLERANCE
from logistics.models import ProviderCall, Shipment, TrackingEvent
from logistics.providers.base import BatchProvider, get_provider

NO_TRACE_PATIENCE = dt.timedelta(hours=6)
"""How long after shipping a parcel may be unknown before another provider gets its turn."""
BEHIND = dt.timedelta(hours=6)
"""Whose newest scan is so much older than another's is behind, and goes after it."""
_NEVER = dt.datetime.min.replace(tzinfo=dt.UTC)

Instants = Mapping[str, dt.datetime]


def turn_of(shipment: Shipment) -> list[str]:
    """Return the providers to ask about a parcel, one after the other."""
    return turns_of([shipment])[shipment.pk]


def turns_of(shipments: Sequence[Shipment]) -> dict[int, list[str]]:
    """Return the turn of each parcel, by its key, in a constant number of queries."""
    turns = {shipment.pk: providers_of(shipment.carrier) for shipment in shipments}
    several = [shipment for shipment in shipments if len(turns[shipment.pk]) > 1]
    told, now = _newest_scans(several), clock.now()
    silent = [shipment for shipment in several if _silent(shipment, told[shipment.pk], now)]
    asked = _last_asked(silent)
    for shipment in several:
        turns[shipment.pk].sort(key=lambda name, known=told[shipment.pk]: _behind(name, known))  # type: ignore[misc]
    for shipment in silent:
        turns[shipment.pk].sort(key=lambda name, last=asked[shipment.waybill_no]: last.get(name, _NEVER))  # type: ignore[misc]
    return turns


def together(shipments: Sequence[Shipment]) -> list[tuple[str, list[Shipment]]]:
    """Return which parcels to ask about in one call, with the provider; a parcel to ask about alone has none ("")."""
    turns = turns_of(shipments)
    first = {shipment.pk: next(iter(turns[shipment.pk]), "") for shipment in shipments}
    groups: dict[str, list[list[Shipment]]] = defaultdict(list)
    for shipment in shipments:
        size = batch_size(first[shipment.pk])
        mine = groups[first[shipment.pk]]
        if size == 1 or not mine or len(mine[-1]) == size:
            mine.append([])
        mine[-1].append(shipment)
    return [(name if len(group) > 1 else "", group) for name, found in groups.items() for group in found]


def batch_size(provider: str) -> int:
    """Return how many waybills one call to a provider may be about."""
    return cast(BatchProvider, get_provider(provider)).BATCH if provider and _takes_many(provider) else 1


def _takes_many(provider: str) -> bool:
    return hasattr(get_provider(provider), "query_many")


def _silent(shipment: Shipment, told: Instants, now: dt.datetime) -> bool:
    if not told:
        return now - shipment.shipped_at > NO_TRACE_PATIENCE
    return shipment.stale_since is not None


def _behind(provider: str, told: Instants) -> int:
    newest = max(told.values(), default=_NEVER)
    if provider not in told:
        return 2 if told else 0
    return 1 if newest - told[provider] > BEHIND else 0


def _newest_scans(shipments: Iterable[Shipment]) -> dict[int, dict[str, dt.datetime]]:
    scans = TrackingEvent.objects.filter(shipment__in=[shipment.pk for shipment in shipments], overall=False)
    past = scans.filter(occurred_at__lte=clock.now() + CLOCK_TOLERANCE)
    newest: dict[int, dict[str, dt.datetime]] = defaultdict(dict)
    for pk, provider, at in past.values_list("shipment_id", "provider").annotate(at=Max("occurred_at")):
        newest[pk][provider] = at
    return newest


def _last_asked(shipments: Iterable[Shipment]) -> dict[str, dict[str, dt.datetime]]:
    calls = ProviderCall.objects.filter(waybill_no__in=[s.waybill_no for s in shipments], operation="query")
    last: dict[str, dict[str, dt.datetime]] = defaultdict(dict)
    for waybill_no, provider, at in calls.values_list("waybill_no", "provider").annotate(at=Max("started_at")):
        last[waybill_no][provider] = at
    return last
