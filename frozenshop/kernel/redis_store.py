"""The store that web processes share for limits and nonces: Redis, asked in one round trip, and its absence.

After a failure Redis is left alone for a moment, and then tried by one thread at a time: whether it is dead or hangs,
one request in a while waits for it, and the others go on without.
The store knows when it was born: when it was first asked after it was started, emptied, failed over to, or missed by
a process. It remembers nothing of the time before.
"""

import functools
import hashlib
import math
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from django.conf import settings
from redis import Redis
from redis import exceptions as redis_errors
from redis.backoff import NoBackoff
from redis.retry import Retry

from frozenshop.kernel.redis_line import Line

TIMEOUT_SECONDS = 1.0
PAUSE_SECONDS = 1.0
_UNUSABLE = (
    redis_errors.ConnectionError,
    redis_errors.TimeoutError,
    redis_errors.ReadOnlyError,
    redis_errors.OutOfMemoryError,
    redis_errors.MasterDownError,
    redis_errors.ClusterDownError,
)

# Stands before every script. `store_age()`: microseconds since the birth, by Redis's own clock.
_BIRTH = """
local birth_key, was_away = KEYS[#KEYS], ARGV[#ARGV] == '1'
local function store_age()
  local time = redis.call('TIME')
  local now = time[1] * 1000000 + time[2]
  local run = string.match(redis.call('INFO', 'server'), 'run_id:(%x+)')
  local known, born = string.match(redis.call('GET', birth_key) or '', '^(%x+) (%d+)$')
  if known == run and not was_away then return now - tonumber(born) end
  redis.call('SET', birth_key, run .. ' ' .. string.format('%.0f', now))
  return 0
end
if was_away or redis.call('EXISTS', birth_key) == 0 then store_age() end
"""


class Away(Exception):
    """Redis can't be used now. The caller goes on without it."""


class RedisStore:
    """Runs scripts on Redis, and remembers whether this process had to do without it."""

    def __init__(self, url: str, prefix: str) -> None:
        # A repeated command would meet the nonce that its first try has used: no retries.
        retry = Retry(NoBackoff(), 0)
        self.client = Redis.from_url(
            url, socket_timeout=TIMEOUT_SECONDS, socket_connect_timeout=TIMEOUT_SECONDS, retry=retry
        )
        self.line = Line(self.client.connection_pool)
        self._prefix = prefix
        self._digests: dict[str, str] = {}
        self._lock = threading.Lock()
        self._failing = False
        self._ask_again_at = 0.0
        self._away_since: float | None = None
        self._back_at = -math.inf

    def key(self, kind: str, name: str = "") -> str:
        """Return a key. All share a hash tag, so that one script may use several on a cluster."""
        return f"{self._prefix}:{{admission}}:{kind}:{name}"

    def run(self, script: str, keys: Sequence[str], args: Sequence[str | int]) -> int:
        """Run a script, which may ask for `store_age()`. Raises Away."""
        return self.run_and_fetch(script, keys, args, ())[0]

    def run_and_fetch(
        self, script: str, keys: Sequence[str], args: Sequence[str | int], wanted: Sequence[str]
    ) -> tuple[int, list[bytes | None]]:
        """Run a script, and return with its answer what stands under the full keys `wanted`. Raises Away."""
        was_away = self._away_since is not None
        with self._tried():
            answer, fetched = self._evaluate(script, [*keys, self.key("birth")], [*args, int(was_away)], wanted)
        if was_away:
            self._away_since, self._back_at = None, time.monotonic()
        return int(answer), fetched

    def ask(self, *command: str | int | bytes) -> Any:
        """Return the answer to one command on full keys, such as the cache's. Raises Away."""
        with self._tried():
            return self.line.ask(command)[0]

    def seconds_away(self) -> float:
        """Return for how long this process has been doing without Redis."""
        since = self._away_since
        return 0.0 if since is None else time.monotonic() - since

    def seconds_back(self) -> float:
        """Return since when it is there again: what was to be remembered shortly before is not."""
        return 0.0 if self._away_since is not None else time.monotonic() - self._back_at

    @contextmanager
    def _tried(self) -> Iterator[None]:
        if self._failing:
            self._take_turn()
        try:
            yield
        except _UNUSABLE as error:
            self._lose()
            raise Away from error
        self._failing = False

    def _take_turn(self) -> None:
        """Raise Away, but for one caller after each pause, who tries whether Redis is back."""
        with self._lock:
            now = time.monotonic()
            if self._failing and now < self._ask_again_at:
                raise Away
            self._ask_again_at = now + 2 * TIMEOUT_SECONDS  # longer than a try takes

    def _lose(self) -> None:
        with self._lock:
            now = time.monotonic()
            self._failing, self._ask_again_at = True, now + PAUSE_SECONDS
            if self._away_since is None:
                self._away_since = now

    def _evaluate(
        self, script: str, keys: Sequence[str], args: Sequence[str | int], wanted: Sequence[str]
    ) -> tuple[Any, list[bytes | None]]:
        if script not in self._digests:
            self._digests[script] = hashlib.sha1((_BIRTH + script).encode(), usedforsecurity=False).hexdigest()
        asked = (len(keys), *keys, *args)
        fetch = [("MGET", *wanted)] if wanted else []
        try:
            *fetched, answer = self.line.ask(*fetch, ("EVALSHA", self._digests[script], *asked))
        except redis_errors.NoScriptError:  # a Redis that was restarted; nothing of the script has run
            *fetched, answer = self.line.ask(*fetch, ("EVAL", _BIRTH + script, *asked))
        return answer, fetched[0] if fetched else []


def current() -> RedisStore | None:
    """Return this process's store, or None where no Redis is configured."""
    return _store(settings.REDIS_URL, settings.CACHES["default"].get("KEY_PREFIX", "")) if settings.REDIS_URL else None


@functools.cache
def _store(url: str, prefix: str) -> RedisStore:
    return RedisStore(url, prefix)
