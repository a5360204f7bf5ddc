"""What happens when a message arrives: its consumer runs once, and the row is closed with what it did."""

import datetime as dt
import random
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from types import TracebackType
from typing import TypeVar

import structlog
from celery import shared_task
from celery.exceptions import Reject
from django.conf import settings
from django.db import DatabaseError, transaction

from frozenshop.kernel import clock, jobs, request_id
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

_consumers: dict[str, tuple[Callable[..., None], bool]] = {}
_F = TypeVar("_F", bound=Callable[..., None])


class Permanent(Exception):
    """Trying again can't help: a person must look. The reason is shown to staff, so no personal data in it."""


class AlreadyDone(Exception):
    """Another delivery of the same message was faster."""


class Effect:
    """`with effect:` is the one transaction of a consumer, and closes its row. Enter it once, after any HTTP."""

    def __init__(self, message: OutboxMessage) -> None:
        self._message = message
        self._transaction: AbstractContextManager[None] | None = None

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
        return self._transaction.__exit__(kind, error, trace)

    @contextmanager
    def _open(self) -> Iterator[None]:
        with transaction.atomic():
            row = OutboxMessage.objects.filter(pk=self._message.pk, status__in=OPEN)
            if not row.select_for_update().values_list("pk"):
                raise AlreadyDone
            yield
            now = clock.now()
            row.update(status=Status.DONE, done_at=now, claimed_until=None, last_error="")
            if run := jobs.run_of(self._message):
                run.update(finished_at=now)


def consumer(topic: str, *, transactional: bool = True, time_limit: int | None = None) -> Callable[[_F], _F]:
    """Make a function the consumer of `topic` and the Celery task of that name.

    The function is called with the payload as keywords, inside the transaction that closes the row; with
    `transactional=False` with an `Effect` first, so that it can do its HTTP before `with effect:`.
    It raises `Permanent` to give up; anything else is tried again. `time_limit` is in seconds.
    """

    def register(function: _F) -> _F:
        _consumers[topic] = (function, transactional)
        limit = time_limit or settings.CELERY_TASK_TIME_LIMIT

        @shared_task(name=topic, ignore_result=True, time_limit=limit, soft_time_limit=limit * 4 // 5)
        def run(message_id: int) -> None:
            try:
                deliver(message_id)
            except DatabaseError as error:
                # Nothing could be noted: let the broker bring it again, sooner than the row would be sent again.
                time.sleep(random.uniform(*DATABASE_PAUSE_SECONDS))  # noqa: S311
                raise Reject(type(error).__name__, requeue=True) from error

        return function

    return register


def deliver(message_id: int) -> None:
    """Run the consumer of one row, unless it is finished; a failure becomes a later due time or a dead row."""
    message = OutboxMessage.objects.filter(pk=message_id, status__in=OPEN).first()
    if message is None:
        return
    with (
        request_id.carrying(message.request_id or f"message-{message_id}"),
        structlog.contextvars.bound_contextvars(topic=message.topic, message_id=message_id),
    ):
        try:
            _run(message)
        except AlreadyDone:
            logger.info("outbox.repeated")
        except Permanent as error:
            logger.warning("outbox.dead", reason=scrub(str(error)))
            _put_back(message, scrub(str(error)), dead=True)
        except Exception as error:
            logger.exception("outbox.failed", attempts=message.attempts + 1)
            _put_back(message, describe(error), dead=message.attempts + 1 >= MAX_ATTEMPTS)


def _run(message: OutboxMessage) -> None:
    if message.topic not in _consumers:
        raise Permanent(f"没有处理 {message.topic} 的程序")
    function, transactional = _consumers[message.topic]
    effect = Effect(message)
    if transactional:
        with effect:
            function(**message.payload)
        return
    function(effect, **message.payload)
    if not effect.used:
        with effect:
            pass


def _put_back(message: OutboxMessage, reason: str, *, dead: bool) -> None:
    attempts = message.attempts + 1
    OutboxMessage.objects.filter(pk=message.pk, status__in=OPEN).update(
        status=Status.DEAD if dead else Status.PENDING,
        attempts=attempts,
        due_at=clock.now() + backoff(attempts),
        claimed_until=None,
        last_error=reason[:REASON_LENGTH],
    )


def backoff(attempts: int) -> dt.timedelta:
    """Return a random wait (full jitter) below a ceiling that doubles with each attempt."""
    ceiling = min(FIRST_WAIT * float(2 ** min(attempts - 1, 30)), LONGEST_WAIT)
    return max(ceiling * random.random(), dt.timedelta(seconds=1))  # noqa: S311


def describe(error: Exception) -> str:
    """Name an error and its place. Its text only when we wrote it: a foreign text may quote a person's data."""
    frames = traceback.extract_tb(error.__traceback__)
    place = f" ({frames[-1].filename.rpartition('/')[2]}:{frames[-1].lineno})" if frames else ""
    text = f": {error}" if isinstance(error, Problem | ServiceError) else ""
    return scrub(f"{type(error).__name__}{text}{place}")
