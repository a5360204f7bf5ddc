"""Orders: the list with its one search box, the page of one order, and a form to take one by hand."""

from collections.abc import Callable
from typing import Any

from django.contrib import admin, messages
from django.contrib.admin.utils import label_for_field
from django.contrib.admin.views.main import ChangeList
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html, format_html_join

from frozenshop.backoffice import archive, order_actions, order_page, wording
from frozenshop.backoffice.filters import (
    AlertKindFilter,
    CarrierFilter,
    CategoryFilter,
    DateRangeFilter,
    StatusFilter,
    WorklistFilter,
    names_for,
)
from frozenshop.backoffice.finding import columns, own, pages, views
from frozenshop.backoffice.finding.changelist import VIEW, Asked, Finding, OrderChangeList
from frozenshop.backoffice.order_form import NewOrderForm, NewOrderLines, take_by_hand
from frozenshop.backoffice.order_rows import Row, attach
from frozenshop.backoffice.signin import recent
from frozenshop.kernel.changelist import BaseAdmin, record_act, staff_actor
from frozenshop.kernel.errors import Problem
from orders.contention import retried
from orders.models import Order

USUAL = (
    *("order_no", "status_label", "placed", "consignee", "lines_summary"),
    *("parcels", "last_event", "silence", "open_alerts"),
)
"""The list's own columns, until a person chooses others."""
OFFERED = (*USUAL, *("place", "total", "paid", "not_shipped", "shipped", "promised", "eta", "delivered", "updated"))


