"""The life of a demo order, told as what was reported and when; whatever lies after `now` has not happened yet."""

import datetime as dt
from dataclasses import dataclass, field
from random import Random
from typing import NamedTuple

from frozenshop.backoffice.demo.catalogue import CARRIERS, GIVEN, GOODS, PLACES, SURNAMES, Goods, Place
from logistics.models import ShipmentStatus as S
from logistics.providers.base import ProviderEvent

HOUR = dt.timedelta(hours=1)
USUAL = 1.1
"""A lane's days times this: about four parcels of five need no longer, see `scans`."""

# kind of life → share; what is left is an ordinary delivery
SHARES = {
    "cancelled": 0.03,
    "returned": 0.025,
    "refunded": 0.02,
    "locker": 0.05,
    "problem": 0.02,
    "silent": 0.01,
    "unpaid": 0.01,
}


class Scan(NamedTuple):
    after: dt.timedelta
    status: S
    code: str
    place: str
    text: str


@dataclass
class Journey:
    """`facts` are what the shop reports: paid, cancelled, refunded. `events` are the carrier's, oldest first."""

    placed_at: dt.datetime
    kind: str
    place: Place
    name: str
    phone: str
    house: int
    goods: list[tuple[Goods, int]]
    facts: dict[str, dt.datetime] = field(default_factory=dict)
    carrier_code: str = ""
    waybill_no: str = ""
    shipped_at: dt.datetime | None = None
    events: list[ProviderEvent] = field(default_factory=list)

    @property
    def promised_by(self) -> dt.datetime | None:
        """What the shop promises of a paid order: one day to ship, and what the way usually takes."""
        paid_at = self.facts.get("paid")
        return paid_at and paid_at.replace(microsecond=0) + dt.timedelta(days=1 + USUAL * self.place.days)

    @property
    def total_fen(self) -> int:
        return sum(goods.price_fen * quantity for goods, quantity in self.goods)


def pick_kind(rng: Random) -> str:
    roll = rng.random()
    for kind, share in SHARES.items():
        if roll < share:
            return kind
        roll -= share
    return "delivered"


def scans(kind: str, place: Place, rng: Random) -> list[Scan]:
    """Return the carrier's scans by time since shipping. The last one of a finished life is final."""
    hours = place.days * 24 * rng.uniform(0.8, 1.35)
    courier = f"{rng.choice(SURNAMES)}师傅（139{rng.randrange(10**8):08d}）"

    def scan(share: float, status: S, code: str, city: str, text: str, extra_hours: float = 0) -> Scan:
        return Scan(HOUR * (hours * share + extra_hours), status, code, city, text)

    road = [
        scan(0.06, S.PICKED_UP, "1", "上海市", "【上海市】冷链仓 已收取快件"),
        scan(0.20, S.IN_TRANSIT, "2", "上海市", "【上海市】快件已发往 " + place.city),
        scan(0.62, S.IN_TRANSIT, "204", place.city, f"【{place.city}】快件到达 转运中心"),
        scan(0.85, S.OUT_FOR_DELIVERY, "202", place.city, f"【{place.city}】{courier} 正在派送途中，请保持电话畅通"),
    ]
    signed = scan(1.0, S.DELIVERED, "301", place.city, f"【{place.city}】已签收，签收人：本人")
    if kind == "fresh":
        return []
    if kind == "silent":
        return road[:2]
    if kind == "returned":
        return [
            *road,
            scan(1.0, S.RETURNING, "404", place.city, f"【{place.city}】客户拒收，快件退回"),
            scan(1.9, S.RETURNED, "406", "上海市", "【上海市】退件已由寄件人签收"),
        ]
    if kind == "locker":
        stored = scan(0.95, S.AWAITING_PICKUP, "211", place.city, f"【{place.city}】快件已放入丰巢柜，请及时取件")
        taken = scan(0.95, S.DELIVERED, "311", place.city, f"【{place.city}】已从快递柜取出", rng.uniform(0.5, 3))
        return [*road, stored, taken]
    if kind == "problem":
        missed = scan(0.95, S.EXCEPTION, "416", place.city, f"【{place.city}】多次联系收件人未果")
        late = scan(1.0, S.DELIVERED, "302", place.city, f"【{place.city}】已签收", rng.uniform(4, 20))
        return [*road, missed, late]
    return [*road, signed]


def make_journey(rng: Random, placed_at: dt.datetime, now: dt.datetime, serial: int, kind: str = "") -> Journey:
    """Return one order's life up to `now`. `serial` makes its waybill unique; `kind` forces a kind of life."""
    place = rng.choice(PLACES)
    journey = Journey(
        placed_at=placed_at,
        kind=kind or pick_kind(rng),
        place=place,
        name=rng.choice(SURNAMES) + rng.choice(GIVEN),
        phone=f"138{rng.randrange(10**8):08d}",
        house=rng.randrange(1, 300),
        goods=[(goods, rng.randint(1, 3)) for goods in rng.sample(GOODS, rng.choice((1, 1, 2)))],
    )
    if journey.kind == "unpaid":
        return journey
    paid_at = placed_at + dt.timedelta(seconds=rng.randint(20, 600))
    if paid_at > now:
        return journey
    journey.facts["paid"] = paid_at
    shipped_at = paid_at + HOUR * rng.uniform(2, 20)
    if journey.kind == "cancelled":
        if (at := paid_at + HOUR * rng.uniform(0.1, 2)) <= now:
            journey.facts["cancelled"] = at
        return journey
    if shipped_at > now or journey.kind == "unshipped":
        return journey
    _ship(journey, rng, shipped_at, now, serial)
    if journey.kind == "refunded" and journey.events and journey.events[-1].status == S.DELIVERED:
        refunded_at = journey.events[-1].occurred_at + HOUR * rng.uniform(1, 30)
        if refunded_at <= now:
            journey.facts["refunded"] = refunded_at
    return journey


def _ship(journey: Journey, rng: Random, shipped_at: dt.datetime, now: dt.datetime, serial: int) -> None:
    code, pattern, _ = rng.choices(CARRIERS, [share for _, _, share in CARRIERS])[0]
    journey.carrier_code, journey.waybill_no, journey.shipped_at = code, pattern.format(serial), shipped_at
    journey.events = [
        ProviderEvent(
            status=scan.status,
            occurred_at=(shipped_at + scan.after).replace(microsecond=0),
            text=scan.text,
            location=scan.place,
            code=scan.code,
        )
        for scan in scans(journey.kind, journey.place, rng)
        if shipped_at + scan.after <= now
    ]
