"""Signs that what is reported under a waybill is another parcel's story: the number was probably mistyped."""

import datetime as dt
import re
from collections.abc import Iterable, Sequence
from functools import lru_cache
from itertools import pairwise
from typing import NamedTuple

from logistics.anomalies import IMPOSSIBLE
from logistics.derivation import counts
from logistics.models import Reason, Shipment, ShipmentStatus, TrackingEvent
from logistics.places import NEIGHBOURS, province_of
from orders.models import Order

S = ShipmentStatus

_AT_THE_DOOR = frozenset({S.OUT_FOR_DELIVERY, S.AWAITING_PICKUP, S.DELIVERED, S.DELIVERY_FAILED})
# From here on the parcel goes elsewhere than to the consignee, and rightly so.
_TURNED = frozenset({S.RETURNING, S.RETURNED, S.FORWARDED})
_TURNED_FOR = frozenset({Reason.REDIRECTED, Reason.INTERCEPTED, Reason.REFUSED})
_BRACKET = re.compile(r"[【\[](.+?)[】\]]")
# 北京西路 is in Shanghai: streets have the names of cities all over the country.
_STREET = re.compile(r"[\u4e00-\u9fff]{2}[东西南北中]?(?:大街|大道|路|街)")


class Sign(NamedTuple):
    """`since`: the first scan that can't be."""

    detail: str
    since: dt.datetime


class _Scan(NamedTuple):
    occurred_at: dt.datetime
    province: str
    at_the_door: bool


def find(events: Iterable[TrackingEvent], shipment: Shipment, orders: Sequence[Order], now: dt.datetime) -> Sign | None:
    """Return why the scans can't be this parcel's; None: nothing speaks against it."""
    own = [
        event
        for event in events
        if not event.overall and counts(event.occurred_at, shipped_at=shipment.shipped_at, now=now)
    ]
    own.sort(key=lambda event: (event.occurred_at, event.key))
    if any(event.status in _TURNED or event.reason in _TURNED_FOR for event in own):
        return None
    scans = [_Scan(event.occurred_at, _province(event), event.status in _AT_THE_DOOR) for event in own]
    placed = [scan for scan in scans if scan.province]
    return _too_early(scans, shipment) or _elsewhere(placed, orders) or _two_doors(placed) or _everywhere(placed)


def _too_early(scans: Iterable[_Scan], shipment: Shipment) -> Sign | None:
    limit = shipment.shipped_at - IMPOSSIBLE.before_shipping
    early = next((scan for scan in scans if scan.at_the_door and scan.occurred_at < limit), None)
    return Sign("发货之前就已派送或签收", early.occurred_at) if early else None


def _elsewhere(scans: Iterable[_Scan], orders: Sequence[Order]) -> Sign | None:
    wanted = province_of(orders[0].province) or province_of(orders[0].city) if orders else None
    for scan in scans if wanted else ():
        if scan.at_the_door and wanted and _far(scan.province, wanted):
            return Sign(f"在{scan.province}派送，收件地址在{wanted}", scan.occurred_at)
    return None


def _two_doors(scans: Iterable[_Scan]) -> Sign | None:
    for former, later in pairwise(scan for scan in scans if scan.at_the_door):
        near_in_time = later.occurred_at - former.occurred_at <= IMPOSSIBLE.doors_within
        if near_in_time and _far(former.province, later.province):
            return Sign(f"一天之内在{former.province}和{later.province}派送", later.occurred_at)
    return None


def _everywhere(scans: Sequence[_Scan]) -> Sign | None:
    for index, last in enumerate(scans):
        start = last.occurred_at - IMPOSSIBLE.within
        seen = {scan.province for scan in scans[: index + 1] if scan.occurred_at >= start}
        if len(seen) >= IMPOSSIBLE.provinces:
            places = "、".join(sorted(seen))
            return Sign(f"{IMPOSSIBLE.within // dt.timedelta(hours=1)} 小时内出现在{places}", last.occurred_at)
    return None


def _far(one: str, other: str) -> bool:
    return one != other and other not in NEIGHBOURS[one].split()


def _province(event: TrackingEvent) -> str:
    if event.location:
        return _province_in(event.location)
    bracket = _BRACKET.search(event.text)
    return _province_in(bracket[1]) if bracket else ""


@lru_cache(4096)
def _province_in(place: str) -> str:
    return province_of(_STREET.sub("", place)) or ""
