"""How far the replica is behind: by a row that this program writes on the primary, and looks for on the replica.

All instants are seconds by the primary's own clock: that of the replica, and ours, don't matter. Looking is done in a
thread, about once a second, so that a replica that hangs or is gone costs no request its time.
"""

import math
import os
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TypeVar

import structlog
from django.conf import settings
from django.db import DEFAULT_DB_ALIAS, Error, connections
from django.db.models.functions import Now

from frozenshop.kernel.models import Heartbeat

logger = structlog.get_logger(__name__)
T = TypeVar("T")

ALIAS = "replica"
EVERY_SECONDS = 1.0
FIRST_SIGHT_SECONDS = 3.0
"""How long a process that has just begun may wait for the first look."""
MARGIN_SECONDS = 0.01
"""Two clocks don't drift apart further between two looks."""


@dataclass(frozen=True, slots=True)
class Sight:
    """What one look found. `now` is no earlier than the primary's clock was at `taken` (`time.monotonic()`)."""

    taken: float
    now: float
    seen: float | None
    """Until when the replica has all that was committed; None where it didn't answer."""

    def primary_now(self) -> float:
        return self.now + time.monotonic() - self.taken + MARGIN_SECONDS

    def lag(self) -> float:
        """Return how many seconds the replica may be behind at most."""
        return math.inf if self.seen is None else max(self.primary_now() - self.seen, 0.0)


def configured() -> bool:
    return ALIAS in settings.DATABASES


def _beat() -> float:
    """Return the primary's time; write the row anew where nobody has lately."""
    row = Heartbeat.objects.using(DEFAULT_DB_ALIAS).filter(pk=1)
    found = row.values_list("at", Now()).first()
    if found is None:
        Heartbeat.objects.using(DEFAULT_DB_ALIAS).bulk_create([Heartbeat(pk=1, at=Now())], ignore_conflicts=True)
        found = row.values_list("at", Now()).get()
    at, now = found
    if (now - at).total_seconds() >= EVERY_SECONDS * 0.9:
        row.filter(at=at).update(at=Now())  # of all processes one
    return float(now.timestamp())


def _seen() -> float | None:
    at = Heartbeat.objects.using(ALIAS).filter(pk=1).values_list("at", flat=True).first()
    return float(at.timestamp()) if at else None


class Watch:
    """This process's view of the replica, kept up to date by a thread of its own."""

    def __init__(self) -> None:
        self.owner = os.getpid()
        self.sight: Sight | None = None
        self._known = threading.Event()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._go_on, name="replica-watch", daemon=True)
        self._thread.start()

    def lose(self) -> None:
        """A question to the replica failed: ask it nothing before it was seen again."""
        if self.sight is not None:
            self.sight = replace(self.sight, seen=None)

    def first_sight(self, seconds: float = FIRST_SIGHT_SECONDS) -> Sight | None:
        """Return what was seen last, after waiting for the first look where there was none yet."""
        self._known.wait(seconds)
        return self.sight

    def stop(self) -> None:
        self._stop.set()
        self._thread.join()

    def _go_on(self) -> None:
        while not self._stop.is_set():
            before, self.sight = self.sight, self._look()
            if before and self.sight and (before.seen is None) != (self.sight.seen is None):
                logger.warning("replica.back" if before.seen is None else "replica.away")
            self._known.set()
            self._stop.wait(EVERY_SECONDS)
        _hang_up(DEFAULT_DB_ALIAS)
        _hang_up(ALIAS)

    def _look(self) -> Sight | None:
        """Look once. Without the primary what was seen last stays, and its lag grows until it is too much."""
        taken = time.monotonic()
        try:
            now = _asked(DEFAULT_DB_ALIAS, _beat)
        except Exception:
            return self.sight
        try:
            seen = _asked(ALIAS, _seen)
        except Exception as error:
            logger.info("replica.not_seen", error=type(error).__name__)
            seen = None
        return Sight(taken, now, seen)


def _asked(alias: str, question: Callable[[], T]) -> T:
    try:
        connections[alias].close_if_unusable_or_obsolete()
        return question()
    except Exception:
        _hang_up(alias)
        raise


def _hang_up(alias: str) -> None:
    with suppress(Error):
        connections[alias].close()


_watch: Watch | None = None
_lock = threading.Lock()


def watch() -> Watch:
    """Return this process's watch, which begins when it is first asked for; a fork begins its own."""
    global _watch
    if _watch is None or _watch.owner != os.getpid():
        with _lock:
            if _watch is None or _watch.owner != os.getpid():
                _watch = Watch()
    return _watch


def stop() -> None:
    """End the watch of this process."""
    global _watch
    if _watch is not None and _watch.owner == os.getpid():
        _watch.stop()
    _watch = None
