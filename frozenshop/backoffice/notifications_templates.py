"""Templates of messages: which fields hold what, with a live preview, checked by the rules, and tried out."""

from collections.abc import Iterable, Mapping
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.http.request import QueryDict
from django.template.loader import render_to_string
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.safestring import SafeString

from frozenshop.backoffice.filters import ChoiceFilter
from frozenshop.backoffice.wording import label, problem_text
from frozenshop.kernel import clock
from frozenshop.kernel.changelist import BaseAdmin, record_act, staff_actor
from frozenshop.kernel.errors import Problem
from frozenshop.kernel.http import ServiceError
from notifications import previews, trials, words
from notifications.models import Channel, MessageTemplate, Milestone
from notifications.occasions import OCCASIONS, SMS
from notifications.reach import NEEDS_TEMPLATE
from notifications.wechat import templates as wechat
from notifications.wechat.errors import WechatError

SPARE_ROWS = 2
LONGEST_TEXT, MOST_FIELDS = 200, 20
CHANNELS = [(one.value, one.label) for one in Channel if one in NEEDS_TEMPLATE]
MILESTONES = [
    (milestone.value, milestone.label)
    for milestone, one in OCCASIONS.items()
    if any(NEEDS_TEMPLATE.intersection(channels) for channels in one.told.values())
]


class FieldRows(forms.Widget):
    """A row for each field: its name and its text, and a few empty ones."""

    template_name = "backoffice/field_rows.html"

    def get_context(self, name: str, value: Any, attrs: dict[str, Any] | None) -> dict[str, Any]:
        pairs = value.items() if isinstance(value, Mapping) else value or ()
        rows = [*pairs, *[("", "")] * SPARE_ROWS]
        return {**super().get_context(name, None, attrs), "rows": rows, "words": words.WORDS.items()}

    def _render(self, template_name: str, context: dict[str, Any], renderer: Any = None) -> SafeString:
        """Forms look for templates in Django's own folder only; this one is ours."""
        return render_to_string(template_name, context)

    def value_from_datadict(self, data: Any, files: Any, name: str) -> list[tuple[str, str]]:
        if not isinstance(data, QueryDict):
            return list(dict(data.get(name) or {}).items())
        return _pairs(data.getlist(f"{name}_name"), data.getlist(f"{name}_text"))

    def value_omitted_from_data(self, data: Any, files: Any, name: str) -> bool:
        return False


class FieldsField(forms.Field):
    """The mapping of a template's fields to texts with {words}."""

    widget = FieldRows
    default_error_messages = {
        "twice": "字段 %(name)s 写了两次，请只留一行",
        "unnamed": "“%(text)s”前没有写字段名，例如 thing1",
        "empty": "字段 %(name)s 没有内容，请填写，或删去这一行",
        "long": "字段 %(name)s 的内容超过 200 个字，请缩短",
        "many": "字段太多，最多 20 个",
    }

    def clean(self, value: Any) -> dict[str, str]:
        found: dict[str, str] = {}
        if len(value or ()) > MOST_FIELDS:
            raise self._refuse("many")
        for name, text in value or ():
            if not name:
                raise self._refuse("unnamed", text=text[:20])
            if not text:
                raise self._refuse("empty", name=name)
            if name in found:
                raise self._refuse("twice", name=name)
            if len(text) > LONGEST_TEXT:
                raise self._refuse("long", name=name)
            found[name] = text
        return found

    def has_changed(self, initial: Any, data: Any) -> bool:
        return list((initial or {}).items()) != list(data or ())

    def _refuse(self, code: str, **given: str) -> forms.ValidationError:
        return forms.ValidationError(self.error_messages[code], code=code, params=given)


