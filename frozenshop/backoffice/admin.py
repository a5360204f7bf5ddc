"""What the staff's site shows beside the apps' own tables: orders, alerts, people, the schedule."""

from django.contrib import admin
from django.contrib.auth.models import Group, User
from django.db.models import QuerySet
from django.http import HttpRequest
from django_celery_beat import admin as beat_admin
from django_celery_beat.models import PeriodicTask, PeriodicTasks

from frozenshop.backoffice.alerts import AlertAdmin
from frozenshop.backoffice.archive import ArchivedOrderAdmin
from frozenshop.backoffice.archive_holds import LegalHoldAdmin
from frozenshop.backoffice.batches.models import Batch
from frozenshop.backoffice.batches.pages import BatchAdmin
from frozenshop.backoffice.dashboard.parcels import StaffShipmentAdmin
from frozenshop.backoffice.meanings import UnknownCodeAdmin, UnreadTextAdmin
from frozenshop.backoffice.merchant_keys import StaffMerchantKeyAdmin
from frozenshop.backoffice.notifications_channels import (
    ChannelStateAdmin,
    SmsBudgetAdmin,
    SmsPushAdmin,
    StaffContactAdmin,
)
from frozenshop.backoffice.notifications_consents import ConsentAdmin
from frozenshop.backoffice.notifications_notices import DeliveryAdmin, NoticeAdmin
from frozenshop.backoffice.notifications_templates import MessageTemplateAdmin
from frozenshop.backoffice.orders import OrderAdmin
from frozenshop.backoffice.signin.models import SignInAttempts
from frozenshop.backoffice.signin.people import SignInAttemptsAdmin, StaffGroupAdmin, StaffUserAdmin
from frozenshop.backoffice.webhooks import WebhookEndpointAdmin, WebhookMessageAdmin
from frozenshop.kernel import jobs
from frozenshop.kernel.changelist import BaseAdmin, record_act
from frozenshop.kernel.models import MerchantKey
from logistics.archive.models import ArchivedOrder
from logistics.models import Shipment, UnknownCode, UnreadText
from notifications.models import (
    ChannelState,
    Consent,
    Delivery,
    MessageTemplate,
    Notice,
    SmsBudget,
    SmsPush,
    StaffContact,
    WebhookEndpoint,
    WebhookMessage,
)
from orders.models import Alert, LegalHold, Order

admin.site.register(Order, OrderAdmin)
admin.site.register(Alert, AlertAdmin)
admin.site.register(ArchivedOrder, ArchivedOrderAdmin)
admin.site.register(LegalHold, LegalHoldAdmin)
admin.site.register(Batch, BatchAdmin)
admin.site.register(UnknownCode, UnknownCodeAdmin)
admin.site.register(UnreadText, UnreadTextAdmin)
admin.site.register(WebhookEndpoint, WebhookEndpointAdmin)
admin.site.register(WebhookMessage, WebhookMessageAdmin)
admin.site.register(Notice, NoticeAdmin)
admin.site.register(Delivery, DeliveryAdmin)
admin.site.register(MessageTemplate, MessageTemplateAdmin)
admin.site.register(Consent, ConsentAdmin)
admin.site.register(SmsBudget, SmsBudgetAdmin)
admin.site.register(SmsPush, SmsPushAdmin)
admin.site.register(ChannelState, ChannelStateAdmin)
admin.site.register(StaffContact, StaffContactAdmin)

# Ours finds what the index page's figures count.
admin.site.unregister(Shipment)
admin.site.register(Shipment, StaffShipmentAdmin)

# Ours asks who one is before a key is issued.
admin.site.unregister(MerchantKey)
admin.site.register(MerchantKey, StaffMerchantKeyAdmin)

# These apps register their own lists when they are found; ours keep to the one rule for lists.
admin.site.unregister((User, Group, PeriodicTask))
admin.site.unregister(
    (
        beat_admin.ClockedSchedule,
        beat_admin.CrontabSchedule,
        beat_admin.IntervalSchedule,
        beat_admin.SolarSchedule,
    )
)


admin.site.register(User, StaffUserAdmin)
admin.site.register(Group, StaffGroupAdmin)
admin.site.register(SignInAttempts, SignInAttemptsAdmin)

PeriodicTask._meta.verbose_name = PeriodicTask._meta.verbose_name_plural = "定时任务"


@admin.register(PeriodicTask)
class PeriodicTaskAdmin(BaseAdmin[PeriodicTask]):
    """The schedule: a switch and a cadence. What runs is code, and is not edited here."""

    keyset = ("name",)
    list_display = ("name", "enabled", "cadence", "last_run_at", "total_run_count")
    list_filter = ("enabled",)
    list_select_related = ("interval", "crontab")
    search_fields = ("^name",)
    search_help_text = "名称开头"
    fields = ("name", "description", "enabled", "cadence", "last_run_at", "total_run_count")
    readonly_fields = ("name", "description", "cadence", "last_run_at", "total_run_count")
    actions = ("switch_on", "switch_off")

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: PeriodicTask | None = None) -> bool:
        return False

    @admin.display(description="周期")
    def cadence(self, task: PeriodicTask) -> str:
        job = jobs.by_name(task.name)
        return job.cadence if job else str(task.interval or task.crontab or "—")

    @admin.action(description="启用", permissions=["change"])
    def switch_on(self, request: HttpRequest, queryset: QuerySet[PeriodicTask]) -> None:
        self._switch(request, queryset, enabled=True)

    @admin.action(description="停用", permissions=["change"])
    def switch_off(self, request: HttpRequest, queryset: QuerySet[PeriodicTask]) -> None:
        self._switch(request, queryset, enabled=False)

    def _switch(self, request: HttpRequest, queryset: QuerySet[PeriodicTask], *, enabled: bool) -> None:
        names = list(queryset.values_list("name", flat=True))
        PeriodicTask.objects.filter(name__in=names).update(enabled=enabled)
        PeriodicTasks.update_changed()
        record_act(request, "schedule.switched", details={"names": names, "enabled": enabled})
        self.message_user(request, f"已{'启用' if enabled else '停用'} {len(names)} 个定时任务。")
