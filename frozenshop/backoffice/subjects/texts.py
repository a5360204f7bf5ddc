"""Texts that may name somebody, and taking the words out of them."""

from typing import Any

from django.db.models import QuerySet

from frozenshop.backoffice.models import OrderNote
from frozenshop.backoffice.subjects.words import Words
from notifications.models import Delivery, ShippingReport

BATCH = 200

Places = list[tuple[QuerySet[Any], tuple[str, ...]]]


def staying(order_id: int, order_no: str) -> Places:
    """Return the texts about an order that stay where they are when it is archived."""
    return [
        (OrderNote.objects.filter(order_no=order_no), ("text",)),
        (Delivery.objects.filter(notice__order_id=order_id), ("said",)),
        (ShippingReport.objects.filter(order_id=order_id), ("said", "special_said", "content", "wanted")),
    ]


def cleaned(rows: QuerySet[Any], columns: tuple[str, ...], words: Words) -> int:
    """Change those rows alone that name the person; return how many."""
    changed = 0
    for row in rows.only("pk", *columns).iterator(chunk_size=BATCH):
        before = {name: getattr(row, name) for name in columns}
        after = {name: words(old) if isinstance(old, str) else words.out_of(old) for name, old in before.items()}
        if after != before:
            changed += rows.model._default_manager.filter(pk=row.pk).update(**after)
    return changed
