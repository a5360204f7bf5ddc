"""Carriers, shipments, and what passed between us and the providers (metadata, never the sealed bodies)."""

from collections.abc import Sequence

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html, format_html_join

from frozenshop.kernel.changelist import BaseAdmin, ReadOnlyAdmin, record_act, staff_actor
from frozenshop.kernel.clock import short
from logistics.contracts import watch
from logistics.forms import CarrierForm, ProviderStateForm
from logistics.models import (
    Carrier,
    ProviderCall,
    ProviderMessage,
    ProviderNews,
    ProviderRefusal,
    ProviderState,
    Shipment,
    ShipmentStatus,
    TrackingEvent,
)
from logistics.polling import enqueue_sync


@admin.register(Carrier)
class CarrierAdmin(BaseAdmin[Carrier]):
    form = CarrierForm
    keyset = ("code",)
    list_display = ("code", "name", "phone", "cold_chain", "kdniao_code", "kuaidi100_code", "enabled")
    list_filter = ("enabled", "cold_chain")
    search_fields = ("=code", "^name")
    search_help_text = "编码，或名称开头"

    def get_readonly_fields(self, request: HttpRequest, obj: Carrier | None = None) -> tuple[str, ...]:
        """Our code is stable for ever once given."""
        return ("code",) if obj else ()

    def has_delete_permission(self, request: HttpRequest, obj: Carrier | None = None) -> bool:
        return False


@admin.register(Shipment)
class ShipmentAdmin(ReadOnlyAdmin[Shipment]):
    keyset = ("-shipped_at", "-id")
    list_display = (
        "waybill_no",
        "carrier",
        "status",
        "location",
        "shipped_at",
        "last_event_at",
        "checked_at",
        "voided",
    )
    list_filter = ("status",)
    list_select_related = ("carrier",)
    search_fields = ("=waybill_no",)
    search_help_text = "完整运单号"
    actions = ("sync",)
    readonly_fields = ("order_links", "event_rows")
    fields = (
        *("carrier", "waybill_no", "generation", "order_links", "status", "status_code", "status_at", "location"),
        *("shipped_at", "picked_up_at", "delivered_at", "returned_at", "last_event_at", "event_count"),
        *("eta_earliest", "eta_likely", "eta_latest", "eta_confidence", "eta_explanation", "late_probability"),
        *("delayed_since", "provider_eta_at", "provider_eta_by", "next_poll_at", "checked_at", "subscribed_at"),
        *("stale_after", "voided_at", "void_reason", "event_rows"),
    )

    def get_keyset(self, request: HttpRequest) -> Sequence[str]:
        """Follow the index: a status is listed by its own instant; without trace there is none yet."""
        status = request.GET.get("status__exact", "")
        return ("-status_at", "-id") if status and status != ShipmentStatus.NO_TRACE else self.keyset

    def get_queryset(self, request: HttpRequest) -> QuerySet[Shipment]:
        rows = super().get_queryset(request)
        return rows.filter(status_at__isnull=False) if self.get_keyset(request)[0] == "-status_at" else rows

    @admin.display(description="作废")
    def voided(self, shipment: Shipment) -> str:
        return "已作废" if shipment.voided_at else "—"

    @admin.display(description="订单")
    def order_links(self, shipment: Shipment) -> str:
        orders = shipment.orders.all()[:20]
        return format_html_join(
            "、", '<a href="{}">{}</a>', ((reverse("admin:orders_order_change", args=[o.pk]), o) for o in orders)
        )

    @admin.display(description="轨迹节点（最新 100 条）")
    def event_rows(self, shipment: Shipment) -> str:
        events = shipment.events.order_by("-occurred_at", "-id")[:100]
        rows = (
            (
                short(e.occurred_at),
                short(e.recorded_at),
                _told_by(e),
                e.get_status_display(),
                e.code,
                e.location,
                e.text,
            )
            for e in events
        )
        body = format_html_join("", f"<tr>{'<td>{}</td>' * 7}</tr>", rows)
        titles = ("发生", "记录", "服务商", "状态", "服务商码", "地点", "描述")
        head = format_html_join("", "<th>{}</th>", ((title,) for title in titles))
        return format_html("<table><tr>{}</tr>{}</table>", head, body)

    @admin.action(description="立即同步所选运单", permissions=["change"])
    def sync(self, request: HttpRequest, queryset: QuerySet[Shipment]) -> None:
        ids = list(queryset.filter(voided_at=None).values_list("id", flat=True))
        enqueue_sync(ids)
        record_act(request, "shipment.synced", details={"ids": ids, "count": len(ids)})
        self.message_user(request, f"已安排同步 {len(ids)} 个运单。")


