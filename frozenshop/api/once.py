"""A write that carries an `Idempotency-Key` takes effect once, and gives the same answer each time."""

from collections.abc import Callable

from django.db import transaction
from django.http import HttpRequest, HttpResponse

from frozenshop.api.errors import problem_response
from frozenshop.api.replies import reply_bytes
from frozenshop.kernel import idempotency
from frozenshop.kernel.errors import Problem
from orders.contention import retried


def once(
    request: HttpRequest, scope: str, work: Callable[[], HttpResponse], *, in_one_transaction: bool = True
) -> HttpResponse:
    """Do `work`, or give the answer that it gave before under the same key.

    Only a success is kept: what was refused had no effect and may be sent again under its key. Not in one
    transaction: for work that is harmless to repeat and would hold its locks for long.
    """
    key = request.META.get("HTTP_IDEMPOTENCY_KEY")
    if key is None:
        return work()
    print_ = idempotency.fingerprint(request.method or "", request.get_full_path(), request.body)
    if (known := idempotency.begin(scope, key, print_)) is not None:
        return reply_bytes(known.body.encode(), known.status)
    kept = False
    try:
        if in_one_transaction:
            response, kept = _whole(scope, key, work)
        else:
            response, kept = _answer(scope, key, work)
    finally:
        if not kept:
            idempotency.abandon(scope, key)
    return response


@retried
def _whole(scope: str, key: str, work: Callable[[], HttpResponse]) -> tuple[HttpResponse, bool]:
    """The services inside can't repeat what lost to a deadlock: this is the outermost transaction, so it does."""
    with transaction.atomic():
        return _answer(scope, key, work)


def _answer(scope: str, key: str, work: Callable[[], HttpResponse]) -> tuple[HttpResponse, bool]:
    """A refusal is answered from here, not raised: what a service recorded about it must not be rolled back."""
    try:
        response = work()
    except Problem as problem:
        return problem_response(problem), False
    idempotency.finish(scope, key, idempotency.Answer(response.status_code, response.content.decode()))
    return response, True
