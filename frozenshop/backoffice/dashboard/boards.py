"""What stands out at this moment: what arrives today, what is silent and where, money held back, who wasn't told."""

import datetime as dt
from collections import Counter
from collections.abc import Callable
from typing import NamedTuple

from django.db.models import Count, QuerySet

from frozenshop.backoffice.dashboard.models import Dimension, FigureKind
from frozenshop.backoffice.dashboard.passages import NOWHERE, Key, Sums
from frozenshop.backoffice.notifications_filters import recent
from frozenshop.kernel import clock
from logistics import places
from logistics.cadence import FINAL
from logistics.models import Shipment, ShipmentStatus
from logistics.problems import LADDER, shipment_id_of
from notifications.models import Notice, ShippingReport
from notifications.settlement import frozen, guard
from orders.models import Alert

UNDER_WAY = tuple(status for status in ShipmentStatus if status not in FINAL)
ARRIVES_WITHIN = dt.timedelta(days=30)
"""What was shipped longer ago and is still under way is a case for a person, not today's work."""
STALE_MOST = 10_000
"""So many alerts of silence are looked at, the oldest; a count above it says that there are more."""
_CHUNK = 2000


class Silent(NamedTuple):
    id: int
    carrier: str
    place: str


def arriving(rows: QuerySet[Shipment]) -> QuerySet[Shipment]:
    """Narrow to the parcels that are predicted for today and have not arrived."""
    now = clock.now()
    since = clock.start_of_day(clock.shanghai(now).date())
    return rows.filter(
        status__in=UNDER_WAY,
        shipped_at__gte=now - ARRIVES_WITHIN,
        eta_likely__gte=since,
        eta_likely__lt=since + dt.timedelta(days=1),
        voided_at__isnull=True,
    )


def _of_silence() -> QuerySet[Alert]:
    return Alert.objects.filter(resolved_at=None, kind__in=LADDER).order_by("id")


def silent() -> list[Silent]:
    """Return the parcels with an open alert of silence, who carries them and where they were last, by the alerts.

    Of the STALE_MOST oldest alerts.
    """
    subjects = _of_silence().values_list("subject", flat=True)[:STALE_MOST]
    ids = sorted({pk for subject in subjects if (pk := shipment_id_of(subject))})
    found: list[Silent] = []
    for start in range(0, len(ids), _CHUNK):
        rows = Shipment.objects.filter(pk__in=ids[start : start + _CHUNK], voided_at=None)
        found += [
            Silent(pk, code, place_of(at)) for pk, code, at in rows.values_list("pk", "carrier__code", "location")
        ]
    return found


def place_of(location: str) -> str:
    return places.city_of(location) or places.province_of(location) or NOWHERE


def held_back() -> QuerySet[ShippingReport]:
    """Return the reports of money that WeChat holds back because it wasn't told in its time."""
    return frozen.untold(guard.WECHATS_LIMIT // dt.timedelta(hours=1))


def _arriving() -> dict[Key, Sums]:
    rows = arriving(Shipment.objects.all()).order_by().values_list("carrier__code").annotate(n=Count("pk"))
    return _by(Dimension.CARRIER, dict(rows))


def _stale() -> dict[Key, Sums]:
    found = silent()
    by_place = _by(Dimension.PLACE, Counter(one.place for one in found))
    more = _of_silence()[STALE_MOST : STALE_MOST + 1].exists()
    all_of_them = {(Dimension.ALL.value, ""): Sums(STALE_MOST + 1)} if more else {}
    return by_place | _by(Dimension.CARRIER, Counter(one.carrier for one in found)) | all_of_them


def _frozen() -> dict[Key, Sums]:
    return {(Dimension.ALL.value, ""): Sums(held_back().count())}


def _untold() -> dict[Key, Sums]:
    rows = Notice.objects.filter(state=Notice.State.NOT_TOLD, **recent("created_at"))
    return _by(Dimension.WHY, dict(rows.order_by().values_list("why").annotate(n=Count("pk"))))


def _by(dimension: Dimension, counts: dict[str, int]) -> dict[Key, Sums]:
    keyed = {(dimension.value, key): Sums(count) for key, count in counts.items()}
    return keyed | {(Dimension.ALL.value, ""): Sums(sum(counts.values()))}


BOARDS: dict[FigureKind, Callable[[], dict[Key, Sums]]] = {
    FigureKind.ARRIVING: _arriving,
    FigureKind.STALE: _stale,
    FigureKind.FROZEN: _frozen,
    FigureKind.UNTOLD: _untold,
}
