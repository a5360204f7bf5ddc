"""The system's own tables, as staff see them."""

import json
from collections.abc import Sequence
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils.html import format_html

from frozenshop.kernel import merchant_keys, outbox
from frozenshop.kernel.changelist import BaseAdmin, ReadOnlyAdmin, record_act, staff_actor
from frozenshop.kernel.clock import now, short
from frozenshop.kernel.models import (
    AuditEntry,
    AuditSeal,
    CalendarDay,
    JobRun,
    MerchantKey,
    OutboxMessage,
    ShopCalendar,
)


@admin.register(OutboxMessage)
class OutboxAdmin(ReadOnlyAdmin[OutboxMessage]):
    list_display = ("topic", "status", "attempts", "due_at", "created_at", "done_at", "error")
    list_filter = ("status",)
    search_fields = ("=key",)
    search_help_text = "去重键"
    actions = ("replay",)
    fields = (
        *("topic", "payload", "key", "status", "attempts", "due_at", "claimed_until", "last_error"),
        *("request_id", "created_at", "sent_at", "done_at"),
    )

    def get_keyset(self, request: HttpRequest) -> Sequence[str]:
        """Follow the index: within a status by due time."""
        return ("-due_at", "-id") if request.GET.get("status__exact") else self.keyset

    @admin.display(description="最近错误")
    def error(self, message: OutboxMessage) -> str:
        return message.last_error[:80]

    @admin.action(description="重新执行所选（仅限待人工处理的）", permissions=["change"])
    def replay(self, request: HttpRequest, queryset: QuerySet[OutboxMessage]) -> None:
        ids = list(queryset.values_list("id", flat=True))
        count = outbox.replay(ids, staff_actor(request))
        self.message_user(request, f"已重新安排 {count} 条；其余 {len(ids) - count} 条不在“待人工处理”，没有改动。")


@admin.register(JobRun)
class JobRunAdmin(ReadOnlyAdmin[JobRun]):
    list_display = ("job", "slot", "recorded_at", "finished_at", "detail")
    search_fields = ("=job",)
    search_help_text = "任务名称"


@admin.register(CalendarDay)
class CalendarDayAdmin(BaseAdmin[CalendarDay]):
    keyset = ("-day", "-id")
    list_display = ("day", "kind", "name")
    list_filter = ("kind",)


