"""Writes with an `Idempotency-Key`: the second one gets the first one's answer and has no effect of its own."""

import datetime as dt
import hashlib
from dataclasses import dataclass

from django.db import IntegrityError, transaction
from django.db.models import Q, QuerySet

from frozenshop.kernel import clock, purging
from frozenshop.kernel.errors import Invalid, Problem
from frozenshop.kernel.models import IdempotencyKey

KEPT = dt.timedelta(days=7)
TAKEN_OVER_AFTER = dt.timedelta(seconds=60)
"""A twin that has been under way for longer is taken for dead."""
MAX_KEY_LENGTH = 255


class IdempotencyMismatch(Problem):
    code, status, message = "idempotency_mismatch", 409, "同一个 Idempotency-Key 用于了不同的请求"


class InProgress(Problem):
    code, status, message = "in_progress", 409, "相同的请求正在处理，请稍后再试"


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    body: str


def fingerprint(method: str, path: str, body: bytes) -> str:
    """Return the digest that tells whether two requests under one key are the same."""
    return hashlib.sha256(b"\n".join((method.upper().encode(), path.encode(), body))).hexdigest()


def begin(scope: str, key: str, fingerprint: str) -> Answer | None:
    """Return the answer given before, or None: then do the work and `finish` (or `abandon`) it.

    Raises IdempotencyMismatch, InProgress, or Invalid for a key that can't be one. To be called outside the
    transaction of the work, so that a twin sees it at once.
    """
    if not 0 < len(key) <= MAX_KEY_LENGTH:
        raise Invalid(fields={"Idempotency-Key": f"长度应为 1–{MAX_KEY_LENGTH} 个字符"})
    if _insert(scope, key, fingerprint) or _take_over(scope, key, fingerprint):
        return None
    row = IdempotencyKey.objects.filter(scope=scope, key=key).first()
    if row is not None and row.fingerprint != fingerprint:
        raise IdempotencyMismatch
    if row is None or row.response_status is None:
        raise InProgress
    return Answer(row.response_status, row.response_body)


def finish(scope: str, key: str, answer: Answer) -> None:
    """Keep the answer for the next one who asks. To be called in the transaction of the work."""
    _under_way(scope, key).update(response_status=answer.status, response_body=answer.body)


def abandon(scope: str, key: str) -> None:
    """Forget an attempt that had no effect, so that it may be repeated at once."""
    _under_way(scope, key).delete()


def purge() -> int:
    """Delete what is older than seven days; return how many."""
    return purging.delete(IdempotencyKey.objects.filter(created_at__lte=clock.now() - KEPT).order_by("created_at"))


def _insert(scope: str, key: str, fingerprint: str) -> bool:
    try:
        with transaction.atomic():
            IdempotencyKey.objects.create(scope=scope, key=key, fingerprint=fingerprint, created_at=clock.now())
    except IntegrityError:
        return False
    return True


def _take_over(scope: str, key: str, fingerprint: str) -> bool:
    """Take the row of a dead twin, or one that is too old to bind anybody; only one of many takers succeeds."""
    now = clock.now()
    dead_twin = Q(fingerprint=fingerprint, response_status=None, created_at__lte=now - TAKEN_OVER_AFTER)
    rows = IdempotencyKey.objects.filter(dead_twin | Q(created_at__lte=now - KEPT), scope=scope, key=key)
    return bool(rows.update(fingerprint=fingerprint, response_status=None, response_body="", created_at=now))


def _under_way(scope: str, key: str) -> QuerySet[IdempotencyKey]:
    return IdempotencyKey.objects.filter(scope=scope, key=key, response_status=None)
