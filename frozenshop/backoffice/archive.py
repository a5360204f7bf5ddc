"""The archive as staff see it: its list, an order's page read from its body, hits beside a search, its accounts."""

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse

from frozenshop.backoffice import notifications_rows, order_page, wording
from frozenshop.backoffice.models import OrderNote
from frozenshop.backoffice.signin import recent
from frozenshop.kernel import clock, crypto
from frozenshop.kernel.changelist import ReadOnlyAdmin, record_act, staff_actor
from frozenshop.kernel.errors import Invalid, NotPossible, Problem
from logistics.archive import restoring, retention, showing
from logistics.archive.bodies import Body
from logistics.archive.models import ArchivedOrder, ArchiveMonth, Restoration
from logistics.archive.searching import HEAVY
from logistics.models import TrackingEvent
from orders import holds
from orders.models import Alert, OrderEvent, OrderLine, OrderStatus

VIEW, RESTORE, UNMASK = "logistics.view_archivedorder", "logistics.restore_archivedorder", "orders.unmask_order"
HITS = 20
MONTHS, RESTORED = 120, 20


class Reason(forms.Form):
    reason = forms.CharField(label="原因", max_length=200)


class ArchivedOrderAdmin(ReadOnlyAdmin[ArchivedOrder]):
    """The list reads no body. Names and phones are looked for in the one search box of the orders."""

    keyset = ("-placed_at", "-id")
    list_display = ("order_no", "label", "placed", "lines_summary", "city", "archived", "erased")
    search_fields = ("=order_no",)
    search_help_text = "完整订单号；按姓名、手机号、运单号请在“订单”里查找，归档的订单会一起列出"

    def get_queryset(self, request: HttpRequest) -> QuerySet[ArchivedOrder]:
        return super().get_queryset(request).defer(*HEAVY)

    def get_urls(self) -> list[URLPattern]:
        act = self.admin_site.admin_view(self.act_view)
        own = [path("<int:order_id>/do/<slug:name>/", act, name="logistics_archivedorder_act")]
        return [*own, *super().get_urls()]

    @admin.display(description="状态")
    def label(self, row: ArchivedOrder) -> str:
        return status_label(row)

    @admin.display(description="下单时间")
    def placed(self, row: ArchivedOrder) -> str:
        return wording.clock(row.placed_at)

    @admin.display(description="归档时间")
    def archived(self, row: ArchivedOrder) -> str:
        return wording.clock(row.archived_at)

    @admin.display(description="个人信息")
    def erased(self, row: ArchivedOrder) -> str:
        return "已清除" if row.erased_at else "—"

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        row = self._found(request, object_id)
        if request.method not in ("GET", "HEAD"):
            raise PermissionDenied
        return self._page(request, row, {})

    def act_view(self, request: HttpRequest, order_id: int, name: str) -> HttpResponse:
        """Restore an order, or reveal its consignee on this one answer."""
        row = self._found(request, str(order_id))
        if request.method != "POST":
            return HttpResponseRedirect(_address(row))
        right = {"restore": RESTORE, "unmask": UNMASK}.get(name)
        if right is None:
            raise Http404
        if not request.user.has_perm(right):
            raise PermissionDenied
        if name == "unmask" and (asked := recent.asked(request)) is not None:
            return asked
        try:
            reason = _reason(request)
            return self._unmask(request, row, reason) if name == "unmask" else self._restore(request, row, reason)
        except Problem as problem:
            messages.error(request, wording.problem_text(problem))
            return HttpResponseRedirect(_address(row))

    def _restore(self, request: HttpRequest, row: ArchivedOrder, reason: str) -> HttpResponse:
        restored = restoring.restore(row.order_no, by=staff_actor(request), reason=reason)
        told = f"已恢复：{'、'.join(restored)}。" if restored else "这个订单刚才已经恢复。"
        messages.success(request, told)
        return HttpResponseRedirect(reverse("admin:orders_order_change", args=[row.pk]))

    def _unmask(self, request: HttpRequest, row: ArchivedOrder, reason: str) -> HttpResponse:
        if not row.consignee_sealed:
            raise NotPossible("这个订单没有收件人信息，或已清除")
        try:
            revealed = row.open_consignee().in_full() | {"note": row.open_note()}
        except crypto.SealBroken as error:
            raise NotPossible("收件人信息无法打开，请联系管理员") from error
        record_act(request, "order.unmasked", row.order_no, reason=reason)
        return self._page(request, row, {"revealed": revealed | {"reason": reason}})

    def _found(self, request: HttpRequest, object_id: str) -> ArchivedOrder:
        if not self.has_view_permission(request):
            raise PermissionDenied
        row = ArchivedOrder.objects.filter(pk=object_id).first() if object_id.isdecimal() else None
        if row is None:
            raise Http404
        return row

    def _page(self, request: HttpRequest, row: ArchivedOrder, extra: dict[str, Any]) -> HttpResponse:
        context = {**self.admin_site.each_context(request), "opts": self.opts, "title": f"归档订单 {row.order_no}"}
        template = "backoffice/archived_order.html"
        response = TemplateResponse(request, template, {**context, **_context(row, request), **extra})
        response["Cache-Control"] = "no-store"
        return response


