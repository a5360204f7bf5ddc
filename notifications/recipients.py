"""Who is told of an order or an alert, named without showing anybody."""

from collections.abc import Iterator
from dataclasses import dataclass

from frozenshop.kernel import crypto
from notifications.models import Audience, StaffContact
from orders.models import Alert, AlertSeverity, Customer, Order

EVERYBODY = "role:员工"
"""The staff's group robot."""


@dataclass(frozen=True, slots=True)
class Recipient:
    name: str
    audience: Audience
    order: Order | None = None
    customer: Customer | None = None


def of_order(order: Order) -> Iterator[Recipient]:
    """Yield the buyer, and the consignee who is somebody else."""
    buyer = order.customer or _who_verified(order)
    if buyer is not None:
        yield Recipient(f"customer:{buyer.pk}", Audience.BUYER, order, buyer)
    if order.consignee_sealed and _is_another(order, buyer):
        yield Recipient(f"phone:{_index(order)}", Audience.CONSIGNEE, order)


def of_alert(alert: Alert) -> Iterator[Recipient]:
    """Yield the staff's group for what can't wait till tomorrow, and whoever asked for this severity."""
    if alert.severity <= AlertSeverity.HIGH:
        yield Recipient(EVERYBODY, Audience.STAFF, alert.order)
    rows = StaffContact.objects.filter(least_severity__gte=alert.severity, user__is_active=True).exclude(email="")
    for user_id in rows.order_by("user_id").values_list("user_id", flat=True):
        yield Recipient(f"staff:{user_id}", Audience.STAFF, alert.order)


def of_digest() -> Iterator[Recipient]:
    """Yield the staff's group and whoever reads the daily digest."""
    yield Recipient(EVERYBODY, Audience.STAFF)
    rows = StaffContact.objects.filter(digest=True, user__is_active=True).exclude(email="")
    for user_id in rows.order_by("user_id").values_list("user_id", flat=True):
        yield Recipient(f"staff:{user_id}", Audience.STAFF)


def _who_verified(order: Order) -> Customer | None:
    """Return who proved the phone on an order that came without a buyer."""
    return Customer.objects.filter(phone_index=order.phone_index).first() if order.phone_index else None


def _is_another(order: Order, buyer: Customer | None) -> bool:
    """Say whether somebody else receives it: with no verified phone of the buyer's nothing says so."""
    if buyer is None:
        return True
    if buyer.phone_index in (None, order.phone_index):
        return False
    return buyer.open_phone() != order.open_consignee().phone


def _index(order: Order) -> str:
    return crypto.blind_index(order.open_consignee().phone, purpose="phone")
