"""Open alerts against the time by which they are due: the stretches of the index page, and the list's filter."""

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.db.models import QuerySet
from django.http import HttpRequest

from frozenshop.backoffice.filters import QueueFilter
from frozenshop.kernel.clock import now
from orders.models import Alert


@dataclass(frozen=True, slots=True)
class Stretch:
    """Due from so long after now (inclusive; None: ever) until so long (exclusive; None: whenever)."""

    label: str
    tone: str
    since: dt.timedelta | None
    until: dt.timedelta | None

    def narrow(self, alerts: QuerySet[Alert]) -> QuerySet[Alert]:
        at = now()
        if self.since is not None:
            alerts = alerts.filter(due_at__gte=at + self.since)
        return alerts.filter(due_at__lt=at + self.until) if self.until is not None else alerts


HOUR = dt.timedelta(hours=1)
STRETCHES: Mapping[str, Stretch] = {
    "long_over": Stretch("超期一天以上", "bad", None, -24 * HOUR),
    "over": Stretch("超期不到一天", "bad", -24 * HOUR, 0 * HOUR),
    "soon": Stretch("4 小时内到期", "warm", 0 * HOUR, 4 * HOUR),
    "day": Stretch("24 小时内到期", "cool", 4 * HOUR, 24 * HOUR),
    "later": Stretch("更晚到期", "quiet", 24 * HOUR, None),
}


def load() -> dict[str, QuerySet[Alert]]:
    """Return the alerts of each stretch that wait for somebody, as the list shows them."""
    waiting = Alert.objects.filter(resolved_at=None, incident=None).exclude(snoozed_until__gt=now())
    return {key: stretch.narrow(waiting) for key, stretch in STRETCHES.items()}


class DueFilter(QueueFilter):
    title, parameter_name = "期限", "due"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(key, stretch.label) for key, stretch in STRETCHES.items()]

    def narrow(self, queryset: QuerySet[Alert]) -> QuerySet[Alert]:
        return STRETCHES[self.chosen()].narrow(queryset)
