"""What the SMS services push: delivery reports, answered in the words that their sender expects."""

import structlog
from django.db import DatabaseError
from django.http import HttpRequest, HttpResponse
from django.views.decorators.csrf import csrf_exempt

from frozenshop.api.bodies import CALLBACK_BYTES, check_length
from frozenshop.api.errors import TooLarge, not_allowed
from frozenshop.api.replies import reply
from frozenshop.kernel import callback_secrets
from notifications.sms import pushes
from notifications.sms.reports import SENDERS, Sender, Unreadable

logger = structlog.get_logger(__name__)


@csrf_exempt
def report(request: HttpRequest, service: str, secret: str) -> HttpResponse:
    """Keep delivery reports. 401: not the service's; 400: unreadable; 503: could not be kept, it is sent again."""
    sender = SENDERS[service]
    if request.method != "POST":
        return not_allowed("POST")
    try:
        check_length(request, CALLBACK_BYTES)
    except TooLarge:
        return _said(sender, 413, "too large")
    if not callback_secrets.opens(secret, sender.secrets):
        logger.warning("sms.report_forged", channel=sender.channel)
        return _said(sender, 401, "forbidden")
    try:
        pushes.keep(service, request.body)
    except Unreadable as error:
        logger.warning("sms.report_unreadable", channel=sender.channel, reason=str(error))
        return _said(sender, 400, "unreadable")
    except DatabaseError:
        logger.exception("sms.report_not_kept", channel=sender.channel)
        return _said(sender, 503, "unavailable")
    return reply(sender.answer(0, ""))


def _said(sender: Sender, status: int, text: str) -> HttpResponse:
    return reply(sender.answer(status, text), status)
