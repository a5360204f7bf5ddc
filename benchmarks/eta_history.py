"""A made-up history of parcels for `manage.py eta_backtest`: where the truth is known, and hard on purpose.

    python -m benchmarks.eta_history > /tmp/history.csv
    python -m benchmarks.eta_history --variant plain --seed 7 > /tmp/plain.csv
    python -m benchmarks.eta_history --list

Every history has drift, lanes with a handful of parcels, a lane effect that no column tells of and that changes
half-way, weekdays, festivals and lost parcels; the variants differ in the noise, the drift and what is written down.
"""

import argparse
import csv
import datetime as dt
import math
import random
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

SHANGHAI = dt.timezone(dt.timedelta(hours=8))
COLUMNS = ("waybill_no", "origin", "destination", "carrier", "shipped_at", "delivered_at", "promised_by")
CARRIERS = ("SF", "JD", "YTO", "ZTO", "YD", "EMS")
ORIGINS = ("广东省广州市", "山东省青岛市", "浙江省宁波市", "上海市上海市", "辽宁省大连市", "福建省厦门市")
DESTINATIONS = (
    "北京市北京市",
    "天津市天津市",
    "河北省石家庄市",
    "山西省太原市",
    "内蒙古自治区呼和浩特市",
    "辽宁省沈阳市",
    "吉林省长春市",
    "黑龙江省哈尔滨市",
    "上海市上海市",
    "江苏省南京市",
    "江苏省苏州市",
    "浙江省杭州市",
    "安徽省合肥市",
    "福建省福州市",
    "江西省南昌市",
    "山东省济南市",
    "河南省郑州市",
    "湖北省武汉市",
    "湖南省长沙市",
    "广东省广州市",
    "广东省深圳市",
    "广西壮族自治区南宁市",
    "海南省海口市",
    "重庆市重庆市",
    "四川省成都市",
    "贵州省贵阳市",
    "云南省昆明市",
    "陕西省西安市",
    "甘肃省兰州市",
    "新疆维吾尔自治区乌鲁木齐市",
)
SPRING_FESTIVAL = (dt.date(2024, 2, 10), dt.date(2025, 1, 29), dt.date(2026, 2, 17), dt.date(2027, 2, 6))

Noise = Callable[[random.Random, float], float]


@dataclass(frozen=True, slots=True)
class Variant:
    """What one history is like. Days unless the name says otherwise; `drift` is the share by which times change."""

    parcels: int = 24_000
    start: dt.date = dt.date(2025, 3, 1)
    length: int = 480
    origins: int = 6
    destinations: int = 30
    carriers: int = 6
    noise: str = "gamma"
    spread: float = 0.22
    drift: float = -0.25
    drift_kind: str = "line"
    lane_effect: float = 0.7
    lane_share: float = 0.25
    weekday_effect: float = 0.45
    festival_effect: float = 1.2
    lost_share: float = 0.012
    by_day_only: bool = False
    whole_days: bool = False
    tells_carrier: bool = True
    zone: str = "+08:00"
    promise: bool = True


def _gamma(rng: random.Random, spread: float) -> float:
    shape = 1 / spread**2
    return rng.gammavariate(shape, 1 / shape)


def _heavy(rng: random.Random, spread: float) -> float:
    """Student's t with three degrees of freedom, on the logarithm."""
    t = rng.gauss(0, 1) / math.sqrt(rng.gammavariate(1.5, 2) / 3)
    return math.exp(max(-3.0, min(3.0, 0.6 * spread * t)))


def _two_peaks(rng: random.Random, spread: float) -> float:
    """Most make the night's truck; the rest wait for the next one."""
    return _gamma(rng, spread * 0.6) * (1.55 if rng.random() < 0.27 else 1.0)


NOISE: dict[str, Noise] = {
    "gamma": _gamma,
    "lognormal": lambda rng, spread: rng.lognormvariate(0, spread),
    "normal": lambda rng, spread: max(0.2, rng.gauss(1, spread)),
    "heavy": _heavy,
    "two_peaks": _two_peaks,
    "exponential": lambda rng, spread: 0.6 + rng.expovariate(1 / 0.4),
}

