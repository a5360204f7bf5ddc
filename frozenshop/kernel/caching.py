"""The cache as a help that may be away: reading finds nothing then, and writing does nothing."""

import json
from collections.abc import Sequence
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


def loads(value: bytes) -> Any:
    """Return a value as it was given to the cache."""
    if value[:1] == _AS_IT_IS:
        return value[1:]
    return int(value) if value.isdigit() else json.loads(value.decode())


def get_many(keys: Sequence[str]) -> dict[str, Any]:
    """Return what the cache holds of `keys`, in one round trip.

    From Redis the values are read past django-redis, which keeps them under the same keys: every warm
    request comes through here.
    """
    if not keys:
        return {}
    store = redis_store.current()
    try:
        return dict(cache.get_many(keys)) if store is None else decoded(keys, store.fetch(full_keys(keys)))
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
        cache.add(key, value, seconds)
    except Exception:
        logger.warning("cache.not_kept", exc_info=True)


def put(key: str, value: Any, seconds: int) -> None:
    """Keep a value that was changed."""
    try:
        cache.set(key, value, seconds)
    except Exception:
        # What is cached stays wrong for no longer than it is kept.
        logger.error("cache.change_lost", exc_info=True)
