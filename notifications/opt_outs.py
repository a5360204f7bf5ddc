"""What buyers don't want to be told, or not by SMS."""

from collections.abc import Collection

from django.db import transaction

from notifications.models import Audience, OptOut
from notifications.occasions import OCCASIONS
from notifications.situation import SMS_TOPIC
from orders.contention import retried
from orders.models import Customer

TOPICS = {SMS_TOPIC: "短信"} | {
    milestone.value: milestone.label for milestone, one in OCCASIONS.items() if Audience.BUYER in one.told
}
"""What can be opted out of, with its name: each thing that buyers are told, and SMS as a whole."""


def of(customer: Customer) -> list[str]:
    """Return the topics, in the order of `TOPICS`."""
    chosen = set(OptOut.objects.filter(customer=customer).values_list("topic", flat=True))
    return [topic for topic in TOPICS if topic in chosen]


@retried
def choose(customer: Customer, topics: Collection[str]) -> None:
    """Make these the only topics that the buyer doesn't want."""
    with transaction.atomic():
        Customer.objects.select_for_update().get(pk=customer.pk)
        rows = OptOut.objects.filter(customer=customer)
        rows.exclude(topic__in=topics).delete()
        OptOut.objects.bulk_create([OptOut(customer=customer, topic=topic) for topic in topics], ignore_conflicts=True)
