"""Made-up parcels of Chinese express for the polling simulation: who scans when, from the shop to the door.

Nothing here reads the policy's tables: a parcel is carried through shifts, hubs, lorries and rounds, and its scans are
what falls off. Hours are counted from a Monday's midnight in Shanghai.
"""

import random
from collections.abc import Iterator
from dataclasses import dataclass, field

from logistics.models import ShipmentStatus as S


@dataclass(frozen=True, slots=True)
class Carrier:
    """`speed`: of its lorries against 65 km/h; `dwell`: in hubs, hours; `chatty`: chance of a second scan at a stop."""

    code: str
    share: float
    speed: float
    dwell: float
    chatty: float
    lockers: float


CARRIERS = (
    Carrier("SF", 0.35, 1.5, 1.3, 0.6, 0.15),
    Carrier("JD", 0.20, 1.2, 1.6, 0.3, 0.10),
    Carrier("ZTO", 0.15, 1.0, 2.6, 0.2, 0.45),
    Carrier("YTO", 0.12, 0.95, 3.0, 0.2, 0.50),
    Carrier("YD", 0.10, 0.9, 3.2, 0.7, 0.50),
    Carrier("STO", 0.08, 0.9, 3.6, 0.1, 0.55),
)
ORIGINS = {"广东": 0.5, "山东": 0.3, "福建": 0.2}
# Kilometres by road, from province to province.
_LANES = {
    "广东": "广东 120 广西 600 湖南 700 福建 800 江苏 1400 上海 1450 四川 1700 北京 2150 陕西 1700 新疆 4300",
    "山东": "山东 200 北京 450 江苏 550 上海 800 陕西 950 四川 1700 湖南 1250 广东 1800 福建 1500 新疆 3300",
    "福建": "福建 150 广东 750 上海 800 江苏 900 湖南 850 北京 1950 四川 2000 陕西 1750 广西 1200 山东 1450",
}
KM = {
    origin: {place: float(km) for place, km in zip(text.split()[::2], text.split()[1::2], strict=True)}
    for origin, text in _LANES.items()
}


@dataclass(frozen=True, slots=True)
class Scan:
    """`at`: hour. `left`: it left a place. `near`: that place is in the consignee's province."""

    at: float
    status: str
    left: bool = False
    near: bool = False


@dataclass(slots=True)
class Parcel:
    """`scans`: in order; the last one ends it unless it was lost. `promised`: hour, or None."""

    carrier: str
    origin: str
    destination: str
    shipped: float
    promised: float | None = None
    scans: list[Scan] = field(default_factory=list)

    @property
    def ended(self) -> bool:
        return bool(self.scans) and self.scans[-1].status in (S.DELIVERED, S.RETURNED)


def parcels(count: int, *, days: int, seed: int, first_day: int = 0) -> Iterator[Parcel]:
    rng = random.Random(seed)
    for _ in range(count):
        day = first_day + rng.randrange(days)
        carrier = rng.choices(CARRIERS, [carrier.share for carrier in CARRIERS])[0]
        origin = rng.choices(list(ORIGINS), list(ORIGINS.values()))[0]
        lanes = KM[origin]
        destination = rng.choices(list(lanes), [1 / (300 + km) for km in lanes.values()])[0]
        shipped = day * 24 + _clipped(rng.gauss(15, 2.2), 9, 20)
        promised = shipped + 24 * rng.choice((2, 3, 4)) if rng.random() < 0.5 else None
        parcel = Parcel(carrier.code, origin, destination, shipped, promised)
        _Journey(parcel, carrier, lanes[destination], rng).run()
        yield parcel


