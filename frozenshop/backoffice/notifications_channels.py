"""Channels and what they may use up: breakers, the day's SMS, and where staff are told."""

from dataclasses import dataclass
from typing import Any

from django import forms
from django.conf import settings
from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.safestring import SafeString

from frozenshop.backoffice.wording import label
from frozenshop.kernel import clock
from frozenshop.kernel.changelist import BaseAdmin, ReadOnlyAdmin, record_act
from notifications import breaker, budgets
from notifications.channels import base
from notifications.models import Channel, ChannelState, MessageTemplate, SmsBudget, SmsPush, StaffContact
from notifications.reach import NEEDS_TEMPLATE
from notifications.sms import codes
from orders.models import AlertSeverity

PURPOSES = {budgets.NOTICES: "通知", codes.PURPOSE: "验证码"}
DAYS_SHOWN = 7


@dataclass(frozen=True, slots=True)
class ChannelRow:
    """One channel as the page of messages shows it. `templates`: in use, and with trouble."""

    channel: Channel
    state: SafeString
    remark: str
    templates: int | None = None
    troubled: int = 0
    configured: bool = True

    @property
    def lacking(self) -> bool:
        return self.configured and self.templates == 0


@dataclass(frozen=True, slots=True)
class Used:
    """The SMS of today for one purpose, beside what is allowed."""

    label: str
    used: int
    limit: int
    past: list[SmsBudget]

    @property
    def tone(self) -> str:
        return "bad" if self.used >= self.limit else "warm" if self.used >= self.limit * budgets.WARN_AT else "good"


def channel_states() -> list[ChannelRow]:
    """Return every channel by which people are told, with its breaker and templates (two queries)."""
    configured = base.configured_channels()
    states = {row.channel: row for row in ChannelState.objects.all()}
    used: dict[str, list[bool]] = {}
    for channel, trouble in MessageTemplate.objects.filter(enabled=True).values_list("channel", "trouble"):
        used.setdefault(channel, []).append(bool(trouble))
    return [
        _channel_row(channel, channel in configured, states.get(channel), used.get(channel, []))
        for channel in Channel
        if channel != Channel.WEBHOOK
    ]


def budgets_of_days() -> list[Used]:
    """Return today's SMS of each purpose, with the days before it."""
    today = budgets.day_of(clock.now())
    limits = {budgets.NOTICES: settings.SMS_DAILY_BUDGET, codes.PURPOSE: settings.SMS_CODES_DAILY_BUDGET}
    found = []
    for purpose, name in PURPOSES.items():
        rows = list(SmsBudget.objects.filter(purpose=purpose).order_by("-used_on")[: DAYS_SHOWN + 1])
        used = next((row.used for row in rows if row.used_on == today), 0)
        past = [row for row in rows if row.used_on != today][:DAYS_SHOWN]
        found.append(Used(name, used, limits[purpose], past))
    return found


class ChannelStateAdmin(ReadOnlyAdmin[ChannelState]):
    keyset = ("id",)
    list_display = ("channel", "state", "failures", "open_until", "last_error", "trouble")
    actions = ("close_breaker",)

    @admin.display(description="状态")
    def state(self, row: ChannelState) -> SafeString:
        return _state(row)

    @admin.action(description="解除熔断（已修好时）", permissions=["change"])
    def close_breaker(self, request: HttpRequest, queryset: QuerySet[ChannelState]) -> None:
        names = list(queryset.values_list("channel", flat=True))
        for name in names:
            breaker.succeeded(name)
        record_act(request, "channel.breaker_closed", details={"channels": names})
        self.message_user(request, f"已解除熔断：{'、'.join(Channel(name).label for name in names)}。")


class SmsBudgetAdmin(ReadOnlyAdmin[SmsBudget]):
    keyset = ("-used_on", "-id")
    list_display = ("used_on", "what_for", "used")

    @admin.display(description="用途")
    def what_for(self, row: SmsBudget) -> str:
        return PURPOSES.get(row.purpose, row.purpose)


class SmsPushAdmin(ReadOnlyAdmin[SmsPush]):
    """What was reported stays sealed; staff see that it came, and what became of it."""

    keyset = ("-received_at", "-id")
    list_display = ("received_at", "service", "outcome", "detail", "applied_at")
    fields = ("received_at", "service", "digest", "outcome", "detail", "applied_at")


class ContactForm(forms.ModelForm[StaffContact]):
    least_severity = forms.ChoiceField(
        label="收哪些预警",
        choices=[(one.value, f"{one.label}及以上") for one in AlertSeverity],
        help_text="按邮件告知；企业微信群收紧急和重要的预警。",
    )

    class Meta:
        model = StaffContact
        fields = ("user", "email", "least_severity", "digest")
        help_texts = {"email": "留空则不发邮件。"}


class StaffContactAdmin(BaseAdmin[StaffContact]):
    form = ContactForm
    list_display = ("user", "email", "severity", "digest")
    list_select_related = ("user",)
    autocomplete_fields = ("user",)

    def get_readonly_fields(self, request: HttpRequest, obj: StaffContact | None = None) -> Any:
        return ("user",) if obj else ()

    @admin.display(description="收哪些预警")
    def severity(self, contact: StaffContact) -> str:
        return f"{dict(AlertSeverity.choices).get(contact.least_severity, contact.least_severity)}及以上"


def _channel_row(channel: Channel, configured: bool, state: ChannelState | None, used: list[bool]) -> ChannelRow:
    shown, remark = _state(state), ""
    if not configured:
        shown, remark = label("没有配置", "quiet"), "要用它，请在环境变量里填写密钥，见 .env.example"
    elif state is not None and (state.trouble or state.open_until):
        remark = state.trouble or state.last_error
    if channel not in NEEDS_TEMPLATE:
        return ChannelRow(channel, shown, remark)
    return ChannelRow(channel, shown, remark, len(used) - sum(used), sum(used), configured)


def _state(row: ChannelState | None) -> SafeString:
    if row is None or row.open_until is None:
        return label("正常", "good")
    if row.trouble:
        return label("须人工处理", "bad")
    return label(f"熔断至 {clock.shanghai(row.open_until):%H:%M}", "warm")
