"""What a parcel's reports amount to: a pure function of the set of them.

Order of arrival, repetition and splitting can't matter, because the reports are sorted first and read once.
"""

import datetime as dt
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Protocol

from logistics.models import ShipmentStatus

S = ShipmentStatus

EARLIER_LIFE = dt.timedelta(hours=72)
"""Carriers recycle numbers: what was reported so long before shipping is another parcel's story."""
CLOCK_TOLERANCE = dt.timedelta(hours=1)


class Report(Protocol):
    """What is read of a tracking event or of a provider's overall state."""

    @property
    def key(self) -> str: ...
    @property
    def overall(self) -> bool: ...
    @property
    def weak(self) -> bool: ...
    @property
    def repeat(self) -> bool: ...
    @property
    def status(self) -> str: ...
    @property
    def code(self) -> str: ...
    @property
    def occurred_at(self) -> dt.datetime: ...
    @property
    def location(self) -> str: ...
    @property
    def reason(self) -> str: ...


class Step(IntEnum):
    """How far a parcel has come on the buyer's scale."""

    SHIPPED = 1
    IN_TRANSIT = 2
    DELIVERED = 3
    RETURNED = 4


@dataclass(frozen=True, slots=True)
class Derived:
    """`status_at` is since when the status holds, `reason` why; other instants are first reports, None without one.

    `scans` counts the scans that count, once each however many providers told them, `recheck_at` is when the next
    report from the future comes true.
    """

    status: ShipmentStatus = S.NO_TRACE
    status_code: str = ""
    reason: str = ""
    status_at: dt.datetime | None = None
    location: str = ""
    step: Step = Step.SHIPPED
    picked_up_at: dt.datetime | None = None
    in_transit_at: dt.datetime | None = None
    delivered_at: dt.datetime | None = None
    returned_at: dt.datetime | None = None
    last_event_at: dt.datetime | None = None
    scans: int = 0
    recheck_at: dt.datetime | None = None
    only_earlier_life: bool = False

    @property
    def clock_anomaly(self) -> bool:
        return self.recheck_at is not None


_NOT_A_SCAN = frozenset({S.NO_TRACE, S.CANCELLED})
_TROUBLE = frozenset({S.EXCEPTION, S.DELIVERY_FAILED, S.UNKNOWN})

# Between two reports of one instant and one weight, the further one is the later one.
_RANK = {
    status: rank
    for rank, status in enumerate(
        (
            S.UNKNOWN,
            S.NO_TRACE,
            S.CANCELLED,
            S.PICKED_UP,
            S.CUSTOMS,
            S.IN_TRANSIT,
            S.FORWARDED,
            S.OUT_FOR_DELIVERY,
            S.EXCEPTION,
            S.DELIVERY_FAILED,
            S.AWAITING_PICKUP,
            S.RETURNING,
            S.DELIVERED,
            S.RETURNED,
        )
    )
}

REFINES_TRANSIT = frozenset(
    {S.OUT_FOR_DELIVERY, S.AWAITING_PICKUP, S.DELIVERY_FAILED, S.EXCEPTION, S.CUSTOMS, S.RETURNING}
)
"""What a parcel may be while a coarse summary calls it under way."""

# What a newer report may still say. After delivery the tail of the journey is late paper work, but a box that turns up
# in a locker, fails or goes back is news. On the way back, ordinary transport is the way back.
_AFTER_DELIVERED = frozenset({S.AWAITING_PICKUP, S.DELIVERY_FAILED, S.EXCEPTION, S.RETURNING, S.RETURNED, S.DELIVERED})
_AFTER_RETURNING = frozenset(
    {S.RETURNING, S.RETURNED, S.DELIVERED, S.OUT_FOR_DELIVERY, S.AWAITING_PICKUP, S.DELIVERY_FAILED, S.EXCEPTION}
)
# Why a parcel stands still holds until it moves on; of one that moves, each scan says anew how it is.
_HOLDS_ITS_REASON = frozenset(
    {S.EXCEPTION, S.DELIVERY_FAILED, S.AWAITING_PICKUP, S.DELIVERED, S.RETURNING, S.RETURNED, S.CANCELLED}
)
_ENDS_THE_WAY_BACK = frozenset({S.DELIVERED, S.OUT_FOR_DELIVERY, S.AWAITING_PICKUP, S.DELIVERY_FAILED})