class TemplateForm(forms.ModelForm[MessageTemplate]):
    channel = forms.ChoiceField(label="渠道", choices=CHANNELS)
    milestone = forms.ChoiceField(label="内容", choices=MILESTONES)
    fields = FieldsField(  # type: ignore[assignment]
        label="字段",
        required=False,
        help_text="左边写服务商模板里的字段名（微信如 thing1、time4，阿里云是变量名，腾讯云是 1、2、3），右边写内容。",
    )

    class Meta:
        model = MessageTemplate
        fields = ("channel", "milestone", "template_id", "title", "fields", "page", "enabled")
        help_texts = {
            "template_id": "服务商后台的模板编号，照抄。",
            "title": "便于认出，微信模板照它的标题写。",
            "page": f"微信消息点开的小程序页面，例如 {wechat.PAGE}；短信留空。",
        }

    def clean(self) -> dict[str, Any]:
        data = super().clean() or self.cleaned_data
        channel, milestone = data.get("channel"), data.get("milestone")
        if not channel or not milestone or "fields" not in data:
            return data
        if wrong := previews.misplaced(channel, milestone):
            self.add_error("channel", wrong)
            return data
        names = ("channel", "milestone", "template_id", "title", "fields", "page")
        look = previews.look(
            MessageTemplate(**{name: data.get(name) or "" for name in names} | {"fields": data["fields"]})
        )
        self.unasked = look.unasked
        for problem in look.problems:
            self.add_error(_place(problem), problem)
        return data

    unasked = ""


class ChannelFilter(ChoiceFilter):
    title, parameter_name = "渠道", "channel"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return CHANNELS

    def queryset(self, request: HttpRequest, queryset: QuerySet[MessageTemplate]) -> QuerySet[MessageTemplate]:
        return queryset.filter(channel=chosen) if (chosen := self.chosen()) else queryset


