"""What happens when a message arrives: its consumer runs once, and the row is closed with what it did."""

import datetime as dt
import inspect
import random
import threading
import time
import traceback
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from types import TracebackType
from typing import Any, TypeVar

import structlog
from celery import shared_task
from celery.exceptions import Reject, SoftTimeLimitExceeded
from django.conf import settings
from django.db import DatabaseError, close_old_connections, connection, transaction

from frozenshop.kernel import clock, jobs, metrics, request_id
from frozenshop.kernel.errors import Problem
from frozenshop.kernel.http import ServiceError
from frozenshop.kernel.models import OutboxMessage
from frozenshop.kernel.outbox.ledger import MAX_ATTEMPTS, OPEN, Status
from frozenshop.kernel.scrubbing import scrub

logger = structlog.get_logger(__name__)

FIRST_WAIT = dt.timedelta(seconds=5)
LONGEST_WAIT = dt.timedelta(hours=3)
REASON_LENGTH = 500
DATABASE_PAUSE_SECONDS = (1.0, 3.0)
BEGUN = 4
"""How many of a line the processes of a worker are about to begin with: what they hold already is locked or soon is."""
LOOKED_AT = 4
LOOK_AFTER_SECONDS = 1.0
_local = threading.local()

_consumers: dict[str, tuple[Callable[..., None], bool, int]] = {}
_F = TypeVar("_F", bound=Callable[..., None])


class Permanent(Exception):
    """Trying again can't help: a person must look. The reason is shown to staff, so no personal data in it."""


class NotUnderstood(Exception):
    """A message of another release: a worker that knows its topic and its keywords may run soon, or run beside us."""


class AlreadyDone(Exception):
    """Another delivery of the same message was faster."""


class Effect:
    """`with effect:` is the one transaction of a consumer, and closes its row. Enter it once, after any HTTP.

    `others`, known once it is entered: the payloads of further messages of the topic that were sent and wait in line,
    `together - 1` at most. They are done in the same transaction and closed with it. `origins`: the ids of the requests
    that they came from, in the same order.
    """

    def __init__(self, message: OutboxMessage, *, together: int = 1) -> None:
        self._message, self._together = message, together
        self._transaction: AbstractContextManager[None] | None = None
        self.others: list[dict[str, Any]] = []
        self.origins: list[str] = []
        self.done = False

    @property
    def used(self) -> bool:
        return self._transaction is not None

    def __enter__(self) -> None:
        if self.used:
            raise RuntimeError(f"{self._message.topic}: an effect is one transaction")
        self._transaction = self._open()
        self._transaction.__enter__()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool | None:
        assert self._transaction is not None
        swallowed = self._transaction.__exit__(kind, error, trace)
        self.done = kind is None
        return swallowed

    @contextmanager
    def _open(self) -> Iterator[None]:
        with transaction.atomic():
            row = OutboxMessage.objects.filter(pk=self._message.pk, status__in=OPEN)
            if not row.select_for_update().values_list("pk"):
                raise AlreadyDone
            taken = list(self._take_along()) if self._together > 1 else []
            self.others, self.origins = [row.payload for row in taken], [row.request_id for row in taken]
            yield
            now = clock.now()
            closed = OutboxMessage.objects.filter(pk__in=[self._message.pk, *(row.pk for row in taken)])
            closed.update(status=Status.DONE, done_at=now, claimed_until=None, last_error="")
            if run := jobs.run_of(self._message):
                run.update(finished_at=now)

    def _take_along(self) -> Iterable[OutboxMessage]:
        """Lock those that wait in line, oldest first, but for the very next, which others are about to begin with.

        Waits for none that another process has in hand.
        """
        waiting = OutboxMessage.objects.filter(topic=self._message.topic, status=Status.SENT, key=None)
        line = waiting.exclude(pk=self._message.pk).order_by("due_at", "id").values_list("pk", flat=True)
        ids = list(line[BEGUN : BEGUN + LOOKED_AT * self._together])
        if not ids:
            return ()
        found = waiting.filter(pk__in=ids).order_by("id").only("pk", "payload", "request_id")
        if connection.features.has_select_for_update_skip_locked:
            found = found.select_for_update(skip_locked=True)
        return found[: self._together - 1]


