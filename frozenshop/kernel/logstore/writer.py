"""The thread that writes the logs, so that nobody waits for them: in batches, to the store, or without it to the spool.

A process that is killed loses what it had not written yet, which is what the last second brought. One that ends, or is
told to end, writes it first. A forked process begins with nothing.
"""

import atexit
import os
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from multiprocessing import util

import structlog
from django.db import connections

from frozenshop.kernel.logstore import entries, metrics, spool, stores
from frozenshop.kernel.logstore.entries import Entry
from frozenshop.kernel.logstore.stores import StoreDown

logger = structlog.get_logger(__name__)

FLUSH_SECONDS = 1.0
BATCH = 500
BATCH_BYTES = 4 * 1024 * 1024
MOST_QUEUED = 16 * 1024 * 1024
"""Bytes, about; beyond it the newest are dropped, and counted."""
PAUSE_SECONDS = 5.0
"""How long a store that failed isn't asked again."""
CATCH_UP_SECONDS = 0.5
"""How long one round reads the spool, before it looks at the queue again."""
END_SECONDS = 8.0


class Writer:
    """A bounded queue, and the thread that empties it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._delivering = threading.Lock()
        self._queue: list[Entry] = []
        self._queued = self._lost = 0
        self._wake = threading.Event()
        self._ended = False
        self._spool = spool.Spool()
        self._resting_until = 0.0
        self._thread: threading.Thread | None = None

    def put(self, entry: Entry) -> None:
        """Take an entry without waiting for anything."""
        with self._lock:
            if self._queued + entry.weight > MOST_QUEUED:
                self._lost += 1
                return
            self._queue.append(entry)
            self._queued += entry.weight
            if self._thread is None:
                self._start()
        if len(self._queue) == BATCH:
            self._wake.set()
        if self._ended:
            self.end()

    def flush(self) -> None:
        """Write now, in this thread, all that was taken and what the spool holds."""
        with self._delivering:
            for batch in self._drain():
                self._deliver(batch)
            self._catch_up(time.monotonic() + CATCH_UP_SECONDS)

    def end(self) -> None:
        """Write what is left and stop; bounded in time."""
        self._ended = True
        self._wake.set()
        if self._thread is not None:
            self._thread.join(END_SECONDS)
        for batch in self._drain():  # where the thread hangs or is no more
            self._keep(batch, spool.Spool())

    def _start(self) -> None:
        """Where no thread is to be had now, the next entry tries again."""
        thread = threading.Thread(target=self._run, name="logstore", daemon=True)
        with suppress(RuntimeError):
            thread.start()
            self._thread = thread

    def _run(self) -> None:
        while not self._ended:
            self._wake.wait(FLUSH_SECONDS)
            self._wake.clear()
            self._try()
        self._try()
        connections.close_all()

    def _try(self) -> None:
        try:
            self.flush()
        except Exception:
            logger.exception("logs.failed")

    def _drain(self) -> Iterator[list[Entry]]:
        with self._lock:
            taken, lost = self._queue, self._lost
            self._queue, self._queued, self._lost = [], 0, 0
        metrics.QUEUED.set(len(taken))
        metrics.dropped("queue", lost)
        batch: list[Entry] = []
        weight = 0
        for entry in filter(None, map(_cleaned, taken)):
            if batch and (len(batch) >= BATCH or weight + entry.weight > BATCH_BYTES):
                yield batch
                batch, weight = [], 0
            batch.append(entry)
            weight += entry.weight
        if batch:
            yield batch

    def _deliver(self, batch: list[Entry]) -> None:
        if time.monotonic() < self._resting_until:
            self._keep(batch, self._spool)
            return
        try:
            self._insert(batch)
        except StoreDown as error:
            self._rest(error)
            self._keep(batch, self._spool)

    def _insert(self, batch: Sequence[Entry]) -> None:
        """Raises StoreDown. What a store can't take for any other reason is left out of its batch, and counted."""
        try:
            if batch:
                stores.current().insert(batch)
                metrics.WRITTEN.inc(len(batch))
        except StoreDown:
            raise
        except Exception as error:
            if len(batch) > 1:
                for entry in batch:
                    self._insert([entry])
            else:
                logger.warning("logs.refused", error=type(error).__name__)
                metrics.dropped("refused", 1)

    def _rest(self, error: StoreDown) -> None:
        if not self._resting_until:
            logger.warning("logs.store_down", error=str(error))
        self._resting_until = time.monotonic() + PAUSE_SECONDS

    def _keep(self, batch: Sequence[Entry], where: spool.Spool) -> None:
        try:
            dropped = where.append(batch)
            metrics.SPOOLED.inc(len(batch))
            metrics.dropped("spool", dropped)
        except OSError as error:
            logger.warning("logs.spool_failed", error=type(error).__name__)
            metrics.dropped("disk", len(batch))

    def _catch_up(self, until: float) -> None:
        """Give the store what waited, while it answers; a part that was taken twice is there once."""
        if time.monotonic() < self._resting_until:
            return
        try:
            for unreadable in self._spool.drain(self._insert, BATCH):
                metrics.dropped("unreadable", unreadable)
                if time.monotonic() > until:
                    self._wake.set()
                    break
            else:
                self._resting_until = 0.0
        except StoreDown as error:
            self._rest(error)


def _cleaned(entry: Entry) -> Entry | None:
    """Return what may be written of an entry; none of one that can't be masked, which must spoil no other."""
    try:
        return entries.cleaned(entry)
    except Exception as error:
        logger.warning("logs.refused", error=type(error).__name__)
        metrics.dropped("refused", 1)
        return None


_writer: Writer | None = None
_making = threading.Lock()


def current() -> Writer:
    """Return this process's writer; it is made when first needed, after any fork."""
    global _writer
    if _writer is None:
        with _making:
            if _writer is None:
                _writer = Writer()
                # Which of the two is called depends on how the process was started; the second finds nothing.
                util.Finalize(None, end, exitpriority=100)
    return _writer


def end() -> None:
    if _writer is not None:
        _writer.end()


def _begin_anew() -> None:
    """In a forked process: the queue, the thread and the segments are its parent's."""
    global _writer, _making
    if _writer is not None:
        _writer._spool.close()
    _writer, _making = None, threading.Lock()
    stores._store.cache_clear()


atexit.register(end)
os.register_at_fork(after_in_child=_begin_anew)
