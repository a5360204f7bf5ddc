"""A session's life: its id is new at each step up, it ends when nobody uses it and at latest after a working day."""

import datetime as dt
from collections.abc import Callable
from importlib import import_module
from typing import Any

from django.conf import settings
from django.contrib import messages
from django.contrib.auth import SESSION_KEY, logout
from django.contrib.sessions.backends.base import SessionBase
from django.http import HttpRequest, HttpResponseBase

from frozenshop.backoffice.signin.models import StaffSession
from frozenshop.kernel import clock, purging
from frozenshop.kernel.client_address import client_address

STARTED_AT, SEEN_AT = "started_at", "seen_at"
WRITE_EVERY = dt.timedelta(minutes=1).total_seconds()
"""Seen again within it, nothing is written."""


class SessionLimits:
    """End sessions that are idle for STAFF_IDLE_MINUTES, or STAFF_SESSION_HOURS old."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        if settings.SESSION_COOKIE_NAME in request.COOKIES and SESSION_KEY in request.session:
            _keep(request)
        return self.get_response(request)


def _keep(request: HttpRequest) -> None:
    now, session = clock.now().timestamp(), request.session
    if STARTED_AT not in session:  # it began before there were limits
        begin(request)
        return
    idle, age = now - float(session[SEEN_AT]), now - float(session[STARTED_AT])
    if idle > settings.STAFF_IDLE_MINUTES * 60 or age > settings.STAFF_SESSION_HOURS * 3600:
        end([session.session_key or ""])
        logout(request)
        messages.info(request, "登录已过期，请重新登录。")
    elif idle >= WRITE_EVERY:
        session[SEEN_AT] = now
        StaffSession.objects.filter(session_key=session.session_key).update(seen_at=clock.now())


def mark(session: SessionBase) -> None:
    """Start the clocks of a session."""
    session[STARTED_AT] = session[SEEN_AT] = clock.now().timestamp()


def begin(request: HttpRequest) -> None:
    """Start the clocks of the session, and list it among its person's."""
    mark(request.session)
    if request.session.session_key is None:
        request.session.save()
    _list(request)


def renew_key(request: HttpRequest) -> None:
    """Give the session another id: whoever knew the old one has nothing."""
    old = request.session.session_key
    request.session.cycle_key()
    StaffSession.objects.filter(session_key=old).delete()
    _list(request)


def _list(request: HttpRequest) -> None:
    StaffSession.objects.update_or_create(
        session_key=request.session.session_key,
        defaults={
            "user_id": request.session[SESSION_KEY],
            "started_at": dt.datetime.fromtimestamp(request.session[STARTED_AT], dt.UTC),
            "seen_at": clock.now(),
            "address": client_address(request),
            "agent": request.headers.get("User-Agent", "")[:200],
        },
    )


def of(user: Any) -> list[StaffSession]:
    """Return a person's sessions that may still be alive, the newest first."""
    since = clock.now() - dt.timedelta(minutes=settings.STAFF_IDLE_MINUTES)
    return list(StaffSession.objects.filter(user=user, seen_at__gt=since).order_by("-seen_at", "-id")[:50])


def end_all(user: Any, *, but: str | None = None) -> int:
    """End all sessions of a person, but for one; return how many."""
    rows = StaffSession.objects.filter(user=user).exclude(session_key=but or "")
    return end(list(rows.values_list("session_key", flat=True)))


def end(keys: list[str]) -> int:
    """End sessions by their keys, wherever they are kept."""
    store = import_module(settings.SESSION_ENGINE).SessionStore()
    for key in keys:
        store.delete(key)
    return StaffSession.objects.filter(session_key__in=keys).delete()[0]


def purge() -> int:
    """Forget sessions that have run out, ours and Django's."""
    store = import_module(settings.SESSION_ENGINE).SessionStore
    store.clear_expired()
    oldest = clock.now() - dt.timedelta(hours=settings.STAFF_SESSION_HOURS)
    return purging.delete(StaffSession.objects.filter(seen_at__lt=oldest).order_by("seen_at", "id"))