VARIANTS: dict[str, Variant] = {
    "main": Variant(),
    "plain": Variant(tells_carrier=False, origins=1, zone="", promise=False),
    "few_origins": Variant(tells_carrier=False, origins=2, zone="", parcels=12_000),
    "spring": Variant(start=dt.date(2024, 12, 15), length=465),
    "spring_first": Variant(start=dt.date(2025, 3, 1), length=375),
    "singles_day": Variant(start=dt.date(2024, 9, 1), length=455),
    "national_day_first": Variant(start=dt.date(2024, 10, 15), length=370),
    "slower": Variant(drift=0.4),
    "jump": Variant(drift_kind="jump", drift=0.3),
    "wave": Variant(drift_kind="wave", drift=0.25),
    "strong_drift": Variant(drift=-0.5),
    "heavy": Variant(noise="heavy", spread=0.3),
    "skewed": Variant(noise="exponential"),
    "two_peaks": Variant(noise="two_peaks"),
    "lognormal": Variant(noise="lognormal", spread=0.35),
    "normal": Variant(noise="normal", spread=0.2),
    "by_day_only": Variant(by_day_only=True),
    "whole_days": Variant(whole_days=True, zone=""),
    "utc": Variant(zone="Z"),
    "big": Variant(parcels=30_000),
    "few": Variant(parcels=1_500),
    "thin": Variant(parcels=5_000, destinations=30, origins=6),
    "mild": Variant(drift=-0.1, lane_effect=0.3, lane_share=0.15, weekday_effect=0.2, festival_effect=0.6),
    "wild": Variant(drift=0.5, drift_kind="wave", lane_effect=1.5, festival_effect=3.0, noise="heavy", spread=0.35),
}


@dataclass(frozen=True, slots=True)
class Row:
    origin: str
    destination: str
    carrier: str
    shipped_at: dt.datetime
    delivered_at: dt.datetime | None
    promised_by: dt.datetime


class World:
    """The roads of one history: how long each takes, and how likely it is chosen."""

    def __init__(self, variant: Variant, rng: random.Random) -> None:
        self.variant, self.rng = variant, rng
        self.origins, self.destinations = ORIGINS[: variant.origins], DESTINATIONS[: variant.destinations]
        self.carriers = CARRIERS[: variant.carriers]
        place = {name: (rng.random(), rng.random()) for name in (*self.origins, *self.destinations)}
        self.base: dict[tuple[str, str], float] = {}
        for origin in self.origins:
            for destination in self.destinations:
                far = math.dist(place[origin], place[destination])
                self.base[origin, destination] = 0.9 + 2.8 * far + rng.uniform(0, 0.3)
        self.pace = {carrier: rng.uniform(0.85, 1.25) for carrier in self.carriers}
        self.own_drift = {carrier: rng.uniform(0.4, 1.6) for carrier in self.carriers}
        self.roads = [(o, d, c) for o in self.origins for d in self.destinations for c in self.carriers]
        self.share = [rng.paretovariate(0.9) for _ in self.roads]  # a few roads carry most, most carry a handful
        self.hidden = self._hidden_effects()

    def _hidden_effects(self) -> dict[tuple[str, str, str], tuple[float, float]]:
        """Return what some roads take more or less, before and after the middle of the history."""
        rng, size = self.rng, self.variant.lane_effect
        chosen = [road for road in self.roads if rng.random() < self.variant.lane_share]
        return {road: (rng.gauss(0, size), rng.gauss(0, size)) for road in chosen}

    def rows(self) -> Iterator[Row]:
        for _ in range(self.variant.parcels):
            yield self._row()

    def _row(self) -> Row:
        variant, rng = self.variant, self.rng
        origin, destination, carrier = self._road()
        day = int(variant.length * rng.random() ** 0.9)  # the shop grows
        date = variant.start + dt.timedelta(days=day)
        hour = min(21.5, max(8.0, rng.gauss(16, 2.8)))
        shipped_at = dt.datetime.combine(date, dt.time(), SHANGHAI) + dt.timedelta(seconds=int(hour * 3600))
        expected = self._expected(origin, destination, carrier, shipped_at)
        taken = max(0.15, expected * NOISE[variant.noise](rng, variant.spread))
        delivered_at: dt.datetime | None = shipped_at + dt.timedelta(days=taken)
        if variant.by_day_only and delivered_at is not None:
            delivered_at = self._into_the_day(delivered_at)
        if rng.random() < variant.lost_share:
            delivered_at = None
        promised_by = shipped_at + dt.timedelta(days=math.ceil(self.base[origin, destination] + 2))
        return Row(origin, destination, carrier, shipped_at, delivered_at, promised_by)

    _cumulative: list[float] | None = None

    def _road(self) -> tuple[str, str, str]:
        if self._cumulative is None:
            total, self._cumulative = 0.0, []
            for share in self.share:
                total += share
                self._cumulative.append(total)
        return self.rng.choices(self.roads, cum_weights=self._cumulative)[0]

    def _expected(self, origin: str, destination: str, carrier: str, shipped_at: dt.datetime) -> float:
        variant = self.variant
        passed = (shipped_at.date() - variant.start).days / variant.length
        before, after = self.hidden.get((origin, destination, carrier), (0.0, 0.0))
        days = self.base[origin, destination] * self.pace[carrier]
        days *= 1 + self._drift(passed, carrier)
        days += before if passed < 0.55 else after
        days += variant.weekday_effect * (
            1.0 if shipped_at.weekday() in (4, 5) else 0.5 if shipped_at.weekday() == 6 else 0
        )
        days += 0.35 if shipped_at.hour >= 18 else 0.0  # missed the truck
        days += variant.festival_effect * festival(shipped_at.date())
        return max(0.5, days)

    def _drift(self, passed: float, carrier: str) -> float:
        shape = {
            "line": passed,
            "jump": 0.0 if passed < 0.87 else 1.0,
            "wave": math.sin(passed * 2 * math.pi * 2),
        }[self.variant.drift_kind]
        return self.variant.drift * self.own_drift[carrier] * shape

    def _into_the_day(self, instant: dt.datetime) -> dt.datetime:
        """Doors are knocked at between 9 and 20 o'clock."""
        if instant.hour < 9:
            return instant.replace(hour=9) + dt.timedelta(minutes=self.rng.randrange(180))
        if instant.hour >= 20:
            return instant.replace(hour=9) + dt.timedelta(days=1, minutes=self.rng.randrange(180))
        return instant


