"""Filters of the lists. Each narrows by an index or within a bounded stretch of time."""

import datetime as dt
from collections.abc import Iterator
from typing import Any

from django.contrib import admin
from django.contrib.admin.views.main import ChangeList
from django.db.models import DateTimeField, OuterRef, QuerySet, Subquery, Value
from django.http import HttpRequest
from django.utils.dateparse import parse_date

from frozenshop.backoffice.worklists import WORKLISTS, with_open_alert
from frozenshop.kernel.changelist import PLACES
from frozenshop.kernel.clock import now, shanghai, start_of_day
from logistics.anomalies import Acts, kinds_of
from logistics.models import Carrier, ShipmentOrder
from orders.models import Alert, AlertKind, AlertSeverity, Order, OrderLine, OrderStatus, ProductCategory

LOOKED_BACK = dt.timedelta(days=90)
"""How far back orders are looked up one by one, unless days are chosen."""
FEW = 200
"""Orders that are fewer are found by their keys, however long ago they were placed."""
MOST_NAMES = 200
BEFORE_SHIPPING = dt.timedelta(days=2)
"""An order is placed before it leaves; clocks and typed times may differ by so much."""


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


DATES = (DateRangeFilter.FROM, DateRangeFilter.TO, DateRangeFilter.WITHIN)
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
    """A filter whose nonsense values filter nothing. One that `walks` looks each row up on the way down the list: its
    `queryset` is what an index gives, and `walk` narrows that further.
    """

    walks = False

    @property
    def walking(self) -> bool:
        return self.walks and bool(self.chosen())

    def has_output(self) -> bool:
        return True

    def chosen(self) -> str:
        value = str(self.value() or "")
        return value if value in {str(key) for key, _ in self.lookup_choices} else ""

    def walk(self, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return queryset


class WorklistFilter(ChoiceFilter):
    title, parameter_name = "工作清单", "todo"

    @property
    def gathering(self) -> bool:
        return bool(self.chosen())

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(work.key, work.label) for work in WORKLISTS.values()]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Order]) -> QuerySet[Order]:
        return WORKLISTS[key].orders(queryset) if (key := self.chosen()) else queryset


class StatusFilter(ChoiceFilter):
    title, parameter_name = "状态", "status__exact"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return list(OrderStatus.choices)

    def queryset(self, request: HttpRequest, queryset: QuerySet[Order]) -> QuerySet[Order]:
        return queryset.filter(status=status) if (status := self.chosen()) else queryset


class _LookedUpFilter(ChoiceFilter):
    """Orders by what stands in another table, whose index gives the newest: few by their keys, else one by one."""

    walks = True
    few = False
    template = "backoffice/select_filter.html"

    @property
    def walking(self) -> bool:
        return super().walking and not self.few

    def queryset(self, request: HttpRequest, queryset: QuerySet[Order]) -> QuerySet[Order]:
        if not (code := self.chosen()):
            return queryset
        newest = list(self.newest(code)[: FEW + 1])
        self.few = len(newest) <= FEW
        if self.few:
            return queryset.filter(pk__in={order_id for order_id, _ in newest})
        if until := newest[0][1]:
            queryset = queryset.filter(placed_at__lte=until + BEFORE_SHIPPING)
        since, until = bounds(*(request.GET.get(name, "") for name in DATES))
        return queryset if since or until else queryset.filter(placed_at__gte=now() - LOOKED_BACK)

    def walk(self, queryset: QuerySet[Order]) -> QuerySet[Order]:
        """Keep orders that have such a row.

        By a scalar subquery, looked up for each order on the way down the list: an EXISTS is turned round by the
        optimizer, which then reads all rows of the other table first.
        """
        rows = self.rows(self.chosen()).filter(order=OuterRef("pk")).order_by().values("pk")[:1]
        return queryset.alias(**{f"by_{self.parameter_name}": Subquery(rows)}).filter(
            **{f"by_{self.parameter_name}__isnull": False}
        )

    def rows(self, code: str) -> QuerySet[Any]:
        """Return what an order has one of."""
        raise NotImplementedError

    def newest(self, code: str) -> QuerySet[Any, tuple[int, dt.datetime | None]]:
        """Return the orders of these rows, the newest first, with when the row's parcel left, if it is by that."""
        raise NotImplementedError


