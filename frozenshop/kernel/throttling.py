"""Limits on how often something may happen: a sustained rate and a burst, exact however many ask at once.

The algorithm is GCRA: per key one instant is kept, by when all that was allowed would have happened at the sustained
rate. Instants are whole microseconds, so that nothing is lost to rounding.
"""

import datetime as dt
import threading

from frozenshop.kernel import clock, redis_store
from frozenshop.kernel.errors import Unavailable

MICROSECONDS = 1_000_000
MAX_KEYS_HERE = 10_000

# How long (in microseconds) a hit must wait, and the instant to keep once it is allowed. It is kept for a minute longer
# than it limits anybody, since Redis forgets by its own clock.
GCRA = """
local function gcra(key, now, interval, burst)
  local instant = math.max(tonumber(redis.call('GET', key) or 0), now) + interval
  return instant - now - interval * burst, instant
end
local function keep(key, now, instant)
  redis.call('SET', key, string.format('%.0f', instant), 'PX', math.ceil((instant - now) / 1000) + 60000)
end
"""
_HIT = (
    GCRA
    + """
local now, interval, burst = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local wait, instant = gcra(KEYS[1], now, interval, burst)
if wait > 0 then return wait end
keep(KEYS[1], now, instant)
return 0
"""
)


def hit(key: str, *, rate: float, burst: int, strict: bool = False) -> dt.timedelta | None:
    """Return None if one more is allowed now, else how long to wait; a refused hit counts for nothing.

    `rate` is per second, `burst` how many may come at once. While Redis is away each process counts for itself;
    a `strict` limit raises Unavailable instead.
    """
    if (store := redis_store.current()) is None:
        return HERE.hit(key, rate=rate, burst=burst)
    try:
        return as_wait(store.run(_HIT, [store.key("rate", key)], [now_us(), interval_us(rate), burst]))
    except redis_store.Away as error:
        if strict:
            raise Unavailable from error
        return HERE.hit(key, rate=rate, burst=burst)


class LocalLimits:
    """The limits of one process."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._instants: dict[str, int] = {}

    def hit(self, key: str, *, rate: float, burst: int) -> dt.timedelta | None:
        now, interval = now_us(), interval_us(rate)
        with self._lock:
            instant = max(self._instants.get(key, 0), now) + interval
            wait = instant - now - interval * burst
            if wait <= 0:
                self._make_room(now)
                self._instants[key] = instant
        return as_wait(wait)

    def give_back(self, key: str, *, rate: float) -> None:
        """Undo one allowed hit."""
        with self._lock:
            if key in self._instants:
                self._instants[key] -= interval_us(rate)

    def _make_room(self, now: int) -> None:
        if len(self._instants) >= MAX_KEYS_HERE:
            self._instants = {key: instant for key, instant in self._instants.items() if instant > now}


HERE = LocalLimits()


def now_us() -> int:
    return int(clock.now().timestamp() * MICROSECONDS)


def interval_us(rate: float) -> int:
    return round(MICROSECONDS / rate)


def as_wait(microseconds: int) -> dt.timedelta | None:
    return dt.timedelta(microseconds=microseconds) if microseconds > 0 else None
