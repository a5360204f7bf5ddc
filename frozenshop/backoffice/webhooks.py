"""The shop's webhook endpoints and what was sent to them: secrets shown once, tests, and the dead sent again."""

import json
from collections.abc import Callable, Sequence
from typing import Any
from urllib.parse import urlencode

from django import forms
from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from frozenshop.backoffice.signin import recent
from frozenshop.kernel import clock
from frozenshop.kernel.changelist import BaseAdmin, ReadOnlyAdmin, record_act, staff_actor
from frozenshop.kernel.errors import Problem
from notifications.models import WebhookEndpoint, WebhookMessage
from notifications.webhooks import endpoints, publishing, sending

State = WebhookMessage.State
SHOWN_URL = 60
_LIST = "admin:notifications_webhookmessage_changelist"


class EndpointForm(forms.ModelForm[WebhookEndpoint]):
    url = forms.CharField(
        label="地址",
        max_length=300,
        widget=forms.URLInput(attrs={"class": "vURLField"}),
        help_text="https 地址，不能在内网；我们用 POST 发送 JSON，15 秒内要答 2xx",
    )
    events = forms.MultipleChoiceField(
        label="事件",
        choices=list(publishing.EVENTS.items()),
        widget=forms.CheckboxSelectMultiple,
        required=False,
        help_text="都不选表示全部",
    )

    class Meta:
        model = WebhookEndpoint
        fields = ("url", "description", "events")

    def clean(self) -> dict[str, Any]:
        found = super().clean() or self.cleaned_data
        try:
            endpoints.check(found.get("url", ""), found.get("events", []))
        except Problem as error:
            for field, sentence in error.fields.items():
                if field not in self.errors:
                    self.add_error(field, sentence)
        return found


