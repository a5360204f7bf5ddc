"""What goes wrong, how soon it is noticed and how it ends: counts and medians by kind and by carrier."""

import datetime as dt
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any, NamedTuple

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse

from frozenshop.backoffice import wording
from frozenshop.kernel.changelist import may_be_stale
from frozenshop.kernel.clock import now
from logistics.models import Shipment
from logistics.problems import shipment_id_of
from orders.models import Alert, AlertOutcome

PERIODS = (7, 30)
LOOKED_AT = 20_000
"""How many of the newest alerts are counted: a page, not a report."""
_CHUNK = 5_000


class Case(NamedTuple):
    """As much of an alert as is counted."""

    kind: str
    subject: str
    outcome: str
    occurred_at: dt.datetime | None
    opened_at: dt.datetime
    due_at: dt.datetime
    resolved_at: dt.datetime | None


@dataclass(frozen=True, slots=True)
class Line:
    """One row of the page: `outcomes` in the order of `AlertOutcome`, spans in words."""

    label: str
    opened: int
    waiting: int
    overdue: int
    outcomes: list[int]
    notice: str
    resolution: str
    key: str = ""


@dataclass(frozen=True, slots=True)
class Statistics:
    days: int
    total: Line
    kinds: list[Line]
    carriers: list[Line]
    cut: bool


def gather(days: int) -> Statistics:
    """Return the figures of the alerts that opened in the last `days`, in a bounded number of queries."""
    opened = Alert.objects.filter(opened_at__gte=now() - dt.timedelta(days=days)).order_by("-opened_at", "-id")
    cases = [Case(*row) for row in opened.values_list(*Case._fields)[: LOOKED_AT + 1]]
    cut, cases = len(cases) > LOOKED_AT, cases[:LOOKED_AT]
    kinds, carriers = defaultdict[str, list[Case]](list), defaultdict[str, list[Case]](list)
    names = _carriers(cases)
    for case in cases:
        kinds[case.kind].append(case)
        if name := names.get(case.subject):
            carriers[name].append(case)
    by_kind = [_line(wording.kind_name(kind), group, kind) for kind, group in kinds.items()]
    by_carrier = [_line(name, group) for name, group in carriers.items()]
    return Statistics(days, _line("合计", cases), _most_first(by_kind), _most_first(by_carrier), cut)


@may_be_stale
def statistics_view(request: HttpRequest) -> HttpResponse:
    """Show the figures of the last 7 or 30 days (`days=`)."""
    if not request.user.has_perm("orders.view_alert"):
        raise PermissionDenied
    asked = request.GET.get("days", "")
    days = next((period for period in PERIODS if str(period) == asked), PERIODS[0])
    context: dict[str, Any] = {
        **admin.site.each_context(request),
        "title": "预警统计",
        "figures": gather(days),
        "periods": PERIODS,
        "outcomes": AlertOutcome.labels,
        "looked_at": LOOKED_AT,
    }
    return TemplateResponse(request, "backoffice/alert_statistics.html", context)


def _carriers(cases: Sequence[Case]) -> dict[str, str]:
    """Return who carries what an alert is about, by the alert's subject."""
    subjects = {pk: case.subject for case in cases if (pk := shipment_id_of(case.subject))}
    ids, names = list(subjects), dict[str, str]()
    for start in range(0, len(ids), _CHUNK):
        carried = Shipment.objects.filter(pk__in=ids[start : start + _CHUNK])
        names |= {subjects[pk]: name for pk, name in carried.values_list("pk", "carrier__name")}
    return names


def _line(label: str, cases: Sequence[Case], key: str = "") -> Line:
    ended = Counter(case.outcome or AlertOutcome.OTHER for case in cases if case.resolved_at)
    waiting = [case for case in cases if case.resolved_at is None]
    return Line(
        label,
        len(cases),
        len(waiting),
        sum(case.due_at < now() for case in waiting),
        [ended[outcome] for outcome in AlertOutcome],
        _median(case.opened_at - case.occurred_at for case in cases if case.occurred_at),
        _median(case.resolved_at - case.opened_at for case in cases if case.resolved_at),
        key,
    )


def _median(spans: Iterable[dt.timedelta]) -> str:
    seconds = [span.total_seconds() for span in spans]
    return wording.duration(dt.timedelta(seconds=median(seconds))) if seconds else "—"


def _most_first(lines: list[Line]) -> list[Line]:
    return sorted(lines, key=lambda line: (-line.opened, line.label))
