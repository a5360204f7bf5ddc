"""The orders' background work: late shipping, and the second look after a phone was bound."""

import datetime as dt
from typing import Any

import structlog
from django.db import transaction
from django.db.models import Exists, F, OuterRef

from frozenshop.kernel import clock, outbox
from orders import access, alerting
from orders.models import Alert, AlertKind, Customer, Order, OrderStatus

logger = structlog.get_logger(__name__)

BATCH = 200
# Of an order that is under way the instant stands only while a part of it has not left.
WAITING = (OrderStatus.PAID, OrderStatus.SHIPPED, OrderStatus.IN_TRANSIT)
# How long an order whose check failed stands back, so that it can't block those behind it.
STAND_BACK = dt.timedelta(hours=1)


@outbox.consumer("orders.find_not_shipped", transactional=False)
def find_not_shipped(effect: outbox.Effect, **payload: Any) -> None:
    """Open an alert for each paid order past its time, oldest first; a full batch asks for another run."""
    late = list(late_orders()[:BATCH])
    for order in late:
        _open_not_shipped(order)
    with effect:
        if len(late) == BATCH:
            outbox.enqueue("orders.find_not_shipped", payload)


def late_orders() -> Any:
    """Return orders whose time to be shipped, or that of what was left of them, is over; oldest first.

    One that had an alert since is left out: a person knows.
    """
    alerted = Alert.objects.filter(
        order=OuterRef("pk"), kind=AlertKind.NOT_SHIPPED, opened_at__gte=OuterRef("not_shipped_after")
    )
    due = Order.objects.filter(not_shipped_after__lte=clock.now(), status__in=WAITING)
    return due.filter(~Exists(alerted)).order_by("not_shipped_after", "id")


@outbox.consumer("orders.grant_by_phone")
def grant_by_phone(customer_id: int) -> None:
    """Show a customer the orders that were being taken in while the phone was bound."""
    customer = Customer.objects.select_for_update().filter(pk=customer_id).first()
    if customer is not None:
        access.grant_by_phone(customer)


def _open_not_shipped(order: Order) -> None:
    try:
        with transaction.atomic():
            current = Order.objects.select_for_update().get(pk=order.pk)
            if current.status in WAITING and current.not_shipped_after == order.not_shipped_after:
                what = "" if current.status == OrderStatus.PAID else "其余商品"
                detail = f"{what}应于 {clock.short(order.not_shipped_after)} 前发货"  # type: ignore[arg-type]
                alerting.open_alert(
                    AlertKind.NOT_SHIPPED,
                    subject=order.order_no,
                    order=order,
                    detail=detail,
                    occurred_at=order.not_shipped_after,
                )
    except Exception:
        logger.exception("not_shipped.failed", order_id=order.pk)
        Order.objects.filter(pk=order.pk).update(not_shipped_after=F("not_shipped_after") + STAND_BACK)
