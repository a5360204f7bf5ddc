"""What staff wrote about orders, which goes with the texts of the archive (`settings.ARCHIVE_TEXTS_BESIDE`)."""

from collections.abc import Collection

from frozenshop.backoffice.models import OrderNote


def without_notes(order_nos: Collection[str]) -> Collection[str]:
    """Empty the notes of orders; who wrote one, and when, stays."""
    written = OrderNote.objects.filter(order_no__in=list(order_nos)).exclude(text="")
    had = set(written.values_list("order_no", flat=True))
    if had:
        written.update(text="")
    return had
