"""Walking the chain: is what is stored what was sealed, and is it all?"""

import datetime as dt
import functools
import hmac
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.db import connection

from frozenshop.kernel import clock
from frozenshop.kernel.audit import chain
from frozenshop.kernel.audit.checkpoints import Checkpoint
from frozenshop.kernel.models import AuditEntry, AuditSeal

CLOCK_TOLERANCE = dt.timedelta(minutes=5)
AT_ONCE = 5000
ODD_SHOWN = 1000


@dataclass(frozen=True, slots=True)
class Fault:
    """The first place where what is stored is not what was sealed."""

    audit_id: int | None
    position: int | None
    reason: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a walk along the chain found. `unsealed` rows wait for the sealer; `odd_times` hints at a changed clock."""

    count: int
    head: str
    fault: Fault | None
    unsealed: int
    odd_times: tuple[int, ...] = ()


def verify(checkpoints: Sequence[Checkpoint] = ()) -> Verdict:
    """Walk the whole chain. With checkpoints, a cut-off end and a chain linked anew with the key are found too."""
    # Before the walk: what is sealed meanwhile would look as if it had been left out.
    stray, unsealed = _stray_fault(), chain.pending().count()
    walk = Walk(checkpoints)
    fault = walk.to_the_end() or walk.missing() or stray
    return Verdict(walk.count, walk.head, fault, unsealed, tuple(walk.odd_times))


@dataclass(slots=True)
class Walk:
    """A way along the chain, from its beginning or from a place that is known."""

    checkpoints: Sequence[Checkpoint] = ()
    count: int = 0
    head: str = ""
    odd_times: list[int] = field(default_factory=list)
    _agreed: int = 0
    """The last place at which a checkpoint and the chain agreed: what is wrong came after it."""

    def to_the_end(self) -> Fault | None:
        """Go on until the first fault or the end."""
        expected: dict[int, list[Checkpoint]] = {}
        for one in self.checkpoints:
            expected.setdefault(one.count, []).append(one)
        sooner, soon = None, clock.now().astimezone(dt.UTC).replace(tzinfo=None) + CLOCK_TOLERANCE
        for position, audit_id, digest, sealed_at, row in _sealed_rows(self.count):
            if fault := _fault(self.count + 1, self.head, position, audit_id, digest, sealed_at, row):
                return fault
            if sealed_at > soon or row[1] > sealed_at + CLOCK_TOLERANCE or (sooner and sealed_at < sooner):
                self._note_odd(audit_id)
            self.count, self.head, sooner = position, digest, sealed_at
            if position in expected and (fault := self._disagreeing(expected[position])):
                return fault
        return None

    def missing(self) -> Fault | None:
        """Say where the end was cut off, if a checkpoint knows of more."""
        longest = max((one.count for one in self.checkpoints), default=0)
        if longest <= self.count:
            return None
        return Fault(None, self.count + 1, f"链在此处被截断（检查点记录了 {longest} 条）")

    def _disagreeing(self, checkpoints: list[Checkpoint]) -> Fault | None:
        for one in checkpoints:
            if one.head != self.head:
                named = f"检查点 {one.name} " if one.name else "检查点"
                return Fault(None, self._agreed + 1, f"与{named}不符，链从这里到第 {one.count} 位之间已被重写")
        self._agreed = self.count
        return None

    def _note_odd(self, audit_id: int) -> None:
        if len(self.odd_times) < ODD_SHOWN:
            self.odd_times.append(audit_id)


def _fault(
    expected: int, head: str, position: int, audit_id: int, digest: str, sealed_at: dt.datetime, row: Sequence[Any]
) -> Fault | None:
    if position != expected:
        return Fault(audit_id, expected, "封印缺失")
    if row[0] is None:
        return Fault(audit_id, position, "记录已被删除")
    if not hmac.compare_digest(_digest(head, position, sealed_at, row), digest.encode()):
        return Fault(audit_id, position, "记录或封印已被改动")
    return None


def _digest(head: str, position: int, sealed_at: dt.datetime, row: Sequence[Any]) -> bytes:
    """Return what the seal must say; nothing where the row can't even be read."""
    pk, at, actor, action, subject, reason, details, address, request_id = row
    try:
        if details != "{}":
            details = chain.encode(json.loads(details))
        return chain.digest_of(
            head, position, sealed_at, pk, at, actor, action, subject, reason, details, address, request_id
        ).encode()
    except (ValueError, TypeError, AttributeError):
        return b""


def _stray_fault() -> Fault | None:
    """A row that appeared among rows that were sealed long before."""
    horizon = chain.horizon()
    stray = horizon and chain.unsealed().filter(at__lt=horizon).order_by("id").first()
    return Fault(stray.pk, None, "事后插入的记录（没有封印）") if stray else None


def _sealed_rows(after: int) -> Iterator[tuple[int, int, str, dt.datetime, Sequence[Any]]]:
    """Yield seals by position, each with the columns of its row (all None: it is gone), instants naive in UTC.

    By hand, since there is no foreign key to join by, and since models would take most of the time. Short questions
    each for itself: nothing is kept open, and the memory stays flat.
    """
    while True:
        with connection.cursor() as cursor:
            cursor.execute(_select(connection.vendor), [after, AT_ONCE])
            rows = cursor.fetchall()
        for position, audit_id, digest, sealed_at, *row in rows:
            yield position, audit_id, digest, sealed_at, row
        if len(rows) < AT_ONCE:
            return
        after = rows[-1][0]


@functools.cache
def _select(vendor: str) -> str:
    quote = connection.ops.quote_name
    seals, entries = AuditSeal._meta.db_table, AuditEntry._meta.db_table
    columns = ", ".join(f"e.{quote(name)}" for name in chain.COLUMNS)
    return (
        f"SELECT s.position, s.audit_id, s.digest, s.sealed_at, {columns} FROM {quote(seals)} s"  # noqa: S608
        f" LEFT JOIN {quote(entries)} e ON e.id = s.audit_id WHERE s.position > %s ORDER BY s.position LIMIT %s"
    )