@admin.register(ShopCalendar)
class ShopCalendarAdmin(BaseAdmin[ShopCalendar]):
    list_display = ("__str__", "ships_on_saturday", "ships_on_sunday", "cutoff_hour")

    def has_add_permission(self, request: HttpRequest) -> bool:
        """There is one, made by `load_base_data`. Each page of the site asks this: it must not ask the database."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: ShopCalendar | None = None) -> bool:
        return False


@admin.register(AuditEntry)
class AuditAdmin(ReadOnlyAdmin[AuditEntry]):
    keyset = ("-at", "-id")
    list_display = ("at", "actor", "action", "subject", "reason", "address")
    search_fields = ("=subject",)
    search_help_text = "对象，如订单号"
    fields = ("at", "actor", "action", "subject", "reason", "pretty_details", "address", "request_id", "seal")
    readonly_fields = ("pretty_details", "seal")

    @admin.display(description="封印")
    def seal(self, entry: AuditEntry) -> str:
        seal = AuditSeal.objects.filter(audit_id=entry.pk).first()
        return f"链上第 {seal.position} 位，{short(seal.sealed_at)} 封印" if seal else "还没有封印（通常在一分钟以内）"

    def has_change_permission(self, request: HttpRequest, obj: AuditEntry | None = None) -> bool:
        return False

    @admin.display(description="详情")
    def pretty_details(self, entry: AuditEntry) -> str:
        return format_html("<pre>{}</pre>", json.dumps(entry.details, ensure_ascii=False, indent=2))


class MerchantKeyForm(forms.ModelForm[MerchantKey]):
    SCOPES = (
        ("orders:write", "写订单"),
        ("events:write", "写付款、取消、退款、退货"),
        ("shipments:write", "发货、更正和作废运单，报告物流进展"),
        ("orders:read", "读订单（打码）"),
        ("orders:read_unmasked", "读订单（完整收件人）"),
    )
    scopes = forms.MultipleChoiceField(label="权限范围", choices=SCOPES, widget=forms.CheckboxSelectMultiple)

    class Meta:
        model = MerchantKey
        fields = ("name", "scopes", "active")


@admin.register(MerchantKey)
class MerchantKeyAdmin(BaseAdmin[MerchantKey]):
    """Issuing and rotating show the secret once, on the answering page; it is stored sealed and never shown again."""

    form = MerchantKeyForm
    list_display = ("key_id", "name", "scope_names", "active", "rotating", "created_at")
    actions = ("rotate", "end_previous", "switch_off")

    def has_delete_permission(self, request: HttpRequest, obj: MerchantKey | None = None) -> bool:
        return False

    def get_fields(self, request: HttpRequest, obj: MerchantKey | None = None) -> Any:
        return ("name", "scopes") if obj is None else ("key_id", "name", "scopes", "active", "created_at")

    def get_readonly_fields(self, request: HttpRequest, obj: MerchantKey | None = None) -> Any:
        return () if obj is None else ("key_id", "created_at")

    @admin.display(description="权限范围")
    def scope_names(self, key: MerchantKey) -> str:
        return "、".join(map(str, key.scopes))

    @admin.display(description="轮换中", boolean=True)
    def rotating(self, key: MerchantKey) -> bool:
        return key.previous_expires_at is not None and key.previous_expires_at > now()

    def save_model(self, request: HttpRequest, obj: MerchantKey, form: Any, change: bool) -> None:
        if change:
            super().save_model(request, obj, form, change)
            return
        issued, secret = merchant_keys.issue(obj.name, form.cleaned_data["scopes"])
        obj.pk, obj.key_id = issued.pk, issued.key_id
        request.issued_secret = secret  # type: ignore[attr-defined]

    def response_add(
        self, request: HttpRequest, obj: MerchantKey, post_url_continue: str | None = None
    ) -> HttpResponse:
        secret: str = request.issued_secret  # type: ignore[attr-defined]
        return self._show_secrets(request, "商户密钥已签发", [(obj, secret)])

    @admin.action(description="轮换密钥（旧密钥在过渡期内仍有效）", permissions=["change"])
    def rotate(self, request: HttpRequest, queryset: QuerySet[MerchantKey]) -> HttpResponse:
        rotated = [(key, merchant_keys.rotate(key)) for key in queryset]
        record_act(request, "merchantkey.rotated", details={"keys": [key.key_id for key, _ in rotated]})
        return self._show_secrets(request, "商户密钥已轮换", rotated)

    @admin.action(description="立即作废旧密钥（不等过渡期结束）", permissions=["change"])
    def end_previous(self, request: HttpRequest, queryset: QuerySet[MerchantKey]) -> None:
        keys = list(queryset)
        for key in keys:
            merchant_keys.revoke_previous(key)
        record_act(request, "merchantkey.previous_ended", details={"keys": [key.key_id for key in keys]})
        self.message_user(request, f"已作废 {len(keys)} 个密钥的旧密钥。", messages.WARNING)

    @admin.action(description="停用所选密钥", permissions=["change"])
    def switch_off(self, request: HttpRequest, queryset: QuerySet[MerchantKey]) -> None:
        names = list(queryset.values_list("key_id", flat=True))
        MerchantKey.objects.filter(key_id__in=names).update(active=False)
        record_act(request, "merchantkey.switched_off", details={"keys": names})
        self.message_user(request, f"已停用 {len(names)} 个密钥。", messages.WARNING)

    def _show_secrets(self, request: HttpRequest, title: str, issued: list[tuple[MerchantKey, str]]) -> HttpResponse:
        context = {**self.admin_site.each_context(request), "title": title, "issued": issued, "opts": self.opts}
        response = TemplateResponse(request, "backoffice/merchant_secret.html", context)
        response["Cache-Control"] = "no-store"
        return response
