"""The outbox rows: write them, send them again, revive the dead, sweep out the done."""

import datetime as dt
from collections.abc import Iterable
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import F

from frozenshop.kernel import audit, clock, many_rows, purging, request_id
from frozenshop.kernel.actor import Actor
from frozenshop.kernel.models import OutboxMessage

Status = OutboxMessage.Status
OPEN = (Status.PENDING, Status.SENT)
MAX_ATTEMPTS = 12
KEEP_DONE = dt.timedelta(days=7)


def enqueue(
    topic: str, payload: dict[str, Any] | None = None, *, key: str | None = None, due_at: dt.datetime | None = None
) -> None:
    """Write a row for the consumer of `topic`; call it inside the transaction of the change that causes it.

    A `key` that is known, done or not, is not written twice. `due_at` in the future waits as a row. What nobody asked
    for (a command, a test) begins an id of its own.
    """
    now = clock.now()
    message = OutboxMessage(
        topic=topic,
        payload=payload or {},
        key=key,
        due_at=due_at or now,
        created_at=now,
        request_id=request_id.current() or request_id.make(),
    )
    if key is None:
        message.save(force_insert=True)
    else:
        OutboxMessage.objects.bulk_create([message], ignore_conflicts=True)


def enqueue_many(topic: str, payloads: Iterable[dict[str, Any]]) -> None:
    """Write a row for each payload, in one statement; otherwise as `enqueue`."""
    now, origin = clock.now(), request_id.current() or request_id.make()
    many_rows.insert(
        [
            OutboxMessage(topic=topic, payload=payload, due_at=now, created_at=now, request_id=origin)
            for payload in payloads
        ]
    )


def resend_after() -> dt.timedelta:
    """Return how long a sent row may stay unfinished. Longer than any task may run (a system check holds it so)."""
    return dt.timedelta(seconds=settings.OUTBOX_RESEND_SECONDS)


def rearm(*, batch: int = 500) -> int:
    """Send again what was sent and not finished in time, and free expired claims. Return how many rows changed.

    A row that was sent in vain too often is dead: its task may be what kills the worker.
    """
    now = clock.now()
    lost = OutboxMessage.objects.filter(status=Status.SENT, sent_at__lt=now - resend_after())
    ids = list(lost.order_by("due_at", "id").values_list("pk", flat=True)[:batch])
    with transaction.atomic():
        still = OutboxMessage.objects.filter(pk__in=ids, status=Status.SENT)
        dead = still.filter(attempts__gte=MAX_ATTEMPTS - 1).update(
            status=Status.DEAD, attempts=F("attempts") + 1, claimed_until=None, last_error="发出后多次没有完成"
        )
        again = still.filter(status=Status.SENT).update(
            status=Status.PENDING, attempts=F("attempts") + 1, claimed_until=None, last_error="发出后没有按时完成"
        )
    freed = OutboxMessage.objects.filter(status=Status.PENDING, claimed_until__lt=now).update(claimed_until=None)
    return dead + again + freed


def resend_all_sent() -> int:
    """Send again all that was sent and not finished, without waiting."""
    return OutboxMessage.objects.filter(status=Status.SENT).update(status=Status.PENDING, claimed_until=None)


def replay(message_ids: Iterable[int], actor: Actor) -> int:
    """Give dead rows a fresh start because a person says so. Return how many were dead."""
    ids = sorted(message_ids)
    with transaction.atomic():
        revived = OutboxMessage.objects.filter(pk__in=ids, status=Status.DEAD).update(
            status=Status.PENDING, attempts=0, due_at=clock.now(), claimed_until=None
        )
        if revived:
            audit.record(actor, "outbox.replayed", details={"message_ids": ids, "revived": revived})
    return revived


def purge_done() -> int:
    """Delete rows that were done a week ago; return how many."""
    done = OutboxMessage.objects.filter(status=Status.DONE, done_at__lt=clock.now() - KEEP_DONE)
    return purging.delete(done.order_by("done_at"))
