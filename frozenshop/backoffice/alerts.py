"""The queue of alerts: what is overdue stands first, and many may be worked on at once."""

import datetime as dt
from collections.abc import Callable, Sequence
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.helpers import ActionForm
from django.contrib.auth.models import User
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html, format_html_join

from frozenshop.backoffice import wording
from frozenshop.backoffice.alert_statistics import statistics_view
from frozenshop.backoffice.dashboard.alert_load import DueFilter
from frozenshop.backoffice.filters import (
    ActsFilter,
    AlertStateFilter,
    IncidentFilter,
    OwnerFilter,
    QueueKindFilter,
    SeverityFilter,
)
from frozenshop.kernel.changelist import ReadOnlyAdmin, staff_user
from frozenshop.kernel.clock import now
from frozenshop.kernel.errors import Invalid, Problem
from logistics import problems
from logistics.anomalies import ANOMALIES
from logistics.models import ShipmentOrder
from orders import alerting
from orders.models import Alert, AlertKind, AlertOutcome, Order

SNOOZES = (("2", "2 小时"), ("4", "4 小时"), ("24", "1 天"), ("72", "3 天"))
STAFF_OFFERED = 200
MEMBERS_SHOWN = 100


def colleagues() -> QuerySet[User]:
    """Return to whom an alert may be given."""
    return User.objects.filter(is_active=True, is_staff=True).order_by("username")


class AlertActionForm(ActionForm):
    text = forms.CharField(
        label="说明",
        required=False,
        max_length=500,
        widget=forms.TextInput(attrs={"placeholder": "处理结果 / 备注 / 暂缓原因"}),
    )
    outcome = forms.ChoiceField(label="结果", required=False, choices=[("", "请选择"), *AlertOutcome.choices])
    hours = forms.ChoiceField(label="暂缓", required=False, choices=SNOOZES)
    assignee = forms.ChoiceField(label="指派给", required=False)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        people = [(str(user.pk), user.get_full_name() or user.username) for user in colleagues()[:STAFF_OFFERED]]
        assignee = self.fields["assignee"]
        assert isinstance(assignee, forms.ChoiceField)
        assignee.choices = [("", "—"), *people]


