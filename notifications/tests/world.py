"""Short makers for tests of messages: a buyer's parcel, what is reported of it, and the work that follows."""

import datetime as dt
from typing import Any

from frozenshop.kernel import clock, outbox
from frozenshop.kernel.models import OutboxMessage
from logistics.models import Shipment
from logistics.tests.factories import event, make_shipment, report
from notifications import dispatch, tasks  # noqa: F401 - registers the consumers
from notifications.models import Notice
from orders.models import Order
from orders.tests.factories import make_customer, make_order

HOUR = dt.timedelta(hours=1)
MINUTE = dt.timedelta(minutes=1)


def work() -> None:
    """Do what the outbox holds for notifications, as the worker would."""
    rows = OutboxMessage.objects.filter(status="pending", topic__startswith="notifications.").order_by("id")
    while ids := list(rows.values_list("pk", flat=True)):
        for pk in ids:
            outbox.deliver(pk)
            assert OutboxMessage.objects.get(pk=pk).status == "done", OutboxMessage.objects.get(pk=pk).last_error


def later(frozen, *, minutes: float = 0, hours: float = 0) -> None:
    """Let time pass, and the job of the minute run."""
    frozen.shift(dt.timedelta(minutes=minutes, hours=hours))
    work()
    dispatch.send_due()
    dispatch.ask_unknown()
    dispatch.send_due()


def bought(openid: str = "", **changes: Any) -> Order:
    """A paid order of a buyer known by openid."""
    buyer = make_customer(openid or None)
    return make_order("paid", buyer_openid=buyer.openid, **changes)


def parcel(order: Order | None = None, **changes: Any) -> Shipment:
    shipment = make_shipment(order or bought(), **changes)
    work()
    return shipment


def tell(shipment: Shipment, status: str, **changes: Any) -> Shipment:
    """Report a status of now, and do what follows."""
    shipment = report(shipment, event(status, clock.now(), **changes))
    work()
    return shipment


def notices(milestone: str, **which: Any) -> list[Notice]:
    return list(Notice.objects.filter(milestone=milestone, **which).order_by("id"))


def fate(milestone: str) -> tuple[str, str]:
    """(state, why) of the only notice of a milestone."""
    (notice,) = notices(milestone)
    return notice.state, notice.why
