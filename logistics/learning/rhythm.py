"""When news comes: how many scans an hour to expect of a parcel, by what it does, its silence and the hour."""

import datetime as dt
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from frozenshop.kernel import clock
from logistics.learning import learnt
from logistics.learning.gaps import Gap, find
from logistics.models import Shipment, ShipmentStatus, TrackingEvent
from logistics.places import province_of

S = ShipmentStatus
Rates = dict[str, list[list[float]]]
"""Scans an hour, for each phase: a row for each stretch of silence, in it a value for every two hours of the day."""

_TO_P50, _TO_P90, _BEYOND = 4, 6, 4
STRETCHES = _TO_P50 + _TO_P90 + _BEYOND
SLOTS = 12
HISTORY = dt.timedelta(days=60)
MOST_PARCELS = 5_000
_CHUNK = 500
LEAST_HOURS = 200.0
"""A phase that was watched for less teaches nothing."""
_PSEUDO_HOURS = 10.0
_STEP = 0.5
_HOUR = dt.timedelta(hours=1)
_LEFT = re.compile(r"离开|发往|发出|已发车|正发|送往|出港|起飞|装车")
_REACHED = re.compile(r"到达|已到|抵达|卸车")


@dataclass(frozen=True, slots=True)
class Stay:
    """The time between two scans: `since` is hours on Shanghai's clock from any midnight, `hours` until the next."""

    phase: str
    gap: Gap
    since: float
    hours: float


def phase_of(status: str, *, left: bool = False, near: bool = False) -> str:
    """Return what a parcel does, a little finer than its status: a lorry on the road is silent for longer than a hub.

    `left`: its newest scan left a place; `near`: it is in the region where it will be delivered.
    """
    return f"{status}{'+left' if left else ''}{'+near' if near else ''}" if status == S.IN_TRANSIT else status


def leaves(text: str) -> bool:
    """Return whether a scan says that the parcel left a place (and not that it reached one)."""
    return bool(_LEFT.search(text)) and not _REACHED.search(text)


def is_near(location: str, destination: str) -> bool:
    region = province_of(destination)
    return region is not None and province_of(location) == region


def bounds(gap: Gap) -> tuple[float, float]:
    """Return the hours by which silence is measured: half of all gaps end by the first, 9 of 10 by the second."""
    p50 = max(gap.p50 / _HOUR, _STEP)
    return p50, max(gap.p90 / _HOUR, p50 + _STEP)


def stretch_of(silent: float, p50: float, p90: float) -> int:
    """Return which stretch of silence an hour is in, between the bounds of the usual gap."""
    if silent < p50:
        return int(max(silent, 0) / p50 * _TO_P50)  # A carrier's clock may be before ours.
    if silent < p90:
        return _TO_P50 + int((silent - p50) / (p90 - p50) * _TO_P90)
    return _TO_P50 + _TO_P90 + min(int(silent / p90) - 1, _BEYOND - 1)


def learn(stays: Iterable[Stay]) -> Rates:
    """Return scans an hour; a cell that was watched for little leans on its stretch of silence, that on its phase."""
    seen: dict[str, list[list[list[float]]]] = defaultdict(
        lambda: [[[0.0, 0.0] for _ in range(SLOTS)] for _ in range(STRETCHES)]
    )
    for stay in stays:
        _count(seen[stay.phase], stay)
    return {phase: _rates(cells) for phase, cells in seen.items() if _watched(cells) >= LEAST_HOURS}


def current() -> Rates:
    """Return the learnt rates; nothing while there are none. Costs no query, but for one in five minutes."""
    model = learnt.current()
    return model.rhythm if model else {}


def from_history(now: dt.datetime, gaps: Mapping[str, Sequence[float]]) -> Rates:
    """Learn from the newest parcels that ended, silence measured by these tables of gaps. Reads the database."""
    ended = Shipment.objects.filter(status__in=(S.DELIVERED, S.RETURNED), shipped_at__gte=now - HISTORY)
    newest = list(
        ended.only("carrier_id", "origin", "destination", "shipped_at").order_by("-shipped_at")[:MOST_PARCELS]
    )
    chunks = (newest[first : first + _CHUNK] for first in range(0, len(newest), _CHUNK))
    return learn(stay for chunk in chunks for stay in _stays_of(chunk, gaps))


def _stays_of(shipments: Sequence[Shipment], gaps: Mapping[str, Sequence[float]]) -> Iterator[Stay]:
    scans = TrackingEvent.objects.filter(shipment__in=shipments, overall=False, repeat=False)
    told: dict[int, list[TrackingEvent]] = defaultdict(list)
    for event in scans.only("shipment_id", "status", "occurred_at", "text", "location").order_by("occurred_at", "key"):
        told[event.shipment_id].append(event)
    for shipment in shipments:
        lane = (str(shipment.carrier_id), shipment.origin, shipment.destination)
        before, status, phase = shipment.shipped_at, str(S.NO_TRACE), str(S.NO_TRACE)
        for event in told[shipment.pk]:
            if (gap := find(gaps, *lane, status)) and event.occurred_at > before:
                local = clock.shanghai(before)
                yield Stay(phase, gap, local.hour + local.minute / 60, (event.occurred_at - before) / _HOUR)
            before, status = event.occurred_at, event.status
            phase = phase_of(status, left=leaves(event.text), near=is_near(event.location, shipment.destination))


def _count(cells: Sequence[Sequence[list[float]]], stay: Stay) -> None:
    (p50, p90), silent = bounds(stay.gap), 0.0
    while silent < stay.hours:
        step = min(_STEP, stay.hours - silent)
        cell = cells[stretch_of(silent, p50, p90)][int(stay.since + silent) // 2 % SLOTS]
        cell[1] += step
        silent += step
    cell[0] += 1


def _rates(cells: Sequence[Sequence[Sequence[float]]]) -> list[list[float]]:
    phase, rates = sum(cell[0] for row in cells for cell in row) / _watched(cells), []
    for row in cells:
        stretch = _leaning(sum(cell[0] for cell in row), sum(cell[1] for cell in row), phase)
        rates.append([round(_leaning(scans, hours, stretch), 4) for scans, hours in row])
    return rates


def _leaning(scans: float, hours: float, on: float) -> float:
    return (scans + _PSEUDO_HOURS * on) / (hours + _PSEUDO_HOURS)


def _watched(cells: Sequence[Sequence[Sequence[float]]]) -> float:
    return sum(cell[1] for row in cells for cell in row)
