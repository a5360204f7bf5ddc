"""Many silent parcels at one place are one incident (weather, an outbreak, a hub), not a hundred rows.

What belongs to an incident keeps its own alert, so that each buyer is told; staff work on the incident alone.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from django.db import transaction
from django.db.models import Count

from frozenshop.kernel import clock
from logistics.anomalies import OUTBREAK
from logistics.lateness import ON_THE_WAY
from logistics.models import Carrier, Shipment, ShipmentStatus
from logistics.places import city_of, province_of
from logistics.problems import shipment_id_of
from orders import alerting
from orders.models import Alert, AlertKind

S = ShipmentStatus

SILENT = (AlertKind.STALE, AlertKind.OUT_TOO_LONG, AlertKind.NO_PICKUP)
AT_THE_SHOP = "发货地"
"""Where a parcel lies that no carrier has scanned yet: that nobody fetches them is an incident, too."""
LOOKED_AT = 20_000
_CHUNK = 1000
RowT = TypeVar("RowT")


@dataclass(frozen=True, slots=True)
class Spot:
    """A place, and the one carrier that stands still there; "" for all of them."""

    place: str
    carrier: str = ""

    @property
    def subject(self) -> str:
        return f"place:{self.place}:{self.carrier}" if self.carrier else f"place:{self.place}"


@dataclass(frozen=True, slots=True)
class Silent:
    """One silent parcel's alert, and where it lies."""

    alert: Alert
    spot: Spot


def find() -> int:
    """Open incidents, let what became silent since join them, and end those whose place moves again.

    Returns how many are open.
    """
    silent = list(_silent())
    under_way = Alert.objects.filter(resolved_at=None, kind=AlertKind.INCIDENT)
    for incident in under_way.order_by("id"):
        silent = _follow(incident, silent)
    for spot, members in _outbreaks(silent).items():
        _open(spot, members)
    return under_way.count()


def place_of(location: str, status: str = "") -> str:
    """Return the city that a scan's place stands in, else its province, else the place as it was told; "" for none."""
    if status == S.NO_TRACE and not location:
        return AT_THE_SHOP
    return city_of(location) or province_of(location) or location[:40]


def _silent() -> Iterator[Silent]:
    """Yield the parcels that were found silent within the window and belong to no incident."""
    noticed = Alert.objects.filter(
        resolved_at=None, kind__in=SILENT, incident=None, opened_at__gte=clock.now() - OUTBREAK.window
    )
    newest = list(noticed.order_by("-id")[:LOOKED_AT])
    for chunk in _chunks(newest):
        alerts = {shipment_id_of(alert.subject): alert for alert in chunk}
        lying = Shipment.objects.filter(pk__in=[pk for pk in alerts if pk])
        for pk, location, status, carrier in lying.values_list("pk", "location", "status", "carrier__code"):
            if place := place_of(location, status):
                yield Silent(alerts[pk], Spot(place, carrier))


def _follow(incident: Alert, silent: list[Silent]) -> list[Silent]:
    """Let an incident grow or end; return who is left for others."""
    joining = [one for one in silent if incident.subject in (Spot(one.spot.place).subject, one.spot.subject)]
    with transaction.atomic():
        _join(incident, joining)
        left = list(incident.members.filter(resolved_at=None).values_list("pk", flat=True)[:LOOKED_AT])
        if len(left) < OUTBREAK.parcels_left:
            # What is left over is each a trouble of its own, and goes back to the queue.
            Alert.objects.filter(pk__in=left).update(incident=None)
            alerting.resolve_alerts(incident.subject, [AlertKind.INCIDENT], resolution="当地的包裹又动起来了")
        elif joining:
            Alert.objects.filter(pk=incident.pk).update(detail=f"{_place(incident.subject)}：{len(left)} 个包裹停滞")
    return [one for one in silent if one not in joining]


def _outbreaks(silent: Iterable[Silent]) -> dict[Spot, list[Silent]]:
    """Return the spots at which so many are silent, the whole place before a single carrier."""
    by_place, by_spot = defaultdict[Spot, list[Silent]](list), defaultdict[Spot, list[Silent]](list)
    for one in silent:
        by_place[Spot(one.spot.place)].append(one)
        by_spot[one.spot].append(one)
    many = {spot: ones for spot, ones in (*by_place.items(), *by_spot.items()) if len(ones) >= OUTBREAK.parcels}
    if not many:
        return {}
    there = _under_way()
    found = {spot: ones for spot, ones in many.items() if len(ones) >= OUTBREAK.share * there[spot]}
    return {spot: ones for spot, ones in found.items() if not spot.carrier or Spot(spot.place) not in found}


def _under_way() -> Mapping[Spot, int]:
    """Return how many parcels are under way at each place, in all and by carrier."""
    counts: Counter[Spot] = Counter()
    moving = Shipment.objects.filter(status__in=ON_THE_WAY, voided_at=None).order_by()
    rows = moving.values_list("location", "status", "carrier__code").annotate(n=Count("pk"))
    for location, status, carrier, number in rows:
        place = place_of(location, status)
        counts[Spot(place)] += number
        counts[Spot(place, carrier)] += number
    return counts


def _open(spot: Spot, members: list[Silent]) -> None:
    carriers = Counter(one.spot.carrier for one in members)
    names = dict(Carrier.objects.filter(code__in=carriers).values_list("code", "name"))
    shares = "、".join(f"{names[carrier]} {number}" for carrier, number in carriers.most_common(5))
    began = min((one.alert.occurred_at or one.alert.opened_at for one in members), default=None)
    detail = f"{_place(spot.subject)}：{len(members)} 个包裹停滞（{shares}）"
    with transaction.atomic():
        incident = alerting.open_alert(AlertKind.INCIDENT, subject=spot.subject, detail=detail, occurred_at=began)
        if incident:
            _join(incident, members)


def _join(incident: Alert, members: Sequence[Silent]) -> None:
    for chunk in _chunks(members):
        ids = [one.alert.pk for one in chunk]
        Alert.objects.filter(pk__in=ids, resolved_at=None, incident=None).update(incident=incident)


def _chunks(rows: Sequence[RowT]) -> Iterator[Sequence[RowT]]:
    return (rows[start : start + _CHUNK] for start in range(0, len(rows), _CHUNK))


def _place(subject: str) -> str:
    return " ".join(subject.split(":")[1:])
