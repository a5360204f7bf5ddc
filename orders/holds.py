"""Legal holds: what must be kept as it is, for a reason that a person gave. Placed and released, never deleted."""

import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from django.db import transaction
from django.db.models import Q, QuerySet

from frozenshop.kernel import audit, clock, crypto
from frozenshop.kernel.actor import Actor
from frozenshop.kernel.errors import Invalid, NotPossible
from orders import phones
from orders.models import Customer, LegalHold

MAX_REASON = 500


@dataclass(frozen=True, slots=True)
class Holds:
    """What is held now: few enough to be kept in hand."""

    order_nos: frozenset[str]
    phone_indexes: frozenset[str]
    customers: frozenset[int]

    def covers(self, row: Mapping[str, Any]) -> bool:
        """Say whether an order is held: `order_no`, `phone_index` and `customer_id` of it."""
        held = row["order_no"] in self.order_nos or row["customer_id"] in self.customers
        return held or (bool(row["phone_index"]) and row["phone_index"] in self.phone_indexes)

    def among(self, rows: Iterable[Mapping[str, Any]]) -> set[int]:
        """Return the ids of the orders that are held."""
        return {row["id"] for row in rows if self.covers(row)} if self.order_nos or self.phone_indexes else set()


def standing() -> Holds:
    """Return what is held now, with the buyers whose phone is."""
    rows = list(placed())
    indexes = frozenset(index for hold in rows for index in _indexes(hold))
    buyers = Customer.objects.filter(phone_index__in=indexes).values_list("pk", flat=True) if indexes else ()
    return Holds(frozenset(hold.order_no for hold in rows if hold.order_no), indexes, frozenset(buyers))


def _indexes(hold: LegalHold) -> set[str]:
    """Return the held person's index under every live key: orders may be under another one than the hold."""
    if not hold.phone_sealed:
        return {hold.phone_index} - {""}
    try:
        phone = crypto.open_sealed(hold.phone_sealed, purpose=purpose(hold.number))
    except crypto.SealBroken:
        return {hold.phone_index}
    return {hold.phone_index, *crypto.blind_indexes(phone, purpose="phone")}


def placed() -> QuerySet[LegalHold]:
    return LegalHold.objects.filter(released_at=None)


def purpose(number: str) -> str:
    return f"hold:{number}"


def on_order(order_no: str, reason: str, by: Actor) -> LegalHold:
    """Hold one order. Raises Invalid without a reason, NotPossible where it is held already."""
    return _place(LegalHold(about=LegalHold.About.ORDER, order_no=order_no), Q(order_no=order_no), reason, by)


def on_person(phone: str, reason: str, by: Actor) -> LegalHold:
    """Hold all that was sent to a phone, or bought by who proved it. Raises Invalid, NotPossible."""
    number = phones.normalise(phone)
    hold = LegalHold(about=LegalHold.About.PERSON, phone_index=crypto.blind_index(number, purpose="phone"))
    hold.number = secrets.token_hex(16)
    hold.phone_sealed = crypto.seal(number, purpose=purpose(hold.number))
    return _place(hold, Q(phone_index__in=crypto.blind_indexes(number, purpose="phone")), reason, by)


def _place(hold: LegalHold, same: Q, reason: str, by: Actor) -> LegalHold:
    hold.reason, hold.number = _required(reason), hold.number or secrets.token_hex(16)
    hold.placed_by, hold.placed_at = by.name, clock.now()
    with transaction.atomic():
        if placed().filter(same, about=hold.about).exists():
            raise NotPossible("已经设定了法律保留")
        hold.save(force_insert=True)
        audit.record(by, "hold.placed", hold.order_no or f"hold:{hold.number}", reason=hold.reason)
    return hold


def release(hold: LegalHold, reason: str, by: Actor) -> None:
    """End a hold. Raises Invalid without a reason, NotPossible where it has ended."""
    reason = _required(reason)
    with transaction.atomic():
        ended = placed().filter(pk=hold.pk)
        if not ended.update(released_at=clock.now(), released_by=by.name, release_reason=reason):
            raise NotPossible("这条法律保留已经解除")
        audit.record(by, "hold.released", hold.order_no or f"hold:{hold.number}", reason=reason)


def _required(reason: str) -> str:
    reason = reason.strip()
    if not reason or len(reason) > MAX_REASON:
        raise Invalid(fields={"reason": "请写明依据（最多 500 个字）"})
    return reason
