"""What operators read of the money held back: counted every few minutes, kept in a few rows, read in no time."""

import datetime as dt
from collections import defaultdict
from dataclasses import dataclass

from django.db import transaction
from django.db.models import Case, CharField, Count, Min, Q, Sum, Value, When

from frozenshop.kernel import clock
from notifications.models import SettlementFigure
from notifications.settlement import frozen, guard, upload

AGES = (("1d", 1), ("2d", 2), ("7d", 7), ("12d", 12), ("older", 0))
"""Paid less than so many days ago; WeChat's limit for telling is two, express is released after ten."""
UNTOLD = frozenset({*frozen.TO_MEND, frozen.REFUSED, frozen.IN_DOUBT, frozen.TO_TELL, frozen.IN_PART})
"""It has left, and WeChat doesn't know, or not of all."""


@dataclass(slots=True)
class _Sum:
    orders: int = 0
    fen: int = 0
    failing: int = 0
    oldest_at: dt.datetime | None = None


def measure() -> None:
    """Count anew. Repeatable; the rows of a reason that is over go."""
    now = clock.now()
    whens = [When(order__paid_at__gt=now - dt.timedelta(days=days), then=Value(name)) for name, days in AGES if days]
    rows = frozen.held().annotate(age=Case(*whens, default=Value("older"), output_field=CharField()))
    sums: dict[tuple[str, str], _Sum] = defaultdict(_Sum)
    tried = Count("pk", filter=Q(state__in=guard.UNTOLD, attempts__gte=upload.PATIENCE))
    counts = {"orders": Count("pk"), "fen": Sum("order__total_fen"), "failing": tried, "oldest": Min("order__paid_at")}
    for reason, row in frozen.grouped(rows, "age", **counts):
        one = sums[reason.name, row["age"]]
        one.orders, one.fen = one.orders + row["orders"], one.fen + (row["fen"] or 0)
        one.failing += row["failing"]
        one.oldest_at = min((at for at in (one.oldest_at, row["oldest"]) if at), default=None)
    with transaction.atomic():
        kept = []
        for (reason_name, age), one in sorted(sums.items()):
            values = {"orders": one.orders, "fen": one.fen, "failing": one.failing, "oldest_at": one.oldest_at}
            kept_row, _ = SettlementFigure.objects.update_or_create(
                reason=reason_name, age=age, defaults={**values, "measured_at": now}
            )
            kept.append(kept_row.pk)
        SettlementFigure.objects.exclude(pk__in=kept).delete()


def oldest_untold(rows: list[SettlementFigure]) -> dt.datetime | None:
    """Return when the oldest order was paid of whose shipping WeChat doesn't know in full."""
    names = {reason.name for reason in UNTOLD}
    return min((row.oldest_at for row in rows if row.reason in names and row.oldest_at), default=None)
