"""The chain: each seal's digest covers the former seal's digest, its own place and time, and the whole row.

The digest is an HMAC-SHA-256 under `AUDIT_KEY` of `["seal",[former, position, sealed_at, id, at, actor, action,
subject, reason, details, address, request_id]]` as JSON: UTF-8, no blanks, keys sorted, instants in UTC with
microseconds. It is kept as it is for good: rows that were sealed by any release stay verifiable.
"""

import datetime as dt
import hashlib
import hmac
import json
from collections.abc import Mapping
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import Exists, OuterRef, QuerySet

from frozenshop.kernel import clock, leases
from frozenshop.kernel.models import AuditEntry, AuditSeal

LOOK_BACK = dt.timedelta(hours=1)
"""No transaction is open for longer, so nothing older than this can still appear."""
SEALING_LEASE = dt.timedelta(minutes=2)
BATCH = 1000

TEXTS = ("actor", "action", "subject", "reason")
COLUMNS = ("id", "at", *TEXTS, "details", "address", "request_id")


def seal_pending() -> int:
    """Seal what has no seal yet and return how many rows; 0 while another process is at it. Safe to repeat."""
    with leases.hold("audit_sealer", SEALING_LEASE) as held:
        if not held:
            return 0
        # Found once: a sealer that was away for long goes on where it was, and its own new seals don't outrun it.
        left = pending()
        sealed, after = 0, 0
        while seals := _seal_batch(left, after):
            sealed, after = sealed + len(seals), seals[-1].audit_id
        return sealed


def _seal_batch(left: QuerySet[AuditEntry], after: int) -> list[AuditSeal]:
    """Seal the next rows behind the id `after`; what is committed late in front of it is left to the next run."""
    with transaction.atomic():
        last = last_seal()
        position, digest = (last.position, last.digest) if last else (0, "")
        seals = []
        for row in left.filter(pk__gt=after).order_by("pk").values(*COLUMNS)[:BATCH]:
            position, sealed_at = position + 1, clock.now()
            digest = link(digest, position, sealed_at, row)
            seals.append(AuditSeal(position=position, audit_id=row["id"], digest=digest, sealed_at=sealed_at))
        return AuditSeal.objects.bulk_create(seals)


def pending() -> QuerySet[AuditEntry]:
    """Rows that the sealer has still to seal: without a seal, and not from long before what is sealed."""
    since = horizon()
    return unsealed().filter(at__gte=since) if since else unsealed()


def horizon() -> dt.datetime | None:
    """Return the instant before which nothing new may appear; None while nothing is sealed.

    The rows' own times count too, so that a sealer killed while it catches up finds the rest; and the present does, so
    that a clock that ran ahead for a while leaves nothing unsealed.
    """
    last = last_seal()
    if last is None:
        return None
    sealed = AuditEntry.objects.filter(Exists(AuditSeal.objects.filter(audit_id=OuterRef("pk"))))
    newest = sealed.order_by("-at", "-id").values_list("at", flat=True).first()
    return min(last.sealed_at, newest or last.sealed_at, clock.now()) - LOOK_BACK


def unsealed() -> QuerySet[AuditEntry]:
    return AuditEntry.objects.filter(~Exists(AuditSeal.objects.filter(audit_id=OuterRef("pk"))))


def last_seal() -> AuditSeal | None:
    return AuditSeal.objects.order_by("-position").first()


def link(former_digest: str, position: int, sealed_at: dt.datetime, row: Mapping[str, Any]) -> str:
    """Return the digest that ties a row, its place and the time of its sealing to all before it."""
    values = [row[name] for name in COLUMNS]
    values[COLUMNS.index("details")] = encode(row["details"])
    return digest_of(former_digest, position, sealed_at, *values)


def digest_of(
    former_digest: str,
    position: int,
    sealed_at: dt.datetime,
    pk: int,
    at: dt.datetime,
    actor: str,
    action: str,
    subject: str,
    reason: str,
    details: str,
    address: str,
    request_id: str,
) -> str:
    """Return what `link` does, of the columns one by one; `details` is their canonical JSON. A million a minute."""
    text = (
        f'["seal",[{encode(former_digest)},{position},"{instant(sealed_at)}",{pk},"{instant(at)}",{encode(actor)},'
        f"{encode(action)},{encode(subject)},{encode(reason)},{details},{encode(address)},{encode(request_id)}]]"
    )
    return hmac.digest(settings.AUDIT_KEY.encode(), text.encode(), "sha256").hex()


def mac(purpose: str, content: Any) -> str:
    text = encode([purpose, content])
    return hmac.digest(settings.AUDIT_KEY.encode(), text.encode(), hashlib.sha256).hex()


def instant(value: dt.datetime) -> str:
    """Return an instant's canonical form; a naive one, as the database's driver gives it, is in UTC."""
    if value.tzinfo is None:
        return f"{value.isoformat(timespec='microseconds')}+00:00"
    return value.astimezone(dt.UTC).isoformat(timespec="microseconds")


encode = json.JSONEncoder(ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode
