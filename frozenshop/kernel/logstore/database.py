"""The logs in the program's own database, where there is no MongoDB."""

import datetime as dt
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict

from django.db import DataError, Error, IntegrityError, connection, transaction
from django.db.models import Q, QuerySet

from frozenshop.kernel import clock, purging
from frozenshop.kernel.logstore.entries import Entry, Kind, boundary
from frozenshop.kernel.logstore.stores import Query, StoreDown, bounds, keep_days
from frozenshop.kernel.models import LogEntry


class DatabaseStore:
    """One table. Its own thread's connection, so that no business transaction holds or loses a log."""

    def insert(self, entries: Sequence[Entry]) -> None:
        if not connection.in_atomic_block:
            connection.close_if_unusable_or_obsolete()
        with _outages(), transaction.atomic():
            LogEntry.objects.bulk_create([LogEntry(**asdict(entry)) for entry in entries], ignore_conflicts=True)

    def find(self, query: Query) -> list[Entry]:
        rows = LogEntry.objects.filter(**_conditions(query)).order_by("id" if query.after else "-id")
        with _outages():
            found = [_entry(row) for row in rows[: query.limit]]
        return found[::-1] if query.after else found

    def purge(self) -> int:
        return sum(purging.delete(_old(kind).order_by("id")) for kind in Kind)

    def forget(self, subjects: Sequence[str], people: Sequence[str]) -> int:
        rows = LogEntry.objects.filter(Q(kind=Kind.RAW, subject__in=subjects) | Q(who__in=people))
        with _outages():
            return purging.delete(rows.order_by("id"))

    def ping(self) -> None:
        with _outages(), connection.cursor() as cursor:
            cursor.execute("SELECT 1")


def _old(kind: Kind) -> QuerySet[LogEntry]:
    before = clock.now() - dt.timedelta(days=keep_days(kind))
    return LogEntry.objects.filter(kind=kind, id__lt=boundary(before))


def _conditions(query: Query) -> dict[str, object]:
    conditions: dict[str, object] = {"failed": True} if query.failed else {}
    if len(query.kinds) < len(Kind):
        conditions["kind__in"] = query.kinds
    conditions |= {name: value for name in ("request_id", "subject", "service") if (value := getattr(query, name))}
    above, below = bounds(query)
    return conditions | {name: value for name, value in (("id__gt", above), ("id__lt", below)) if value}


def _entry(row: LogEntry) -> Entry:
    fields = {name: getattr(row, name) for name in Entry.__slots__}
    return Entry(**fields | {"kind": Kind(row.kind)})


@contextmanager
def _outages() -> Iterator[None]:
    try:
        yield
    except (DataError, IntegrityError):
        raise
    except Error as error:
        if not connection.in_atomic_block:
            connection.close()
        raise StoreDown(f"数据库：{type(error).__name__}") from error
