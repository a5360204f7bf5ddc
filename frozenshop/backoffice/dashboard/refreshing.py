"""Bringing the figures up to date: read what changed, count those days again, and what stands out now.

A day's rows are replaced in one transaction that also says that it was counted: whoever is killed leaves whole days,
and the next run goes on with the rest.
"""

import datetime as dt
from collections.abc import Callable, Mapping
from typing import NamedTuple

from django.db import transaction
from django.db.models import F, QuerySet

from frozenshop.backoffice.dashboard import changes
from frozenshop.backoffice.dashboard.boards import BOARDS
from frozenshop.backoffice.dashboard.models import Dimension, Figure, FigureDay, FigureKind, FigureMark
from frozenshop.backoffice.dashboard.passages import Key, Sums, passages_of, steps_of
from frozenshop.kernel import clock, leases

COUNTED: Mapping[FigureKind, Callable[[dt.date], dict[Key, Sums]]] = {
    FigureKind.STEPS: steps_of,
    FigureKind.PASSAGES: passages_of,
}
DAYS_AT_ONCE = {FigureKind.STEPS: 400, FigureKind.PASSAGES: 15}
"""How many days one run counts at most, so that it stays well within its lease."""
LEASE = dt.timedelta(minutes=15)
HEALED = 35
"""Days that are counted anew each night, for what leaves no trace in a history (a wording that was read otherwise)."""


class Progress(NamedTuple):
    """`held`: nobody else was at it. `left`: days that still have to be counted."""

    held: bool
    counted: int
    left: int


def refresh(kind: FigureKind, most: int | None = None) -> Progress:
    """Bring a kind up to date, `most` days at once; safe to repeat, and to be killed."""
    with leases.hold(f"figures_{kind}", LEASE) as held:
        if not held:
            return Progress(held=False, counted=0, left=0)
        began = clock.now()
        changes.read(kind)
        counted = drain(kind, DAYS_AT_ONCE[kind] if most is None else most)
        left = waiting(kind).count()
        if not left:
            _remember(kind, began)
        return Progress(held=True, counted=counted, left=left)


def refresh_board(kind: FigureKind) -> None:
    """Count one of what stands out now, all of it anew."""
    at = clock.now()
    sums = BOARDS[kind]()
    with transaction.atomic():
        Figure.objects.filter(kind=kind).delete()
        _write(kind, clock.shanghai(at).date(), sums)
        _remember(kind, at)


def heal() -> None:
    """Have the last days counted anew by the next runs."""
    since = clock.shanghai(clock.now()).date() - dt.timedelta(days=HEALED)
    for kind in COUNTED:
        changes.mark_all(kind, since)


def drain(kind: FigureKind, most: int) -> int:
    """Count the days that were marked, the newest first; return how many."""
    done = 0
    for row in waiting(kind).order_by("-day")[:most]:
        done += _count(row)
    return done


def waiting(kind: FigureKind) -> QuerySet[FigureDay]:
    return FigureDay.objects.filter(kind=kind, marked__gt=F("counted"))


def monday(day: dt.date) -> dt.date:
    return day - dt.timedelta(days=day.weekday())


def _count(row: FigureDay) -> bool:
    """Count a day and replace its rows, unless another process did meanwhile."""
    kind = FigureKind(row.kind)
    sums = COUNTED[kind](row.day)
    with transaction.atomic():
        same = FigureDay.objects.filter(pk=row.pk, counted=row.counted)
        if same.update(counted=row.marked) != 1:
            return False
        Figure.objects.filter(kind=kind, day=row.day).delete()
        _write(kind, row.day, sums)
        if kind == FigureKind.PASSAGES:
            _sum_week(monday(row.day))
    return True


def _sum_week(first: dt.date) -> None:
    days = Figure.objects.filter(kind=FigureKind.PASSAGES, day__range=(first, first + dt.timedelta(days=6)))
    sums: dict[Key, Sums] = {}
    for day in days:
        sums.setdefault((day.dimension, day.key), Sums()).add(stored(day))
    Figure.objects.filter(kind=FigureKind.WEEK, day=first).delete()
    _write(FigureKind.WEEK, first, sums)


def stored(figure: Figure) -> Sums:
    """Return what a row holds."""
    sums = Sums(figure.count, figure.promised, figure.kept)
    sums.hours.update({int(hours): parcels for hours, parcels in figure.hours.items()})
    return sums


def _write(kind: FigureKind, day: dt.date, sums: Mapping[Key, Sums]) -> None:
    rows = [
        Figure(
            kind=kind,
            day=day,
            dimension=dimension,
            key=key,
            count=one.count,
            promised=one.promised,
            kept=one.kept,
            hours={} if dimension in _PLACES else {str(hours): n for hours, n in sorted(one.hours.items())},
        )
        for (dimension, key), one in sorted(sums.items())
    ]
    Figure.objects.bulk_create(rows, batch_size=500)


_PLACES = (Dimension.ORIGIN, Dimension.DESTINATION)
"""Kept so that a list finds the places of a lane; nobody asks how long it takes from one."""


def _remember(kind: FigureKind, at: dt.datetime) -> None:
    FigureMark.objects.update_or_create(name=kind.value, defaults={"at": at})
