"""Delivery reports as they come: kept raw and sealed with their application queued, answered, then applied.

A service never waits for what its report causes, and a repeat of the same body changes nothing.
"""

import datetime as dt
import hashlib

from django.db import transaction

from frozenshop.kernel import clock, crypto, outbox, purging
from notifications.models import SmsPush
from notifications.sms import reports
from notifications.sms.reports import SENDERS, Unreadable

KEEP = dt.timedelta(days=35)

Outcome = SmsPush.Outcome


def keep(service: str, body: bytes) -> SmsPush:
    """Keep what came with the right secret and queue its application, in one transaction; the same body is kept once.

    Raises Unreadable after keeping what makes no sense.
    """
    try:
        reports.parse(SENDERS[service], body)
    except Unreadable as error:
        _keep(service, body, Outcome.UNREADABLE, detail=str(error))
        raise
    with transaction.atomic():
        push, new = _keep(service, body, Outcome.RECEIVED)
        if new:
            outbox.enqueue("notifications.sms_push", {"push_id": push.pk})
    return push


def open_body(push: SmsPush) -> bytes:
    """Return a push as it came. Raises SealBroken."""
    return crypto.open_sealed(push.body_sealed, purpose=purpose_of(push.digest)).encode("latin-1")


def apply(push: SmsPush) -> None:
    """Settle the letters that a kept push reports, inside the caller's transaction. Repeatable."""
    if push.outcome != Outcome.RECEIVED:
        return
    sender = SENDERS[push.service]
    try:
        told = reports.parse(sender, open_body(push))
    except Unreadable as error:
        _close(push, Outcome.UNREADABLE, str(error))
        return
    known = reports.take(sender, told)
    _close(push, Outcome.APPLIED, f"{len(told)} 条回执，{known} 条是本系统的短信")


def purge() -> int:
    """Delete pushes older than 35 days; return how many."""
    return purging.delete(SmsPush.objects.filter(received_at__lt=clock.now() - KEEP).order_by("received_at", "id"))


def purpose_of(digest: str) -> str:
    return f"sms_push:{digest}"


def _keep(service: str, body: bytes, outcome: str, *, detail: str = "") -> tuple[SmsPush, bool]:
    digest = hashlib.sha256(body).hexdigest()
    known = SmsPush.objects.filter(service=service, digest=digest).first()
    if known is not None:
        return known, False
    sealed = crypto.seal(body.decode("latin-1"), purpose=purpose_of(digest))
    given = {"body_sealed": sealed, "outcome": outcome, "detail": detail[:300], "received_at": clock.now()}
    return SmsPush.objects.get_or_create(service=service, digest=digest, defaults=given)


def _close(push: SmsPush, outcome: str, detail: str) -> None:
    push.outcome, push.detail = outcome, detail[:300]
    push.applied_at = clock.now() if outcome == Outcome.APPLIED else None
    push.save(update_fields=["outcome", "detail", "applied_at"])