def festival(day: dt.date) -> float:
    """Return how much of the festival effect a parcel feels that is shipped on a day."""
    for first in SPRING_FESTIVAL:
        offset = (day - first).days
        if -6 <= offset <= 5:
            return 1.6 if offset > -3 else 0.8
    if (day.month, day.day) >= (9, 29) and day <= dt.date(day.year, 10, 6):
        return 0.5
    if day.month == 11 and 10 <= day.day <= 16:
        return 0.8
    return 0.5 if day.month == 6 and 17 <= day.day <= 21 else 0.0


def generate(variant: Variant, seed: int) -> Iterator[dict[str, str]]:
    """Yield the rows of a history as they stand in its file."""
    columns = [name for name in COLUMNS if variant.tells_carrier or name != "carrier"]
    columns = [name for name in columns if variant.promise or name != "promised_by"]
    for number, row in enumerate(World(variant, random.Random(seed)).rows()):
        cells = {
            "waybill_no": f"T{number:010}",
            "origin": row.origin,
            "destination": row.destination,
            "carrier": row.carrier,
            "shipped_at": _written(row.shipped_at, variant),
            "delivered_at": _written(row.delivered_at, variant, whole=variant.whole_days),
            "promised_by": _written(row.promised_by, variant),
        }
        yield {name: cells[name] for name in columns}


def _written(instant: dt.datetime | None, variant: Variant, *, whole: bool = False) -> str:
    if instant is None:
        return ""
    if whole:
        return f"{instant.date()} 23:59:59"
    if variant.zone == "Z":
        return instant.astimezone(dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return instant.strftime("%Y-%m-%d %H:%M:%S") + variant.zone


def main() -> None:
    parser = argparse.ArgumentParser(description="Write a made-up history of parcels to standard output.")
    parser.add_argument("--variant", choices=VARIANTS, default="main")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--parcels", type=int, help="how many, instead of the variant's own number")
    parser.add_argument("--list", action="store_true", help="name the variants")
    given = parser.parse_args()
    if given.list:
        print("\n".join(VARIANTS))
        return
    variant = VARIANTS[given.variant]
    if given.parcels:
        variant = replace(variant, parcels=given.parcels)
    rows = generate(variant, given.seed)
    first = next(rows)
    writer = csv.DictWriter(sys.stdout, list(first), lineterminator="\n")
    writer.writeheader()
    writer.writerow(first)
    writer.writerows(rows)


if __name__ == "__main__":
    main()
