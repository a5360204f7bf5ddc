"""Who asked what of us: one line for each request, by its route's template; never the path, the query or the body."""

import functools
import ipaddress
import time
from collections.abc import Callable

from django.http import HttpRequest, HttpResponseBase
from django.utils.functional import SimpleLazyObject

from frozenshop.kernel import logstore
from frozenshop.kernel.client_address import client_address
from frozenshop.kernel.logstore.entries import Kind

UNTOLD = frozenset({"healthz", "readyz", "metrics"})
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


class AccessMiddleware:
    """Stands inside the middleware that gives the request its id. Probes and static files are not told."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        started = time.perf_counter()
        response = self.get_response(request)
        route = request.resolver_match.route if request.resolver_match else ""
        if route not in UNTOLD and (route or response.status_code >= 400):
            _note(request, route or "unmatched", response.status_code, time.perf_counter() - started)
        return response


def _note(request: HttpRequest, route: str, status: int, seconds: float) -> None:
    method = request.method if request.method in METHODS else "other"
    logstore.write(
        Kind.ACCESS,
        service=route.partition("/")[0],
        what=f"{method} /{route}",
        outcome=str(status),
        failed=status >= 400,
        ms=round(seconds * 1000),
        who=_who(request),
        address=_network(client_address(request)),
    )


def _who(request: HttpRequest) -> str:
    """Name a buyer, a key or a member of staff, as far as the view asked who it is."""
    user = getattr(request, "_cached_user", None) or request.__dict__.get("user")
    if user is None or isinstance(user, SimpleLazyObject):
        return ""
    if name := getattr(user, "log_name", ""):
        return str(name)
    return f"staff:{user.pk}" if user.is_authenticated else ""


@functools.lru_cache(maxsize=1024)
def _network(address: str) -> str:
    """Return the network that an address belongs to: enough to see one source, too little to see one person."""
    try:
        bits = 24 if ipaddress.ip_address(address).version == 4 else 48
        return str(ipaddress.ip_network(f"{address}/{bits}", strict=False))
    except ValueError:
        return ""