class _Journey:
    def __init__(self, parcel: Parcel, carrier: Carrier, km: float, rng: random.Random) -> None:
        self.parcel, self.carrier, self.km, self.rng = parcel, carrier, km, rng
        self.at, self.near = parcel.shipped, False

    def run(self) -> None:
        if not self.collected() or not self.carried():
            return
        for _ in range(4):
            if self.round():
                return
        self.goes_back()

    def scan(self, status: S, *, left: bool = False, again: tuple[float, float] | None = None) -> None:
        """`again`: the carrier may scan once more, so many hours later (unloaded, weighed, bagged)."""
        self.parcel.scans.append(Scan(self.at, status.value, left, self.near))
        if again and self.rng.random() < self.carrier.chatty:
            self.at += self.rng.uniform(*again)
            self.parcel.scans.append(Scan(self.at, status.value, left, self.near))

    def collected(self) -> bool:
        """Collected in the afternoon's round, or the next day's; a few never are."""
        if self.rng.random() < 0.0005:
            return False
        self.until(self.rng.gauss(17.5, 1.2) if self.rng.random() < 0.85 else self.rng.gauss(11, 1))
        if self.rng.random() < 0.06:
            self.at += 24
        self.scan(S.PICKED_UP, again=(0.1, 1.0))
        return True

    def carried(self) -> bool:
        """From the collecting outlet through hubs to the outlet that delivers."""
        self.until(self.rng.gauss(20.5, 0.8))
        self.scan(S.IN_TRANSIT, left=True)
        self.at += self.rng.uniform(0.7, 2.5)
        hubs = 1 if self.km < 300 else 2 if self.km < 1500 else 3
        for number in range(hubs):
            self.near = number == hubs - 1
            self.scan(S.IN_TRANSIT, again=(0.1, 0.6))
            if self.rng.random() < 0.0005:
                return False
            if self.rng.random() < 0.012:
                self.trouble()
            elif self.rng.random() < 0.006:
                self.at += self.rng.lognormvariate(3.2, 0.5)
            self.at += self.rng.lognormvariate(0, 0.5) * self.carrier.dwell
            self.scan(S.IN_TRANSIT, left=True, again=(0.05, 0.5))
            if number < hubs - 1:
                drive = self.km / (hubs - 1) / (65 * self.carrier.speed)
                self.at += drive * self.rng.lognormvariate(0.05, 0.18)
        self.at += self.rng.uniform(1, 4)
        self.scan(S.IN_TRANSIT)
        return True

    def trouble(self) -> None:
        self.at += self.rng.uniform(1, 8)
        self.scan(S.EXCEPTION)
        self.at += self.rng.lognormvariate(2.6, 0.7)

    def round(self) -> bool:
        """Go out with the morning's or the afternoon's round; return whether the story is over."""
        morning = self.at % 24 < 9 or self.at % 24 > 15
        self.until(self.rng.gauss(8.3, 0.6) if morning else self.rng.gauss(14.6, 0.6))
        self.scan(S.OUT_FOR_DELIVERY)
        self.at = min(self.at + self.rng.lognormvariate(0.75, 0.55), self.at - self.at % 24 + 21.5)
        chance = self.rng.random()
        if chance < 0.022:
            self.scan(S.DELIVERY_FAILED)
            self.at += 1
            return False
        if chance < 0.026:
            self.goes_back()
        elif self.rng.random() < self.carrier.lockers:
            self.scan(S.AWAITING_PICKUP)
            self.taken()
        else:
            self.scan(S.DELIVERED)
        return True

    def taken(self) -> None:
        """Half take it in the evening, others a day or two later."""
        self.at += 0.3
        self.until(self.rng.gauss(18.5, 1.3))
        self.at += 24 * self.rng.choices((0, 1, 2, 3), (65, 22, 9, 4))[0]
        self.scan(S.DELIVERED)

    def goes_back(self) -> None:
        self.scan(S.RETURNING)
        for _ in range(3):
            self.at += self.rng.lognormvariate(2.4, 0.5)
            self.scan(S.RETURNING)
        self.until(self.rng.gauss(11, 2))
        self.scan(S.RETURNED)

    def until(self, hour: float) -> None:
        """Wait until the next time that the clock shows `hour`."""
        self.at += (hour - self.at) % 24


def _clipped(value: float, low: float, high: float) -> float:
    return min(max(value, low), high)
