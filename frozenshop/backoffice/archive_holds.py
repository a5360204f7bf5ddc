"""Legal holds: placed on an order or a person with a reason, released with another; the list never forgets one."""

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse

from frozenshop.backoffice import wording
from frozenshop.kernel.changelist import ReadOnlyAdmin, staff_actor
from frozenshop.kernel.errors import Problem
from logistics.archive.models import ArchivedOrder
from orders import holds
from orders.models import LegalHold, Order

RELEASE = "orders.change_legalhold"


class HoldForm(forms.Form):
    order_no = forms.CharField(label="订单号", max_length=64, required=False)
    phone = forms.CharField(label="手机号（保留此人的全部订单）", max_length=40, required=False)
    reason = forms.CharField(label="依据", max_length=500, help_text="例如案号或工单号；不要写姓名和电话")

    def clean(self) -> dict[str, Any]:
        data: dict[str, Any] = super().clean() or {}
        order_no = data.get("order_no")
        if bool(order_no) == bool(data.get("phone")):
            raise forms.ValidationError("订单号和手机号请填写其中一个")
        if order_no and not _known(order_no):
            raise forms.ValidationError("没有这个订单")
        return data


def _known(order_no: str) -> bool:
    return any(model._default_manager.filter(order_no=order_no).exists() for model in (Order, ArchivedOrder))


class ReleaseForm(forms.Form):
    reason = forms.CharField(label="解除依据", max_length=500)


class LegalHoldAdmin(ReadOnlyAdmin[LegalHold]):
    list_display = ("what", "reason", "placed", "by", "released", "release_reason")
    list_display_links = ("what",)
    search_fields = ("=order_no",)
    search_help_text = "完整订单号"

    def has_add_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("orders.add_legalhold")

    def get_urls(self) -> list[URLPattern]:
        release = self.admin_site.admin_view(self.release_view)
        return [path("<int:hold_id>/release/", release, name="orders_legalhold_release"), *super().get_urls()]

    @admin.display(description="对象")
    def what(self, hold: LegalHold) -> str:
        return f"订单 {hold.order_no}" if hold.order_no else f"个人 {hold.phone_index[:8]}"

    @admin.display(description="设定时间")
    def placed(self, hold: LegalHold) -> str:
        return wording.clock(hold.placed_at)

    @admin.display(description="设定者")
    def by(self, hold: LegalHold) -> str:
        return hold.placed_by

    @admin.display(description="解除时间")
    def released(self, hold: LegalHold) -> str:
        return f"{wording.clock(hold.released_at)} {hold.released_by}" if hold.released_at else "保留中"

    def add_view(
        self, request: HttpRequest, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        if not self.has_add_permission(request):
            raise PermissionDenied
        form = HoldForm(request.POST or None, initial={"order_no": request.GET.get("order_no", "")})
        if request.method == "POST" and form.is_valid():
            try:
                _place(request, form.cleaned_data)
            except Problem as problem:
                messages.error(request, wording.problem_text(problem))
            else:
                messages.success(request, "已设定法律保留：解除之前不归档、不清除。")
                return HttpResponseRedirect(reverse("admin:orders_legalhold_changelist"))
        return self._form(request, form, "设定法律保留", None)

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        hold = self._found(request, object_id)
        if request.method not in ("GET", "HEAD"):
            raise PermissionDenied
        return self._form(request, ReleaseForm(), "法律保留", hold)

    def release_view(self, request: HttpRequest, hold_id: int) -> HttpResponse:
        hold = self._found(request, str(hold_id))
        page = reverse("admin:orders_legalhold_change", args=[hold.pk])
        if request.method != "POST":
            return HttpResponseRedirect(page)
        if not request.user.has_perm(RELEASE):
            raise PermissionDenied
        try:
            holds.release(hold, request.POST.get("reason", ""), staff_actor(request))
        except Problem as problem:
            messages.error(request, wording.problem_text(problem))
        else:
            messages.success(request, "已解除法律保留。")
        return HttpResponseRedirect(page)

    def _found(self, request: HttpRequest, object_id: str) -> LegalHold:
        if not self.has_view_permission(request):
            raise PermissionDenied
        hold = LegalHold.objects.filter(pk=int(object_id)).first() if object_id.isdecimal() else None
        if hold is None:
            raise Http404
        return hold

    def _form(self, request: HttpRequest, form: forms.Form, title: str, hold: LegalHold | None) -> HttpResponse:
        context = {**self.admin_site.each_context(request), "opts": self.opts, "title": title, "form": form}
        may_release = hold is not None and hold.released_at is None and request.user.has_perm(RELEASE)
        more = {"hold": hold, "what": self.what(hold) if hold else "", "may_release": may_release}
        return TemplateResponse(request, "backoffice/archive_hold.html", {**context, **more})


def _place(request: HttpRequest, data: dict[str, Any]) -> None:
    by = staff_actor(request)
    if data["order_no"]:
        holds.on_order(data["order_no"], data["reason"], by)
    else:
        holds.on_person(data["phone"], data["reason"], by)