def _told_by(event: TrackingEvent) -> str:
    """Name the provider, and why what it told isn't shown to the buyer."""
    hidden = "（总状态）" if event.overall else "（重复，不展示）" if event.repeat else ""
    return f"{event.get_provider_display()}{hidden}"


@admin.register(ProviderCall)
class ProviderCallAdmin(ReadOnlyAdmin[ProviderCall]):
    keyset = ("-started_at", "-id")
    list_display = ("started_at", "provider", "operation", "waybill_no", "outcome", "elapsed_ms", "cost_fen", "detail")
    search_fields = ("=waybill_no",)
    search_help_text = "完整运单号"


@admin.register(ProviderMessage)
class ProviderMessageAdmin(ReadOnlyAdmin[ProviderMessage]):
    """What was said stays sealed; staff see that it came, and what became of it."""

    keyset = ("-received_at", "-id")
    list_display = ("received_at", "provider", "kind", "waybill_no", "outcome", "detail", "applied_at")
    list_filter = ("outcome",)
    fields = ("received_at", "provider", "kind", "waybill_no", "digest", "outcome", "detail", "applied_at")


@admin.register(ProviderNews)
class ProviderNewsAdmin(ReadOnlyAdmin[ProviderNews]):
    """Where a provider's messages have changed; what they said is not kept here."""

    list_display = (
        *("provider", "kind", "what", "path", "value", "count", "first_seen_at", "last_seen_at"),
        *("known_at", "known_by"),
    )
    list_filter = ("provider", "what", ("known_at", admin.EmptyFieldListFilter))
    actions = ("acknowledge",)

    @admin.action(description="知晓所选（以后不再提示）", permissions=["change"])
    def acknowledge(self, request: HttpRequest, queryset: QuerySet[ProviderNews]) -> None:
        rows = list(queryset)
        count = watch.acknowledge(rows, staff_actor(request).name)
        record_act(request, "providernews.acknowledged", details={"ids": [row.pk for row in rows], "count": count})
        self.message_user(request, f"已知晓 {count} 项；其余 {len(rows) - count} 项早已知晓。")


@admin.register(ProviderState)
class ProviderStateAdmin(BaseAdmin[ProviderState]):
    form = ProviderStateForm
    list_display = (
        *("provider", "failures", "open_until", "budget_on", "calls_today", "daily_budget"),
        *("calls_per_minute", "price_fen", "last_error"),
    )
    readonly_fields = ("provider", "failures", "open_until", "budget_on", "calls_today", "last_error")
    actions = ("close_breaker",)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: ProviderState | None = None) -> bool:
        return False

    @admin.action(description="解除熔断，并重新询问被拒绝的承运商", permissions=["change"])
    def close_breaker(self, request: HttpRequest, queryset: QuerySet[ProviderState]) -> None:
        names = list(queryset.values_list("provider", flat=True))
        ProviderState.objects.filter(provider__in=names).update(failures=0, open_until=None)
        ProviderRefusal.objects.filter(provider__in=names).delete()
        record_act(request, "provider.breaker_closed", details={"providers": names})
        self.message_user(request, f"已解除熔断：{'、'.join(names)}。")
