"""审计: who saw, did and exported what; of everything, of one order, of one person of staff. Looked at by key, never
counted: each filter has its index, in which rows stand by time."""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from django.contrib import admin
from django.contrib.admin.options import IncorrectLookupParameters
from django.contrib.auth import get_user_model
from django.core.exceptions import PermissionDenied
from django.db.models import Q, QuerySet
from django.http import Http404, HttpRequest, HttpResponse, QueryDict
from django.template.response import TemplateResponse

from frozenshop.backoffice.audit_words import action_label, actor_names, actor_of, subject_url
from frozenshop.backoffice.batches.models import BatchRow
from frozenshop.kernel import clock
from frozenshop.kernel.changelist import beyond, decode_cursor, encode_cursor, may_be_stale
from frozenshop.kernel.models import AuditEntry, AuditSubject
from logistics.models import Shipment
from orders.models import Order, OrderEvent

VIEW, EXPORT = "kernel.view_auditentry", "kernel.export_auditentry"
PAGE = 50
SHOWN = 300
"""Rows of one order: more than a person reads; the page says so and leads to the whole list."""
KEYS = ("-at", "-id")
TYPED = {"actor": 150, "action": 64, "subject": 150, "request_id": 64}


@dataclass(frozen=True, slots=True)
class Asked:
    """What is to be found; nothing given narrows nothing."""

    actor: str = ""
    action: str = ""
    subject: str = ""
    request_id: str = ""
    since: dt.datetime | None = None
    until: dt.datetime | None = None

    @classmethod
    def of(cls, data: QueryDict) -> "Asked":
        """Read what was asked; what makes no sense narrows nothing."""
        typed = {name: data.get(name, "").strip()[:longest] for name, longest in TYPED.items()}
        typed["actor"] = actor_of(typed["actor"])
        return cls(**typed, since=_instant(data.get("from", "")), until=_instant(data.get("to", "")))

    @property
    def times(self) -> Q:
        since = Q(at__gte=self.since) if self.since else Q()
        return since & Q(at__lt=self.until) if self.until else since

    def rows(self) -> QuerySet[AuditEntry]:
        """Return what was done to the subject itself (or to anything)."""
        names = {"actor": self.actor, "action": self.action, "request_id": self.request_id, "subject": self.subject}
        return AuditEntry.objects.filter(self.times, **{name: value for name, value in names.items() if value})

    def along(self) -> QuerySet[AuditEntry]:
        """Return the acts on many of which the subject was one."""
        among = AuditSubject.objects.filter(self.times, subject=self.subject)
        names = {"actor": self.actor, "action": self.action, "request_id": self.request_id}
        given = {name: value for name, value in names.items() if value}
        return AuditEntry.objects.filter(pk__in=among.values("audit_id"), **given)


@dataclass(frozen=True, slots=True)
class Line:
    """One row as it is shown."""

    entry: AuditEntry
    who: str
    what: str
    subject_url: str
    among: bool = False


@may_be_stale
def audit_view(request: HttpRequest) -> HttpResponse:
    """Show a page of what was asked, `before` or `after` a cursor."""
    require(request, VIEW)
    asked = Asked.of(request.GET)
    rows, older, newer = _page(asked, request.GET)
    kept = {name: request.GET.get(name, "") for name in (*TYPED, "from", "to")}
    context = {
        **admin.site.each_context(request),
        "title": "审计",
        "lines": lines(rows, asked.subject),
        "asked": kept,
        "filters": urlencode({name: value for name, value in kept.items() if value}),
        "older": _link(request.GET, "after", older),
        "newer": _link(request.GET, "before", newer),
        "may_export": request.user.has_perm(EXPORT),
    }
    return TemplateResponse(request, "backoffice/audit.html", context)


@may_be_stale
def order_view(request: HttpRequest, order_no: str) -> HttpResponse:
    """Show who did what to an order: acts, also those on many; steps that people took; its parcels."""
    require(request, VIEW)
    order = Order.objects.filter(order_no=order_no).only("pk", "order_no").first()
    found = [*newest(Asked(subject=order_no), SHOWN + 1), *_about_what_is_its(order, order_no)]
    rows = sorted({entry.pk: entry for entry in found}.values(), key=_key, reverse=True)
    if not rows and not order:
        raise Http404
    context = {
        **admin.site.each_context(request),
        "title": f"订单 {order_no}：谁做过什么",
        "order": order,
        "order_no": order_no,
        "lines": lines(rows[:SHOWN], order_no),
        "cut": len(rows) > SHOWN,
        "steps": _steps(order) if order and request.user.has_perm("orders.view_order") else [],
    }
    return TemplateResponse(request, "backoffice/audit_order.html", context)


