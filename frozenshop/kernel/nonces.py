"""Nonces: each is good once. What a store can't know, because it is younger than the request, it refuses.

A store remembers nothing of the time before it was born: before the process started (memory), before Redis was
started, emptied or found again, before this process began to do without Redis (database). A write that was signed
earlier may have been taken already, so it is refused for as long as its signature is valid; its sender signs anew.
Reading twice does no harm.
"""

import datetime as dt
import threading
import time
from collections import deque

from django.db import IntegrityError, transaction

from frozenshop.kernel import clock, purging
from frozenshop.kernel.models import Nonce
from frozenshop.kernel.signing import NEWEST_SECONDS, OLDEST_SECONDS, NonceReused

KEPT = dt.timedelta(seconds=300)
"""Longer than a signature is valid (150 s), so that a forgotten nonce is of no use."""
assert KEPT.total_seconds() > OLDEST_SECONDS + NEWEST_SECONDS


def signature_age(signed_at: int) -> float:
    """Return seconds since the beginning of the second in which a request was signed."""
    return clock.now().timestamp() - signed_at


class MemoryNonces:
    """The nonces of the only web process."""

    def __init__(self) -> None:
        self._born = time.monotonic()
        self._lock = threading.Lock()
        self._used: set[tuple[str, str]] = set()
        self._order: deque[tuple[float, tuple[str, str]]] = deque()

    def use(self, scope: str, nonce: str, signed_at: int, *, writes: bool) -> None:
        """Raises NonceReused."""
        now = time.monotonic()
        if writes and signature_age(signed_at) >= now - self._born:
            raise NonceReused
        with self._lock:
            self._forget(now)
            if (scope, nonce) in self._used:
                raise NonceReused
            self._used.add((scope, nonce))
            self._order.append((now + KEPT.total_seconds(), (scope, nonce)))

    def _forget(self, now: float) -> None:
        while self._order and self._order[0][0] <= now:
            self._used.discard(self._order.popleft()[1])


HERE = MemoryNonces()


def use_in_database(scope: str, nonce: str, signed_at: int, *, writes: bool, store_age: float | None = None) -> None:
    """Use a nonce where Redis is away for `store_age` seconds, or where there is none. Raises NonceReused."""
    if writes and store_age is not None and signature_age(signed_at) >= store_age:
        raise NonceReused
    try:
        with transaction.atomic():
            Nonce.objects.create(scope=scope, nonce=nonce, expires_at=clock.now() + KEPT)
    except IntegrityError as error:
        raise NonceReused from error


def purge() -> int:
    """Delete the rows of nonces whose signatures are no longer valid; return how many."""
    return purging.delete(Nonce.objects.filter(expires_at__lte=clock.now()).order_by("expires_at"))
