"""One shape for everything that goes wrong, whoever noticed it: a service, DRF, Django or the database."""

import json
import math
import sys
from collections.abc import Callable
from typing import Any

import structlog
from django.core.exceptions import PermissionDenied, RequestDataTooBig, SuspiciousOperation
from django.db import DataError, InterfaceError, OperationalError
from django.http import Http404, HttpRequest, HttpResponse, UnreadablePostError
from django.template import loader
from django.views import defaults
from rest_framework import exceptions

from frozenshop.api.replies import reply
from frozenshop.kernel import clock, request_id
from frozenshop.kernel.errors import Forbidden, Invalid, NotFound, Problem, Unauthenticated, Unavailable
from frozenshop.kernel.signing import TimestampOutOfRange

logger = structlog.get_logger(__name__)

MACHINE_PATHS = ("/api/", "/merchant/", "/callbacks/")


class MethodNotAllowed(Problem):
    code, status, message = "method_not_allowed", 405, "不支持这种请求方式"


class TooLarge(Problem):
    code, status, message = "too_large", 413, "提交的内容过大"


class InternalError(Problem):
    code, status, message = "internal", 500, "系统出错了，我们会尽快处理"


# The first kind that fits; what a client can cause must stand here, so that it never ends as a 500.
_OTHERS: tuple[tuple[tuple[type[Exception], ...], type[Problem]], ...] = (
    ((exceptions.NotAuthenticated, exceptions.AuthenticationFailed), Unauthenticated),
    ((exceptions.PermissionDenied, PermissionDenied), Forbidden),
    ((exceptions.MethodNotAllowed,), MethodNotAllowed),
    ((exceptions.NotFound, Http404), NotFound),
    ((RequestDataTooBig,), TooLarge),
    ((exceptions.APIException, SuspiciousOperation, UnreadablePostError), Invalid),
    ((OperationalError, InterfaceError), Unavailable),
    ((DataError, OverflowError, UnicodeError, RecursionError, json.JSONDecodeError), Invalid),
)


def as_problem(error: Exception) -> Problem | None:
    """Return how a caller is told of `error`, or None for a fault of this program."""
    if isinstance(error, Problem):
        return error
    for kinds, problem in _OTHERS:
        if isinstance(error, kinds):
            return problem()
    return None


def exception_handler(error: Exception, context: dict[str, Any]) -> HttpResponse:
    """Answer for an exception of an API view; a fault of ours is logged with its traceback."""
    problem = as_problem(error)
    if problem is None:
        logger.error("api.fault", view=type(context.get("view")).__name__, exc_info=error)
        problem = InternalError()
    elif isinstance(problem, Unavailable):
        logger.warning("api.unavailable", error=type(error).__name__, exc_info=error)
    response = problem_response(problem)
    if isinstance(error, exceptions.MethodNotAllowed):
        response["Allow"] = ", ".join(context["view"].allowed_methods)
    return response


def not_allowed(*methods: str) -> HttpResponse:
    """Write the answer to a request that came with none of these methods."""
    response = problem_response(MethodNotAllowed())
    response["Allow"] = ", ".join(methods)
    return response


def problem_response(problem: Problem) -> HttpResponse:
    """Write a problem in the one shape, with the headers that belong to its status."""
    error: dict[str, Any] = {
        "code": problem.code,
        "message": problem.message,
        "request_id": request_id.current(),
    }
    if problem.fields:
        error["fields"] = problem.fields
    if isinstance(problem, TimestampOutOfRange):
        error["server_time"] = int(clock.now().timestamp())
    response = reply({"error": error}, problem.status)
    if problem.status == 401:
        response["WWW-Authenticate"] = "Bearer"
    if problem.retry_after is not None:
        response["Retry-After"] = str(max(1, math.ceil(problem.retry_after.total_seconds())))
    return response


def _handler(problem: type[Problem], page: Callable[..., Any]) -> Callable[..., Any]:
    """Return a Django error handler: JSON for programs, Django's own page for people."""

    def handle(request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        if request.path_info.startswith(MACHINE_PATHS):
            return problem_response(problem())
        return page(request, *args, **kwargs)

    return handle


handler400 = _handler(Invalid, defaults.bad_request)
handler403 = _handler(Forbidden, defaults.permission_denied)
handler404 = _handler(NotFound, defaults.page_not_found)


def handler500(request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
    """Answer for what nobody caught: a database that is away is no fault of ours, and passes."""
    error = sys.exception()
    problem = as_problem(error) if isinstance(error, Exception) else None
    away = isinstance(problem, Unavailable)
    if request.path_info.startswith(MACHINE_PATHS):
        return problem_response(Unavailable() if away else InternalError())
    if away:
        page = loader.render_to_string("503.html", {"message": Unavailable.message})
        return HttpResponse(page, status=503, headers={"Retry-After": "5", "Cache-Control": "no-store"})
    return defaults.server_error(request)
