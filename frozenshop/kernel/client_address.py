"""Where a request comes from, seen through the proxies that we run ourselves and through no others."""

import ipaddress

from django.conf import settings
from django.http import HttpRequest


def client_address(request: HttpRequest) -> str:
    """Return the address of the client; empty if there is none that can be read.

    Each of our `TRUSTED_PROXIES` appends whom it saw to X-Forwarded-For; what stands further left anybody may claim.
    A request that came past them has fewer entries: then the socket's own address counts.
    """
    socket = str(request.META.get("REMOTE_ADDR", ""))
    hops = request.META.get("HTTP_X_FORWARDED_FOR", "").split(",") if settings.TRUSTED_PROXIES else []
    claimed = hops[-settings.TRUSTED_PROXIES].strip() if len(hops) >= settings.TRUSTED_PROXIES > 0 else socket
    try:
        return str(ipaddress.ip_address(claimed))
    except ValueError:
        return socket[:45]
