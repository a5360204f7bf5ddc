"""The floor: one waybill is never asked about twice within half an hour, whoever wants it.

Leave is taken by one conditional update. It is for a waybill, not for a provider: within one leave each of them may be
asked once, until one answers.
"""

import datetime as dt
from dataclasses import dataclass

from django.db.models import Q

from frozenshop.kernel import clock
from logistics.cadence import FLOOR
from logistics.models import Shipment


@dataclass(frozen=True, slots=True)
class Leave:
    """Leave to ask about a parcel, and when it was asked about before."""

    shipment: Shipment
    before: dt.datetime | None
    taken_at: dt.datetime


def take_leave(shipment: Shipment) -> Leave | None:
    """Take leave to ask, or None if it was asked about within the floor."""
    now = clock.now()
    row = Shipment.objects.filter(pk=shipment.pk)
    before = row.values_list("checked_at", flat=True).get()
    free = Q(checked_at__isnull=True) | Q(checked_at__lte=now - FLOOR)
    if not row.filter(free).update(checked_at=now):
        return None
    return Leave(shipment, before, now)


def give_back(leave: Leave) -> None:
    """Undo leave that was not used: nothing was asked."""
    Shipment.objects.filter(pk=leave.shipment.pk, checked_at=leave.taken_at).update(checked_at=leave.before)


def next_allowed_at(shipment: Shipment) -> dt.datetime:
    checked_at = Shipment.objects.values_list("checked_at", flat=True).get(pk=shipment.pk)
    return (checked_at or clock.now()) + FLOOR
