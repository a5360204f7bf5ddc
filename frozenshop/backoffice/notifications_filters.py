"""Filters of the lists of notices and deliveries. What has no index of its own is looked for in the last days."""

import datetime as dt
from typing import Any

from django.db.models import QuerySet
from django.http import HttpRequest

from frozenshop.backoffice.filters import ChoiceFilter
from frozenshop.kernel import clock
from notifications.models import Audience, Channel, Delivery, Notice
from notifications.occasions import OCCASIONS

RECENT = dt.timedelta(days=7)
"""How far back a list is narrowed by what has no index of its own."""
State, Why = Notice.State, Notice.Why


def recent(field: str) -> dict[str, dt.datetime]:
    return {f"{field}__gte": clock.now() - RECENT}


class FateFilter(ChoiceFilter):
    """What became of a notice. Those that wait are few; all others are looked for in the last days."""

    walks = True
    title, parameter_name = "结果（近 7 天）", "fate"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        told = [(State.WAITING.value, "待发送（全部）"), (State.TOLD.value, "已告知"), ("untold", "未告知")]
        return told + [(why.value, f"· {why.label}") for why in Why]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Notice]) -> QuerySet[Notice]:
        chosen = self.chosen()
        if not chosen:
            return queryset
        if chosen == State.WAITING:
            return queryset.filter(state=chosen)
        return queryset.filter(**recent("created_at"))

    @property
    def walking(self) -> bool:
        return super().walking and self.chosen() != State.WAITING

    def walk(self, queryset: QuerySet[Notice]) -> QuerySet[Notice]:
        chosen = self.chosen()
        if chosen == State.TOLD:
            return queryset.filter(state=chosen)
        untold = queryset.filter(state=State.NOT_TOLD)
        return untold if chosen == "untold" else untold.filter(why=chosen)


class _Recent(ChoiceFilter):
    """Those of the last days, by their `since`, whose `column` is what was chosen."""

    walks = True
    column: str
    since: str

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return queryset.filter(**recent(self.since)) if self.chosen() else queryset

    def walk(self, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return queryset.filter(**{self.column: self.chosen()})


class MilestoneFilter(_Recent):
    title, parameter_name = "内容（近 7 天）", "what"
    column, since = "milestone", "created_at"
    template = "backoffice/select_filter.html"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(one.value, one.label) for one in OCCASIONS if Audience.SHOP not in OCCASIONS[one].told]


class AudienceFilter(_Recent):
    title, parameter_name = "对象（近 7 天）", "whom"
    column, since = "audience", "created_at"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(one.value, one.label) for one in Audience if one != Audience.SHOP]


class DeliveryStateFilter(_Recent):
    title, parameter_name = "状态（近 7 天）", "sent"
    column, since = "state", "started_at"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return list(Delivery.State.choices)


class DeliveryChannelFilter(_Recent):
    title, parameter_name = "渠道（近 7 天）", "by"
    column, since = "channel", "started_at"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [choice for choice in Channel.choices if choice[0] != Channel.WEBHOOK]
