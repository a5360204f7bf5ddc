"""The daily digest: what waits for the staff, and what nobody could be told."""

import datetime as dt

from django.db.models import Count

from frozenshop.kernel import clock
from notifications import planning
from notifications.models import Delivery, Milestone, Notice
from orders.models import Alert, AlertSeverity

DAY = dt.timedelta(days=1)
MOST = 1000


def plan(told: list[str] | None = None) -> list[int]:
    """Plan today's digest, of these lines where they were read already; return the notices that are due now."""
    day = f"day:{clock.shanghai(clock.now()):%Y-%m-%d}"
    return planning.tell_staff(Milestone.DIGEST, day, lines() if told is None else told)


def lines() -> list[str]:
    """Return the digest: alerts by severity, then messages of the last day."""
    since = clock.now() - DAY
    still_open = Alert.objects.filter(resolved_at=None, incident=None)
    counted = dict(still_open.order_by().values_list("severity").annotate(Count("id")))
    overdue = still_open.filter(due_at__lt=clock.now())[:MOST].count()
    by_severity = "，".join(f"{level.label} {counted.get(level.value, 0)}" for level in AlertSeverity)
    opened = Alert.objects.filter(opened_at__gte=since)[:MOST].count()
    return [
        f"未解决的预警：{by_severity}；已超期 {overdue}",
        f"过去一天新增预警 {opened}",
        *_of_messages(since),
    ]


def _of_messages(since: dt.datetime) -> list[str]:
    recent = Notice.objects.filter(created_at__gte=since).exclude(state=Notice.State.WAITING).order_by()
    counted = dict(recent.values_list("why").annotate(Count("id")))
    untold = "，".join(f"{why.label} {counted[why.value]}" for why in Notice.Why if counted.get(why.value))
    unknown = Delivery.objects.filter(state=Delivery.State.UNKNOWN, started_at__gte=since)[:MOST].count()
    rest = [f"未告知：{untold}"] if untold else []
    return [f"过去一天发出通知 {counted.get('', 0)} 条", *rest, *([f"结果未知 {unknown} 条"] if unknown else [])]
