"""The cache as a help that may be away: reading finds nothing then, and writing does nothing."""

import json
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import structlog
from django.core.cache import cache

from frozenshop.kernel import redis_store

logger = structlog.get_logger(__name__)

_AS_IT_IS = b"="
"""Begins no JSON."""


class Serializer:
    """How django-redis keeps values: bytes as they are, anything else as JSON."""

    def __init__(self, options: dict[str, Any]) -> None:
        """Take django-redis's options; none is needed."""

    def dumps(self, value: Any) -> bytes:
        return _AS_IT_IS + value if isinstance(value, bytes) else json.dumps(value).encode()

    def loads(self, value: bytes) -> Any:
        return loads(value)


_packed = Serializer({})


def loads(value: bytes) -> Any:
    """Return a value as it was given to the cache."""
    if value[:1] == _AS_IT_IS:
        return value[1:]
    return int(value) if value.isdigit() else json.loads(value.decode())


def get_many(keys: Sequence[str]) -> dict[str, Any]:
    """Return what the cache holds of `keys`, in one round trip.

    Redis is asked past django-redis, though under its keys: every warm request comes through here, and a Redis that
    hangs must hold up one of them, not all.
    """
    if not keys:
        return {}
    store = redis_store.current()
    try:
        return dict(cache.get_many(keys)) if store is None else decoded(keys, store.ask("MGET", *full_keys(keys)))
    except redis_store.Away:
        return {}
    except Exception:
        logger.warning("cache.unreadable", exc_info=True)
        return {}


def full_keys(keys: Sequence[str]) -> list[str]:
    """Return the keys as they stand in Redis."""
    prefix = cache.make_key("")
    return [prefix + key for key in keys]


def decoded(keys: Sequence[str], values: Sequence[bytes | None]) -> dict[str, Any]:
    """Return what was found under `keys`, as django-redis wrote it."""
    return {key: loads(value) for key, value in zip(keys, values, strict=False) if value is not None}


def add(key: str, value: Any, seconds: int) -> None:
    """Keep a value that was read, unless there is one already."""
    try:
        _set(key, value, seconds, "NX")
    except redis_store.Away:
        pass
    except Exception:
        logger.warning("cache.not_kept", exc_info=True)


def put(key: str, value: Any, seconds: int) -> None:
    """Keep a value that was changed."""
    try:
        _set(key, value, seconds)
    except redis_store.Away:
        # What is cached stays wrong for no longer than it is kept.
        logger.warning("cache.change_lost")
    except Exception:
        logger.error("cache.change_lost", exc_info=True)


def claim(key: str, seconds: int) -> bool:
    """Say whether nobody claimed this within so many seconds; while the cache is away, nobody did."""
    try:
        return _set(key, 1, seconds, "NX")
    except redis_store.Away:
        return True
    except Exception:
        logger.warning("cache.not_claimed", exc_info=True)
        return True


def release(key: str) -> None:
    """Let the next one claim it; what can't be released ends by itself."""
    store = redis_store.current()
    with suppress(Exception):
        if store is None:
            cache.delete(key)
        else:
            store.ask("DEL", *full_keys([key]))


def _set(key: str, value: Any, seconds: int, *condition: str) -> bool:
    """Return whether it was set. Raises Away."""
    if store := redis_store.current():
        return store.ask("SET", *full_keys([key]), _packed.dumps(value), "EX", seconds, *condition) is not None
    if condition:
        return bool(cache.add(key, value, seconds))
    cache.set(key, value, seconds)
    return True
