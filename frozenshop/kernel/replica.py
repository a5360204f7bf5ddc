"""Reads that may be a little old go to the replica: where the code says so, and while the replica keeps up.

    read(question)      as old as REPLICA_MAX_LAG_SECONDS at most; from the primary while the replica is further behind
    read(question, by)  and never older than what this reader (a session, a member of staff) has written: `wrote(by)`

What decides a write is not asked here. A transaction is never on the replica, nor is FOR UPDATE; a question that has
turned to the primary stays there.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from contextvars import ContextVar
from typing import Any, TypeVar

import structlog
from django.conf import settings
from django.db import DEFAULT_DB_ALIAS, Error, InterfaceError, OperationalError, connections
from django.db.models import Model
from prometheus_client import Counter
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from frozenshop.kernel import caching, heartbeat, redis_store
from frozenshop.kernel.errors import NotFound, OrderNotFound
from frozenshop.kernel.heartbeat import ALIAS

logger = structlog.get_logger(__name__)
T = TypeVar("T")

READS = Counter("frozenshop_stale_reads_total", "Reads that may be stale, by where they went", ["target", "reason"])
NEVER = frozenset({"sessions", "auth", "admin", "api"})
"""Apps of whose tables a stale row lets in who may not come in."""
WROTE_KEY = "wrote:"
UNKNOWN = -1
"""A write of whose instant nothing is known."""


class Question:
    """One call of `read`, and whether any table was asked. On the replica until something in it needs the primary."""

    def __init__(self, *, on_replica: bool) -> None:
        self.on_replica = on_replica
        self.asked = False


_question: ContextVar[Question | None] = ContextVar("replica_question", default=None)


class Router:
    """Django's router: the primary, but for what `read` runs."""

    def db_for_read(self, model: type[Model], **hints: Any) -> str:
        question = _question.get()
        if question is None or model._meta.app_label in NEVER:
            return DEFAULT_DB_ALIAS
        question.asked = True
        if not question.on_replica:
            return DEFAULT_DB_ALIAS
        if connections[DEFAULT_DB_ALIAS].in_atomic_block:
            question.on_replica = False
            return DEFAULT_DB_ALIAS
        return ALIAS

    def db_for_write(self, model: type[Model], **hints: Any) -> str:
        if (question := _question.get()) is not None:
            question.on_replica = False
        return DEFAULT_DB_ALIAS

    def allow_relation(self, one: Model, other: Model, **hints: Any) -> bool:
        return True

    def allow_migrate(self, db: str, app_label: str, **hints: Any) -> bool:
        return db == DEFAULT_DB_ALIAS


def read(
    question: Callable[[], T],
    by: str | None = None,
    *,
    fetched: Mapping[str, Any] | None = None,
    patience: float = 0,
) -> T:
    """Return `question()`, asked of the replica if it is good enough; once more of the primary if it isn't after all.

    `fetched` is what the cache holds under `key_of(by)` at least, where that was asked already. `patience`: seconds to
    wait for the first sight of the replica, for a process that seldom asks.
    """
    if not heartbeat.configured() or _question.get() is not None:
        return question()
    reason = _why_not(by, fetched, patience)
    if reason:
        return _on_primary(question, reason)
    asking = Question(on_replica=True)
    token = _question.set(asking)
    try:
        answer = question()
    except (Error, NotFound, OrderNotFound) as error:
        if not asking.on_replica:
            raise
        reason = _blame(error)
    finally:
        _question.reset(token)
    if reason:
        return _on_primary(question, reason)
    if asking.asked:
        READS.labels(ALIAS, "").inc()
    return answer


def _on_primary(question: Callable[[], T], reason: str) -> T:
    asking = Question(on_replica=False)
    token = _question.set(asking)
    try:
        return question()
    finally:
        _question.reset(token)
        if asking.asked:
            READS.labels("primary", reason).inc()


def wrote(by: str) -> None:
    """Remember that this reader has just written, and committed: until the replica has that, it reads the primary."""
    if not heartbeat.configured():
        return
    sight = heartbeat.watch().first_sight()
    instant = UNKNOWN if sight is None else int(sight.primary_now() * 1_000_000) + 1
    caching.put(key_of(by), instant, _kept_seconds())


def key_of(by: str) -> str:
    return WROTE_KEY + by


def _kept_seconds() -> int:
    """By then the replica has the write, or is too far behind to be asked."""
    return int(2 * settings.REPLICA_MAX_LAG_SECONDS) + 10


def _why_not(by: str | None, fetched: Mapping[str, Any] | None, patience: float) -> str:
    """Return why the replica isn't asked, in a word; empty if it is."""
    sight = heartbeat.watch().first_sight(patience)
    if sight is None or sight.seen is None:
        return "away"
    if sight.lag() > settings.REPLICA_MAX_LAG_SECONDS:
        return "lag"
    if by is None:
        return ""
    found = caching.get_many([key_of(by)]) if fetched is None else fetched
    store = redis_store.current()
    if store is None or store.seconds_back() <= settings.REPLICA_MAX_LAG_SECONDS:
        return "no_cache"
    last_write = found.get(key_of(by))
    return "" if last_write is None or 0 <= last_write < int(sight.seen * 1_000_000) else "wrote"


def _blame(error: Exception) -> str:
    """Say why the answer of the replica doesn't count; one that doesn't answer is not asked again until it is seen."""
    if isinstance(error, NotFound | OrderNotFound):
        return "not_found"  # It may have come a moment ago.
    if isinstance(error, OperationalError | InterfaceError):
        heartbeat.watch().lose()
    logger.warning("replica.failed", error=type(error).__name__)
    with suppress(Error):
        connections[ALIAS].close()
    return "failed"


class ReplicaCollector(Collector):
    """What this process sees of the replica."""

    def collect(self) -> Iterator[Metric]:
        if not heartbeat.configured():
            return
        sight = heartbeat.watch().first_sight()
        seen = sight is not None and sight.seen is not None
        yield GaugeMetricFamily("frozenshop_replica_up", "1 where the replica answers", value=int(seen))
        if sight is not None and seen:
            told = "How far the replica may be behind"
            yield GaugeMetricFamily("frozenshop_replica_lag_seconds", told, value=sight.lag())
