"""What one request, push or job set off, in order of time, by the id that all of it carries."""

import datetime as dt
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db.models import Model, QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import NoReverseMatch, reverse

from frozenshop.kernel.clock import shanghai
from frozenshop.kernel.models import AuditEntry, OutboxMessage
from logistics.models import ProviderCall, ProviderMessage
from notifications.models import Delivery, Notice, SmsPush, WebhookMessage, WechatEvent

VIEW = "kernel.view_outboxmessage"
SHOWN = 200
"""Rows of one table: a slot of a job may have set off thousands."""


@dataclass(frozen=True, slots=True)
class Kept:
    """A table that keeps rows of an id: when each began, when it ended (if it tells), and what to show of it."""

    model: type[Model]
    began: str
    ended: str
    shown: tuple[str, ...]
    by: str = "request_id"

    @property
    def right(self) -> str:
        return f"{self.model._meta.app_label}.view_{self.model._meta.model_name}"

    def rows(self, request_id: str) -> QuerySet[Model]:
        found: QuerySet[Model] = self.model._default_manager.filter(**{self.by: request_id})
        return found.order_by(self.began, "pk")[: SHOWN + 1]


TABLES = (
    Kept(OutboxMessage, "created_at", "done_at", ("topic", "payload", "status", "attempts", "last_error")),
    Kept(AuditEntry, "at", "", ("actor", "action", "subject")),
    Kept(ProviderCall, "started_at", "", ("provider", "operation", "waybill_no", "outcome", "elapsed_ms", "detail")),
    Kept(ProviderMessage, "received_at", "applied_at", ("provider", "kind", "waybill_no", "outcome", "detail")),
    Kept(WechatEvent, "received_at", "handled_at", ("event", "detail")),
    Kept(SmsPush, "received_at", "applied_at", ("service", "outcome", "detail")),
    Kept(Notice, "created_at", "settled_at", ("milestone", "subject", "state", "why")),
    Kept(Delivery, "started_at", "answered_at", ("channel", "reference", "state", "code"), by="notice__request_id"),
    Kept(WebhookMessage, "created_at", "done_at", ("event", "message_id", "state", "attempts", "last_status")),
)


@dataclass(frozen=True, slots=True)
class Step:
    """One row of the page."""

    at: dt.datetime
    ended_at: dt.datetime | None
    what: str
    told: str
    url: str

    @property
    def when(self) -> str:
        return _exactly(self.at)

    @property
    def until(self) -> str:
        return _exactly(self.ended_at) if self.ended_at else ""


def trail_view(request: HttpRequest) -> HttpResponse:
    """Show what carries the id `id`; of tables that the person may not see, nothing."""
    if not request.user.has_perm(VIEW):
        raise PermissionDenied
    request_id = request.GET.get("id", "").strip()[:64]
    steps, cut = follow(request_id, [kept for kept in TABLES if request.user.has_perm(kept.right)])
    context = {
        **admin.site.each_context(request),
        "title": "请求追踪",
        "request_id": request_id,
        "steps": steps,
        "cut": cut,
        "shown": SHOWN,
    }
    return TemplateResponse(request, "backoffice/trail.html", context)


def follow(request_id: str, tables: Sequence[Kept] = TABLES) -> tuple[list[Step], list[str]]:
    """Return what carries the id, oldest first, and the tables that hold more of it than is shown."""
    steps, cut = [], []
    for kept in tables if request_id else ():
        found = list(kept.rows(request_id))
        if len(found) > SHOWN:
            cut.append(str(kept.model._meta.verbose_name))
        steps += [_step(kept, row) for row in found[:SHOWN]]
    return sorted(steps, key=lambda step: step.at), cut


def _exactly(instant: dt.datetime) -> str:
    return f"{shanghai(instant):%m-%d %H:%M:%S.%f}"[:-3]


def _step(kept: Kept, row: Any) -> Step:
    ended_at = getattr(row, kept.ended) if kept.ended else None
    told = " · ".join(_shown(kept, row))
    return Step(getattr(row, kept.began), ended_at, str(kept.model._meta.verbose_name), told, _url(row))


def _shown(kept: Kept, row: Any) -> Iterator[str]:
    for name in kept.shown:
        display = getattr(row, f"get_{name}_display", None)
        if value := str(display() if display else getattr(row, name) or ""):
            yield value[:120]


def _url(row: Model) -> str:
    try:
        return reverse(f"admin:{row._meta.app_label}_{row._meta.model_name}_change", args=[row.pk])
    except NoReverseMatch:
        return ""