class OrderAdmin(BaseAdmin[Order]):
    keyset = ("-placed_at", "-id")
    counted = True
    list_display = USUAL
    list_filter = (WorklistFilter, DateRangeFilter, StatusFilter, AlertKindFilter, CarrierFilter, CategoryFilter)
    search_fields = ("=order_no",)
    search_help_text = "订单号、运单号、手机号、尾号四位 + 姓（1234 张）、姓名、城市、商品、日期"
    change_list_template = "backoffice/order_list.html"

    def has_delete_permission(self, request: HttpRequest, obj: Order | None = None) -> bool:
        return False

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view
        titles = {name: str(label_for_field(name, Order, self)) for name in OFFERED}
        own = [
            path("<int:order_id>/do/<slug:name>/", view(self.act_view), name="orders_order_act"),
            path("find/", view(pages.find_view), name="orders_order_find"),
            path("find/forget/", view(pages.forget_view), name="orders_order_forget"),
            path("views/", view(pages.views_view), name="orders_order_views"),
            path("views/<int:view_id>/", view(pages.view_view), name="orders_order_view"),
            path("columns/", view(pages.columns_page(titles, USUAL)), name="orders_order_columns"),
        ]
        return [*own, *super().get_urls()]

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        return OrderChangeList

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """Say of which filters nothing came: a view outlives a carrier, and addresses are typed."""
        if request.method == "GET" and self.has_view_permission(request):
            for sentence in views.misfits(views.allowed(request.GET.dict()), lambda: names_for(request)).values():
                messages.warning(request, sentence)
        return super().changelist_view(request, extra_context)

    def get_list_display(self, request: HttpRequest) -> list[str | Callable[[Order], str | bool]]:
        """Return the columns of the view that is looked at, or this person's."""
        kept = own.of(request)
        view = kept.view(request.GET.get(VIEW, ""))
        of_view = columns.valid(view.columns if view else None, OFFERED)
        return [*(of_view or columns.valid(kept.columns, OFFERED) or USUAL)]

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Order], search_term: str
    ) -> tuple[QuerySet[Order], bool]:
        if not search_term.strip():
            return queryset, False
        asked = Asked.of(request, search_term)
        found = asked.found(archive=request.user.has_perm(archive.VIEW))
        request.finding = Finding(asked, found)  # type: ignore[attr-defined]
        # Not as a subquery: of that the database first reads all, to sort it, and a city has a million orders.
        return queryset & found.orders.order_by(), False

    def prepare_rows(self, rows: list[Order]) -> list[Order]:
        attach(rows)
        return rows

    @admin.display(description="状态")
    def status_label(self, order: Order) -> str:
        return wording.order_label(order)

    @admin.display(description="下单时间")
    def placed(self, order: Order) -> str:
        return wording.clock(order.placed_at)

    @admin.display(description="收件人")
    def consignee(self, order: Order) -> str:
        shown = wording.masked_consignee(order)
        return format_html('{} <span class="nowrap">{}</span>', shown["name"], shown["phone"])

    @admin.display(description="运单 / 承运商")
    def parcels(self, order: Order) -> str:
        return format_html_join(
            "",
            '<div class="nowrap">{} <span class="quiet">{}</span> {}</div>',
            ((shipment.waybill_no, shipment.carrier.name, label) for shipment, label in Row(order).parcels),
        )

    @admin.display(description="最近轨迹")
    def last_event(self, order: Order) -> str:
        return wording.short_clock(Row(order).last_event_at)

    @admin.display(description="静默时长")
    def silence(self, order: Order) -> str:
        return Row(order).silence or "—"

    @admin.display(description="预警")
    def open_alerts(self, order: Order) -> str:
        return format_html_join(" ", "{}", ((label,) for label in Row(order).alerts))

    @admin.display(description="城市")
    def place(self, order: Order) -> str:
        return order.city or "—"

    @admin.display(description="金额")
    def total(self, order: Order) -> str:
        return wording.yuan(order.total_fen)

    @admin.display(description="付款时间")
    def paid(self, order: Order) -> str:
        return wording.clock(order.paid_at)

    @admin.display(description="应发货时间")
    def not_shipped(self, order: Order) -> str:
        return wording.clock(order.not_shipped_after)

    @admin.display(description="发货时间")
    def shipped(self, order: Order) -> str:
        return wording.clock(order.shipped_at)

    @admin.display(description="承诺时效")
    def promised(self, order: Order) -> str:
        return wording.clock(order.promised_by)

    @admin.display(description="预计最晚送达")
    def eta(self, order: Order) -> str:
        latest = (shipment.eta_latest for shipment in Row(order).shipments if shipment.eta_latest)
        return wording.clock(max(latest, default=None))

    @admin.display(description="签收时间")
    def delivered(self, order: Order) -> str:
        return wording.clock(order.delivered_at)

    @admin.display(description="更新时间")
    def updated(self, order: Order) -> str:
        return wording.clock(order.updated_at)

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Show the order's page; nothing is saved here."""
        order = self._found(request, object_id)
        if request.method not in ("GET", "HEAD"):
            raise PermissionDenied
        return self._page(request, order, {})

    def act_view(self, request: HttpRequest, order_id: int, name: str) -> HttpResponse:
        """Do one thing to one order. What can't be done comes back as a message."""
        order = self._found(request, str(order_id))
        page = reverse("admin:orders_order_change", args=[order.pk])
        if request.method != "POST":
            return HttpResponseRedirect(page)
        action = order_actions.ACTIONS.get(name)
        if action is None:
            raise Http404
        if not request.user.has_perm(action.permission):
            raise PermissionDenied
        if name == "unmask" and (asked := recent.asked(request)) is not None:
            return asked
        try:
            done = retried(action.run)(request, order)
        except Problem as problem:
            messages.error(request, wording.problem_text(problem))
            return HttpResponseRedirect(page)
        if done.revealed:
            return self._page(request, order, {"revealed": done.revealed})
        if done.driver_link:
            return self._page(request, order, {"driver_link": done.driver_link})
        messages.success(request, done.message)
        return HttpResponseRedirect(page)

    def add_view(
        self, request: HttpRequest, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Take an order by hand, by the same rules as the shop's own."""
        if not self.has_add_permission(request):
            raise PermissionDenied
        form = NewOrderForm(request.POST or None)
        lines = NewOrderLines(request.POST or None, prefix="lines")
        if request.method == "POST" and form.is_valid() and lines.is_valid():
            order = take_by_hand(form, lines, staff_actor(request))
            if order:
                record_act(request, "order.added", order.order_no)
                messages.success(request, f"订单 {order.order_no} 已登记。")
                return HttpResponseRedirect(reverse("admin:orders_order_change", args=[order.pk]))
        context = {**self.admin_site.each_context(request), "title": "手工登记订单", "opts": self.opts}
        return TemplateResponse(request, "backoffice/order_add.html", {**context, "form": form, "lines": lines})

    def _found(self, request: HttpRequest, object_id: str) -> Order:
        if not self.has_view_permission(request):
            raise PermissionDenied
        order = self.get_object(request, object_id)
        if order is None:
            raise Http404
        return order

    def _page(self, request: HttpRequest, order: Order, extra: dict[str, Any]) -> HttpResponse:
        context = {
            **self.admin_site.each_context(request),
            "title": f"订单 {order.order_no}",
            "opts": self.opts,
            **order_page.context(order, request.user),
            **extra,
        }
        response = TemplateResponse(request, "backoffice/order.html", context)
        response["Cache-Control"] = "no-store"
        return response