class WebhookEndpointAdmin(BaseAdmin[WebhookEndpoint]):
    """Adding and rotating show the secret once, on the answering page; it is stored sealed and never shown again."""

    form = EndpointForm
    list_display = ("where", "description", "enabled", "wanted", "health", "rotating", "sent")
    actions = ("send_test", "replay_dead", "rotate", "end_former", "switch_on", "switch_off")

    def has_delete_permission(self, request: HttpRequest, obj: WebhookEndpoint | None = None) -> bool:
        return False

    def get_fields(self, request: HttpRequest, obj: WebhookEndpoint | None = None) -> Any:
        return ("url", "description", "events", *self.get_readonly_fields(request, obj))

    def get_readonly_fields(self, request: HttpRequest, obj: WebhookEndpoint | None = None) -> Any:
        return ("enabled", "health", "rotating", "sent", "created_at") if obj else ()

    @admin.display(description="地址")
    def where(self, endpoint: WebhookEndpoint) -> str:
        return _short(endpoint)

    @admin.display(description="事件")
    def wanted(self, endpoint: WebhookEndpoint) -> str:
        return "、".join(publishing.EVENTS.get(event, event) for event in endpoint.events) or "全部"

    @admin.display(description="状况")
    def health(self, endpoint: WebhookEndpoint) -> str:
        if not endpoint.enabled:
            return f"已停用：{endpoint.disabled_reason}"
        if not endpoint.failing_since:
            return "正常"
        tried = f"，{clock.short(endpoint.open_until)} 再试" if endpoint.open_until else ""
        return f"自 {clock.short(endpoint.failing_since)} 起失败 {endpoint.failures} 次{tried}"

    @admin.display(description="旧密钥有效至")
    def rotating(self, endpoint: WebhookEndpoint) -> str:
        until = endpoints.rotating_until(endpoint)
        return clock.short(until) if until else "—"

    @admin.display(description="消息")
    def sent(self, endpoint: WebhookEndpoint) -> SafeString:
        every = {"endpoint__id__exact": endpoint.pk}
        url = reverse(_LIST)
        return format_html(
            '<a href="{}?{}">全部</a> · <a href="{}?{}">已放弃</a>',
            *(url, urlencode(every), url, urlencode(every | {"state__exact": State.DEAD})),
        )

    def save_model(self, request: HttpRequest, obj: WebhookEndpoint, form: Any, change: bool) -> None:
        if change:
            super().save_model(request, obj, form, change)
            return
        made, secret = endpoints.add(obj.url, events=obj.events, description=obj.description)
        obj.pk = made.pk
        request.issued_secret = secret  # type: ignore[attr-defined]

    def response_add(
        self, request: HttpRequest, obj: WebhookEndpoint, post_url_continue: str | None = None
    ) -> HttpResponse:
        secret: str = request.issued_secret  # type: ignore[attr-defined]
        return self._show_secrets(request, "Webhook 地址已添加", [(obj, secret)])

    def changeform_view(
        self, request: HttpRequest, object_id: str | None = None, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        """Ask who is there before a secret is shown, and before messages go to another address."""
        may = self.has_change_permission(request) if object_id else self.has_add_permission(request)
        if request.method == "POST" and may and (asked := recent.asked(request)) is not None:
            return asked
        return super().changeform_view(request, object_id, form_url, extra_context)

    def add_view(
        self, request: HttpRequest, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        try:
            return super().add_view(request, form_url, extra_context)
        except Problem as error:  # as many as there may be
            self.message_user(request, error.message, messages.ERROR)
            return self.response_post_save_add(request, WebhookEndpoint())

    @admin.action(description="发送测试事件", permissions=["change"])
    def send_test(self, request: HttpRequest, queryset: QuerySet[WebhookEndpoint]) -> None:
        chosen = list(queryset.filter(enabled=True))
        for endpoint in chosen:
            publishing.publish_test(endpoint)
        self.message_user(request, f"已向 {len(chosen)} 个启用的地址发送测试事件，几秒后在消息列表中看结果。")

    @admin.action(description="重发全部已放弃的消息", permissions=["change"])
    def replay_dead(self, request: HttpRequest, queryset: QuerySet[WebhookEndpoint]) -> None:
        rows = WebhookMessage.objects.filter(endpoint__in=queryset.filter(enabled=True))
        self.message_user(request, f"已重新安排 {sending.replay(rows, staff_actor(request))} 条；停用的地址不重发。")

    @admin.action(description="轮换密钥（旧密钥在过渡期内也签名）", permissions=["change"])
    def rotate(self, request: HttpRequest, queryset: QuerySet[WebhookEndpoint]) -> HttpResponse:
        if (asked := recent.asked(request)) is not None:
            return asked
        rotated = [(endpoint, endpoints.rotate(endpoint)) for endpoint in queryset]
        self._record(request, "webhookendpoint.rotated", [endpoint for endpoint, _ in rotated])
        return self._show_secrets(request, "Webhook 密钥已轮换", rotated)

    @admin.action(description="立即作废旧密钥（不等过渡期结束）", permissions=["change"])
    def end_former(self, request: HttpRequest, queryset: QuerySet[WebhookEndpoint]) -> None:
        self._each(request, queryset, "webhookendpoint.former_ended", endpoints.end_former, "作废旧密钥")

    @admin.action(description="启用", permissions=["change"])
    def switch_on(self, request: HttpRequest, queryset: QuerySet[WebhookEndpoint]) -> None:
        self._each(request, queryset, "webhookendpoint.switched_on", endpoints.switch_on, "启用")

    @admin.action(description="停用（等待中的消息转为已放弃，可重发）", permissions=["change"])
    def switch_off(self, request: HttpRequest, queryset: QuerySet[WebhookEndpoint]) -> None:
        def off(endpoint: WebhookEndpoint) -> None:
            endpoints.switch_off(endpoint, "员工停用", alert=False)

        self._each(request, queryset, "webhookendpoint.switched_off", off, "停用")

    def _each(
        self,
        request: HttpRequest,
        queryset: QuerySet[WebhookEndpoint],
        action: str,
        act: Callable[[WebhookEndpoint], None],
        verb: str,
    ) -> None:
        done = []
        for endpoint in queryset:
            try:
                act(endpoint)
                done.append(endpoint)
            except Problem as error:
                self.message_user(request, f"{endpoint.url}：{error.message}", messages.ERROR)
        self._record(request, action, done)
        self.message_user(request, f"已{verb} {len(done)} 个。")

    def _record(self, request: HttpRequest, action: str, chosen: Sequence[WebhookEndpoint]) -> None:
        record_act(request, action, details={"endpoints": [endpoint.pk for endpoint in chosen]})

    def _show_secrets(
        self, request: HttpRequest, title: str, issued: list[tuple[WebhookEndpoint, str]]
    ) -> HttpResponse:
        context = {**self.admin_site.each_context(request), "title": title, "issued": issued, "opts": self.opts}
        response = TemplateResponse(request, "backoffice/webhook_secret.html", context)
        response["Cache-Control"] = "no-store"
        return response


class WebhookMessageAdmin(ReadOnlyAdmin[WebhookMessage]):
    """Ninety days of messages; those that were given up can be sent again."""

    keyset = ("-created_at", "-id")
    list_display = ("message_id", "event", "where", "state", "attempts", "last_status", "error", "due", "created_at")
    list_filter = ("state", "endpoint")
    list_select_related = ("endpoint",)
    search_fields = ("=message_id",)
    search_help_text = "消息编号（webhook-id）"
    actions = ("replay",)
    fields = (
        *("endpoint", "message_id", "event", "state", "attempts", "due_at", "claimed_until", "last_status"),
        *("last_error", "created_at", "done_at", "pretty_body"),
    )
    readonly_fields = ("pretty_body",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[WebhookMessage]:
        """Name the endpoints where few rows are wanted among many: they stand in the index that finds them."""
        rows = super().get_queryset(request)
        wanted = request.GET
        if wanted.get("q") or (wanted.get("state__exact") in (State.DEAD, State.WAITING)):
            return rows.filter(endpoint_id__in=list(WebhookEndpoint.objects.values_list("pk", flat=True)))
        return rows

    @admin.display(description="地址")
    def where(self, message: WebhookMessage) -> str:
        return _short(message.endpoint)

    @admin.display(description="最近错误")
    def error(self, message: WebhookMessage) -> str:
        return message.last_error[:80]

    @admin.display(description="应发时间")
    def due(self, message: WebhookMessage) -> str:
        return clock.short(message.due_at) if message.state == State.WAITING else "—"

    @admin.display(description="内容")
    def pretty_body(self, message: WebhookMessage) -> SafeString:
        return format_html("<pre>{}</pre>", json.dumps(message.body, ensure_ascii=False, indent=2))

    @admin.action(description="重发所选（仅限已放弃的）", permissions=["change"])
    def replay(self, request: HttpRequest, queryset: QuerySet[WebhookMessage]) -> None:
        ids = list(queryset.values_list("pk", flat=True))
        count = sending.replay(WebhookMessage.objects.filter(pk__in=ids), staff_actor(request))
        rest = f"其余 {len(ids) - count} 条不是已放弃的，或地址已停用，没有改动。"
        self.message_user(request, f"已重新安排 {count} 条；{rest}")


def _short(endpoint: WebhookEndpoint) -> str:
    """Return the address as long as a column bears it: a longer one would push the state out of sight."""
    return endpoint.url if len(endpoint.url) <= SHOWN_URL else f"{endpoint.url[:SHOWN_URL]}…"
