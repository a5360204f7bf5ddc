"""Filling in the reversed waybills of rows that a release without that column has written."""

from django.db.models.functions import Reverse

from logistics.models import Shipment

BATCH = 2000


def fill(batch: int | None = None) -> int:
    """Fill up to a batch of rows and return how many; repeated or side by side, it does no harm."""
    empty = list(Shipment.objects.filter(waybill_reversed="").values_list("pk", flat=True)[: batch or BATCH])
    Shipment.objects.filter(pk__in=empty, waybill_reversed="").update(waybill_reversed=Reverse("waybill_no"))
    return len(empty)
