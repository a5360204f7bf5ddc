"""Which buyer may see which order.

By openid: always. By verified phone: orders placed at most 90 days before the verification or any time after it,
until the verification is 180 days old. A phone belongs to one buyer at a time.
"""

import datetime as dt
from collections.abc import Iterable

from django.db import transaction
from django.db.models import Model, QuerySet

from frozenshop.kernel import clock, crypto, outbox
from orders import phones
from orders.contention import retried
from orders.models import Customer, Order, OrderAccess

LOOK_BACK = dt.timedelta(days=90)
VERIFICATION_LASTS = dt.timedelta(days=180)
BATCH = 500
# Longer than any transaction that takes in an order: what was under way while the phone was bound is found then.
SECOND_LOOK = dt.timedelta(minutes=2)

Via = OrderAccess.Via


def accesses(customer: Customer) -> QuerySet[OrderAccess]:
    """Return what the customer may see now; every read on a buyer's behalf starts here."""
    rows = OrderAccess.objects.filter(customer=customer)
    return rows if verification_holds(customer) else rows.filter(via=Via.OPENID)


def sees_prices(access: OrderAccess) -> bool:
    """Say whether prices are shown: not when another openid placed the order."""
    return access.via == Via.OPENID or access.order.customer_id in (None, access.customer_id)


def grant(order: Order) -> None:
    """Make the order's access rows what its buyer and its consignee's phone say, inside the caller's transaction."""
    wanted = dict.fromkeys(_holders_of_phone(order), Via.PHONE)
    if order.customer_id is not None:
        wanted[order.customer_id] = Via.OPENID
    existing = {access.customer_id: access for access in OrderAccess.objects.filter(order=order)}
    gone = [access.pk for customer_id, access in existing.items() if customer_id not in wanted]
    if gone:
        OrderAccess.objects.filter(pk__in=gone).delete()
    for customer_id, via in sorted(wanted.items()):
        access = existing.get(customer_id)
        if access is None:
            OrderAccess.objects.create(customer_id=customer_id, order=order, via=via, placed_at=order.placed_at)
        elif (access.via, access.placed_at) != (via, order.placed_at):
            OrderAccess.objects.filter(pk=access.pk).update(via=via, placed_at=order.placed_at)


@retried
def bind_phone(customer: Customer, phone: str, verified_at: dt.datetime) -> list[Customer]:
    """Give the verified phone to this customer, and return who held it and sees nothing by it any more. Repeatable."""
    phone = phones.normalise(phone)
    with transaction.atomic():
        live = crypto.blind_indexes(phone, purpose="phone")
        holders = list(Customer.objects.select_for_update().filter(phone_index__in=live).order_by("pk"))
        # Verified again in time: what the phone showed until now stays, however old it has become.
        renewed = any(holder.pk == customer.pk and verification_holds(holder) for holder in holders)
        former = [holder for holder in holders if holder.pk != customer.pk]
        for holder in former:
            _forget_phone(holder)
        if not renewed:
            OrderAccess.objects.filter(customer=customer, via=Via.PHONE).delete()
        customer.phone_index = crypto.blind_index(phone, purpose="phone")
        customer.phone_sealed = customer.seal_phone(phone)
        customer.phone_verified_at = verified_at
        customer.save(update_fields=["phone_index", "phone_sealed", "phone_verified_at"])
        grant_by_phone(customer)
        outbox.enqueue("orders.grant_by_phone", {"customer_id": customer.pk}, due_at=clock.now() + SECOND_LOOK)
        outbox.enqueue("logistics.grant_archived", {"customer_id": customer.pk})
        return former


def grant_by_phone(customer: Customer, among: type[Model] = Order) -> None:
    """Add the rows for every order that the customer's verified phone shows, in batches; `among`: here or archived."""
    phone = customer.open_phone()
    if phone is None or customer.phone_verified_at is None:
        return
    orders = among._default_manager.filter(
        phone_index__in=crypto.blind_indexes(phone, purpose="phone"),
        placed_at__gte=customer.phone_verified_at - LOOK_BACK,
    ).order_by("pk")
    last = 0
    while batch := list(orders.filter(pk__gt=last).values_list("pk", "placed_at")[:BATCH]):
        insert_missing(customer, batch)
        last = batch[-1][0]


def insert_missing(customer: Customer, orders: Iterable[tuple[int, dt.datetime]]) -> None:
    """Show these orders (id, placed at) to who holds their phone; those known already stay as they are."""
    placed = dict(orders)
    known = set(OrderAccess.objects.filter(customer=customer, order__in=placed).values_list("order_id", flat=True))
    OrderAccess.objects.bulk_create(
        [
            OrderAccess(customer=customer, order_id=order_id, via=Via.PHONE, placed_at=placed_at)
            for order_id, placed_at in placed.items()
            if order_id not in known
        ],
        ignore_conflicts=True,
    )


def _holders_of_phone(order: Order) -> list[int]:
    """Lock and return who sees the order by its phone: locked, so that a move of the phone waits or is seen."""
    live = crypto.blind_indexes(order.open_consignee().phone, purpose="phone")
    holders = Customer.objects.select_for_update().filter(
        phone_index__in=live, phone_verified_at__lte=order.placed_at + LOOK_BACK
    )
    return [holder.pk for holder in holders]


def _forget_phone(holder: Customer) -> None:
    OrderAccess.objects.filter(customer=holder, via=Via.PHONE).delete()
    holder.phone_index, holder.phone_sealed, holder.phone_verified_at = None, "", None
    holder.save(update_fields=["phone_index", "phone_sealed", "phone_verified_at"])


def verification_holds(customer: Customer) -> bool:
    verified_at = customer.phone_verified_at
    return verified_at is not None and clock.now() - verified_at <= VERIFICATION_LASTS
