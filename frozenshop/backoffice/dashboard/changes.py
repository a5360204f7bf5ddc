"""Which days changed since the last look: read from the histories, which are only ever added to, by their ids."""

import datetime as dt
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from django.db import transaction
from django.db.models import F, Max, Model

from frozenshop.backoffice.dashboard.models import FigureDay, FigureKind, FigureMark
from frozenshop.kernel import clock
from logistics.models import Shipment, ShipmentOrder, ShipmentStatus, TrackingEvent
from orders.models import Order, OrderEvent

BATCH = 5000
FAR_BEHIND = 200_000
"""Who is behind by more rows (after a large import) counts every day anew, which is less work than to read them all."""
LOOK_BACK = dt.timedelta(hours=1)
"""No transaction is open for longer: a row older than this isn't followed by one with a smaller id."""

Days = set[dt.date]


@dataclass(frozen=True, slots=True)
class Log:
    """A history: which days of `kind` its rows touch, told from the values of `column`."""

    name: str
    kind: FigureKind
    model: type[Model]
    column: str
    days: Callable[[Iterable[Any]], Days]


def _placed(order_ids: Iterable[int]) -> Days:
    return _dates(Order.objects.filter(pk__in=set(order_ids)).values_list("placed_at", flat=True))


def _delivered_of_orders(order_ids: Iterable[int]) -> Days:
    links = ShipmentOrder.objects.filter(order_id__in=set(order_ids), shipment__status=ShipmentStatus.DELIVERED)
    return _dates(links.values_list("shipment__status_at", flat=True))


def _delivered(shipment_ids: Iterable[int]) -> Days:
    """Return when the parcels arrived by what stands now, and by any report: one that was taken back counts there."""
    ids = set(shipment_ids)
    reported = TrackingEvent.objects.filter(shipment_id__in=ids, status=ShipmentStatus.DELIVERED)
    standing = Shipment.objects.filter(pk__in=ids, status=ShipmentStatus.DELIVERED)
    return _dates(reported.values_list("occurred_at", flat=True)) | _dates(standing.values_list("status_at", flat=True))


LOGS = (
    Log("orders", FigureKind.STEPS, OrderEvent, "order_id", _placed),
    Log("promises", FigureKind.PASSAGES, OrderEvent, "order_id", _delivered_of_orders),
    Log("scans", FigureKind.PASSAGES, TrackingEvent, "shipment_id", _delivered),
)


def read(kind: FigureKind) -> None:
    """Mark the days of a kind that changed. Each batch of changes is marked and passed by in one transaction."""
    for log in LOGS:
        if log.kind == kind:
            _read(log)


def mark(kind: FigureKind, days: Iterable[dt.date]) -> None:
    """Have days counted again."""
    wanted = set(days)
    FigureDay.objects.filter(kind=kind, day__in=wanted).update(marked=F("marked") + 1)
    known = set(FigureDay.objects.filter(kind=kind, day__in=wanted).values_list("day", flat=True))
    new = [FigureDay(kind=kind, day=day) for day in sorted(wanted - known)]
    FigureDay.objects.bulk_create(new, batch_size=500, ignore_conflicts=True)


def mark_all(kind: FigureKind, since: dt.date | None = None) -> int:
    """Have every day since one, or since the first order, counted again; return how many those are."""
    since = since or _first_day(kind)
    if since is None:
        return 0
    # A day ahead: a carrier's clock may be fast by an hour.
    until = clock.shanghai(clock.now()).date() + dt.timedelta(days=1)
    days = [since + dt.timedelta(days=n) for n in range((until - since).days + 1)]
    with transaction.atomic():
        mark(kind, days)
    return len(days)


def _first_day(kind: FigureKind) -> dt.date | None:
    if kind == FigureKind.STEPS:
        first = Order.objects.order_by("placed_at").values_list("placed_at", flat=True).first()
    else:
        rows = Shipment.objects.filter(status=ShipmentStatus.DELIVERED, status_at__isnull=False)
        first = rows.order_by("status_at").values_list("status_at", flat=True).first()
    return clock.shanghai(first).date() if first else None


def _read(log: Log) -> None:
    mark_row = FigureMark.objects.filter(name=log.name).first()
    newest: int = log.model._default_manager.aggregate(top=Max("pk"))["top"] or 0
    if mark_row is None or newest - mark_row.after_id > FAR_BEHIND:
        _begin(log)
        return
    after, settled = mark_row.after_id, True
    while rows := _rows_after(log, after):
        after = rows[-1][0]
        still = _settled(rows, mark_row.after_id) if settled else mark_row.after_id
        settled = settled and still == after
        with transaction.atomic():
            mark(log.kind, log.days(row[2] for row in rows))
            FigureMark.objects.filter(pk=mark_row.pk).update(after_id=still)
        mark_row.after_id = still
        if len(rows) < BATCH:
            break


def _begin(log: Log) -> None:
    """Start with a count of every day: what is written from here on is read, what was before is counted."""
    after = _last_settled(log)
    mark_all(log.kind)
    FigureMark.objects.update_or_create(name=log.name, defaults={"after_id": after})


def _rows_after(log: Log, after: int) -> list[tuple[int, dt.datetime, int]]:
    rows = log.model._default_manager.filter(pk__gt=after).order_by("pk")
    return list(rows.values_list("pk", "recorded_at", log.column)[:BATCH])


def _settled(rows: Sequence[tuple[int, dt.datetime, int]], before: int) -> int:
    """Return the last id up to which nothing can still appear."""
    edge, last = clock.now() - LOOK_BACK, before
    for pk, recorded_at, _ in rows:
        if recorded_at > edge:
            break
        last = pk
    return last


def _last_settled(log: Log) -> int:
    """Return the newest id that is older than `LOOK_BACK`, from the end backwards."""
    edge, below = clock.now() - LOOK_BACK, None
    while True:
        rows = log.model._default_manager.order_by("-pk")
        batch = list((rows if below is None else rows.filter(pk__lt=below)).values_list("pk", "recorded_at")[:BATCH])
        old = next((pk for pk, recorded_at in batch if recorded_at <= edge), None)
        if old is not None or len(batch) < BATCH:
            return old or 0
        below = batch[-1][0]


def _dates(instants: Iterable[dt.datetime | None]) -> Days:
    return {clock.shanghai(instant).date() for instant in instants if instant is not None}
