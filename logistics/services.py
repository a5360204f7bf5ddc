"""What the shop and the buyer do to an order, where its parcels matter too."""

from django.db import transaction

from frozenshop.kernel import clock
from frozenshop.kernel.actor import Actor
from frozenshop.kernel.errors import NotPossible
from logistics.archive import restoring
from logistics.archive.models import ArchivedOrder
from logistics.progress import refresh_order
from orders import lifecycle, services
from orders.contention import retried
from orders.intake import OrderInput
from orders.models import Order, OrderStatus
from orders.services import Applied, ChangedTooLate, Fact, Taken, record_fact

CONFIRMABLE = (OrderStatus.SHIPPED, OrderStatus.IN_TRANSIT, OrderStatus.DELIVERED)


def take_order(data: OrderInput, actor: Actor) -> Taken:
    """Make the order or bring it up to date; with its payment, what was shipped while it was unpaid counts.

    One transaction, repeatable. Raises as `orders.services.take_order` does; the alert of a change that comes too late
    is kept, unless the caller's own transaction is undone by the refusal.
    """
    try:
        taken = _take_order(data, actor)
    except _LiesArchivedError:
        taken = _take_archived(data, actor)
    if isinstance(taken, ChangedTooLate):
        raise taken
    return taken


class _LiesArchivedError(Exception):
    """What was about to be made anew is in the archive."""


@retried
def _take_archived(data: OrderInput, actor: Actor) -> Taken | ChangedTooLate:
    """Take the order out of the archive for what is new; where nothing is, it stays there."""
    with transaction.atomic():
        restoring.bring_back(data.order_no, "商城再次发来")
        taken = _take_order(data, actor)
        if isinstance(taken, Taken) and taken.result in ("unchanged", "stale"):
            transaction.set_rollback(True)
    return taken


@retried
def _take_order(data: OrderInput, actor: Actor) -> Taken | ChangedTooLate:
    with transaction.atomic():
        try:
            taken = services.take_order(data, actor)
        except ChangedTooLate as refusal:  # Returned, so that the alert about it is committed.
            return refusal
        # Looked at last: whoever archived it meanwhile has committed, or its row had been found.
        if taken.result == "created" and ArchivedOrder.objects.filter(order_no=data.order_no).exists():
            raise _LiesArchivedError
        if taken.paid and taken.result != "created":
            refresh_order(taken.order, actor=actor)
        return taken


@restoring.awake
@retried
def record_shop_fact(order: Order, fact: Fact, actor: Actor) -> Applied:
    """Record a fact of the shop, and let what the parcels already told take effect (paid after shipping)."""
    with transaction.atomic():
        applied = record_fact(order, fact, actor)
        refresh_order(order, actor=actor)
    return applied


@restoring.awake
@retried
def confirm_receipt(order: Order, actor: Actor) -> Order:
    """Take the buyer's word that the goods arrived; repeatable. Raises NotPossible before shipping and after return."""
    with transaction.atomic():
        order.refresh_from_db(from_queryset=Order.objects.select_for_update())
        if order.status not in CONFIRMABLE:
            raise NotPossible("订单还没有发货，或者已经退回、取消，不能确认收货")
        if order.status == OrderStatus.DELIVERED:
            lifecycle.record_still(order, kind="confirmed", occurred_at=clock.now(), actor=actor, reference="confirmed")
        else:
            lifecycle.move(
                order,
                OrderStatus.DELIVERED,
                kind="confirmed",
                occurred_at=clock.now(),
                actor=actor,
                reference="confirmed",
            )
    return order
