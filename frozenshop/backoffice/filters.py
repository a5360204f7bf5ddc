"""Filters of the lists. Each narrows by an index or within a bounded stretch of time."""

import datetime as dt
from collections.abc import Iterator
from typing import Any

from django.contrib import admin
from django.contrib.admin.views.main import ChangeList
from django.db.models import OuterRef, QuerySet, Subquery
from django.http import HttpRequest
from django.utils.dateparse import parse_date

from frozenshop.backoffice.worklists import WORKLISTS, with_open_alert
from frozenshop.kernel.changelist import PLACES
from frozenshop.kernel.clock import now, shanghai, start_of_day
from logistics.anomalies import Acts, kinds_of
from logistics.models import Carrier, ShipmentOrder
from orders.models import Alert, AlertKind, AlertSeverity, Order, OrderLine, ProductCategory

SCANNED_BACK = dt.timedelta(days=90)


class DateRangeFilter(admin.ListFilter):
    """From and to, inclusive, as Shanghai's calendar has them; or the last so many days, which move with the day."""

    title = "下单日期"
    template = "backoffice/date_range_filter.html"
    FROM, TO, WITHIN = "placed_from", "placed_to", "placed_within"

    def __init__(
        self, request: HttpRequest, params: dict[str, list[str]], model: type[Order], model_admin: Any
    ) -> None:
        super().__init__(request, params, model, model_admin)
        self.given = {name: params.pop(name, [""])[-1] for name in (self.FROM, self.TO, self.WITHIN)}

    def has_output(self) -> bool:
        return True

    def expected_parameters(self) -> list[str | None]:
        return [self.FROM, self.TO, self.WITHIN]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Order]) -> QuerySet[Order]:
        since, until = bounds(self.given[self.FROM], self.given[self.TO], self.given[self.WITHIN])
        if since:
            queryset = queryset.filter(placed_at__gte=since)
        return queryset.filter(placed_at__lt=until) if until else queryset

    def choices(self, changelist: ChangeList) -> Iterator[dict[str, Any]]:
        kept = [
            (name, value)
            for name, values in changelist.filter_params.items()
            if name not in (self.FROM, self.TO, self.WITHIN, *PLACES)
            for value in values
        ]
        yield {
            "kept": kept,
            "given": self.given,
            "selected": any(self.given.values()),
            "clear": changelist.get_query_string(remove=[self.FROM, self.TO, self.WITHIN]),
            "recent": [
                {
                    "display": label,
                    "selected": self.given[self.WITHIN] == days,
                    "query_string": changelist.get_query_string({self.WITHIN: days}, remove=[self.FROM, self.TO]),
                }
                for days, label in RECENT.items()
            ],
        }


RECENT = {"1": "今天", "7": "近 7 天", "30": "近 30 天"}


def bounds(given_from: str, given_to: str, within: str = "") -> tuple[dt.datetime | None, dt.datetime | None]:
    """Return the instants from (inclusive) and until (exclusive) of two typed dates; what is no date bounds nothing."""
    first, last = _date(given_from), _date(given_to)
    if first is None and within in RECENT:
        first = shanghai(now()).date() - dt.timedelta(days=int(within) - 1)
    try:
        since = start_of_day(first) if first else None
        until = start_of_day(last + dt.timedelta(days=1)) if last else None
    except OverflowError:
        return None, None
    return since, until


def _date(text: str) -> dt.date | None:
    try:
        return parse_date(text.strip())
    except ValueError:
        return None


class ChoiceFilter(admin.SimpleListFilter):
    """A filter whose nonsense values filter nothing. One that `walks` looks each row up on the way down the list."""

    walks = False

    @property
    def walking(self) -> bool:
        return self.walks and bool(self.chosen())

    def has_output(self) -> bool:
        return True

    def chosen(self) -> str:
        value = str(self.value() or "")
        return value if value in {str(key) for key, _ in self.lookup_choices} else ""


class WorklistFilter(ChoiceFilter):
    title, parameter_name = "工作清单", "todo"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(work.key, work.label) for work in WORKLISTS.values()]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Order]) -> QuerySet[Order]:
        return WORKLISTS[key].orders(queryset) if (key := self.chosen()) else queryset


class CarrierFilter(ChoiceFilter):
    title, parameter_name = "承运商", "carrier"
    walks = True
    template = "backoffice/select_filter.html"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return list(Carrier.objects.filter(enabled=True).order_by("name").values_list("code", "name")[:200])

    def queryset(self, request: HttpRequest, queryset: QuerySet[Order]) -> QuerySet[Order]:
        if not (code := self.chosen()):
            return queryset
        sent = ShipmentOrder.objects.filter(
            order=OuterRef("pk"), shipment__carrier__code=code, shipment__voided_at=None
        )
        return _having(queryset, sent)


