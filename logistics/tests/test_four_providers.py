"""Four providers tell of the same parcels: shuffled, repeated, each in its own words. The end is what happened.

A delivery is one scan told once by one provider; a message holds one of them, or all that its provider knows by then.
"""

import datetime as dt
import itertools
import random
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest

from frozenshop.kernel import clock
from logistics import document, tracking
from logistics.models import Shipment, TrackingEvent
from logistics.models import ShipmentStatus as S
from logistics.providers.base import ProviderEvent, ProviderReport
from logistics.tests.factories import make_shipment
from orders.tests.factories import make_order

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("frozen")]

MINUTE = dt.timedelta(minutes=1)
CITIES = ("广州", "佛山", "长沙", "武汉", "合肥", "南京", "苏州", "上海")
CUMULATIVE = ("kdniao", "kuaidi100")
"""These tell all that they know each time; the others one scan at a time."""

STATUS = {
    "taken": S.PICKED_UP,
    "left": S.IN_TRANSIT,
    "reached": S.IN_TRANSIT,
    "out": S.OUT_FOR_DELIVERY,
    "failed": S.DELIVERY_FAILED,
    "locker": S.AWAITING_PICKUP,
    "signed": S.DELIVERED,
    "back": S.RETURNING,
    "returned": S.RETURNED,
}
# How each tells a scan: where it was ({0}市{1}), and where it went ({2}).
WORDS = {
    "kdniao": {
        "taken": "【{0}市】 【{0}{1}】 的 某某 已揽收",
        "left": "【{0}市】 快件离开 【{0}{1}】 发往 【{2}中心】",
        "reached": "【{0}市】 快件已经到达 【{0}{1}】",
        "out": "【{0}市】 【{0}{1}】 的某某正在派件",
        "failed": "【{0}市】 收件人不在，派件不成功",
        "locker": "【{0}市】 快件已到【{0}{1}驿站】，请凭取件码取件",
        "signed": "【{0}市】 快件已签收，签收人: 本人",
        "back": "【{0}市】 快件正在退回，退回原因：拒收",
        "returned": "【{0}市】 退件已签收",
    },
    "cainiao": {
        "taken": "您的包裹已由{0}{1}揽收",
        "left": "包裹从{0}{1}发出，正发往{2}中心",
        "reached": "包裹已抵达{0}{1}",
        "out": "小件员某某正在为您派件",
        "failed": "派送未成功：客户不在家",
        "locker": "包裹已放入{0}{1}驿站，请及时取件",
        "signed": "您的包裹已签收",
        "back": "包裹正在退回，原因：拒收",
        "returned": "退件已由寄件人签收",
    },
    "kuaidi100": {
        "taken": "[{0}市]{0}{1} 已收件",
        "left": "[{0}市]快件已从{0}{1}发往【{2}中心】",
        "reached": "[{0}市]快件到达【{0}{1}】",
        "out": "[{0}市]快件正在派送途中",
        "failed": "[{0}市]派件不成功",
        "locker": "[{0}市]快件已由{0}{1}驿站代收",
        "signed": "[{0}市]已签收，签收人是本人",
        "back": "[{0}市]快件退回中，原因：拒收",
        "returned": "[{0}市]退回签收",
    },
    "sf": {
        "taken": "顺丰速运 已收取快件",
        "left": "快件在【{0}{1}】已装车，准备发往 【{2}中心】",
        "reached": "快件到达 【{0}{1}】",
        "out": "快件交给某某，正在派送途中",
        "failed": "由于收件人不在 派件不成功",
        "locker": "快件到达驿站",
        "signed": "签收人是：已签收",
        "back": "快件正在退回，原因：拒收",
        "returned": "退件已签收",
    },
}


@dataclass
class Truth:
    """What happened to one parcel: (instant, kind, place, next place), and how each scan was told."""

    shipment: Shipment
    scans: list[tuple[dt.datetime, str, str, str]]
    told: dict[str, list[tuple[int, ProviderEvent]]] = field(default_factory=dict)

    def instant(self, *statuses: S) -> dt.datetime | None:
        return next((cut(at) for at, kind, *_ in self.scans if not statuses or STATUS[kind] in statuses), None)

    @property
    def end(self) -> tuple:
        moved = set(STATUS.values()) - {S.DELIVERED, S.RETURNED}
        last = STATUS[self.scans[-1][1]]
        instants = self.instant(), self.instant(*moved), self.instant(S.DELIVERED), self.instant(S.RETURNED)
        return (last, *instants, len(self.scans))


def cut(at: dt.datetime | None) -> dt.datetime | None:
    return at and at.replace(second=0, microsecond=0)


def kinds(rng: random.Random) -> list[str]:
    legs = ["left", "reached"] * rng.randint(1, 4)
    rare = ["out failed out signed", "out back returned", "out", "", "out locker"]
    tails = ["out signed"] * 10 + ["out locker signed"] * 4 + rare
    tail = rng.choice(tails).split()
    return ["taken", *legs, *tail]


