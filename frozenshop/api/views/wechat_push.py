"""What WeChat pushes to us: kept and acknowledged within the five seconds that it waits."""

from collections.abc import Mapping

import structlog
from django.conf import settings
from django.db import DatabaseError
from django.http import HttpRequest, HttpResponse
from django.views.decorators.csrf import csrf_exempt

from frozenshop.api.bodies import CALLBACK_BYTES, check_length
from frozenshop.api.errors import TooLarge, not_allowed, problem_response
from frozenshop.kernel.errors import NotFound
from notifications.wechat import events
from notifications.wechat.push_crypto import Forged, Unreadable

logger = structlog.get_logger(__name__)

HEADERS: Mapping[str, str] = {"X-Content-Type-Options": "nosniff", "Cache-Control": "no-store"}


@csrf_exempt
def push(request: HttpRequest) -> HttpResponse:
    """Echo on GET, when the address is entered in WeChat's console; take an event on POST.

    401: not WeChat's, nothing kept; 400: unreadable; 503: could not be kept, WeChat sends it again.
    """
    if not settings.WECHAT_PUSH_TOKEN:
        return problem_response(NotFound())
    if request.method not in ("GET", "POST"):
        return not_allowed("GET", "POST")
    try:
        if request.method == "GET":
            return _said(events.verify_address(request.GET))
        check_length(request, CALLBACK_BYTES)
        events.receive(request.GET, request.body)
    except TooLarge as problem:
        return problem_response(problem)
    except Forged as error:
        logger.warning("wechat.push_forged", reason=str(error))
        return _said("forbidden", 401)
    except Unreadable as error:
        logger.warning("wechat.push_unreadable", reason=str(error))
        return _said("unreadable", 400)
    except DatabaseError:
        logger.exception("wechat.push_not_kept")
        return _said("unavailable", 503)
    return _said("success")


def _said(text: str, status: int = 200) -> HttpResponse:
    return HttpResponse(text, status=status, content_type="text/plain; charset=utf-8", headers=HEADERS)
