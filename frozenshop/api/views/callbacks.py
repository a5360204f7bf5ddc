"""What carriers' services push to us: kept and acknowledged at once, in the words that their sender expects."""

from django.http import HttpRequest, HttpResponse
from django.views.decorators.csrf import csrf_exempt

from frozenshop.api.bodies import CALLBACK_BYTES, check_length
from frozenshop.api.errors import TooLarge, not_allowed, problem_response
from logistics import messages


@csrf_exempt
def push(request: HttpRequest, provider: str, secret: str = "") -> HttpResponse:
    """Take in a provider's push. `secret` is the last part of the path, for those that sign by address."""
    if request.method != "POST":
        return not_allowed("POST")
    try:
        check_length(request, CALLBACK_BYTES)
    except TooLarge as problem:
        return problem_response(problem)
    reply = messages.receive(provider, request.body, secret)
    return HttpResponse(reply.body, status=reply.status, content_type=reply.content_type)
