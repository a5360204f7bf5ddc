"""Notices and their deliveries: what was told to whom, why, what the channels said, and once more with a reason."""

from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from frozenshop.backoffice import notifications_reasons as reasons
from frozenshop.backoffice import notifications_rows as rows
from frozenshop.backoffice.notifications_filters import (
    AudienceFilter,
    DeliveryChannelFilter,
    DeliveryStateFilter,
    FateFilter,
    MilestoneFilter,
)
from frozenshop.backoffice.notifications_rows import Told
from frozenshop.backoffice.wording import clock, problem_text, short_clock
from frozenshop.kernel.changelist import ReadOnlyAdmin, staff_actor
from frozenshop.kernel.errors import Problem
from logistics.models import ShipmentOrder
from notifications import resending
from notifications.models import Channel, Delivery, Notice
from orders.models import Order

RESEND = "notifications.change_notice"
State, Why = Notice.State, Notice.Why


class NoticeAdmin(ReadOnlyAdmin[Notice]):
    keyset = ("-created_at", "-id")
    list_display = ("created", "what", "whom", "about", "fate", "by", "settled")
    list_display_links = ("what",)
    list_filter = (FateFilter, MilestoneFilter, AudienceFilter)
    search_fields = ("=order__order_no",)
    search_help_text = "完整订单号或运单号；按手机号、openid 查一个人，请到“消息”页"

    def get_urls(self) -> list[URLPattern]:
        again = self.admin_site.admin_view(self.resend_view)
        return [path("<int:notice_id>/resend/", again, name="notifications_notice_resend"), *super().get_urls()]

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Notice], search_term: str
    ) -> tuple[QuerySet[Notice], bool]:
        term = search_term.strip()
        if not term:
            return queryset, False
        return queryset.filter(order_id__in=orders_of(term)), False

    def prepare_rows(self, found: list[Notice]) -> list[Notice]:
        for row in rows.attach(found):
            row.notice.row = row  # type: ignore[attr-defined]
        return found

    @admin.display(description="时间")
    def created(self, notice: Notice) -> str:
        return short_clock(notice.created_at)

    @admin.display(description="内容")
    def what(self, notice: Notice) -> str:
        return f"{_row(notice).what}（重发）" if _row(notice).again else _row(notice).what

    @admin.display(description="接收人")
    def whom(self, notice: Notice) -> str:
        row = _row(notice)
        return format_html('<a href="{}">{}</a>', row.person_url, row.whom) if row.person_url else row.whom

    @admin.display(description="事项")
    def about(self, notice: Notice) -> str:
        return rows.about_link(_row(notice))

    @admin.display(description="结果")
    def fate(self, notice: Notice) -> str:
        return _row(notice).state

    @admin.display(description="渠道")
    def by(self, notice: Notice) -> str:
        tried = ((one.get_channel_display(), tag) for one, tag in _row(notice).deliveries)
        return format_html_join("", '<div class="nowrap">{} {}</div>', tried) or rows.waits_for(notice) or "—"

    @admin.display(description="了结")
    def settled(self, notice: Notice) -> str:
        return short_clock(notice.settled_at)

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Show one notice: why, by which channels, and the way to tell it once more."""
        if not self.has_view_permission(request) or request.method not in ("GET", "HEAD"):
            raise PermissionDenied
        notice = self.get_object(request, object_id)
        if notice is None:
            raise Http404
        (row,) = rows.attach([notice])
        settled = notice.state != State.WAITING
        context = {
            **self.admin_site.each_context(request),
            "title": f"{row.what}，告知{row.whom}",
            "opts": self.opts,
            "row": row,
            "facts": facts(notice),
            "why": reasons.WHY.get(notice.why, ""),
            "waits": rows.waits_for(notice),
            "ways": reasons.ways(notice),
            "tried": [(one, tag, rows.said(one)) for one, tag in row.deliveries],
            "may_resend": settled and request.user.has_perm(RESEND),
            "obstacle": resending.obstacle(notice) if settled else "",
            "doubt": notice.why == Why.UNKNOWN,
        }
        return TemplateResponse(request, "backoffice/notice.html", context)

    def resend_view(self, request: HttpRequest, notice_id: int) -> HttpResponse:
        """Tell it once more, for a reason that is recorded."""
        if not request.user.has_perm(RESEND):
            raise PermissionDenied
        notice = self.get_object(request, str(notice_id))
        if notice is None:
            raise Http404
        if request.method == "POST":
            try:
                notice = resending.resend(notice.pk, actor=staff_actor(request), reason=request.POST.get("reason", ""))
                messages.success(request, "已安排重发，一分钟内发出；结果见本页。")
            except Problem as problem:
                messages.error(request, problem_text(problem))
        return HttpResponseRedirect(reverse("admin:notifications_notice_change", args=[notice.pk]))


class DeliveryAdmin(ReadOnlyAdmin[Delivery]):
    """Each attempt by itself: for whoever looks into a channel."""

    keyset = ("-started_at", "-id")
    list_display = ("started", "channel", "what", "whom", "about", "result", "answer", "reference")
    list_display_links = ("started",)
    list_filter = (DeliveryStateFilter, DeliveryChannelFilter)
    list_select_related = ("notice",)
    search_fields = ("=reference",)
    search_help_text = "我们的编号或渠道编号"
    fields = (
        *("what", "whom", "about", "channel", "attempt", "reference", "provider_id", "state", "permanent", "code"),
        *("said", "started_at", "answered_at", "ask_at", "whole"),
    )
    readonly_fields = ("what", "whom", "about", "whole")

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Delivery], search_term: str
    ) -> tuple[QuerySet[Delivery], bool]:
        term = search_term.strip()
        if not term:
            return queryset, False
        if Delivery.objects.filter(reference=term).exists():
            return queryset.filter(reference=term), False
        return queryset.filter(channel__in=Channel.values, provider_id=term), False

    def prepare_rows(self, found: list[Delivery]) -> list[Delivery]:
        known = {row.notice.pk: row for row in rows.attach([one.notice for one in found])}
        for delivery in found:
            delivery.notice.row = known[delivery.notice_id]  # type: ignore[attr-defined]
        return found

    @admin.display(description="时间")
    def started(self, delivery: Delivery) -> str:
        return short_clock(delivery.started_at)

    @admin.display(description="内容")
    def what(self, delivery: Delivery) -> str:
        return _row(delivery.notice).what

    @admin.display(description="接收人")
    def whom(self, delivery: Delivery) -> str:
        return _row(delivery.notice).whom

    @admin.display(description="事项")
    def about(self, delivery: Delivery) -> str:
        return rows.about_link(_row(delivery.notice))

    @admin.display(description="状态")
    def result(self, delivery: Delivery) -> SafeString:
        return rows.sent_label(delivery)

    @admin.display(description="渠道答复")
    def answer(self, delivery: Delivery) -> str:
        return rows.said(delivery) or "—"

    @admin.display(description="所属通知")
    def whole(self, delivery: Delivery) -> str:
        url = reverse("admin:notifications_notice_change", args=[delivery.notice_id])
        return format_html('<a href="{}">查看全部经过，或重发</a>', url)


def orders_of(number: str) -> list[int]:
    """Return the orders that an order number or a waybill names, byte for byte."""
    if order := Order.objects.filter(order_no=number[:64]).only("pk").first():
        return [order.pk]
    links = ShipmentOrder.objects.filter(shipment__waybill_no=number[:64])
    return list(links.values_list("order_id", flat=True)[:50])


def facts(notice: Notice) -> list[tuple[str, str]]:
    """Return when it happened, was due, and was settled."""
    return [
        ("发生时间", clock(notice.occurred_at)),
        ("记录时间", clock(notice.created_at)),
        ("应发时间", clock(notice.due_at)),
        ("失效时间", clock(notice.expires_at)),
        ("了结时间", clock(notice.settled_at)),
        ("轮次", str(notice.round)),
    ]


def _row(notice: Notice) -> Told:
    """Return the row that the page has attached; a page of one attaches it here."""
    row: Told | None = getattr(notice, "row", None)
    if row is None:
        (row,) = rows.attach([notice])
        notice.row = row  # type: ignore[attr-defined]
    return row
