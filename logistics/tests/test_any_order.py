"""Whatever is reported, with codes and without, by whom and beside which overall status: only the set of it counts."""

import datetime as dt
import random
from typing import Any

import pytest

from frozenshop.kernel import clock
from logistics import document, tracking
from logistics.models import Shipment
from logistics.providers.base import Overall, ProviderEvent, ProviderReport
from logistics.tests.factories import event, make_report, make_shipment

PROVIDERS = ("kdniao", "cainiao", "kuaidi100", "sf")
TEXTS = (
    "快件到达【杭州中转部】",
    "【杭州市】快件已到达 杭州中转部",
    "快件离开【杭州中转部】，发往【上海中心】",
    "【上海市】快件由王师傅正在派送，请保持电话畅通",
    "已放入丰巢快递柜，请及时取件",
    "因电话无人接听，派件不成功",
    "快件已签收",
    "天书一样的话",
)
STATUSES = (
    "in_transit",
    "out_for_delivery",
    "awaiting_pickup",
    "delivery_failed",
    "exception",
    "returning",
    "delivered",
)
AGO = (0, 0.377, 20, 37, 60, 600, 3600, 3620, 7200)


def ago(rng: random.Random) -> dt.datetime:
    return clock.now() - dt.timedelta(seconds=rng.choice(AGO))


def scan(rng: random.Random) -> ProviderEvent:
    status = rng.choice(STATUSES) if rng.random() < 0.5 else "unknown"
    code = "" if status == "unknown" else status[:6]
    reason = rng.choice(("", "missorted", "refused")) if code else ""
    return event(status, ago(rng), text=rng.choice(TEXTS), code=code, reason=reason)


def told(rng: random.Random) -> tuple[str, ProviderReport]:
    status = rng.choice(("in_transit", "out_for_delivery", "delivered"))
    overall = Overall(status, status[:3], ago(rng), weak=rng.random() < 0.5) if rng.random() < 0.5 else None
    return rng.choice(PROVIDERS), make_report(*(scan(rng) for _ in range(rng.randint(1, 3))), overall=overall)


def end(shipment: Shipment) -> tuple[Any, ...]:
    shipment.refresh_from_db()
    order = shipment.orders.get()
    (parcel,) = document.build(order)["shipments"]
    shown = [tuple(scan.values()) for scan in parcel["events"]]
    instants = shipment.status_at, shipment.in_transit_at, shipment.delivered_at, shipment.last_event_at
    return order.status, shipment.status, shipment.reason, shipment.location, shipment.event_count, *instants, *shown


@pytest.mark.django_db
@pytest.mark.usefixtures("frozen")
@pytest.mark.parametrize("seed", [*range(10), *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(10, 30))])
def test_any_order_and_repetition_of_reports_ends_the_same(seed):
    rng, ends = random.Random(seed), set()
    reports = [told(rng) for _ in range(rng.randint(2, 5))]
    for _ in range(4):
        shipment = make_shipment(shipped_at=clock.now() - dt.timedelta(hours=1))
        for provider, report in rng.sample(reports, len(reports)) + rng.sample(reports, 1):
            tracking.record_events(shipment, report, provider=provider)
        ends.add(end(shipment))
    assert len(ends) == 1
