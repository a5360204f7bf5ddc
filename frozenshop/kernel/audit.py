"""The audit: what people and keys did, and the chain of seals that shows whether it was changed afterwards.

Whoever acts only inserts a row. A sealer beside them links the rows into a chain, in whatever order they were
committed, so that no business transaction waits for it.
"""

import datetime as dt
import hashlib
import hmac
import itertools
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import Exists, OuterRef, QuerySet

from frozenshop.kernel import clock, leases, request_id
from frozenshop.kernel.actor import Actor
from frozenshop.kernel.models import AuditEntry, AuditSeal

LOOK_BACK = dt.timedelta(hours=1)
"""No transaction is open for longer, so nothing older than this can still appear."""
CLOCK_TOLERANCE = dt.timedelta(minutes=5)
SEALING_LEASE = dt.timedelta(minutes=2)
BATCH = 1000

_CONTENT = ("id", "at", "actor", "action", "subject", "reason", "details", "address", "request_id")


def record(
    actor: Actor | str,
    action: str,
    subject: str = "",
    *,
    reason: str = "",
    details: Mapping[str, Any] | None = None,
    address: str = "",
) -> AuditEntry:
    """Put an act of a person or a key on record, in the transaction of the act itself.

    `subject` is an order number, or a kind and a key, such as `shipment:7`. No personal data belongs into `details`.
    """
    name = actor if isinstance(actor, str) else actor.name or actor.source.value
    return AuditEntry.objects.create(
        at=clock.now(),
        actor=name[:150],
        action=action,
        subject=subject[:150],
        reason=reason[:500],
        details=dict(details or {}),
        address=address[:45],
        request_id=request_id.current()[:64],
    )


def seal_pending() -> int:
    """Seal what has no seal yet and return how many rows; 0 while another process is at it. Safe to repeat."""
    with leases.hold("audit_sealer", SEALING_LEASE) as held:
        if not held:
            return 0
        sealed, after = 0, 0
        while seals := _seal_batch(after):
            sealed, after = sealed + len(seals), seals[-1].audit_id
        return sealed


def _seal_batch(after: int) -> list[AuditSeal]:
    """Seal the next rows behind the id `after`; what is committed late in front of it is left to the next run."""
    with transaction.atomic():
        last = _last_seal()
        position, digest = (last.position, last.digest) if last else (0, "")
        seals = []
        for row in pending().filter(pk__gt=after).order_by("pk").values(*_CONTENT)[:BATCH]:
            position, sealed_at = position + 1, clock.now()
            digest = link(digest, position, sealed_at, row)
            seals.append(AuditSeal(position=position, audit_id=row["id"], digest=digest, sealed_at=sealed_at))
        return AuditSeal.objects.bulk_create(seals)


def pending() -> QuerySet[AuditEntry]:
    """Rows that the sealer has still to seal: without a seal, and not older than an hour before the newest seal."""
    last = _last_seal()
    return _unsealed().filter(at__gte=last.sealed_at - LOOK_BACK) if last else _unsealed()


def link(former_digest: str, position: int, sealed_at: dt.datetime, row: Mapping[str, Any]) -> str:
    """Return the digest that ties a row, its place and the time of its sealing to all before it."""
    content = [row[name] for name in _CONTENT]
    return _mac("seal", [former_digest, position, sealed_at, *content])


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


def verify(checkpoint: Mapping[str, Any] | None = None) -> Verdict:
    """Walk the whole chain. With a checkpoint that `read_checkpoint` returned, a cut-off end is found too."""
    count, head, known = 0, "", ""
    odd_times: list[int] = []
    unsealed = pending().count()
    former_sealed_at: dt.datetime | None = None
    for seal, row in _sealed_rows():
        if fault := _fault(seal, row, count, head):
            return Verdict(count, head, fault, unsealed, tuple(odd_times))
        assert row is not None
        if row["at"] > seal.sealed_at + CLOCK_TOLERANCE or (former_sealed_at and seal.sealed_at < former_sealed_at):
            odd_times.append(seal.audit_id)
        count, head, former_sealed_at = seal.position, seal.digest, seal.sealed_at
        if checkpoint and count == checkpoint["count"]:
            known = head
    fault = _checkpoint_fault(checkpoint, count, known) or _stray_fault()
    return Verdict(count, head, fault, unsealed, tuple(odd_times))


