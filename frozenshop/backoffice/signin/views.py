"""The pages of signing in: showing again that it is you."""

from django.contrib import admin
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme

from frozenshop.backoffice.signin import recent


def again_view(request: HttpRequest) -> HttpResponse:
    """Ask for the proof without anything under way, and go back to where it was wanted."""
    asking = recent.asked(request)
    return HttpResponseRedirect(next_address(request)) if asking is None else asking


def next_address(request: HttpRequest) -> str:
    """Return where the person wanted to go, on this site only."""
    wanted = request.POST.get("next") or request.GET.get("next", "")
    if url_has_allowed_host_and_scheme(wanted, {request.get_host()}, require_https=request.is_secure()):
        return wanted
    return reverse(f"{admin.site.name}:index")
