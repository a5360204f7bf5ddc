"""Personal data opened for a message. What can't be opened any more is as if it were not there.

A lost key must not hold up the messages of everybody else, nor those that can do without it.
"""

import structlog

from frozenshop.kernel.crypto import SealBroken
from logistics.archive.models import ArchivedOrder
from orders.consignee import Consignee
from orders.models import Customer, Order

logger = structlog.get_logger(__name__)


def consignee_of(order: Order | ArchivedOrder | None) -> Consignee | None:
    """Return who receives an order; None where that was erased, or can't be opened."""
    if order is None or not order.consignee_sealed:
        return None
    try:
        return order.open_consignee()
    except SealBroken:
        logger.warning("order.consignee_lost", order=order.pk)
        return None


def phone_of(customer: Customer | None) -> str | None:
    """Return a buyer's verified phone; None where there is none, or it can't be opened."""
    if customer is None:
        return None
    try:
        return customer.open_phone()
    except SealBroken:
        logger.warning("customer.phone_lost", customer=customer.pk)
        return None
