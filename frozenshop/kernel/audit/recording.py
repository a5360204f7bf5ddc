"""Putting an act on record."""

from collections.abc import Iterable, Mapping
from typing import Any

from frozenshop.kernel import clock, many_rows, request_id
from frozenshop.kernel.actor import Actor
from frozenshop.kernel.models import AuditEntry, AuditSubject


def record(
    actor: Actor | str,
    action: str,
    subject: str = "",
    *,
    reason: str = "",
    details: Mapping[str, Any] | None = None,
    address: str = "",
    about: Iterable[str] | None = None,
) -> AuditEntry:
    """Put an act of a person or a key on record, in the transaction of the act itself.

    `subject` is an order number, or a kind and a key, such as `shipment:7`. `about`: further subjects under which an
    act on many is found, by default the `order_nos` of the details. No personal data belongs into any of it but
    `reason` and `address`.
    """
    name = actor if isinstance(actor, str) else actor.name or actor.source.value
    entry = AuditEntry.objects.create(
        at=clock.now(),
        actor=name[:150],
        action=action,
        subject=subject[:150],
        reason=reason[:500],
        details=dict(details or {}),
        address=address[:45],
        request_id=request_id.current()[:64],
    )
    others = entry.details.get("order_nos", ()) if about is None else about
    names = {str(name)[:150] for name in others} - {entry.subject, ""}
    many_rows.insert([AuditSubject(subject=name, at=entry.at, audit_id=entry.pk) for name in sorted(names)])
    return entry
