"""What in the archive has had its term. Each class of data has its own; the facts of orders and money stay.

Consignee and note go with their term, the keyed indexes stay for looking up. Texts (carriers', which may name couriers;
staff's reasons and notes) go with theirs, inside the body. What a legal hold covers stays.
"""

import datetime as dt
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import structlog
from django.conf import settings
from django.db import transaction
from django.db.models import F, QuerySet

from frozenshop.kernel import clock
from logistics.archive import bodies, places
from logistics.archive.models import ArchivedOrder, ArchiveMonth
from logistics.archive.places import Key
from orders import holds

logger = structlog.get_logger(__name__)

BATCH = 200

TEXTS: Mapping[str, tuple[str, ...]] = {
    "orders_orderevent": ("reason",),
    "orders_alert": ("detail", "resolution"),
    "orders_alertnote": ("text",),
    "logistics_shipment": ("void_reason",),
    "logistics_trackingevent": ("text",),
    "logistics_subscription": ("detail",),
}
"""Columns of a body in which carriers and staff wrote what they liked."""


NAMING = {**TEXTS, "logistics_trackingevent": ("text", "location")}
"""Where a person may be named: carriers write all sorts of things into a place."""


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


_ABOUT = ("order_no", "customer_id", "phone_index")


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
    return rewrite(rows, lambda value: "", TEXTS, stamp=True)


def rewrite(
    rows: Sequence[ArchivedOrder],
    clean: Callable[[str], str],
    where: Mapping[str, tuple[str, ...]],
    *,
    stamp: bool = False,
) -> int:
    """Change the texts within bodies, and their checksums with them; return how many bodies changed or were looked at.

    What is damaged is passed over with `stamp`: it must not keep the rest, and stays overdue until it is mended. Else
    raises BodyBroken; also PlaceDown: nothing of these rows is changed.
    """
    with transaction.atomic():
        locked = _free(rows) if stamp else list(_locked(rows))
        found = places.read_all(locked)
        for row in locked:
            if row.pk not in found:
                logger.error("archive.body_broken", order_no=row.order_no)
                if not stamp:
                    raise bodies.BodyBroken(row.order_no)
        former = {row.pk: _key(row) for row in locked}
        looked_at = [row for row in locked if row.pk in found]
        changed = [row for row in looked_at if _clean(row, found[row.pk], clean, where)]
        drop_former = _write_away([row for row in changed if row.place != ArchivedOrder.Place.DATABASE], former)
        for row in changed:
            ArchivedOrder.objects.filter(pk=row.pk).update(body=row.body, checksum=row.checksum)
        if stamp:
            looked = ArchivedOrder.objects.filter(pk__in=[row.pk for row in looked_at])
            looked.update(texts_erased_at=clock.now())
        transaction.on_commit(drop_former, robust=True)  # what it fails to drop, the sweep does
    return len(looked_at) if stamp else len(changed)


def _locked(rows: Sequence[ArchivedOrder]) -> QuerySet[ArchivedOrder]:
    return ArchivedOrder.objects.select_for_update().filter(pk__in=[row.pk for row in rows]).order_by("pk")


def _clean(row: ArchivedOrder, body: bytes, clean: Callable[[str], str], where: Mapping[str, tuple[str, ...]]) -> bool:
    """Rewrite a row's body in hand; say whether it changed."""
    content = bodies.inflate(body)
    if not change_texts(content, clean, where):
        return False
    row.body = bodies.repack(content)
    row.checksum = bodies.checksum(row.body)
    return True


def change_texts(content: Mapping[str, Any], clean: Callable[[str], str], where: Mapping[str, tuple[str, ...]]) -> bool:
    changed = False
    for table, names in where.items():
        columns = content["columns"].get(table, [])
        wanted = [columns.index(name) for name in names if name in columns]
        for values in content["rows"].get(table, ()):
            for place in wanted:
                if values[place] and (after := clean(values[place])) != values[place]:
                    values[place], changed = after, True
    return changed


def _write_away(rows: Sequence[ArchivedOrder], former: Mapping[int, Key]) -> Callable[[], None]:
    """Write changed bodies to where they lie, and return what drops the former ones once that is committed."""
    for place in {row.place for row in rows}:
        store, theirs = places.of(place), [row for row in rows if row.place == place]
        store.put(theirs)
        places.read_back(store, theirs)
        # The rows are locked: what else lies there of them was left by batches that came to nothing.
        store.drop_others([row.pk for row in theirs], [key for row in theirs for key in (former[row.pk], _key(row))])
    for row in rows:
        row.body = None

    def drop_former() -> None:
        for place in {row.place for row in rows}:
            places.of(place).drop([former[row.pk] for row in rows if row.place == place])

    return drop_former


def _key(row: ArchivedOrder) -> Key:
    return row.pk, row.checksum
