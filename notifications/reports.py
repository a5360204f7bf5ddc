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
    rows = Delivery.objects.filter(channel=channel)
    if report.reference:
        found = rows.filter(reference=report.reference)
    elif report.provider_id:
        found = rows.filter(provider_id=report.provider_id)
    else:
        return False
    delivery_id = found.values_list("pk", flat=True).first()
    if delivery_id is None:
        return False
    settle_delivery(delivery_id, report)
    return True


def settle_delivery(delivery_id: int, report: Report) -> None:
    """Record what became of one delivery."""
    with transaction.atomic():
        outcomes.reported(Delivery.objects.select_for_update().get(pk=delivery_id), report)
