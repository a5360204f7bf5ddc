"""One id for a request and for all that it sets off: in its answer, its logs, its outbox rows and their tasks."""

import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from django.http import HttpRequest, HttpResponseBase

_current: ContextVar[str] = ContextVar("request_id", default="")
_acceptable = re.compile(r"[A-Za-z0-9_-]{8,64}").fullmatch


def current() -> str:
    """Return the id of the request or message under way, or ""."""
    return _current.get()


def make() -> str:
    return os.urandom(12).hex()


@contextmanager
def carrying(request_id: str) -> Iterator[None]:
    """Go on under the id that a stored message brought along."""
    token = _current.set(request_id)
    try:
        yield
    finally:
        _current.reset(token)


class RequestIdMiddleware:
    """Take the caller's `X-Request-Id` when it is harmless, else make one; answer with it."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        given = request.META.get("HTTP_X_REQUEST_ID", "")
        request_id = given if given and _acceptable(given) else make()
        token = _current.set(request_id)
        try:
            response = self.get_response(request)
        finally:
            _current.reset(token)
        response["X-Request-Id"] = request_id
        return response
