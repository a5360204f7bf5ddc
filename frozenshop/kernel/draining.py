"""Web is about to stop, and still serves: until it stops, whoever spreads the requests is told to look elsewhere.

Two sorts of them: those that ask `/readyz` get 503; nginx, which asks nobody, learns from answers. It marks the
requests that it may give to another process (`X-May-Retry`); those are answered 502 before anything has happened.
After a few it sends nothing here. Requests that change something are never sent twice, so they are served as long as
they come.
"""

from collections.abc import Callable

from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseBase

FLAG = "draining"
REPEATABLE = ("GET", "HEAD")


def draining() -> bool:
    """Say whether the file is there that the web role makes at SIGTERM (deploy/image/entrypoint.sh), or a person."""
    return bool((settings.VAR_DIR / FLAG).exists())


class DrainMiddleware:
    """The outermost: what is turned away is neither counted nor has it used up a nonce."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        if request.method in REPEATABLE and "HTTP_X_MAY_RETRY" in request.META and draining():
            return HttpResponse(status=502)
        return self.get_response(request)
