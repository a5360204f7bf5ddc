"""The archive as a table of the one search: the same meanings, the same columns."""

from typing import Any

from django.db.models import Q, QuerySet

from logistics.archive.models import ArchivedOrder, ArchivedProduct, ArchivedWaybill
from logistics.search import Table

HEAVY = ("body", "note_sealed")


def _of_waybills(condition: Q, most: int) -> QuerySet[Any, Any]:
    return ArchivedWaybill.objects.filter(condition).values_list("order_id", flat=True).distinct()[:most]


def _with_product(sku: str, most: int) -> QuerySet[Any, Any]:
    """The newest, by the end of one range of the primary key."""
    rows = ArchivedProduct.objects.filter(sku=sku).order_by("-order_id")
    return rows.values_list("order_id", flat=True)[:most]


ARCHIVE: Table[ArchivedOrder] = Table("归档", lambda: ArchivedOrder.objects.defer(*HEAVY), _of_waybills, _with_product)