class MessageTemplateAdmin(BaseAdmin[MessageTemplate]):
    form = TemplateForm
    keyset = ("id",)
    change_list_template = "backoffice/templates.html"
    change_form_template = "backoffice/template.html"
    list_display = ("what", "channel", "title", "template_id", "state", "updated_at")
    list_filter = (ChannelFilter,)
    actions = ("check_again", "switch_off", "switch_on")

    def get_urls(self) -> list[URLPattern]:
        let_in, name = self.admin_site.admin_view, "notifications_messagetemplate"
        return [
            path("preview/", let_in(self.preview_view), name=f"{name}_preview"),
            path("adopt/", let_in(self.adopt_view), name=f"{name}_adopt"),
            path("<int:template_id>/test/", let_in(self.test_view), name=f"{name}_test"),
            *super().get_urls(),
        ]

    @admin.display(description="内容")
    def what(self, template: MessageTemplate) -> str:
        return template.get_milestone_display()

    @admin.display(description="状态")
    def state(self, template: MessageTemplate) -> str:
        if template.trouble:
            return label(template.trouble, "bad")
        return label("使用中", "good") if template.enabled else label("已停用", "quiet")

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """Let WeChat's list be fetched, if at all, before the transaction that saves."""
        if request.method == "POST" and (channel := request.POST.get("channel", "")) in Channel:
            previews.known(channel)
        return super().changeform_view(request, object_id, form_url, extra_context)

    def render_change_form(
        self,
        request: HttpRequest,
        context: dict[str, Any],
        add: bool = False,
        change: bool = False,
        form_url: str = "",
        obj: MessageTemplate | None = None,
    ) -> HttpResponse:
        shown = _typed(request.POST) if request.method == "POST" else obj
        tried_by = "大陆手机号" if obj and obj.channel in SMS else "openid，或在小程序里验证过的手机号"
        named = f"{obj.get_milestone_display()} · {obj.get_channel_display()}" if obj else "新的消息模板"
        more = {"look": previews.look(shown) if shown else None, "tried_by": tried_by, "title": named, "subtitle": None}
        return super().render_change_form(request, {**context, **more}, add, change, form_url, obj)

    def save_model(self, request: HttpRequest, obj: MessageTemplate, form: Any, change: bool) -> None:
        """What passed the rules has no trouble any more."""
        obj.trouble, obj.updated_at = "", clock.now()
        obj.save()
        if form.unasked:
            self.message_user(request, f"已保存。{form.unasked}；每天还会核对。", messages.WARNING)

    def preview_view(self, request: HttpRequest) -> HttpResponse:
        """Answer the preview of what stands in the form, saved or not."""
        if not self.has_view_or_change_permission(request):
            raise PermissionDenied
        shown = _typed(request.POST)
        return TemplateResponse(request, "backoffice/preview.html", {"look": previews.look(shown) if shown else None})

    def adopt_view(self, request: HttpRequest) -> HttpResponse:
        """Make templates from WeChat's own lists, for what has none yet."""
        if not self.has_add_permission(request):
            raise PermissionDenied
        if request.method == "POST":
            try:
                made = wechat.adopt()
            except (WechatError, ServiceError) as error:
                self.message_user(request, f"没有读到微信的模板：{error}", messages.ERROR)
            else:
                record_act(request, "messagetemplate.adopted", details={"count": len(made)})
                told = "请逐个核对字段。" if made else "没有新的：按标题认得出、又还没有模板的内容才会新建。"
                self.message_user(request, f"从微信后台新建了 {len(made)} 个模板。{told}")
        return HttpResponseRedirect(reverse("admin:notifications_messagetemplate_changelist"))

    def test_view(self, request: HttpRequest, template_id: int) -> HttpResponse:
        """Send the saved template with made-up words to the address that was typed."""
        if not self.has_change_permission(request):
            raise PermissionDenied
        template = self.get_object(request, str(template_id))
        if template is None:
            raise Http404
        if request.method == "POST":
            try:
                self._try(request, template)
            except Problem as problem:
                self.message_user(request, problem_text(problem), messages.ERROR)
        return HttpResponseRedirect(reverse("admin:notifications_messagetemplate_change", args=[template.pk]))

    def _try(self, request: HttpRequest, template: MessageTemplate) -> None:
        trial = trials.prepare(template, request.POST.get("address", ""), by=staff_actor(request).name)
        details = {"channel": template.channel, "milestone": template.milestone, "address": trial.shown}
        record_act(request, "messagetemplate.tested", f"messagetemplate:{template.pk}", details=details)
        taken = trials.send(trial)
        named = f"，渠道编号 {taken.provider_id}" if taken.provider_id else ""
        self.message_user(request, f"测试消息已交给{template.get_channel_display()}，发往 {trial.shown}{named}。")

    @admin.action(description="与微信核对全部模板", permissions=["change"])
    def check_again(self, request: HttpRequest, queryset: QuerySet[MessageTemplate]) -> None:
        troubled = wechat.check_all()
        self.message_user(
            request,
            f"已核对，{troubled} 个模板有问题，见状态一栏。" if troubled else "已核对，没有发现问题。",
            messages.WARNING if troubled else messages.SUCCESS,
        )

    @admin.action(description="停用所选模板", permissions=["change"])
    def switch_off(self, request: HttpRequest, queryset: QuerySet[MessageTemplate]) -> None:
        self._switch(request, queryset, enabled=False)

    @admin.action(description="启用所选模板", permissions=["change"])
    def switch_on(self, request: HttpRequest, queryset: QuerySet[MessageTemplate]) -> None:
        self._switch(request, queryset, enabled=True)

    def _switch(self, request: HttpRequest, queryset: QuerySet[MessageTemplate], *, enabled: bool) -> None:
        ids = list(queryset.values_list("pk", flat=True))
        MessageTemplate.objects.filter(pk__in=ids).update(enabled=enabled, updated_at=clock.now())
        record_act(request, "messagetemplate.switched", details={"ids": ids, "enabled": enabled})
        self.message_user(request, f"已{'启用' if enabled else '停用'} {len(ids)} 个模板。")


def _typed(data: QueryDict) -> MessageTemplate | None:
    """Return what stands in the form as a template; None while channel or content aren't chosen."""
    channel, milestone = data.get("channel", ""), data.get("milestone", "")
    if channel not in Channel or milestone not in Milestone:
        return None
    pairs = _pairs(data.getlist("fields_name"), data.getlist("fields_text"))
    return MessageTemplate(
        channel=channel,
        milestone=milestone,
        template_id=data.get("template_id", "").strip()[:80],
        title=data.get("title", "").strip()[:60],
        fields={name: text[:LONGEST_TEXT] for name, text in pairs[:MOST_FIELDS] if name},
        page=data.get("page", "").strip()[:200],
    )


def _pairs(names: Iterable[str], texts: Iterable[str]) -> list[tuple[str, str]]:
    pairs = ((name.strip(), text.strip()) for name, text in zip(names, texts, strict=False))
    return [pair for pair in pairs if any(pair)]


def _place(problem: str) -> str:
    """Return the form's field that a problem is about."""
    if "点击打开" in problem:
        return "page"
    return "template_id" if "编号" in problem else "fields"
