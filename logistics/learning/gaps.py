"""How long parcels usually stay silent between two scans, by lane, carrier and status."""

import datetime as dt
from collections.abc import Mapping, Sequence
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
    lane = (str(shipment.carrier_id), shipment.origin, shipment.destination)
    return find(model.gaps, *lane, shipment.status) if model else None


def find(tables: Mapping[str, Sequence[float]], carrier: str, origin: str, destination: str, status: str) -> Gap | None:
    """Return what the tables say of a carrier's parcels between two places, as far as they know it."""
    for key in keys(carrier, province_of(origin) or "", province_of(destination) or "", status):
        if found := tables.get(key):
            p50, p90, p999, n = found
            return Gap(dt.timedelta(hours=p50), dt.timedelta(hours=p90), dt.timedelta(hours=p999), int(n))
    return None


def keys(carrier: str, origin: str, destination: str, status: str) -> list[str]:
    """Return the names of the tables that tell of such a parcel, the most special first. Places are provinces."""
    groups = ((carrier, origin, destination), (carrier, "", destination), (carrier, "", ""), ("", "", ""))
    return ["|".join((*group, status)) for group in groups]
