"""The forms around the order list: search, forget, keep a view, choose columns. Each works without scripts."""

import functools
from collections.abc import Callable
from typing import Any

from django.contrib import messages
from django.contrib.admin import site
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.http import urlencode

from frozenshop.backoffice import wording
from frozenshop.backoffice.filters import all_names
from frozenshop.backoffice.finding import columns, recent, views
from frozenshop.backoffice.finding.changelist import AS, TOKEN
from frozenshop.backoffice.finding.own import ORDERS
from frozenshop.kernel.changelist import record_act, staff_user
from frozenshop.kernel.errors import Problem
from logistics.search import Kind

SHARE = "backoffice.share_savedview"


def address(name: str = "changelist", **query: str) -> str:
    page = reverse(f"admin:orders_order_{name}")
    return f"{page}?{urlencode(query)}" if query else page


def _looking(request: HttpRequest) -> None:
    if not request.user.has_perm("orders.view_order"):
        raise PermissionDenied


def find_view(request: HttpRequest) -> HttpResponse:
    """Take what was typed and lead to its list, whose address names nobody."""
    _looking(request)
    text = request.POST.get("q", "").strip()[: recent.LONGEST]
    if request.method != "POST" or not text:
        return HttpResponseRedirect(address())
    kept = views.allowed(request.POST.dict())
    if request.POST.get(AS, "") in set(Kind):
        kept[AS] = request.POST[AS]
    token = recent.remember(staff_user(request).pk, text)
    where = {TOKEN: token} if recent.may_name_somebody(text) else {"q": text}
    return HttpResponseRedirect(address(**kept, **where))


def forget_view(request: HttpRequest) -> HttpResponse:
    _looking(request)
    if request.method == "POST":
        recent.forget(staff_user(request).pk)
        messages.success(request, "最近查找已清空。")
    return HttpResponseRedirect(address())


def views_view(request: HttpRequest) -> HttpResponse:
    """Keep a view (POST), or show one's views to rename, share and delete them."""
    _looking(request)
    if request.method == "POST":
        return _save(request)
    user = staff_user(request)
    shared = request.user.has_perm(SHARE)
    rows = views.visible(user.pk).select_related("owner").order_by("name_key", "id")[: 2 * views.MOST]
    there = functools.cache(all_names)
    context = {
        "title": "保存的视图",
        "rows": [
            {
                "row": row,
                "mine": row.owner_id == user.pk,
                "url": views.shown(row).query,
                "misfits": list(views.misfits(views.allowed(row.filters), there).values()),
            }
            for row in rows
        ],
        "may_share": shared,
        "longest": views.LONGEST,
        "built_in": views.BUILT_IN,
    }
    return _page(request, "backoffice/saved_views.html", context)


def _save(request: HttpRequest) -> HttpResponse:
    name, user = request.POST.get("name", ""), staff_user(request)
    filters = views.allowed(request.POST.dict())
    chosen = columns.kept(user.pk, ORDERS)
    shared = _sharing(request)
    try:
        row = views.save(user, name, filters, chosen, shared=shared)
    except Problem as problem:
        messages.error(request, wording.problem_text(problem))
        return HttpResponseRedirect(address(**{name: filters[name] for name in filters if name not in problem.fields}))
    _record(request, "view.saved", row.pk, shared=shared)
    messages.success(request, f"已保存为视图“{row.name}”。")
    return HttpResponseRedirect(address() + views.shown(row).query)


def view_view(request: HttpRequest, view_id: int) -> HttpResponse:
    """Rename, share or delete one view."""
    _looking(request)
    if request.method != "POST":
        return HttpResponseRedirect(address("views"))
    act = _delete if "delete" in request.POST else _change
    try:
        messages.success(request, act(request, view_id))
    except Problem as problem:
        messages.error(request, wording.problem_text(problem))
    return HttpResponseRedirect(address("views"))


def _change(request: HttpRequest, view_id: int) -> str:
    shared = _sharing(request)
    row = views.change(staff_user(request), view_id, request.POST.get("name", ""), shared=shared)
    _record(request, "view.changed", view_id, shared=shared)
    return f"视图“{row.name}”已修改。"


def _delete(request: HttpRequest, view_id: int) -> str:
    name = views.delete(staff_user(request), view_id)
    _record(request, "view.deleted", view_id)
    return f"视图“{name}”已删除。"


def _sharing(request: HttpRequest) -> bool:
    asked = "shared" in request.POST
    if asked and not request.user.has_perm(SHARE):
        raise PermissionDenied
    return asked


def _record(request: HttpRequest, act: str, view_id: int, **details: Any) -> None:
    record_act(request, act, f"savedview:{view_id}", details=details)


def columns_page(offered: dict[str, str], usual: tuple[str, ...]) -> Callable[[HttpRequest], HttpResponse]:
    """Return the page on which a person chooses the order list's columns. `offered`: titles by name."""

    def page(request: HttpRequest) -> HttpResponse:
        _looking(request)
        user_id = staff_user(request).pk
        if request.method == "POST":
            _choose(request, user_id, list(offered))
            return HttpResponseRedirect(address())
        now = columns.chosen(user_id, ORDERS, list(offered), usual)
        rows = [
            {"name": name, "title": offered[name], "place": place, "shown": name in now, "fixed": place == 1}
            for place, name in enumerate((*now, *(name for name in offered if name not in now)), start=1)
        ]
        return _page(request, "backoffice/columns.html", {"title": "订单列表的列", "rows": rows})

    return page


def _choose(request: HttpRequest, user_id: int, offered: list[str]) -> None:
    if "reset" in request.POST:
        columns.reset(user_id, ORDERS)
        messages.success(request, "已恢复默认的列。")
        return
    shown = columns.in_order(request.POST.dict(), request.POST.getlist("shown"))
    columns.choose(user_id, ORDERS, columns.valid([offered[0], *shown], offered))
    messages.success(request, "列已保存，只对您自己生效。")


def _page(request: HttpRequest, template: str, context: dict[str, Any]) -> HttpResponse:
    return TemplateResponse(request, template, {**site.each_context(request), **context})