def derive(reports: Iterable[Report], *, shipped_at: dt.datetime, now: dt.datetime) -> Derived:
    """Return what the reports amount to at `now`. Depends on nothing but the set of them."""
    everything = {report.key: report for report in reports}.values()
    own = [report for report in everything if report.occurred_at >= shipped_at - EARLIER_LIFE]
    future = [report.occurred_at for report in own if report.occurred_at > now + CLOCK_TOLERANCE]
    counted = sorted((report for report in own if report.occurred_at <= now + CLOCK_TOLERANCE), key=_order)
    reading = _read(counted)
    scans = [report for report in counted if not report.overall]
    scanned = any(map(_is_scan, counted))
    return Derived(
        status=reading.status,
        status_code=reading.code,
        reason=reading.reason,
        status_at=reading.since,
        location=reading.location,
        step=max((_step(report, scanned=scanned) for report in counted), default=Step.SHIPPED),
        picked_up_at=_first(counted, _is_scan),
        in_transit_at=_first(counted, lambda report: _step(report, scanned=scanned) is Step.IN_TRANSIT),
        delivered_at=_first(counted, lambda report: report.status == S.DELIVERED),
        returned_at=_first(counted, lambda report: report.status == S.RETURNED),
        last_event_at=scans[-1].occurred_at if scans else None,
        scans=sum(not report.repeat for report in scans),
        recheck_at=min(future, default=None),
        only_earlier_life=not own and bool(everything),
    )


def counts(occurred_at: dt.datetime, *, shipped_at: dt.datetime, now: dt.datetime) -> bool:
    """Return whether a report of that instant belongs to this parcel's life up to now."""
    return shipped_at - EARLIER_LIFE <= occurred_at <= now + CLOCK_TOLERANCE


def step_of(status: str) -> Step:
    """Return the buyer's step that a shipment status stands for."""
    if status in (S.NO_TRACE, S.UNKNOWN, S.CANCELLED):
        return Step.SHIPPED
    return {S.DELIVERED: Step.DELIVERED, S.RETURNED: Step.RETURNED}.get(S(status), Step.IN_TRANSIT)


@dataclass(slots=True)
class _Reading:
    status: ShipmentStatus = S.NO_TRACE
    code: str = ""
    reason: str = ""
    since: dt.datetime | None = None
    location: str = ""
    delivered: bool = False
    on_the_way_back: bool = False

    def take(self, report: Report) -> None:
        if not self._moves(report):
            return
        status = S(report.status)
        if status != self.status or self.since is None:
            self.since, self.reason = report.occurred_at, ""
        if report.reason or not (report.overall or report.repeat or status in _HOLDS_ITS_REASON):
            self.reason = report.reason
        self.status, self.code = status, report.code
        self.location = report.location or self.location
        self.delivered |= status == S.DELIVERED
        if status == S.RETURNING:
            self.on_the_way_back = True
        elif status in _ENDS_THE_WAY_BACK:
            self.on_the_way_back = False

    def _moves(self, report: Report) -> bool:
        status = S(report.status)
        if status == S.NO_TRACE:
            return self.status == S.NO_TRACE
        if status == S.UNKNOWN:
            return self.status in (S.NO_TRACE, S.UNKNOWN)
        if report.repeat and status == S.IN_TRANSIT and self.status in REFINES_TRANSIT:
            return False  # The same scan in a coarser word, at most a minute later: who is shown for it says more.
        if self.status == S.RETURNED:
            return status == S.RETURNED
        if self.delivered and (status not in _AFTER_DELIVERED or report.weak):
            return False
        return not self.on_the_way_back or status in _AFTER_RETURNING


def _read(counted: Sequence[Report]) -> _Reading:
    reading = _Reading()
    for report in counted:
        reading.take(report)
    return reading


def _order(report: Report) -> tuple[dt.datetime, int, int, str]:
    return (report.occurred_at, _weight(report), _RANK[S(report.status)], report.key)


def _weight(report: Report) -> int:
    """Return which of two reports of one instant is read later, hence counts more.

    A coarse summary yields to a coded scan, but to one whose status is our reading of its text only where the summary
    says no more than 在途 and the reading says how.
    """
    if not report.overall:
        return 4 if report.code else 2 if report.status in REFINES_TRANSIT else 0
    if not report.weak:
        return 5
    return 1 if report.status == S.IN_TRANSIT else 3


def _is_scan(report: Report) -> bool:
    if report.overall:
        return report.status not in _NOT_A_SCAN | _TROUBLE
    return report.status not in _NOT_A_SCAN


def _step(report: Report, *, scanned: bool) -> Step:
    """A provider's overall trouble moves nothing as long as no scan shows that the carrier has the parcel."""
    if report.overall and report.status in _TROUBLE and not scanned:
        return Step.SHIPPED
    return step_of(report.status)


def _first(counted: Sequence[Report], wanted: Callable[[Report], bool]) -> dt.datetime | None:
    return next((report.occurred_at for report in counted if wanted(report)), None)
