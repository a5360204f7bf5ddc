"""The archive as a table of the one search: the same meanings, the same columns."""

from collections.abc import Iterable

from django.db.models import Q

from logistics.archive.models import ArchivedOrder, ArchivedWaybill
from logistics.search import Table

HEAVY = ("body", "note_sealed")


def _of_waybills(condition: Q, most: int) -> Iterable[int]:
    rows = ArchivedWaybill.objects.filter(condition).order_by("-order_id")
    return rows.values_list("order_id", flat=True).distinct()[:most]


ARCHIVE: Table[ArchivedOrder] = Table("归档", lambda: ArchivedOrder.objects.defer(*HEAVY), _of_waybills)
