"""A short way for programs: what is not for people with a browser skips the middlewares made for them."""

from collections.abc import Callable
from typing import cast

from django.core.handlers.base import BaseHandler
from django.core.handlers.exception import convert_exception_to_response
from django.http import HttpRequest, HttpResponseBase

from frozenshop.api.errors import MACHINE_PATHS

# Probes and scrapers call by address, not by one of ALLOWED_HOSTS.
STRAIGHT = (*MACHINE_PATHS, "/healthz", "/readyz", "/metrics")

GetResponse = Callable[[HttpRequest], HttpResponseBase]


class _Views(BaseHandler):
    """Resolves and calls views, with nothing around them."""

    _view_middleware = _template_response_middleware = _exception_middleware = ()


class ApiLane:
    """Stands before the middlewares of sessions, forms and pages; the API and the probes use none of them."""

    def __init__(self, get_response: GetResponse) -> None:
        self.through_all: GetResponse = get_response
        # Django's own innermost step, which its stubs leave out.
        self.straight = cast(GetResponse, convert_exception_to_response(_Views()._get_response))  # type: ignore[attr-defined]

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        if request.path_info.startswith(STRAIGHT):
            return self.straight(request)
        return self.through_all(request)
