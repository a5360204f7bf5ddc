"""日志: what came, was asked and answered, whichever store keeps it; looked at by page, never counted."""

import datetime as dt
from dataclasses import replace
from typing import Any
from urllib.parse import urlencode

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, QueryDict
from django.template.response import TemplateResponse

from frozenshop.kernel import clock, logstore
from frozenshop.kernel.logstore import Entry, Kind, Query, StoreDown

VIEW = "kernel.view_logentry"
PAGE = 50
USUAL = dt.timedelta(days=7)
"""How far back is looked where nothing narrows the search."""
TYPED = ("request_id", "subject", "service")
LONGEST = 120


def logs_view(request: HttpRequest) -> HttpResponse:
    """Show a page: of a `kind`, `from`, `to` (local time), `failed`, of what was TYPED, `before` or `after` an id."""
    if not request.user.has_perm(VIEW):
        raise PermissionDenied
    query = _query(request.GET)
    rows: list[Entry] = []
    trouble = ""
    try:
        rows = logstore.find(replace(query, limit=PAGE + 1))
    except StoreDown:
        trouble = "日志库现在没有回应，稍后再试。订单、运单和通知不受影响；这期间的日志先写在本机，恢复后补写。"
    more = len(rows) > PAGE
    rows = rows[-PAGE:] if query.after else rows[:PAGE]
    context = {
        **admin.site.each_context(request),
        "title": "日志",
        "rows": rows,
        "trouble": trouble,
        "kinds": Kind.choices,
        "asked": {name: request.GET.get(name, "") for name in (*TYPED, "kind", "from", "to", "failed")},
        "since": query.since,
        "older": _page(request.GET, "before", rows[-1:]) if more or query.after else "",
        "newer": _page(request.GET, "after", rows[:1]) if query.before or (query.after and more) else "",
    }
    return TemplateResponse(request, "backoffice/logs.html", context)


def _query(asked: QueryDict) -> Query:
    """Read what was asked; what makes no sense narrows nothing."""
    typed: dict[str, Any] = {name: asked.get(name, "").strip()[:LONGEST] for name in TYPED}
    kinds = tuple(kind for kind in Kind if asked.get("kind", "") in ("", kind.value)) or tuple(Kind)
    since, narrowed = _instant(asked.get("from", "")), typed["request_id"] or typed["subject"]
    return Query(
        kinds=kinds,
        since=since if since or narrowed else clock.now() - USUAL,
        until=_instant(asked.get("to", "")),
        failed=asked.get("failed") == "1",
        before=asked.get("before", "")[:24],
        after=asked.get("after", "")[:24],
        **typed,
    )


def _instant(text: str) -> dt.datetime | None:
    try:
        instant = dt.datetime.fromisoformat(text)
        return instant.replace(tzinfo=clock.SHANGHAI) if instant.tzinfo is None else instant.astimezone(clock.SHANGHAI)
    except (ValueError, OverflowError):
        return None


def _page(asked: QueryDict, direction: str, edge: list[Entry]) -> str:
    if not edge:
        return ""
    kept: dict[str, Any] = {name: value for name, value in asked.items() if name not in ("before", "after") and value}
    return "?" + urlencode(kept | {direction: edge[0].id})