def names_for(request: HttpRequest) -> list[tuple[str, str, str]]:
    """Return code, name and filter of the carriers and of the categories; both are asked for at once, for one page."""
    kept: list[tuple[str, str, str]] | None = getattr(request, "filter_names", None)
    if kept is None:
        kept = request.filter_names = all_names()  # type: ignore[attr-defined]
    return kept


def all_names() -> list[tuple[str, str, str]]:
    carriers = Carrier.objects.filter(enabled=True).order_by().values_list("code", "name", Value("carrier"))
    categories = ProductCategory.objects.order_by().values_list("code", "name", Value("category"))
    return list(carriers.union(categories, all=True))


def _names(request: HttpRequest, of: str) -> list[tuple[str, str]]:
    return [(code, name) for code, name, kind in names_for(request) if kind == of][:MOST_NAMES]


class CarrierFilter(_LookedUpFilter):
    title, parameter_name = "承运商", "carrier"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return sorted(_names(request, "carrier"), key=lambda pair: pair[1])

    def rows(self, code: str) -> QuerySet[Any]:
        return ShipmentOrder.objects.filter(shipment__carrier__code=code, shipment__voided_at=None, order__isnull=False)

    def newest(self, code: str) -> QuerySet[Any, tuple[int, dt.datetime | None]]:
        rows = self.rows(code).order_by("-shipment__shipped_at")
        return rows.values_list("order_id", "shipment__shipped_at")


class AlertKindFilter(ChoiceFilter):
    title, parameter_name = "预警", "alert"
    template = "backoffice/select_filter.html"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return list(AlertKind.choices)

    def queryset(self, request: HttpRequest, queryset: QuerySet[Order]) -> QuerySet[Order]:
        return with_open_alert(kind)(queryset) if (kind := self.chosen()) else queryset


class CategoryFilter(_LookedUpFilter):
    title, parameter_name = "商品类目", "category"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return sorted(_names(request, "category"))

    def rows(self, code: str) -> QuerySet[Any]:
        return OrderLine.objects.filter(category=code)

    def newest(self, code: str) -> QuerySet[Any, tuple[int, dt.datetime | None]]:
        never = Value(None, output_field=DateTimeField())
        rows = self.rows(code).order_by("-order_id").annotate(left=never)
        found: QuerySet[Any, tuple[int, dt.datetime | None]] = rows.values_list("order_id", "left")
        return found


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


class QueueFilter(ChoiceFilter):
    """An index gives those that are open; of what is resolved each is looked at."""

    walks = True

    def __init__(
        self, request: HttpRequest, params: dict[str, list[str]], model: type[Alert], model_admin: Any
    ) -> None:
        super().__init__(request, params, model, model_admin)
        self.request = request

    @property
    def walking(self) -> bool:
        return super().walking and self.request.GET.get(AlertStateFilter.parameter_name) == "resolved"

    def queryset(self, request: HttpRequest, queryset: QuerySet[Alert]) -> QuerySet[Alert]:
        return self.narrow(queryset) if self.chosen() and not self.walking else queryset

    def walk(self, queryset: QuerySet[Alert]) -> QuerySet[Alert]:
        return self.narrow(queryset)

    def narrow(self, queryset: QuerySet[Alert]) -> QuerySet[Alert]:
        raise NotImplementedError


class SeverityFilter(QueueFilter):
    title, parameter_name = "级别", "severity"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return list(AlertSeverity.choices)

    def narrow(self, queryset: QuerySet[Alert]) -> QuerySet[Alert]:
        return queryset.filter(severity=self.chosen())


class ActsFilter(QueueFilter):
    title, parameter_name = "谁处理", "acts"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return list(Acts.choices)

    def narrow(self, queryset: QuerySet[Alert]) -> QuerySet[Alert]:
        return queryset.filter(kind__in=kinds_of(self.chosen()))


class QueueKindFilter(QueueFilter):
    title, parameter_name = "类型", "kind"
    template = "backoffice/select_filter.html"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return list(AlertKind.choices)

    def narrow(self, queryset: QuerySet[Alert]) -> QuerySet[Alert]:
        return queryset.filter(kind=self.chosen())


class OwnerFilter(QueueFilter):
    title, parameter_name = "负责人", "owner"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("me", "我"), ("nobody", "无人认领")]

    def narrow(self, queryset: QuerySet[Alert]) -> QuerySet[Alert]:
        owners = {"me": self.request.user.pk, "nobody": None}
        return queryset.filter(owner=owners[self.chosen()])
