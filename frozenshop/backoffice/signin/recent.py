"""Proof that the person at the keyboard is still the one who signed in, asked for before what matters most.

Before unmasking, exporting, importing in bulk and changing roles:

    if (asked := recent.asked(request)) is not None:
        return asked

or `@needs_recent` on a view. What was being posted is not lost: the page that asks carries its fields, and posts them
again to the same address together with the proof.
"""

import datetime as dt
import functools
from collections.abc import Callable
from typing import Any, TypeVar, cast

from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.template.response import TemplateResponse

from frozenshop.kernel import clock

PROVED_AT = "proved_at"
PASSWORD, CODE, ASSERTION = "_again_password", "_again_code", "_again_assertion"
OWN_FIELDS = frozenset({PASSWORD, CODE, ASSERTION, "csrfmiddlewaretoken"})
ASKED_HEADER = "X-Confirm"
"""On the page that asks, for scripts that post in the background: open the address as a page instead."""

_View = TypeVar("_View", bound=Callable[..., HttpResponseBase])


def recently_authenticated(request: HttpRequest) -> bool:
    """Say whether the person gave a password or second factor within the last STAFF_REAUTH_MINUTES of this session."""
    proved_at = request.session.get(PROVED_AT)
    window = dt.timedelta(minutes=settings.STAFF_REAUTH_MINUTES)
    return proved_at is not None and clock.now().timestamp() - float(proved_at) < window.total_seconds()


def remember(request: HttpRequest) -> None:
    """Start the window anew; called by whatever checked a password or second factor."""
    request.session[PROVED_AT] = clock.now().timestamp()


def asked(request: HttpRequest) -> HttpResponse | None:
    """Return None where the person proved themselves lately or does so with this very request, else the page that asks.

    Call it after the permission was checked: who may not do it anyway is not asked for a password.
    """
    if recently_authenticated(request):
        return None
    fault = ""
    if request.method == "POST" and PASSWORD in request.POST:
        from frozenshop.backoffice.signin.proof import prove

        fault = prove(request)
        if not fault:
            return None
    return page(request, fault)


def needs_recent(view: _View) -> _View:
    """Guard a view (first argument: the request); on a method by `method_decorator(needs_recent)`."""

    @functools.wraps(view)
    def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        asking = asked(request)
        return view(request, *args, **kwargs) if asking is None else asking

    return cast(_View, guarded)


def page(request: HttpRequest, fault: str = "") -> HttpResponse:
    """Return the page that asks. Files can't be carried along: then the way leads back to where they are chosen."""
    from django.contrib import admin

    from frozenshop.backoffice.signin import factors, passkeys

    resend = request.method == "POST" and not request.FILES
    kept = [(name, value) for name, values in request.POST.lists() if _carried(name) for value in values]
    has_factor = settings.STAFF_SECOND_FACTOR != factors.OFF and factors.has_any(request.user)
    context = {
        **admin.site.each_context(request),
        "title": "请再确认一次身份",
        "fault": fault,
        "kept": kept if resend else [],
        "resend": resend,
        "lost_file": bool(request.FILES),
        "back": request.get_full_path(),
        "has_factor": has_factor,
        "passkey_options": passkeys.assertion_options(request) if has_factor else "",
        "minutes": settings.STAFF_REAUTH_MINUTES,
    }
    answer = TemplateResponse(request, "backoffice/signin/again.html", context)
    answer[ASKED_HEADER] = "required"
    answer["Cache-Control"] = "no-store"
    return answer


def _carried(name: str) -> bool:
    """Passwords stand in no page; whoever was setting one is asked for it once more."""
    return name not in OWN_FIELDS and "password" not in name