def _having(orders: QuerySet[Order], rows: QuerySet[Any]) -> QuerySet[Order]:
    """Keep recent orders that have such a row.

    A scalar subquery, looked up for each order on the way down the list: an EXISTS is turned round by the optimizer,
    which then reads all rows of the other table first.
    """
    return (
        orders.filter(placed_at__gte=now() - SCANNED_BACK)
        .alias(row=Subquery(rows.values("pk")[:1]))
        .filter(row__isnull=False)
    )


class AlertKindFilter(ChoiceFilter):
    title, parameter_name = "预警", "alert"
    template = "backoffice/select_filter.html"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return list(AlertKind.choices)

    def queryset(self, request: HttpRequest, queryset: QuerySet[Order]) -> QuerySet[Order]:
        return with_open_alert(kind)(queryset) if (kind := self.chosen()) else queryset


class CategoryFilter(ChoiceFilter):
    title, parameter_name = "商品类目", "category"
    walks = True
    template = "backoffice/select_filter.html"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return list(ProductCategory.objects.order_by("code").values_list("code", "name")[:200])

    def queryset(self, request: HttpRequest, queryset: QuerySet[Order]) -> QuerySet[Order]:
        if not (code := self.chosen()):
            return queryset
        held = OrderLine.objects.filter(order=OuterRef("pk"), category=code)
        return _having(queryset, held)


class AlertStateFilter(ChoiceFilter):
    """Open alerts unless something else is asked for."""

    title, parameter_name = "处理状态", "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("overdue", "已超期"), ("snoozed", "暂缓中"), ("resolved", "已解决")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Alert]) -> QuerySet[Alert]:
        chosen = self.chosen()
        if chosen == "resolved":
            return queryset.filter(resolved_at__isnull=False)
        queryset = queryset.filter(resolved_at=None)
        if chosen == "overdue":
            return queryset.filter(due_at__lt=now())
        if chosen == "snoozed":
            return queryset.filter(snoozed_until__gt=now())
        return queryset.exclude(snoozed_until__gt=now())

    def choices(self, changelist: ChangeList) -> Iterator[Any]:
        for choice in super().choices(changelist):
            yield (
                {**choice, "display": "待处理"}
                if choice["query_string"] == changelist.get_query_string(remove=[self.parameter_name])
                else choice
            )


class IncidentFilter(ChoiceFilter):
    """Members of an incident are worked on there: they stand in the queue only if they are asked for, or searched."""

    title, parameter_name = "属于事件", "incident"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        incidents = Alert.objects.filter(resolved_at=None, kind=AlertKind.INCIDENT).order_by("-id")[:50]
        return [("any", "全部显示"), *((str(one.pk), one.subject.removeprefix("place:")) for one in incidents)]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Alert]) -> QuerySet[Alert]:
        asked = str(self.value() or "")
        if asked.isdecimal() and len(asked) < 19:
            return queryset.filter(incident_id=int(asked))
        shown = self.chosen() or request.GET.get("q") or request.GET.get(AlertStateFilter.parameter_name) == "resolved"
        return queryset if shown else queryset.filter(incident=None)

    def choices(self, changelist: ChangeList) -> Iterator[Any]:
        first, *others = super().choices(changelist)
        yield {**first, "display": "收起（默认）"}
        yield from others


class SeverityFilter(ChoiceFilter):
    title, parameter_name = "级别", "severity"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return list(AlertSeverity.choices)

    def queryset(self, request: HttpRequest, queryset: QuerySet[Alert]) -> QuerySet[Alert]:
        return queryset.filter(severity=severity) if (severity := self.chosen()) else queryset


class ActsFilter(ChoiceFilter):
    title, parameter_name = "谁处理", "acts"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return list(Acts.choices)

    def queryset(self, request: HttpRequest, queryset: QuerySet[Alert]) -> QuerySet[Alert]:
        return queryset.filter(kind__in=kinds_of(acts)) if (acts := self.chosen()) else queryset


class QueueKindFilter(ChoiceFilter):
    title, parameter_name = "类型", "kind"
    template = "backoffice/select_filter.html"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return list(AlertKind.choices)

    def queryset(self, request: HttpRequest, queryset: QuerySet[Alert]) -> QuerySet[Alert]:
        return queryset.filter(kind=kind) if (kind := self.chosen()) else queryset


class OwnerFilter(ChoiceFilter):
    title, parameter_name = "负责人", "owner"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("me", "我"), ("nobody", "无人认领")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Alert]) -> QuerySet[Alert]:
        owners = {"me": request.user.pk, "nobody": None}
        return queryset.filter(owner=owners[chosen]) if (chosen := self.chosen()) else queryset
