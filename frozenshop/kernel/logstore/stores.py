"""What a store of logs does, and which one this deployment has."""

import datetime as dt
import functools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from django.conf import settings

from frozenshop.kernel.logstore.entries import Entry, Kind, boundary


class StoreDown(Exception):
    """The store doesn't answer now; later it may. Holds no address and no password."""


@dataclass(frozen=True, slots=True)
class Query:
    """Newest first. `before` and `after` are ids; with `after` those nearest to it. Empty: any."""

    kinds: tuple[Kind, ...] = tuple(Kind)
    since: dt.datetime | None = None
    until: dt.datetime | None = None
    request_id: str = ""
    subject: str = ""
    service: str = ""
    failed: bool = False
    before: str = ""
    after: str = ""
    limit: int = 50


def bounds(query: Query) -> tuple[str, str]:
    """Return between which ids the answer lies; empty: no bound."""
    since = boundary(query.since) if query.since else ""
    until = boundary(query.until) if query.until else ""
    return max(query.after, since), min(filter(None, (query.before, until)), default="")


class Store(Protocol):
    def insert(self, entries: Sequence[Entry]) -> None:
        """Write what isn't there yet. Raises StoreDown; anything else says that one of them is never taken."""

    def find(self, query: Query) -> list[Entry]:
        """Raises StoreDown, after two seconds at the latest."""

    def purge(self) -> int:
        """Delete what has served its time, where the store doesn't do so by itself; return how many."""

    def forget(self, subjects: Sequence[str], people: Sequence[str]) -> int:
        """Delete messages as they came about these subjects, and all that these people did or were told.

        Return how many. Raises StoreDown.
        """

    def ping(self) -> None:
        """Raises StoreDown."""


def current() -> Store:
    return _store(settings.MONGODB_URL)


def keep_days(kind: Kind) -> int:
    return int(settings.LOG_KEEP_DAYS[kind])


@functools.lru_cache(maxsize=4)
def _store(url: str) -> Store:
    if url:
        from frozenshop.kernel.logstore.mongo import MongoStore  # pymongo is not part of the embedded default

        return MongoStore(url)
    from frozenshop.kernel.logstore.database import DatabaseStore

    return DatabaseStore()
