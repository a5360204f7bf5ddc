"""Afterwards: whether all that was accepted is there, once."""

import json
import time
from dataclasses import dataclass

from deploy.release.load import Load
from deploy.release.surroundings import Surroundings

SETTLE_SECONDS = 60


@dataclass(frozen=True, slots=True)
class Kept:
    """What was accepted, what of it is missing or there twice, and the messages left: status, topic, error."""

    orders: int
    parcels: int
    scans: int
    wrong: list[str]
    left: list[list[str]]

    @property
    def whole(self) -> bool:
        return not self.wrong and not self.left


def kept(load: Load, around: Surroundings) -> Kept:
    """Wait until no message is under way, then look for everything that the load was told had been accepted."""
    left = _at_rest(around)
    told = around.folder / "accepted.json"
    told.write_text(json.dumps({"orders": load.orders, "scans": load.scans}))
    wrong = around.ask(f"accepted = __import__('json').load(open({str(told)!r})){LOOK}")
    return Kept(len(load.orders), sum(1 for no in load.orders.values() if no), len(load.scans), wrong, left)


def _at_rest(around: Surroundings) -> list[list[str]]:
    """Wait as long as the messages under way become fewer; return those that are left."""
    fewest, deadline = -1, 0.0
    while True:
        left: list[list[str]] = around.ask(LEFT)
        if fewest < 0 or len(left) < fewest:
            fewest, deadline = len(left), time.monotonic() + SETTLE_SECONDS
        if not left or time.monotonic() > deadline:
            return left
        time.sleep(1)


LEFT = """
import datetime, json
from frozenshop.kernel import clock
from frozenshop.kernel.models import OutboxMessage
# What waits for a later day is no work that was left lying, and the jobs of each minute never end.
rows = OutboxMessage.objects.exclude(status="done").exclude(key__startswith="job:")
rows = rows.exclude(status="pending", due_at__gt=clock.now() + datetime.timedelta(minutes=5))
print(json.dumps(list(rows.values_list("status", "topic", "last_error")[:10000])))
"""
LOOK = """
import json
from collections import Counter
from logistics.models import Shipment, TrackingEvent
from orders.models import OrderEvent
wrong = []
def once(what, wanted, found):
    for one in wanted:
        if found[one] != 1:
            wrong.append(f"{what} {one}: {found[one]} times")
events = list(OrderEvent.objects.values_list("order__order_no", "kind"))
once("paid", accepted["orders"], Counter(no for no, kind in events if kind == "paid"))
shipped = {no: waybill for no, waybill in accepted["orders"].items() if waybill}
once("shipped", shipped, Counter(no for no, kind in events if kind == "shipped"))
once("parcel", shipped.values(), Counter(Shipment.objects.values_list("waybill_no", flat=True)))
once("scan", accepted["scans"], Counter(TrackingEvent.objects.filter(overall=False).values_list("text", flat=True)))
print(json.dumps(wrong[:50]))
"""
