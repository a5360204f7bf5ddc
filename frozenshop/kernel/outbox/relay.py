"""The relay: the only process that publishes. It claims due rows, publishes with confirms, marks them sent.

Claiming and marking are short transactions; publishing happens between them. A relay that dies leaves its claim
to expire, and what it had published already comes a second time, which consumers bear.
"""

import datetime as dt
import random
import threading
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import structlog
from celery import Celery
from django.conf import settings
from django.db import DatabaseError, close_old_connections, connection, transaction
from django.db.models import Q, QuerySet
from kombu import Connection, Producer, Queue

from frozenshop.kernel import clock, liveness
from frozenshop.kernel.metrics import work
from frozenshop.kernel.models import OutboxMessage
from frozenshop.kernel.outbox import ledger
from frozenshop.kernel.outbox.ledger import Status

logger = structlog.get_logger(__name__)

BATCH = 100
IN_FLIGHT = 1000
IDLE_SECONDS = 0.2
GATHER_SECONDS = 0.04
"""How long what comes next may gather: a look costs as much for one row as for many."""
LONGEST_PAUSE_SECONDS = 5.0


class Relay:
    """Publishes due rows through `app` until told to stop. Any number may run."""

    def __init__(self, app: Celery) -> None:
        self._app = app
        self._connection: Connection | None = None
        self._producer: Producer | None = None

    def run(self, stop: threading.Event) -> None:
        if settings.CELERY_BROKER_URL.startswith("filesystem"):
            self._start_over()
        failures = 0
        while not stop.is_set():
            liveness.show("relay")
            try:
                close_old_connections()
                sent = self.run_once()
            except Exception as error:
                failures += 1
                work.PAUSES.labels("database" if isinstance(error, DatabaseError) else "broker").inc()
                pause = min(0.2 * 2 ** min(failures, 10), LONGEST_PAUSE_SECONDS)
                logger.warning("relay.paused", error=type(error).__name__, seconds=round(pause, 1))
                self._reset(database=isinstance(error, DatabaseError))
                stop.wait(pause * random.uniform(0.5, 1))  # noqa: S311
                continue
            failures = 0
            work.ROUND.set_to_current_time()
            stop.wait(0 if sent >= BATCH else GATHER_SECONDS if sent else IDLE_SECONDS)
        self._reset()

    def run_once(self) -> int:
        """Publish one batch of due rows, oldest first. Return how many; raise what the broker or database raised."""
        now = clock.now()
        # A plain read first: on SQLite claiming takes the write lock, which an idle relay must leave to others.
        if not _due(now).exists() or _in_flight(now) >= IN_FLIGHT:
            return 0
        lease = now + dt.timedelta(seconds=settings.OUTBOX_LEASE_SECONDS)
        claimed = claim(now, lease)
        published: list[int] = []
        try:
            for pk, topic, origin in claimed:
                self._publish(pk, topic)
                published.append(pk)
                work.RELAYED.inc()
                logger.debug("relay.sent", topic=topic, message_id=pk, request_id=origin)
        finally:
            mark_sent(published, lease)
            release([pk for pk, *_ in claimed[len(published) :]], lease)
        return len(published)

    def _start_over(self) -> None:
        """Empty the file broker and send all again: it forgot what a killed worker had read, and nobody knows what."""
        with self._app.connection_for_write() as broker:
            Queue(settings.CELERY_TASK_DEFAULT_QUEUE, channel=broker.channel()).purge()
        ledger.resend_all_sent()

    def _publish(self, pk: int, topic: str) -> None:
        self._app.send_task(topic, kwargs={"message_id": pk}, producer=self._open_producer(), retry=False)

    def _open_producer(self) -> Producer:
        if self._producer is None:
            # No heartbeat: nobody would send it while the outbox is idle, and the broker would hang up.
            self._connection = self._app.connection_for_write(heartbeat=0, connect_timeout=3)
            self._connection.connect()  # tries once, where a channel asked for by itself would try for ever
            channel = self._connection.channel()
            # Declared here too: what is sent before the first worker of its kind starts must not be dropped.
            for queue in getattr(settings, "CELERY_TASK_QUEUES", ()):
                queue.bind(channel).declare()
            self._producer = self._app.amqp.Producer(channel, auto_declare=False)
        return self._producer

    def _reset(self, *, database: bool = False) -> None:
        broker, self._connection, self._producer = self._connection, None, None
        if broker is not None:
            with suppress(Exception):
                broker.collect(socket_timeout=1)  # no parting words: the broker may be the one that hangs
        if database:
            connection.close()


def _due(now: dt.datetime) -> QuerySet[OutboxMessage]:
    return OutboxMessage.objects.filter(
        Q(claimed_until__isnull=True) | Q(claimed_until__lt=now), status=Status.PENDING, due_at__lte=now
    ).order_by("due_at", "id")


def _in_flight(now: dt.datetime) -> int:
    recent = OutboxMessage.objects.filter(status=Status.SENT, sent_at__gte=now - ledger.resend_after())
    return recent[:IN_FLIGHT].count()


def claim(now: dt.datetime, lease: dt.datetime, *, batch: int = BATCH) -> list[tuple[int, str, str]]:
    """Take due rows for ourselves until `lease`; return (id, topic, request id), oldest first."""
    with transaction.atomic():
        rows = _due(now)
        if connection.features.has_select_for_update_skip_locked:
            rows = rows.select_for_update(skip_locked=True)
        claimed = list(rows.values_list("pk", "topic", "request_id")[:batch])
        OutboxMessage.objects.filter(pk__in=[pk for pk, *_ in claimed]).update(claimed_until=lease)
    return claimed


def mark_sent(ids: Sequence[int], lease: dt.datetime) -> None:
    """Note what was published, but for rows that are finished or were put back meanwhile: those are not ours."""
    if ids:
        with transaction.atomic():
            _lock(ids)
            _ours(ids, lease).update(status=Status.SENT, sent_at=clock.now(), claimed_until=None)


def release(ids: Sequence[int], lease: dt.datetime) -> None:
    if ids:
        with transaction.atomic():
            _lock(ids)
            _ours(ids, lease).update(claimed_until=None)


def _lock(ids: Sequence[int]) -> None:
    """Lock rows as a consumer does, by their key: looked for along an index, the two would deadlock."""
    list(OutboxMessage.objects.select_for_update().filter(pk__in=ids).order_by("pk").values_list("pk"))


def _ours(ids: Sequence[int], lease: dt.datetime) -> QuerySet[OutboxMessage, Any]:
    return OutboxMessage.objects.filter(pk__in=ids, status=Status.PENDING, claimed_until=lease)
