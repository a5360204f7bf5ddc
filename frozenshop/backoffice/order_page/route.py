"""A parcel's way as a drawing: the places in their order, those further east further to the right, with their times."""

import datetime as dt
import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from frozenshop.backoffice import wording
from logistics.models import Shipment, ShipmentStatus, TrackingEvent
from logistics.places import city_of, province_of

MOST = 20
ROW, TOP, LEFT, BREADTH = 46, 24, 12, 76
NAMED = 14
NOT_GOING_ON = (ShipmentStatus.RETURNING, ShipmentStatus.RETURNED, ShipmentStatus.CANCELLED)
# Of each province's capital, in whole degrees east.
LONGITUDES = {
    "北京": 116, "天津": 117, "河北": 115, "山西": 113, "内蒙古": 112, "辽宁": 123, "吉林": 125, "黑龙江": 127,
    "上海": 121, "江苏": 119, "浙江": 120, "安徽": 117, "福建": 119, "江西": 116, "山东": 117, "河南": 114,
    "湖北": 114, "湖南": 113, "广东": 113, "广西": 108, "海南": 110, "重庆": 107, "四川": 104, "贵州": 107,
    "云南": 103, "西藏": 91, "陕西": 109, "甘肃": 104, "青海": 102, "宁夏": 106, "新疆": 88, "香港": 114,
    "澳门": 114, "台湾": 121,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Stop:
    """A place, from its first scan until its last. `ahead`: not reached yet, and no instants."""

    place: str
    province: str | None
    since: dt.datetime | None
    until: dt.datetime | None
    ahead: bool = False
    x: float = LEFT
    y: float = TOP

    @property
    def name(self) -> str:
        return self.place if len(self.place) <= NAMED else f"{self.place[: NAMED - 1]}…"

    @property
    def told(self) -> str:
        """Return when it was there, in words."""
        if self.since is None or self.until is None:
            return "还没有到"
        stay = self.until - self.since
        if stay < dt.timedelta(minutes=1):
            return wording.short_clock(self.since)
        return f"{wording.short_clock(self.since)}，停 {wording.duration(stay)}"


@dataclass(frozen=True, slots=True)
class Route:
    """`left_out`: how many places in front of these aren't drawn."""

    stops: list[Stop]
    left_out: int = 0

    width, text_x = 340, LEFT + BREADTH + 22

    @property
    def height(self) -> int:
        return TOP + ROW * len(self.stops) - 10

    @property
    def passed(self) -> str:
        return _path([stop for stop in self.stops if not stop.ahead])

    @property
    def ahead(self) -> str:
        return _path(self.stops[-2:]) if self.stops and self.stops[-1].ahead else ""


def route_of(shipment: Shipment, events: Iterable[TrackingEvent]) -> Route | None:
    """Return the way of a parcel by its scans, whatever their order; None while no place is known."""
    stops = _passed(sorted((event for event in events if event.location), key=lambda event: event.occurred_at))
    if not stops:
        return None
    left_out, stops = max(len(stops) - MOST, 0), stops[-MOST:]
    goal = city_of(shipment.destination) or shipment.destination
    going = not shipment.delivered_at and not shipment.voided_at and shipment.status not in NOT_GOING_ON
    if goal and going and stops[-1].place != goal:
        stops.append(Stop(goal, province_of(shipment.destination), None, None, ahead=True))
    return Route(_placed(stops), left_out)


def _passed(events: Sequence[TrackingEvent]) -> list[Stop]:
    stops: list[Stop] = []
    for event in events:
        place = city_of(event.location) or event.location
        if stops and stops[-1].place == place:
            stops[-1] = replace(stops[-1], until=event.occurred_at)
        else:
            stops.append(Stop(place, province_of(event.location), event.occurred_at, event.occurred_at))
    return stops


def _placed(stops: Sequence[Stop]) -> list[Stop]:
    """Put each stop on its row, and as far right as it is east between the outermost; the unknown below the former."""
    known = [LONGITUDES[stop.province] for stop in stops if stop.province in LONGITUDES]
    west, breadth = min(known, default=0), max(max(known, default=0) - min(known, default=0), 1)
    placed, x = list[Stop](), LEFT + BREADTH / 2
    for row, stop in enumerate(stops):
        if stop.province in LONGITUDES:
            x = LEFT + (LONGITUDES[stop.province] - west) / breadth * BREADTH
        placed.append(replace(stop, x=round(x, 1), y=TOP + row * ROW))
    return placed


def _path(stops: Sequence[Stop]) -> str:
    """Return a line through the stops that leaves and reaches each of them upright."""
    parts = [f"M{stop.x} {stop.y}" for stop in stops[:1]]
    for before, after in itertools.pairwise(stops):
        middle = (before.y + after.y) / 2
        parts.append(f"C{before.x} {middle} {after.x} {middle} {after.x} {after.y}")
    return "".join(parts)
