"""The merchant's own parcels as learning takes them: from each stage of the way to the door, and from scan to scan."""

import datetime as dt
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from frozenshop.kernel import calendar, clock
from logistics.learning.parcels import Parcel, on_clock
from logistics.models import Shipment, ShipmentOrder, ShipmentStatus, TrackingEvent
from logistics.places import city_of, province_of

S = ShipmentStatus

REACH = dt.timedelta(days=420)
"""Festivals come once a year."""
MOST_PARCELS = 60_000
MOST_WITH_EVENTS = 15_000
_CHUNK = 500
_ARRIVING = frozenset({S.IN_TRANSIT, S.PICKED_UP})


class Stage(StrEnum):
    """Where the clock starts that is stopped at the door."""

    PAID = "paid"
    SHIPPED = "shipped"
    NEAR = "near"
    OUT = "out_for_delivery"


@dataclass(frozen=True, slots=True)
class Finished:
    """A delivered shipment. Places are as `place_name` writes them."""

    id: int
    carrier: str
    origin: str
    destination: str
    shipped_at: dt.datetime
    delivered_at: dt.datetime

    def since(self, start: dt.datetime, *, carrier: str | None = None) -> Parcel:
        """Return what there is to learn of it from this instant on."""
        return Parcel(
            self.origin,
            self.destination,
            self.carrier if carrier is None else carrier,
            on_clock(start),
            carrier_days(start, self.delivered_at),
        )


@dataclass(slots=True)
class Taught:
    """All that there is to learn from: parcels by stage, and hours from scan to scan by who, where and status."""

    finished: Sequence[Finished] = ()
    stages: dict[Stage, list[Parcel]] = field(default_factory=lambda: {stage: [] for stage in Stage})
    gaps: dict[tuple[str, str, str, str], list[float]] = field(default_factory=lambda: defaultdict(list))


def place_name(text: str) -> str:
    """Return a place's province and city in their short names, else its text: one name for all ways to write it."""
    province, city = province_of(text), city_of(text)
    if province is None:
        return text.strip()
    return province if city in (None, province) else f"{province}{city}"


def carrier_days(start: dt.datetime, end: dt.datetime) -> float:
    """Return the days between two instants, not counting those on which carriers stand still."""
    first, last = clock.shanghai(start).date(), clock.shanghai(end).date()
    still = sum(first < day < last for day in calendar.rule().carrier_stops)
    return (end - start) / dt.timedelta(days=1) - still


def read(now: dt.datetime) -> Taught:
    """Read the newest finished shipments, at most MOST_PARCELS, and the scans of the newest of them."""
    taught = Taught(_finished(now))
    for one in taught.finished:
        taught.stages[Stage.SHIPPED].append(one.since(one.shipped_at))
    newest = taught.finished[:MOST_WITH_EVENTS]
    for first in range(0, len(newest), _CHUNK):
        chunk = {one.id: one for one in newest[first : first + _CHUNK]}
        _add_payments(taught, chunk)
        _add_scans(taught, chunk)
    return taught


def _finished(now: dt.datetime) -> list[Finished]:
    rows = Shipment.objects.filter(shipped_at__gte=now - REACH, delivered_at__isnull=False, voided_at=None)
    columns = ("id", "carrier_id", "origin", "destination", "shipped_at", "delivered_at")
    newest = rows.order_by("-shipped_at", "-id").values_list(*columns)[:MOST_PARCELS]
    return [
        Finished(shipment_id, str(carrier_id), place_name(origin), place_name(destination), shipped_at, delivered_at)
        for shipment_id, carrier_id, origin, destination, shipped_at, delivered_at in newest.iterator(chunk_size=2000)
        if delivered_at is not None and delivered_at > shipped_at
    ]


def _add_payments(taught: Taught, chunk: dict[int, Finished]) -> None:
    """Before shipping nobody knows the carrier: what was paid teaches by its lane alone."""
    links = ShipmentOrder.objects.filter(shipment_id__in=list(chunk), order__paid_at__isnull=False)
    for shipment_id, paid_at in links.values_list("shipment_id", "order__paid_at"):
        one = chunk[shipment_id]
        if paid_at is not None and paid_at < one.delivered_at:
            taught.stages[Stage.PAID].append(one.since(paid_at, carrier=""))


def _add_scans(taught: Taught, chunk: dict[int, Finished]) -> None:
    for shipment_id, scans in _scans(list(chunk)):
        one = chunk[shipment_id]
        origin, destination = province_of(one.origin) or "", province_of(one.destination) or ""
        if scans and scans[0][0] > one.shipped_at:
            waited = (scans[0][0] - one.shipped_at) / dt.timedelta(hours=1)
            taught.gaps[one.carrier, origin, destination, S.NO_TRACE].append(waited)
        out = False
        for at, (occurred_at, status, place) in enumerate(scans):
            if occurred_at >= one.delivered_at:
                break
            if at + 1 < len(scans):
                hours = (scans[at + 1][0] - occurred_at) / dt.timedelta(hours=1)
                taught.gaps[one.carrier, origin, destination, status].append(hours)
            if status == S.OUT_FOR_DELIVERY and not out:
                out = True
                taught.stages[Stage.OUT].append(one.since(occurred_at))
            elif is_near(status, place, destination, origin):
                taught.stages[Stage.NEAR].append(one.since(occurred_at))


def is_near(status: str, place: str, destination: str, origin: str) -> bool:
    """Return whether a scan shows a parcel on its way that has come to its province from another one."""
    return status in _ARRIVING and bool(destination) and origin != destination and province_of(place) == destination


def _scans(ids: Sequence[int]) -> Iterator[tuple[int, list[tuple[dt.datetime, str, str]]]]:
    """Yield each shipment's scans, the oldest first."""
    rows: Iterable[tuple[int, dt.datetime, str, str]] = TrackingEvent.objects.filter(
        shipment_id__in=ids, overall=False, repeat=False
    ).values_list("shipment_id", "occurred_at", "status", "location")
    by_shipment: dict[int, list[tuple[dt.datetime, str, str]]] = defaultdict(list)
    for shipment_id, occurred_at, status, location in rows:
        by_shipment[shipment_id].append((occurred_at, status, location))
    for shipment_id, scans in by_shipment.items():
        yield shipment_id, sorted(scans)
