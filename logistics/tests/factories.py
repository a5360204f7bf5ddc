"""Short makers of shipments and of what is reported about them."""

import datetime as dt
import itertools
from typing import Any

from frozenshop.kernel import clock
from frozenshop.kernel.actor import Actor, Source
from logistics import shipping, tracking
from logistics.models import Carrier, Provider, Shipment, ShipmentStatus
from logistics.providers.base import Overall, ProviderEvent, ProviderReport
from orders.models import Order, OrderStatus
from orders.tests.factories import make_order

STAFF = Actor(Source.STAFF, "staff:1")
_numbers = itertools.count(1)


def make_carrier(code: str = "SF", **changes: Any) -> Carrier:
    """Return the carrier of that code, made if it is not there: SF with every provider's code."""
    known = {
        "name": "顺丰速运" if code == "SF" else f"{code}快递",
        "kdniao_code": code,
        "needs_phone_tail": ["kdniao"] if code in ("SF", "ZTO", "KYSY") else [],
    }
    return Carrier.objects.get_or_create(code=code, defaults=known | changes)[0]


def waybill_no() -> str:
    return f"SF{next(_numbers):012}"


def make_shipment(order: Order | None = None, **changes: Any) -> Shipment:
    """Ship all that remains of an order (a paid one is made if none is given), half an hour ago, with SF."""
    order = order or make_order(OrderStatus.PAID)
    given = {
        "carrier": changes.pop("carrier", None) or make_carrier(),
        "waybill_no": waybill_no(),
        "shipped_at": clock.now() - dt.timedelta(minutes=30),
        "actor": STAFF,
    }
    return shipping.ship(order, **given | changes)


def event(status: str, at: dt.datetime | None = None, **changes: Any) -> ProviderEvent:
    """A coded scan, now unless told otherwise; `code="" ` makes it codeless."""
    status = ShipmentStatus(status)
    given = {"text": status.label, "code": str(status)[:8]} | changes
    return ProviderEvent(status, at or clock.now(), **given)


def make_report(*events: ProviderEvent, overall: Overall | None = None, **changes: Any) -> ProviderReport:
    return ProviderReport("", "", tuple(events), overall, **changes)


def report(shipment: Shipment, *events: ProviderEvent | str, overall: Overall | None = None) -> Shipment:
    """Record scans (a status alone is a scan of now) and return the shipment as it stands then."""
    scans = [event(scan) if isinstance(scan, str) else scan for scan in events]
    recorded = tracking.record_events(shipment, make_report(*scans, overall=overall), provider=Provider.KDNIAO)
    return recorded.shipment
