"""Finished orders, as they would be found by the archive, and what is known of them."""

import datetime as dt

from frozenshop.kernel import clock
from logistics.archive import moving
from logistics.archive.candidates import Rule
from logistics.archive.moving import Moved
from logistics.archive.tables import TABLES
from logistics.tests.factories import make_shipment, report
from orders.tests.factories import make_order

TOMORROW = dt.timedelta(days=1)


def finished(**changes):
    """Make an order whose one parcel was delivered."""
    order = make_order("paid", **changes)
    report(make_shipment(order), "picked_up", "delivered")
    order.refresh_from_db()
    return order


def anything() -> Rule:
    return Rule(clock.now() + TOMORROW)


def archive(**changes) -> Moved:
    """Archive whatever is finished."""
    return sum(moving.archive(anything(), **changes), Moved())


def archived(**changes):
    """Make a finished order and archive it."""
    order = finished(**changes)
    archive()
    return order


def hot_rows():
    """Return every travelling row that is in the hot tables."""
    return {table.name: list(table.model._default_manager.order_by("pk").values()) for table in TABLES}
