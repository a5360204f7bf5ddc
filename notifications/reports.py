"""What channels tell later of a letter: by a report that was pushed, or because we asked."""

from django.db import transaction

from notifications import outcomes
from notifications.channels.base import Report
from notifications.models import Delivery


def settle(report: Report, channel: str) -> bool:
    """Record what a channel reports; harmless to repeat, in any order.

    False: the letter is not known. Our own record of the answer may come a moment after the report, so a report by
    `provider_id` that is not known is worth a second try within a minute or two.
    """
    keys = ("reference", report.reference), ("provider_id", report.provider_id)
    with transaction.atomic(savepoint=False):
        rows = Delivery.objects.select_for_update().filter(channel=channel)
        found = (rows.filter(**{name: value}).first() for name, value in keys if value)
        delivery = next((row for row in found if row is not None), None)
        if delivery is not None:
            outcomes.reported(delivery, report)
    return delivery is not None


def settle_delivery(delivery_id: int, report: Report) -> None:
    """Record what became of one delivery."""
    with transaction.atomic():
        outcomes.reported(Delivery.objects.select_for_update().get(pk=delivery_id), report)