def happen(shipment: Shipment, rng: random.Random) -> Truth:
    """Scans follow each other after 2 minutes to 9 hours; 快递鸟 or 顺丰 tells each, the others as it falls."""
    at, place, scans = shipment.shipped_at + 5 * MINUTE, 0, []
    for kind in kinds(rng):
        at += rng.choice((2, 3, 20, 180, 540)) * MINUTE + dt.timedelta(seconds=rng.randint(0, 59))
        place += kind == "reached"
        scans.append((at, kind, CITIES[place], CITIES[place + 1]))
    truth = Truth(shipment, scans)
    for position, (_, kind, *_) in enumerate(scans):
        sure = rng.choice(("kdniao", "sf"))
        for provider in WORDS:
            if provider == sure or rng.random() < 0.6:
                codeless = provider == "kuaidi100" and kind in ("left", "reached") and rng.random() < 0.3
                event = tell(provider, scans[position], codeless=codeless)
                truth.told.setdefault(provider, []).append((position, event))
    return truth


def tell(provider: str, scan: tuple[dt.datetime, str, str, str], *, codeless: bool) -> ProviderEvent:
    at, kind, here, there = scan
    text = WORDS[provider][kind].format(here, "中心" if kind in ("left", "reached") else "东门", there)
    at = at.replace(second=0) if provider == "kuaidi100" else at
    location = f"{here}市" if provider in ("kdniao", "kuaidi100") else ""
    return ProviderEvent(S.UNKNOWN if codeless else STATUS[kind], at, text, location, code="" if codeless else kind)


def messages(truth: Truth) -> Iterator[tuple[str, tuple[ProviderEvent, ...]]]:
    for provider, told in truth.told.items():
        events = [event for _, event in told]
        for count in range(1, len(events) + 1):
            yield provider, tuple(events[:count] if provider in CUMULATIVE else events[count - 1 : count])


def deliveries(truths: list[Truth], rng: random.Random) -> list[tuple[Truth, str, tuple[ProviderEvent, ...]]]:
    """Return all messages in any order, three of ten of them once more."""
    once = [(truth, provider, events) for truth in truths for provider, events in messages(truth)]
    again = once + rng.sample(once, round(0.3 * len(once)))
    rng.shuffle(again)
    return again


def play(wanted: int, seed: int = 11) -> tuple[list[Truth], int]:
    """Make parcels until so many deliveries are due, deliver them, and return how many there were."""
    rng, truths, count = random.Random(seed), [], 0.0
    while count < 1.02 * wanted:
        shipped_at = clock.now() - dt.timedelta(days=8, minutes=rng.randint(0, 999))
        order = make_order("paid", placed_at=(shipped_at - dt.timedelta(hours=2)).isoformat())
        truths.append(happen(make_shipment(order, shipped_at=shipped_at), rng))
        count += 1.3 * sum(len(events) for _, events in messages(truths[-1]))
    due = deliveries(truths, rng)
    for truth, provider, events in due:
        report = ProviderReport(truth.shipment.waybill_no, "SF", events)
        tracking.record_events(truth.shipment, report, provider=provider)
    return truths, sum(len(events) for *_, events in due)


def check(truth: Truth) -> None:
    shipment = Shipment.objects.get(pk=truth.shipment.pk)
    reached = (shipment.picked_up_at, shipment.in_transit_at, shipment.delivered_at, shipment.returned_at)
    assert (shipment.status, *map(cut, reached), shipment.event_count) == truth.end
    order = shipment.orders.get()
    assert order.status == {S.DELIVERED: "delivered", S.RETURNED: "returned"}.get(truth.end[0], "in_transit")
    assert tuple(cut(at) for at in (order.in_transit_at, order.delivered_at, order.returned_at)) == truth.end[2:5]
    (parcel,) = document.build(order)["shipments"]
    shown = [scan["description"] for scan in reversed(parcel["events"])]
    tellings = [{event.text for told in truth.told.values() for at, event in told if at == position}
                for position in range(len(truth.scans))]  # fmt: skip
    assert len(shown) == len(tellings)
    assert all(text in words for text, words in zip(shown, tellings, strict=True))
    rows = len(set(itertools.chain.from_iterable(((p, e) for _, e in told) for p, told in truth.told.items())))
    assert TrackingEvent.objects.filter(shipment=shipment).count() == rows


def test_two_thousand_deliveries_end_in_what_happened():
    truths, count = play(2_000)
    assert count >= 2_000
    for truth in truths:
        check(truth)


@pytest.mark.drill
@pytest.mark.timeout(1800)
def test_a_hundred_thousand_deliveries_end_in_what_happened():
    truths, count = play(100_000)
    assert count >= 100_000
    for truth in truths:
        check(truth)
