"""Logs of what came and went, for staff: raw messages of providers, calls, access, exchanges of notifications.

In MongoDB where `MONGODB_URL` names one, else in the database. They are no truth: nothing is decided by them, and what
a killed process had not written yet is lost (docs/adr/0010-logs-are-not-truth.md).
"""

from collections.abc import Sequence
from dataclasses import replace

from django.conf import settings

from frozenshop.kernel import clock, request_id
from frozenshop.kernel.logstore import stores, writer
from frozenshop.kernel.logstore.entries import Entry, Kind, mask, new_id
from frozenshop.kernel.logstore.stores import Query, StoreDown

__all__ = ["Entry", "Kind", "Query", "StoreDown", "find", "forget", "keeps", "purge", "write"]


def write(
    kind: Kind,
    *,
    service: str,
    what: str,
    outcome: str,
    failed: bool = False,
    ms: int | None = None,
    subject: str = "",
    who: str = "",
    address: str = "",
    reference: str = "",
    detail: str = "",
    body: str = "",
    under: str = "",
) -> None:
    """Note what happened: never waits, never fails. `body` must be sealed; texts are masked before they are written.

    `under`: the request's id, where it isn't the one under way. Inside a transaction call it on commit.
    """
    if not keeps(kind):
        return
    at = clock.now()
    at = at.replace(microsecond=at.microsecond // 1000 * 1000)
    writer.current().put(
        Entry(
            id=new_id(at),
            kind=kind,
            at=at,
            request_id=under or request_id.current(),
            service=service,
            what=what,
            outcome=outcome,
            failed=failed,
            ms=ms,
            subject=subject,
            who=who,
            address=address,
            reference=reference,
            detail=detail,
            body=body,
        )
    )


def keeps(kind: Kind) -> bool:
    """Say whether this deployment keeps such logs: where not, nothing need be looked up for them."""
    return kind in settings.LOG_KINDS


def find(query: Query) -> list[Entry]:
    """Return entries, newest first. Raises StoreDown, within two seconds."""
    request, subject, service = map(mask, (query.request_id, query.subject, query.service))
    return stores.current().find(replace(query, request_id=request, subject=subject, service=service))


def forget(subjects: Sequence[str], people: Sequence[str]) -> int:
    """Delete what came about these subjects, and what these people (`customer:7`) did or were told; return how many.

    Raises StoreDown. What waits to be written in a spool is not seen: repeat it a minute later.
    """
    return stores.current().forget([mask(subject) for subject in subjects], people)


def purge() -> int:
    """Delete what has served its time; return how many."""
    return stores.current().purge()
