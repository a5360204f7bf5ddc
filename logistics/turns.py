"""Whose turn it is to tell about a parcel: by the carrier's order, but who knows the parcel goes first.

While nobody has told anything for too long, the one who was asked longest ago goes first, so that turns alternate: one
knows what another doesn't.
"""

import datetime as dt
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, cast

from django.db.models import Count, Max, Q

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


class Asked(NamedTuple):
    """The last one put to a provider about a parcel, and how many it has answered."""

    last_at: dt.datetime
    answered: int


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of the providers of a parcel: `told`: the newest scan of each; `asked`: what each was asked."""

    told: Instants
    asked: Mapping[str, Asked]

    def behind(self, provider: str) -> int:
        """Return 0 for who knows the parcel best or may do so, more for who is known to know less."""
        newest = max(self.told.values(), default=_NEVER)
        if provider in self.told:
            return 1 if newest - self.told[provider] > BEHIND else 0
        return 2 if self.told and provider in self.asked and self.asked[provider].answered else 0

    def last_asked(self, provider: str) -> dt.datetime:
        return self.asked[provider].last_at if provider in self.asked else _NEVER


def turn_of(shipment: Shipment) -> list[str]:
    """Return the providers to ask about a parcel, one after the other."""
    return turns_of([shipment])[shipment.pk]


def turns_of(shipments: Sequence[Shipment]) -> dict[int, list[str]]:
    """Return the turn of each parcel, by its key, in a constant number of queries."""
    turns = {shipment.pk: providers_of(shipment.carrier) for shipment in shipments}
    several = [shipment for shipment in shipments if len(turns[shipment.pk]) > 1]
    told, asked, now = _newest_scans(several), _asked(several), clock.now()
    for shipment in several:
        known = Known(told[shipment.pk], asked[shipment.waybill_no])
        turns[shipment.pk].sort(key=known.behind)
        if _silent(shipment, known.told, now):
            turns[shipment.pk].sort(key=known.last_asked)
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


def _newest_scans(shipments: Iterable[Shipment]) -> dict[int, dict[str, dt.datetime]]:
    scans = TrackingEvent.objects.filter(shipment__in=[shipment.pk for shipment in shipments], overall=False)
    past = scans.filter(occurred_at__lte=clock.now() + CLOCK_TOLERANCE)
    newest: dict[int, dict[str, dt.datetime]] = defaultdict(dict)
    for pk, provider, at in past.values_list("shipment_id", "provider").annotate(at=Max("occurred_at")):
        newest[pk][provider] = at
    return newest


def _asked(shipments: Iterable[Shipment]) -> dict[str, dict[str, Asked]]:
    numbers = [shipment.waybill_no for shipment in shipments]
    calls = ProviderCall.objects.filter(waybill_no__in=numbers, operation="query").order_by()
    found: dict[str, dict[str, Asked]] = defaultdict(dict)
    rows = calls.values_list("waybill_no", "provider").annotate(
        last_at=Max("started_at"), answered=Count("pk", filter=Q(outcome="ok"))
    )
    for waybill_no, provider, last_at, answered in rows:
        found[waybill_no][provider] = Asked(last_at, answered)
    return found
