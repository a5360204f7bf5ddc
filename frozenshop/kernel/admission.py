"""Whether a signed request may go on: its rate limit and its nonce, decided together in one round trip."""

from collections.abc import Sequence
from typing import NamedTuple

from django.conf import settings

from frozenshop.kernel import nonces, redis_store, throttling
from frozenshop.kernel.errors import RateLimited
from frozenshop.kernel.signing import NonceReused

_REUSED = -1
_ADMIT = (
    throttling.GCRA
    + """
local rate_key, nonce_key = KEYS[1], KEYS[2]
local now, interval, burst = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local kept, signature_age, writes = ARGV[4], tonumber(ARGV[5]), ARGV[6] == '1'

local wait, instant = gcra(rate_key, now, interval, burst)
if wait > 0 then return wait end
if writes and signature_age >= store_age() then return -1 end
if not redis.call('SET', nonce_key, 1, 'NX', 'EX', kept) then return -1 end
keep(rate_key, now, instant)
return 0
"""
)


class _Asked(NamedTuple):
    scope: str
    nonce: str
    signed_at: int
    rate: float
    burst: int
    writes: bool


def admit(
    scope: str,
    nonce: str,
    signed_at: int,
    *,
    rate: float,
    burst: int,
    writes: bool = False,
    wanted: Sequence[str] = (),
) -> list[bytes | None]:
    """Let a request of this scope (a session, a key) pass once. Raises RateLimited (`retry_after`) or NonceReused.

    A refused rate burns no nonce, and a refused nonce counts for nothing in the rate. `writes`: it is no safe method,
    so a store that is younger than its signature refuses it. While some web processes see Redis and others don't,
    each side knows only its own nonces. Returns what Redis holds under the full keys `wanted`, asked in the same round
    trip; nothing where it is away or not configured.
    """
    asked = _Asked(scope, nonce, signed_at, rate, burst, writes)
    if (store := redis_store.current()) is None:
        _admit_here(asked, store_age=None)
        return []
    try:
        answer, fetched = _ask(store, asked, wanted)
    except redis_store.Away:
        _admit_here(asked, store_age=store.seconds_away())
        return []
    if answer == _REUSED:
        raise NonceReused
    if wait := throttling.as_wait(answer):
        raise RateLimited(retry_after=wait)
    return fetched


def _ask(store: redis_store.RedisStore, asked: _Asked, wanted: Sequence[str]) -> tuple[int, list[bytes | None]]:
    keys = [store.key("rate", asked.scope), store.key("nonce", f"{asked.scope}:{asked.nonce}")]
    interval, kept = throttling.interval_us(asked.rate), int(nonces.KEPT.total_seconds())
    signature_age = int(nonces.signature_age(asked.signed_at) * throttling.MICROSECONDS)
    args = [throttling.now_us(), interval, asked.burst, kept, signature_age, int(asked.writes)]
    return store.run_and_fetch(_ADMIT, keys, args, wanted)


def _admit_here(asked: _Asked, *, store_age: float | None) -> None:
    """Embedded: all in memory. Otherwise each process has its own limit, and the database the nonces."""
    if wait := throttling.HERE.hit(asked.scope, rate=asked.rate, burst=asked.burst):
        raise RateLimited(retry_after=wait)
    try:
        if settings.EMBEDDED and not settings.REDIS_URL:
            nonces.HERE.use(asked.scope, asked.nonce, asked.signed_at, writes=asked.writes)
        else:
            nonces.use_in_database(asked.scope, asked.nonce, asked.signed_at, writes=asked.writes, store_age=store_age)
    except NonceReused:
        throttling.HERE.give_back(asked.scope, rate=asked.rate)
        raise