class AlertAdmin(ReadOnlyAdmin[Alert]):
    change_list_template = "backoffice/alerts.html"
    list_display = ("kind_label", "about", "detail", "opened", "due", "owner", "last_note", "ended")
    list_display_links = ("kind_label",)
    list_filter = (
        AlertStateFilter, DueFilter, OwnerFilter, ActsFilter, SeverityFilter, IncidentFilter, QueueKindFilter,
    )  # fmt: skip
    list_select_related = ("order", "owner")
    search_fields = ("=order__order_no",)
    search_help_text = "完整订单号"
    action_form = AlertActionForm
    actions = ("take", "assign", "snooze", "note", "resolve")
    readonly_fields = ("about", "acts", "opens", "buyer_message", "member_rows", "note_rows")
    fields = (
        *("kind", "about", "severity", "detail", "acts", "opens", "buyer_message"),
        *("occurred_at", "opened_at", "due_at", "owner", "snoozed_until", "incident", "member_rows"),
        *("resolved_at", "resolved_by", "outcome", "resolution", "note_rows"),
    )

    def get_urls(self) -> list[URLPattern]:
        page = self.admin_site.admin_view(statistics_view)
        return [path("statistics/", page, name="orders_alert_statistics"), *super().get_urls()]

    def get_keyset(self, request: HttpRequest) -> Sequence[str]:
        resolved = request.GET.get(AlertStateFilter.parameter_name) == "resolved"
        return ("-opened_at", "-id") if resolved else ("due_at", "id")

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Alert], search_term: str
    ) -> tuple[QuerySet[Alert], bool]:
        """Find by the order, and what is about its boxes by the order that each box's alerts stand with."""
        order_no = search_term.strip()
        if not order_no:
            return queryset, False
        order = Order.objects.filter(order_no=order_no).first()
        if order is None:
            return queryset.none(), False
        boxes = list(ShipmentOrder.objects.filter(order=order).values_list("shipment_id", flat=True))
        together = ShipmentOrder.objects.filter(shipment_id__in=boxes).values_list("order_id", flat=True)
        subjects = [problems.subject_of(box) for box in boxes]
        concerned = queryset.filter(order_id__in={order.pk, *together})
        return concerned.filter(Q(order=order) | Q(subject__in=subjects)), False

    @admin.display(description="预警")
    def kind_label(self, alert: Alert) -> str:
        row = ANOMALIES.get(AlertKind(alert.kind)) if alert.kind in AlertKind else None
        whose = row.acts.label if row else ""
        return format_html('{} <span class="quiet nowrap">{}</span>', wording.alert_label(alert), whose)

    @admin.display(description="对象")
    def about(self, alert: Alert) -> str:
        if alert.kind == AlertKind.INCIDENT:
            url = f"{reverse('admin:orders_alert_changelist')}?incident={alert.pk}"
            return format_html('<a href="{}">所含包裹</a>', url)
        if alert.order is None:
            return alert.subject
        url = reverse("admin:orders_order_change", args=[alert.order.pk])
        return format_html('<a href="{}">{}</a>', url, alert.order.order_no)

    @admin.display(description="出现")
    def opened(self, alert: Alert) -> str:
        """Show when it was noticed, and how long after it began."""
        at = wording.short_clock(alert.opened_at)
        began = alert.occurred_at
        if began is None or alert.opened_at - began < dt.timedelta(minutes=1):
            return at
        return format_html('{} <br><span class="quiet">已持续 {}</span>', at, wording.duration(alert.opened_at - began))

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
    def ended(self, alert: Alert) -> str:
        if alert.resolved_at:
            return f"{alert.get_outcome_display()} {alert.resolution[:60]}".strip()
        if alert.snoozed_until and alert.snoozed_until > now():
            return f"暂缓至 {wording.short_clock(alert.snoozed_until)}"
        return "—"

    @admin.display(description="谁处理")
    def acts(self, alert: Alert) -> str:
        return ANOMALIES[AlertKind(alert.kind)].acts.label

    @admin.display(description="何时出现")
    def opens(self, alert: Alert) -> str:
        return ANOMALIES[AlertKind(alert.kind)].opens

    @admin.display(description="买家看到")
    def buyer_message(self, alert: Alert) -> str:
        return alerting.KINDS[AlertKind(alert.kind)].buyer_message or "不告诉买家"

    @admin.display(description="所含包裹")
    def member_rows(self, alert: Alert) -> str:
        members = alert.members.select_related("order").order_by("due_at")[:MEMBERS_SHOWN]
        rows = ((self.about(one), one.detail, "已解决" if one.resolved_at else "待处理") for one in members)
        return format_html_join("", "<p>{} {}（{}）</p>", rows) or "—"

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

    @admin.action(description="指派（选择指派给谁）", permissions=["change"])
    def assign(self, request: HttpRequest, queryset: QuerySet[Alert]) -> None:
        chosen = request.POST.get("assignee")  # One of the choices, or the form would not have let it pass.
        owner = colleagues().filter(pk=chosen).first() if chosen else None
        if owner is None:
            self.message_user(request, "请选择指派给谁。", messages.ERROR)
            return
        self._each(request, queryset, lambda alert: alerting.assign(alert, owner, staff_user(request)), "已指派")

    @admin.action(description="添加记录（填写说明）", permissions=["change"])
    def note(self, request: HttpRequest, queryset: QuerySet[Alert]) -> None:
        text = request.POST.get("text", "")
        self._each(request, queryset, lambda alert: alerting.add_note(alert, text, staff_user(request)), "已添加记录")

    @admin.action(description="解决（选择结果并填写说明）", permissions=["change"])
    def resolve(self, request: HttpRequest, queryset: QuerySet[Alert]) -> None:
        text, user = request.POST.get("text", ""), staff_user(request)
        chosen = request.POST.get("outcome", "")

        def end(alert: Alert) -> None:
            if chosen not in AlertOutcome:
                raise Invalid(fields={"outcome": "请选择结果"})
            problems.resolve(alert, text, user, AlertOutcome(chosen))

        self._each(request, queryset, end, "已解决")

    @admin.action(description="暂缓（选择时间并填写说明）", permissions=["change"])
    def snooze(self, request: HttpRequest, queryset: QuerySet[Alert]) -> None:
        hours, text = request.POST.get("hours", ""), request.POST.get("text", "")
        until = now() + dt.timedelta(hours=int(hours) if hours in dict(SNOOZES) else 4)
        self._each(request, queryset, lambda alert: alerting.snooze(alert, until, staff_user(request), text), "已暂缓")

    def _each(self, request: HttpRequest, alerts: QuerySet[Alert], act: Callable[[Alert], Any], done: str) -> None:
        """Do it to each; what can't be done says why, and the rest goes on."""
        count, refused = 0, dict[str, int]()
        for alert in alerts:
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
