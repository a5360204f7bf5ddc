"""The form that begins an export, reached from the list that it is of."""

from typing import Any

from django import forms
from django.conf import settings
from django.contrib import admin, messages
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse

from frozenshop.backoffice import wording
from frozenshop.backoffice.batches.models import Batch
from frozenshop.backoffice.exporting import kinds, views
from frozenshop.backoffice.signin import recent
from frozenshop.kernel.changelist import record_act, staff_user
from frozenshop.kernel.errors import Problem
from orders.models import Order


class ExportForm(forms.Form):
    query = forms.CharField(required=False, max_length=2000, widget=forms.HiddenInput)
    form = forms.ChoiceField(label="格式", choices=[("xlsx", "Excel（XLSX）"), ("csv", "CSV")])
    people = forms.ChoiceField(label="收件人", choices=[("masked", "打码"), ("whole", "不打码")], required=False)
    reason = forms.CharField(label="原因", required=False, max_length=400)


def export_view(request: HttpRequest, what: str) -> HttpResponse:
    """Show what a list's export would hold, and begin it."""
    name, user = f"export_{what}", staff_user(request)
    kind = kinds.KINDS.get(name)
    assert isinstance(user, User)
    if kind is None or not user.has_perms(kind.rights):
        raise PermissionDenied
    if request.method != "POST":
        return _page(request, kind, user)
    if (asked := recent.asked(request)) is not None:
        return asked
    form = ExportForm(request.POST)
    try:
        if not form.is_valid():
            raise Problem("请选择文件格式")
        batch = _begin(request, name, user, form.cleaned_data)
    except Problem as problem:
        messages.error(request, wording.problem_text(problem))
        return HttpResponseRedirect(request.get_full_path())
    return HttpResponseRedirect(reverse("admin:backoffice_batch_change", args=[batch.pk]))


def _begin(request: HttpRequest, name: str, user: User, data: dict[str, Any]) -> Batch:
    masked = data["people"] != "whole"
    if not masked and not user.has_perms((kinds.UNMASK, kinds.EXPORT_UNMASKED)):
        raise PermissionDenied
    with transaction.atomic():
        batch = kinds.begin_view(name, user, data["query"], form=data["form"], masked=masked, reason=data["reason"])
        details = {"kind": name, "format": data["form"], "masked": masked, "filters": views.told(data["query"])}
        record_act(request, "export.requested", f"batch:{batch.pk}", reason=batch.reason, details=details)
    return batch


def _page(request: HttpRequest, kind: kinds.Export, user: User) -> HttpResponse:
    model = kind.model._meta
    shown = reverse(f"admin:{model.app_label}_{model.model_name}_changelist")
    try:
        query = views.query_of(request, kind.model, user)
        count = views.View(kind.model, user, query).bounded_count()
    except Problem as problem:
        messages.error(request, wording.problem_text(problem))
        return HttpResponseRedirect(shown)
    may_unmask = kind.model is Order and user.has_perms((kinds.UNMASK, kinds.EXPORT_UNMASKED))
    context = {
        **admin.site.each_context(request),
        "title": kind.label,
        "query": query,
        "count": f"{views.COUNTED_TO:,}+" if count > views.COUNTED_TO else f"{count:,}",
        "empty": count == 0,
        "may_unmask": may_unmask,
        "has_people": kind.model is Order,
        "most": settings.EXPORT_UNMASKED_ROWS,
        "hours": settings.EXPORT_KEEP_HOURS,
        "list": f"{shown}?{request.GET.urlencode()}",
        "list_name": model.verbose_name_plural,
    }
    answer = TemplateResponse(request, "backoffice/batches/export.html", context)
    answer["Cache-Control"] = "no-store"
    return answer
