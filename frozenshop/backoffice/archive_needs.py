"""Which finished orders somebody above the archive still needs where they are (`settings.ARCHIVE_KEPT_BY`)."""

from collections.abc import Collection, Mapping

from frozenshop.backoffice.batches.models import Batch, BatchRow
from logistics.archive.candidates import among
from notifications.models import Notice, ShippingReport
from notifications.settlement.guard import OVER
from orders.models import Order

OPEN_BATCHES = (Batch.State.PREVIEW, Batch.State.WAITING, Batch.State.QUEUED, Batch.State.RUNNING)


def unsettled(orders: Mapping[int, str]) -> Collection[int]:
    """WeChat still holds the money, and will have to be told or asked."""
    reports = ShippingReport.objects.filter(order_id__in=among(orders), settled_at=None)
    held = list(reports.exclude(state=ShippingReport.State.NOT_NEEDED).values_list("order_id", flat=True))
    over = Order.objects.filter(pk__in=held, status__in=OVER).values_list("pk", flat=True) if held else ()
    return set(held) - set(over)


def being_told(orders: Mapping[int, str]) -> Collection[int]:
    """Somebody is about to be told of the order."""
    waiting = Notice.objects.filter(order_id__in=among(orders), state=Notice.State.WAITING)
    return {pk for pk in waiting.values_list("order_id", flat=True) if pk is not None}


def in_batches(orders: Mapping[int, str]) -> Collection[int]:
    """A batch of staff that isn't over names the order."""
    rows = BatchRow.objects.filter(about__in=list(orders.values()), batch__state__in=OPEN_BATCHES)
    named = set(rows.values_list("about", flat=True))
    return {pk for pk, order_no in orders.items() if order_no in named}
