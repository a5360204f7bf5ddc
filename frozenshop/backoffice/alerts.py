"""The queue of alerts: what is worst and due first stands first."""

import datetime as dt
from collections.abc import Callable, Sequence
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.helpers import ActionForm
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html, format_html_join

from frozenshop.backoffice import wording
from frozenshop.backoffice.filters import AlertStateFilter, OwnerFilter, QueueKindFilter
from frozenshop.kernel.changelist import ReadOnlyAdmin, staff_user
from frozenshop.kernel.clock import now
from frozenshop.kernel.errors import Problem
from logistics import problems
from orders import alerting
from orders.models import Alert

SNOOZES = (("2", "2 小时"), ("4", "4 小时"), ("24", "1 天"), ("72", "3 天"))


class AlertActionForm(ActionForm):
    text = forms.CharField(
        label="说明",
        required=False,
        max_length=500,
        widget=forms.TextInput(attrs={"placeholder": "处理结果 / 备注 / 暂缓原因"}),
    )
    hours = forms.ChoiceField(label="暂缓", required=False, choices=SNOOZES)


class AlertAdmin(ReadOnlyAdmin[Alert]):
    list_display = ("kind_label", "order_link", "detail", "opened", "due", "owner", "last_note", "outcome")
    list_display_links = ("kind_label",)
    list_filter = (AlertStateFilter, OwnerFilter, QueueKindFilter)
    list_select_related = ("order", "owner")
    search_fields = ("=order__order_no",)
    search_help_text = "完整订单号"
    action_form = AlertActionForm
    actions = ("take", "note", "resolve", "snooze")
    readonly_fields = ("order_link", "note_rows")
    fields = (
        *("kind", "subject", "order_link", "severity", "detail", "opened_at", "due_at", "owner", "snoozed_until"),
        *("resolved_at", "resolved_by", "resolution", "note_rows"),
    )

    def get_keyset(self, request: HttpRequest) -> Sequence[str]:
        resolved = request.GET.get(AlertStateFilter.parameter_name) == "resolved"
        return ("-opened_at", "-id") if resolved else ("severity", "due_at", "id")

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Alert], search_term: str
    ) -> tuple[QuerySet[Alert], bool]:
        """Find by the order first: it has an index, the subject has none."""
        if not search_term.strip():
            return queryset, False
        return queryset.filter(order__order_no=search_term.strip()), False

    @admin.display(description="预警")
    def kind_label(self, alert: Alert) -> str:
        return wording.alert_label(alert)

    @admin.display(description="订单")
    def order_link(self, alert: Alert) -> str:
        if alert.order is None:
            return alert.subject
        url = reverse("admin:orders_order_change", args=[alert.order.pk])
        return format_html('<a href="{}">{}</a>', url, alert.order.order_no)

    @admin.display(description="出现")
    def opened(self, alert: Alert) -> str:
        return wording.short_clock(alert.opened_at)

    @admin.display(description="期限")
    def due(self, alert: Alert) -> str:
        late = alert.resolved_at is None and alert.due_at < now()
        at = wording.short_clock(alert.due_at)
        if not late:
            return at
        return format_html("{} {}", at, wording.label(f"超 {wording.duration(now() - alert.due_at)}", "bad"))

    @admin.display(description="最近记录")
    def last_note(self, alert: Alert) -> str:
        notes = list(alert.notes.all())
        return notes[-1].text[:60] if notes else "—"

    @admin.display(description="结果")
    def outcome(self, alert: Alert) -> str:
        if alert.resolved_at:
            return alert.resolution[:60]
        if alert.snoozed_until and alert.snoozed_until > now():
            return f"暂缓至 {wording.short_clock(alert.snoozed_until)}"
        return "—"

    @admin.display(description="处理记录")
    def note_rows(self, alert: Alert) -> str:
        notes = alert.notes.order_by("-id")[:50]
        rows = ((wording.clock(note.written_at), note.author, note.text) for note in notes)
        return format_html_join("", "<p>{} {}：{}</p>", rows) or "—"

    def prepare_rows(self, rows: list[Alert]) -> list[Alert]:
        from django.db.models import prefetch_related_objects

        prefetch_related_objects(rows, "notes")
        return rows

    @admin.action(description="认领", permissions=["change"])
    def take(self, request: HttpRequest, queryset: QuerySet[Alert]) -> None:
        self._each(request, queryset, lambda alert: alerting.take(alert, staff_user(request)), "已认领")

    @admin.action(description="添加记录（填写说明）", permissions=["change"])
    def note(self, request: HttpRequest, queryset: QuerySet[Alert]) -> None:
        text = request.POST.get("text", "")
        self._each(request, queryset, lambda alert: alerting.add_note(alert, text, staff_user(request)), "已添加记录")

    @admin.action(description="解决（必须填写说明）", permissions=["change"])
    def resolve(self, request: HttpRequest, queryset: QuerySet[Alert]) -> None:
        text = request.POST.get("text", "")
        self._each(request, queryset, lambda alert: problems.resolve(alert, text, staff_user(request)), "已解决")

    @admin.action(description="暂缓（必须填写说明）", permissions=["change"])
    def snooze(self, request: HttpRequest, queryset: QuerySet[Alert]) -> None:
        hours, text = request.POST.get("hours", ""), request.POST.get("text", "")
        until = now() + dt.timedelta(hours=int(hours) if hours in dict(SNOOZES) else 4)
        self._each(request, queryset, lambda alert: alerting.snooze(alert, until, staff_user(request), text), "已暂缓")

    def _each(self, request: HttpRequest, queryset: QuerySet[Alert], act: Callable[[Alert], Any], done: str) -> None:
        """Do it to each; what can't be done says why, and the rest goes on."""
        count, refused = 0, dict[str, int]()
        for alert in queryset:
            try:
                act(alert)
                count += 1
            except Problem as problem:
                sentence = wording.problem_text(problem)
                refused[sentence] = refused.get(sentence, 0) + 1
        if count:
            self.message_user(request, f"{done} {count} 条。")
        for sentence, times in refused.items():
            self.message_user(request, f"{times} 条没有处理：{sentence}", messages.ERROR)
