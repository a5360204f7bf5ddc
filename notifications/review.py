"""What should have been sent and was not; and what is too old to keep."""

import datetime as dt

from django.db import transaction
from django.db.models import Exists, OuterRef

from frozenshop.kernel import clock
from notifications import breaker, budgets, outcomes
from notifications.models import Addressee, Delivery, Notice
from orders import alerting
from orders.models import AlertKind

LATE = dt.timedelta(minutes=15)
KEPT = dt.timedelta(days=180)
BATCH = 500
SUBJECT = "notices:late"
STRANDED = dt.timedelta(minutes=10)


def review() -> None:
    """Bring back what nobody has in hand, and tell staff when messages pile up or the budget runs out."""
    rescue()
    with transaction.atomic():
        budgets.review()
        _tell_late()


def rescue(batch: int = BATCH) -> int:
    """Put notices back that were taken out of their lane without a delivery under way; return how many."""
    under_way = Delivery.objects.filter(notice=OuterRef("pk"), state__in=outcomes.OPEN)
    in_hand = Notice.objects.filter(state=Notice.State.WAITING, channel="", due_at__lte=clock.now() - STRANDED)
    stranded = in_hand.filter(~Exists(under_way)).order_by("due_at", "id").values_list("pk", flat=True)[:batch]
    for notice_id in sorted(stranded):
        outcomes.put_back(notice_id)
    return len(stranded)


def purge() -> int:
    """Delete settled notices with their deliveries after half a year, in short transactions; return how many.

    Who has none left is forgotten: their name may be a phone's index.
    """
    old = Notice.objects.filter(created_at__lt=clock.now() - KEPT).exclude(state=Notice.State.WAITING)
    total = 0
    while rows := dict(old.order_by("created_at").values_list("pk", "recipient")[:BATCH]):
        with transaction.atomic():
            Delivery.objects.filter(notice__in=rows).delete()
            total += Notice.objects.filter(pk__in=rows).delete()[0]
        _forget(set(rows.values()))
    return total


def _forget(recipients: set[str]) -> None:
    """Delete the rows of people without a notice; one that is needed again is made again."""
    known = set(Notice.objects.filter(recipient__in=recipients).values_list("recipient", flat=True).distinct())
    Addressee.objects.filter(pk__in=recipients - known).delete()


def _tell_late() -> None:
    late = Notice.objects.filter(
        state=Notice.State.WAITING, channel__in=breaker.lanes().clear, due_at__lte=clock.now() - LATE
    )
    count = late[:BATCH].count()
    if count:
        minutes = int(LATE.total_seconds() // 60)
        detail = f"有 {count} 条通知超过 {minutes} 分钟没有发出，请检查 worker 是否运行"
        alerting.open_alert(AlertKind.MESSAGING, subject=SUBJECT, detail=detail)
    else:
        alerting.resolve_alerts(SUBJECT, [AlertKind.MESSAGING], resolution="积压的通知已发出")
