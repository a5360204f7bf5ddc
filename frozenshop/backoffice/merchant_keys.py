"""Merchant keys as staff issue them: after showing who one is; those that read people in full by who gives rights."""

from typing import Any

from django import forms
from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse

from frozenshop.backoffice.signin import recent
from frozenshop.kernel.admin import MerchantKeyAdmin, MerchantKeyForm
from frozenshop.kernel.models import MerchantKey

IN_FULL, GIVES_RIGHTS = "orders:read_unmasked", "auth.change_user"


class StaffMerchantKeyAdmin(MerchantKeyAdmin):
    """A key that reads in full gives whoever has it what an unmasked export asks a reason and two people for."""

    def has_change_permission(self, request: HttpRequest, obj: MerchantKey | None = None) -> bool:
        reads_in_full = obj is not None and IN_FULL in obj.scopes
        return super().has_change_permission(request, obj) and (not reads_in_full or _gives_rights(request))

    def get_form(
        self, request: HttpRequest, obj: MerchantKey | None = None, change: bool = False, **kwargs: Any
    ) -> Any:
        form = super().get_form(request, obj, change, **kwargs)
        if "scopes" in form.base_fields and not _gives_rights(request):
            choices = [(scope, label) for scope, label in MerchantKeyForm.SCOPES if scope != IN_FULL]
            form.base_fields["scopes"] = forms.MultipleChoiceField(
                label="权限范围", choices=choices, widget=forms.CheckboxSelectMultiple
            )
        return form

    def changeform_view(
        self, request: HttpRequest, object_id: str | None = None, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        if request.method == "POST" and (self.has_add_permission(request) or self.has_change_permission(request)):
            asked = recent.asked(request)
            if asked is not None:
                return asked
        return super().changeform_view(request, object_id, form_url, extra_context)

    @admin.action(description="轮换密钥（旧密钥在过渡期内仍有效）", permissions=["change"])
    def rotate(self, request: HttpRequest, queryset: QuerySet[MerchantKey]) -> HttpResponse:
        if not all(self.has_change_permission(request, key) for key in queryset):
            raise PermissionDenied
        asked = recent.asked(request)
        return super().rotate(request, queryset) if asked is None else asked


def _gives_rights(request: HttpRequest) -> bool:
    return bool(request.user.has_perm(GIVES_RIGHTS))