def consumer(
    topic: str, *, transactional: bool = True, time_limit: int | None = None, together: int = 1
) -> Callable[[_F], _F]:
    """Make a function the consumer of `topic` and the Celery task of that name.

    The function is called with the payload as keywords, inside the transaction that closes the row; with
    `transactional=False` with an `Effect` first, so that it can do its HTTP before `with effect:`.
    It raises `Permanent` to give up; anything else is tried again. `time_limit` is in seconds. With `together` above 1
    it does `effect.others`, too; should that fail, it is called once more without them.
    """

    def register(function: _F) -> _F:
        _consumers[topic] = (function, transactional, together)
        limit = time_limit or settings.CELERY_TASK_TIME_LIMIT

        @shared_task(name=topic, ignore_result=True, time_limit=limit, soft_time_limit=limit * 4 // 5)
        def run(message_id: int) -> None:
            try:
                _look_after_connection()
                deliver(message_id)
            except DatabaseError as error:
                # Nothing could be noted: let the broker bring it again, sooner than the row would be sent again.
                time.sleep(random.uniform(*DATABASE_PAUSE_SECONDS))  # noqa: S311
                raise Reject(type(error).__name__, requeue=True) from error

        return function

    return register


def _look_after_connection() -> None:
    """See that the database is still there, which is a round trip: once a second, and after an error."""
    now = time.monotonic()
    if connection.errors_occurred or now - getattr(_local, "looked_at", 0.0) >= LOOK_AFTER_SECONDS:
        close_old_connections()
        _local.looked_at = now


def deliver(message_id: int) -> None:
    """Run the consumer of one row, unless it is finished; a failure becomes a later due time or a dead row."""
    message = OutboxMessage.objects.filter(pk=message_id, status__in=OPEN).first()
    if message is None:
        return
    with (
        request_id.carrying(message.request_id or f"message-{message_id}"),
        structlog.contextvars.bound_contextvars(topic=message.topic, message_id=message_id),
    ):
        topic = message.topic if message.topic in _consumers else "unknown"
        with metrics.task(topic, (clock.now() - message.due_at).total_seconds()) as run:
            run.outcome = _outcome(message)


def _outcome(message: OutboxMessage) -> str:
    try:
        _run(message)
    except AlreadyDone:
        logger.info("outbox.repeated")
        return "repeated"
    except NotUnderstood as error:
        return _leave_to_others(message, str(error))
    except Permanent as error:
        logger.warning("outbox.dead", reason=scrub(str(error)))
        _put_back(message, scrub(str(error)), dead=True)
        return "dead"
    except Exception as error:
        logger.exception("outbox.failed", attempts=message.attempts + 1)
        dead = message.attempts + 1 >= MAX_ATTEMPTS
        _put_back(message, describe(error), dead=dead)
        return "dead" if dead else "failed"
    logger.debug("outbox.done")
    return "done"


def _run(message: OutboxMessage) -> None:
    function, transactional, together = _understood(message)
    effect = Effect(message, together=together)
    if transactional:
        with effect:
            function(**message.payload)
        return
    try:
        function(effect, **message.payload)
    except SoftTimeLimitExceeded:
        raise
    except Exception as error:
        if effect.done or not effect.others:
            raise
        # One that breaks must not hold up the others, which come again by themselves.
        logger.warning("outbox.together_failed", others=len(effect.others), error=type(error).__name__)
        effect = Effect(message)
        function(effect, **message.payload)
    if not effect.used:
        with effect:
            pass


def _understood(message: OutboxMessage) -> tuple[Callable[..., None], bool, int]:
    """Return the consumer of a message. Raises NotUnderstood where another release wrote it for its own."""
    known = _consumers.get(message.topic)
    if known is None:
        raise NotUnderstood(f"这个版本没有处理 {message.topic} 的程序")
    function, transactional, _ = known
    try:
        inspect.signature(function).bind(*(() if transactional else (None,)), **message.payload)
    except TypeError:
        keywords = "、".join(sorted(message.payload))
        raise NotUnderstood(f"这个版本的 {message.topic} 不认识这些参数：{keywords}") from None
    return known


def leave_to_others(message_id: int) -> None:
    """Put back a message whose task this worker doesn't know. For its consumer loop, which keeps no connection."""
    try:
        message = OutboxMessage.objects.filter(pk=message_id, status__in=OPEN).first()
        if message is not None:
            _leave_to_others(message, f"这个版本没有处理 {message.topic} 的程序")
    except DatabaseError as error:
        logger.warning("outbox.not_put_back", error=type(error).__name__)
    finally:
        connection.close()


def _leave_to_others(message: OutboxMessage, reason: str) -> str:
    """Wait for a worker of the other release: at once at first, for under three hours in all, then for a person."""
    dead = message.attempts + 1 >= MAX_ATTEMPTS
    logger.warning("outbox.not_understood", topic=message.topic, attempts=message.attempts + 1)
    _put_back(message, reason, dead=dead, wait=ceiling(message.attempts + 1))
    return "dead" if dead else "failed"


def _put_back(message: OutboxMessage, reason: str, *, dead: bool, wait: dt.timedelta | None = None) -> None:
    attempts = message.attempts + 1
    OutboxMessage.objects.filter(pk=message.pk, status__in=OPEN).update(
        status=Status.DEAD if dead else Status.PENDING,
        attempts=attempts,
        due_at=clock.now() + (wait or backoff(attempts)),
        claimed_until=None,
        last_error=reason[:REASON_LENGTH],
    )


def backoff(attempts: int) -> dt.timedelta:
    """Return a random wait (full jitter) below a ceiling that doubles with each attempt."""
    return max(ceiling(attempts) * random.random(), dt.timedelta(seconds=1))  # noqa: S311


def ceiling(attempts: int) -> dt.timedelta:
    return min(FIRST_WAIT * float(2 ** min(attempts - 1, 30)), LONGEST_WAIT)


def describe(error: Exception) -> str:
    """Name an error and its place. Its text only when we wrote it: a foreign text may quote a person's data."""
    frames = traceback.extract_tb(error.__traceback__)
    place = f" ({frames[-1].filename.rpartition('/')[2]}:{frames[-1].lineno})" if frames else ""
    text = f": {error}" if isinstance(error, Problem | ServiceError) else ""
    return scrub(f"{type(error).__name__}{text}{place}")
