"""How long parcels usually stay silent between two scans, by lane, carrier and status."""

import datetime as dt
from dataclasses import dataclass

from logistics.learning import learnt
from logistics.models import Shipment
from logistics.places import province_of


@dataclass(frozen=True, slots=True)
class Gap:
    """Half of all gaps are shorter than `p50`, 9 of 10 than `p90`, 999 of 1,000 than `p999`; `n` were measured."""

    p50: dt.timedelta
    p90: dt.timedelta
    p999: dt.timedelta
    n: int


def usual_gap(shipment: Shipment) -> Gap | None:
    """Return how long a parcel of this lane, carrier and status usually waits for its next scan.

    None while nothing is learnt. Costs no query, but for one in five minutes in each process.
    """
    model = learnt.current()
    tables: dict[str, list[float]] = model.body.get("gaps", {}) if model else {}
    origin, destination = province_of(shipment.origin) or "", province_of(shipment.destination) or ""
    for key in keys(str(shipment.carrier_id), origin, destination, shipment.status):
        if found := tables.get(key):
            p50, p90, p999, n = found
            return Gap(dt.timedelta(hours=p50), dt.timedelta(hours=p90), dt.timedelta(hours=p999), int(n))
    return None


def keys(carrier: str, origin: str, destination: str, status: str) -> list[str]:
    """Return the names of the tables that tell of such a parcel, the most special first. Places are provinces."""
    groups = ((carrier, origin, destination), (carrier, "", destination), (carrier, "", ""), ("", "", ""))
    return ["|".join((*group, status)) for group in groups]