def status_label(row: ArchivedOrder) -> str:
    tone = wording.ORDER_TONES.get(OrderStatus(row.status), "quiet")
    return wording.label(OrderStatus(row.status).label, tone)


def hits(rows: QuerySet[ArchivedOrder]) -> list[dict[str, Any]]:
    """Return what a search shows of the archive: the newest of what was found, with their waybills, in two queries."""
    found = list(rows[: HITS + 1])
    waybills = showing.waybills_of(found)
    return [
        {"row": row, "label": status_label(row), "waybills": waybills[row.pk], "address": _address(row)}
        for row in found
    ]


def _address(row: ArchivedOrder) -> str:
    return reverse("admin:logistics_archivedorder_change", args=[row.pk])


def _reason(request: HttpRequest) -> str:
    form = Reason(request.POST)
    if not form.is_valid():
        raise Invalid("请写明原因")
    return str(form.cleaned_data["reason"])


# --- an order's page ------------------------------------------------------------------------------


def _context(row: ArchivedOrder, request: HttpRequest) -> dict[str, Any]:
    """Return the page's variables. Where the body can't be read, what the row itself says."""
    held = holds.standing().covers({name: getattr(row, name) for name in ("order_no", "phone_index", "customer_id")})
    about = {"row": row, "status_label": status_label(row), "held": held, "trouble": ""}
    rights = {"may_restore": request.user.has_perm(RESTORE), "may_unmask": request.user.has_perm(UNMASK)}
    try:
        body = restoring.opened(row)
    except Problem as problem:
        return {**about, **rights, "trouble": problem.message, "waybills": showing.waybills_of([row])[row.pk]}
    return {**about, **rights, **_of_body(body, request)}


def _of_body(body: Body, request: HttpRequest) -> dict[str, Any]:
    order, document = body.order, showing.of_body(body)
    events = sorted(body.of(OrderEvent), key=lambda event: (event.occurred_at, event.recorded_at, event.pk))
    told = notifications_rows.of_order(order) if request.user.has_perm(notifications_rows.VIEW) else None
    return {
        "order": order,
        "document": document,
        "steps": order_page.steps(order),
        "facts": order_page.facts(order),
        "timeline": [(event, order_page.event_title(event)) for event in reversed(events)],
        "lines": [(line, wording.yuan(line.unit_price_fen)) for line in body.of(OrderLine)],
        "parcels": _parcels(body, document),
        "alerts": [(alert, wording.alert_label(alert)) for alert in body.of(Alert)],
        "notes": OrderNote.objects.filter(order_no=order.order_no).order_by("-id")[: order_page.ROWS_SHOWN],
        "consignee": document["consignee"],
        "told": told,
    }


def _parcels(body: Body, document: dict[str, Any]) -> list[dict[str, Any]]:
    names = {one["waybill_no"]: one["carrier"]["name"] for one in document["shipments"]}
    scans = [one for one in body.of(TrackingEvent) if not one.overall and not one.repeat]
    return [
        {
            "shipment": shipment,
            "carrier": names.get(shipment.waybill_no, ""),
            "label": wording.shipment_label(shipment),
            "events": sorted(
                (one for one in scans if one.shipment_id == shipment.pk), key=lambda one: one.occurred_at, reverse=True
            ),
        }
        for shipment in body.shipments
    ]


# --- the accounts ---------------------------------------------------------------------------------


def report_view(request: HttpRequest) -> HttpResponse:
    """What lies in the archive by month, which terms hold, what was held back, and what came back."""
    if not request.user.has_perm(VIEW):
        raise PermissionDenied
    now = clock.now()
    terms = [(term, term.due(now).values_list("placed_at", flat=True).first()) for term in retention.TERMS]
    context = {
        **admin.site.each_context(request),
        "title": "归档",
        "months": ArchiveMonth.objects.order_by("-month")[:MONTHS],
        "terms": terms,
        "holds": holds.placed().order_by("-id")[:HITS],
        "restored": Restoration.newest()[:RESTORED],
    }
    return TemplateResponse(request, "backoffice/archive.html", context)
