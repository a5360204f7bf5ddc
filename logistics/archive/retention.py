"""What in the archive has had its term. Each class of data has its own; the facts of orders and money stay.

Consignee and note go with their term, the keyed indexes stay for looking up. Texts (carriers', which may name couriers;
staff's reasons and notes) go with theirs, inside the body. What a legal hold covers stays.
"""

import datetime as dt
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import structlog
from django.conf import settings
from django.db import transaction
from django.db.models import F, QuerySet

from frozenshop.kernel import clock
from logistics.archive import beside, places, rewriting
from logistics.archive.models import ArchivedOrder, ArchiveMonth
from logistics.archive.tables import TEXTS
from orders import holds

logger = structlog.get_logger(__name__)

BATCH = 200
_ABOUT = ("order_no", "customer_id", "phone_index")
"""What a legal hold is known by."""


@dataclass(frozen=True, slots=True)
class Term:
    """A class of data: the setting that says after how many days since placing it goes, and the mark that it has."""

    what: str
    label: str
    setting: str
    mark: str

    @property
    def days(self) -> int:
        return int(getattr(settings, self.setting))

    def due(self, now: dt.datetime) -> QuerySet[ArchivedOrder]:
        """Return what has had its term, oldest first; nothing where the term has no end."""
        rows = ArchivedOrder.objects.filter(placed_at__lt=now - dt.timedelta(days=self.days), **{self.mark: None})
        return rows.order_by("placed_at", "id") if self.days else rows.none()


PERSONAL = Term("personal", "收件人和备注", "ARCHIVE_KEEP_PERSONAL_DAYS", "erased_at")
WORDING = Term("texts", "物流和处理文字", "ARCHIVE_KEEP_TEXTS_DAYS", "texts_erased_at")
TERMS = (PERSONAL, WORDING)


@dataclass(frozen=True, slots=True)
class Erased:
    what: str
    orders: int


def erase_expired() -> Iterator[Erased]:
    """Erase what has had its term, and yield after each batch. Safe to repeat and to break off.

    Raises PlaceDown where bodies can't be reached: what was done stays done.
    """
    for term, erase in ((PERSONAL, _personal), (WORDING, _texts)):
        after: tuple[dt.datetime, int] | None = None
        while rows := list(_page(term, after)):
            after = rows[-1].placed_at, rows[-1].pk
            yield Erased(term.what, erase(rows))


def _page(term: Term, after: tuple[dt.datetime, int] | None) -> QuerySet[ArchivedOrder]:
    """What a hold covers is passed over by its place, and so can't block what comes after it."""
    rows = term.due(clock.now())
    if after:
        rows = rows.filter(placed_at__gte=after[0]).exclude(placed_at=after[0], pk__lte=after[1])
    return rows.defer("body")[:BATCH]


def _free(rows: Sequence[ArchivedOrder]) -> list[ArchivedOrder]:
    """Lock the rows and return those that no hold covers now."""
    locked = ArchivedOrder.objects.select_for_update().filter(pk__in=[row.pk for row in rows]).order_by("pk")
    found, held = list(locked), holds.standing()
    return [row for row in found if not held.covers({name: getattr(row, name) for name in _ABOUT})]


def _personal(rows: Sequence[ArchivedOrder]) -> int:
    with transaction.atomic():
        return without_names(_free(rows))


def without_names(locked: Sequence[ArchivedOrder]) -> int:
    """Empty consignee and note of locked rows, and enter it; return of how many they weren't marked as gone before."""
    fresh = [row for row in locked if row.erased_at is None]
    ArchivedOrder.objects.filter(pk__in=[row.pk for row in fresh]).update(
        consignee_sealed="", note_sealed="", erased_at=clock.now()
    )
    for month in sorted({row.month for row in fresh}):
        theirs = sum(row.month == month for row in fresh)
        ArchiveMonth.objects.filter(month=month).update(erased=F("erased") + theirs)
    return len(fresh)


def _texts(rows: Sequence[ArchivedOrder]) -> int:
    """What is damaged is passed over: it must not keep the rest, and stays overdue until it is mended."""
    with transaction.atomic():
        free = _free(rows)
        found = places.read_all(free)
        for row in free:
            if row.pk not in found:
                logger.error("archive.body_broken", order_no=row.order_no)
        sound = [row for row in free if row.pk in found]
        rewriting.rewrite(sound, found, lambda text: "", TEXTS)
        beside.forget([row.order_no for row in sound])
        ArchivedOrder.objects.filter(pk__in=[row.pk for row in sound]).update(texts_erased_at=clock.now())
    return len(sound)
