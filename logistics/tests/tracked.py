"""Parcels under way, and the outbox played through, for tests of what providers tell us."""

import datetime as dt
from typing import Any

from frozenshop.kernel import clock, outbox
from frozenshop.kernel.models import OutboxMessage
from logistics import tasks
from logistics.models import Shipment
from logistics.shipping import ship
from logistics.tests.factories import make_carrier
from orders.tests.factories import SHOP, make_order

assert tasks  # registers the consumers


def tracked(waybill_no: str = "SF0000000000001", *, code: str = "SF", ago: float = 24, **order: Any) -> Shipment:
    """Ship a paid order `ago` hours ago; its subscription is already queued."""
    shipped_at = clock.now() - dt.timedelta(hours=ago)
    placed_at = (shipped_at - dt.timedelta(hours=2)).isoformat()
    bought = make_order("paid", **{"placed_at": placed_at, **order})
    return ship(bought, carrier=make_carrier(code), waybill_no=waybill_no, shipped_at=shipped_at, actor=SHOP)


def deliver(*topics: str) -> int:
    """Run what is due of these topics, as the worker would; return how many rows there were."""
    due = OutboxMessage.objects.filter(topic__in=topics, due_at__lte=clock.now())
    ids = list(due.exclude(status__in=["done", "dead"]).order_by("pk").values_list("pk", flat=True))
    for pk in ids:
        outbox.deliver(pk)
    return len(ids)


def queued(topic: str) -> list[OutboxMessage]:
    return list(OutboxMessage.objects.filter(topic=topic).exclude(status="done").order_by("pk"))