@may_be_stale
def person_view(request: HttpRequest, actor: str) -> HttpResponse:
    """Show what a person of staff (or a key, or a job) did, by day."""
    require(request, VIEW)
    asked = Asked(actor=actor, since=_instant(request.GET.get("from", "")), until=_instant(request.GET.get("to", "")))
    rows, older, newer = _page(asked, request.GET)
    kind, _, key = actor.partition(":")
    known = kind == "staff" and key.isdecimal() and len(key) < 12
    user = get_user_model().objects.filter(pk=key).prefetch_related("groups").first() if known else None
    if not rows and user is None:
        raise Http404
    context = {
        **admin.site.each_context(request),
        "title": f"{user.get_full_name() or user.get_username() if user else actor}：做过什么",
        "actor": actor,
        "person": user,
        "lines": lines(rows, ""),
        "asked": {name: request.GET.get(name, "") for name in ("from", "to")},
        "older": _link(request.GET, "after", older),
        "newer": _link(request.GET, "before", newer),
    }
    return TemplateResponse(request, "backoffice/audit_person.html", context)


def lines(rows: Sequence[AuditEntry], subject: str) -> list[Line]:
    """Return rows as they are shown; those of which `subject` was only one of many are marked."""
    names = actor_names(row.actor for row in rows)
    return [
        Line(
            row,
            names[row.actor],
            action_label(row.action),
            subject_url(row.subject) if row.subject else "",
            among=bool(subject) and not row.subject,
        )
        for row in rows
    ]


def _page(asked: Asked, data: QueryDict) -> tuple[list[AuditEntry], AuditEntry | None, AuditEntry | None]:
    """Return a page, and its edges where there is more beyond them (older, newer)."""
    before, after = data.get("before", ""), data.get("after", "")
    rows = newest(asked, PAGE + 1, cursor=before or after, backwards=bool(before))
    more, rows = len(rows) > PAGE, rows[:PAGE]
    if before:
        rows.reverse()
    older = rows[-1] if rows and (more or before) else None
    newer = rows[0] if rows and (after if not before else more) else None
    return rows, older, newer


def newest(asked: Asked, limit: int, *, cursor: str = "", backwards: bool = False) -> list[AuditEntry]:
    condition = Q()
    if cursor:
        try:
            condition = beyond(KEYS, decode_cursor(cursor, AuditEntry, KEYS), backwards=backwards)
        except IncorrectLookupParameters as error:
            raise Http404 from error
    order = ("at", "id") if backwards else KEYS
    sources = [asked.rows(), asked.along()] if asked.subject else [asked.rows()]
    found = {row.pk: row for rows in sources for row in rows.filter(condition).order_by(*order)[:limit]}
    return sorted(found.values(), key=_key, reverse=not backwards)[:limit]


def _key(entry: AuditEntry) -> tuple[dt.datetime, int]:
    return entry.at, entry.pk


def _about_what_is_its(order: Order | None, order_no: str) -> QuerySet[AuditEntry]:
    """Return what was done to the order's parcels, and to the batches that it was a row of."""
    parcels = Shipment.objects.filter(orders=order.pk).values_list("pk", flat=True) if order else []
    batches = BatchRow.objects.filter(about=order_no).order_by("-id").values_list("batch_id", flat=True)[:SHOWN]
    subjects = {*(f"shipment:{pk}" for pk in parcels), *(f"batch:{pk}" for pk in batches)}
    return AuditEntry.objects.filter(subject__in=subjects).order_by(*KEYS)[:SHOWN]


def _steps(order: Order) -> list[tuple[OrderEvent, str]]:
    """Return the steps of the order's history that a person, a key or a file took."""
    events = [event for event in order.events.order_by("-recorded_at", "-id")[:SHOWN] if event.source != "carrier"]
    names = actor_names(event.actor for event in events)
    return [(event, names[event.actor] or event.get_source_display()) for event in events]


def require(request: HttpRequest, right: str) -> None:
    if not request.user.has_perm(right):
        raise PermissionDenied


def _instant(text: str) -> dt.datetime | None:
    try:
        instant = dt.datetime.fromisoformat(text)
        return instant.replace(tzinfo=clock.SHANGHAI) if instant.tzinfo is None else instant.astimezone(clock.SHANGHAI)
    except (ValueError, OverflowError):
        return None


def _link(data: QueryDict, direction: str, edge: AuditEntry | None) -> str:
    if edge is None:
        return ""
    kept: dict[str, Any] = {name: value for name, value in data.items() if name not in ("before", "after") and value}
    return "?" + urlencode(kept | {direction: encode_cursor(edge, KEYS)})