def write_checkpoint(verdict: Verdict) -> str:
    """Return a signed statement of how long the chain is and how it ends, to be kept on another machine."""
    content = {"count": verdict.count, "head": verdict.head, "at": clock.now().isoformat()}
    return json.dumps({**content, "signature": _mac("checkpoint", content)}, indent=2) + "\n"


def read_checkpoint(text: str) -> dict[str, Any]:
    """Return the checkpoint that `write_checkpoint` wrote. Raises ValueError if it is not one, or was changed."""
    content = json.loads(text)
    if not isinstance(content, dict) or {*content} != {"count", "head", "at", "signature"}:
        raise ValueError("不是审计检查点文件")
    signature = str(content.pop("signature"))
    if not hmac.compare_digest(_mac("checkpoint", content).encode(), signature.encode()):
        raise ValueError("检查点文件的签名不正确")
    return content


def _fault(seal: AuditSeal, row: Mapping[str, Any] | None, count: int, head: str) -> Fault | None:
    if seal.position != count + 1:
        return Fault(seal.audit_id, count + 1, "封印缺失")
    if row is None:
        return Fault(seal.audit_id, seal.position, "记录已被删除")
    if not hmac.compare_digest(link(head, seal.position, seal.sealed_at, row), seal.digest):
        return Fault(seal.audit_id, seal.position, "记录或封印已被改动")
    return None


def _checkpoint_fault(checkpoint: Mapping[str, Any] | None, count: int, known: str) -> Fault | None:
    if checkpoint is None or known == checkpoint["head"]:
        return None
    if count < checkpoint["count"]:
        return Fault(None, count + 1, f"链在此处被截断（检查点记录了 {checkpoint['count']} 条）")
    return Fault(None, checkpoint["count"], "与检查点不符，链已被重写")


def _stray_fault() -> Fault | None:
    """A row that appeared among rows that were sealed long before."""
    last = _last_seal()
    stray = last and _unsealed().filter(at__lt=last.sealed_at - LOOK_BACK).order_by("id").first()
    return Fault(stray.pk, None, "事后插入的记录（没有封印）") if stray else None


def _sealed_rows() -> Iterator[tuple[AuditSeal, dict[str, Any] | None]]:
    seals = AuditSeal.objects.order_by("position").iterator(BATCH)
    while batch := list(itertools.islice(seals, BATCH)):
        entries = AuditEntry.objects.filter(pk__in=[seal.audit_id for seal in batch]).values(*_CONTENT)
        rows = {row["id"]: row for row in entries}
        for seal in batch:
            yield seal, rows.get(seal.audit_id)


def _unsealed() -> QuerySet[AuditEntry]:
    return AuditEntry.objects.filter(~Exists(AuditSeal.objects.filter(audit_id=OuterRef("pk"))))


def _last_seal() -> AuditSeal | None:
    return AuditSeal.objects.order_by("-position").first()


def _mac(purpose: str, content: Any) -> str:
    text = _canonical([purpose, content])
    return hmac.digest(settings.AUDIT_KEY.encode(), text.encode(), hashlib.sha256).hex()


def _instant(value: Any) -> str:
    if not isinstance(value, dt.datetime):
        raise TypeError(f"{type(value).__name__} has no canonical form")
    return value.astimezone(dt.UTC).isoformat(timespec="microseconds")


_canonical = json.JSONEncoder(ensure_ascii=False, sort_keys=True, separators=(",", ":"), default=_instant).encode
