"""Who is told of an order or an alert, named without showing anybody."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass

from frozenshop.kernel import clock, crypto
from notifications import opening
from notifications.models import Audience, Notice, StaffContact
from orders import access
from orders.models import Alert, AlertSeverity, Customer, Order

EVERYBODY = "role:员工"
"""The staff's group robot."""


@dataclass(frozen=True, slots=True)
class Recipient:
    """`former`: other names of the same person: their phone's, also under index keys that are about to go."""

    name: str
    audience: Audience
    order: Order | None = None
    customer: Customer | None = None
    former: Collection[str] = ()


def of_order(order: Order) -> Iterator[Recipient]:
    """Yield the buyer, and the consignee who is somebody else."""
    consignee = opening.consignee_of(order)
    live = crypto.blind_indexes(consignee.phone, purpose="phone") if consignee else []
    names = [f"phone:{index}" for index in live]
    buyer = order.customer or _who_verified(order, live)
    if buyer is not None:
        same = names if buyer.phone_index in live else ()
        yield Recipient(f"customer:{buyer.pk}", Audience.BUYER, order, buyer, same)
    if names and _is_another(live, buyer):
        yield Recipient(names[0], Audience.CONSIGNEE, order, former=names[1:])


def is_still(notice: Notice, order: Order | None, customer: Customer | None) -> bool:
    """Say whether a notice's recipient has still to do with its order: phones change hands, consignees are corrected.

    `customer`: the buyer behind the recipient, where there is one.
    """
    if order is None or notice.audience not in (Audience.BUYER, Audience.CONSIGNEE):
        return True
    if notice.audience == Audience.BUYER and order.customer_id is not None:
        return customer is not None and customer.pk == order.customer_id
    consignee = opening.consignee_of(order)
    live = crypto.blind_indexes(consignee.phone, purpose="phone") if consignee else [order.phone_index]
    if notice.audience == Audience.CONSIGNEE:
        return notice.recipient.removeprefix("phone:") in live
    return customer is not None and customer.phone_index in live and _proves(customer, order)


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


def _who_verified(order: Order, live: Collection[str]) -> Customer | None:
    """Return who proved the phone on an order that came without a buyer, where that shows them the order, too."""
    indexes = live or {order.phone_index} - {""}
    found = Customer.objects.filter(phone_index__in=indexes) if indexes else ()
    return next((one for one in found if _proves(one, order)), None)


def _proves(customer: Customer, order: Order) -> bool:
    """Say whether the verification shows the order (`orders.access`): old ones don't, since numbers are given away."""
    verified_at = customer.phone_verified_at
    if verified_at is None or clock.now() - verified_at > access.VERIFICATION_LASTS:
        return False
    return order.placed_at >= verified_at - access.LOOK_BACK


def _is_another(live: Collection[str], buyer: Customer | None) -> bool:
    """Say whether somebody else receives it: with no verified phone of the buyer's nothing says so."""
    return buyer is None or (buyer.phone_index is not None and buyer.phone_index not in live)
