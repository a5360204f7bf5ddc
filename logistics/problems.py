"""Which alerts a shipment's state opens, and which ones its next good event resolves."""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass

from django.contrib.auth.models import AbstractBaseUser
from django.db import transaction

from frozenshop.kernel import clock
from logistics import lateness, wrong_number
from logistics.anomalies import BY_REASON, BY_STATUS, SILENCE, kind_of
from logistics.derivation import Derived
from logistics.models import Reason, Shipment, ShipmentOrder, ShipmentStatus, TrackingEvent
from orders import alerting
from orders.models import Alert, AlertKind, AlertOutcome, Order
from orders.versions import bump

S, K = ShipmentStatus, AlertKind

WAITING = {rule.kind: S(status) for status, rule in SILENCE.items() if rule.from_status}
"""Kinds that last as long as their status does, whatever is heard meanwhile."""
LADDER = (K.STALE, K.NO_PICKUP, K.OUT_TOO_LONG, K.LOST, K.LOST_CONTACT)
"""What silence is called the longer it lasts."""
SILENT = tuple(kind for kind in LADDER if kind not in WAITING)
TROUBLE = tuple(kind for kind in dict.fromkeys([*BY_STATUS.values(), *BY_REASON.values()]) if kind not in SILENT)
ALL_KINDS = (*TROUBLE, *SILENT, *WAITING, *lateness.KINDS, K.EARLIER_LIFE, K.CLOCK_ANOMALY, K.WRONG_NUMBER)


@dataclass(frozen=True, slots=True)
class Trouble:
    """`since`: when it began; None: unknown."""

    detail: str
    since: dt.datetime | None = None


def subject(shipment: Shipment) -> str:
    """Return what a shipment's alerts are about, in the words of `Alert.subject`."""
    return subject_of(shipment.pk)


def subject_of(shipment_id: int) -> str:
    return f"shipment:{shipment_id}"


def shipment_id_of(about: str) -> int | None:
    """Return which shipment an alert's subject is; None: it is about something else."""
    kind, _, number = about.partition(":")
    return int(number) if kind == "shipment" and number.isdecimal() else None


def review(
    shipment: Shipment, derived: Derived, events: Sequence[TrackingEvent], orders: Sequence[Order], *, heard: bool
) -> None:
    """Open and resolve what follows from the reports. `heard`: there is a new status or a newer scan."""
    about, now = subject(shipment), clock.now()
    late = lateness.find(shipment, orders, now)
    wanted = _wanted(shipment, derived)
    if sign := wrong_number.find(events, shipment, orders, now):
        wanted[K.WRONG_NUMBER] = Trouble(f"{sign.detail}，请核对运单号", sign.since)
    if late:
        wanted[late.kind] = Trouble(late.detail, late.since)
    over = [*_reviewed(derived, heard=heard), *lateness.over(shipment, late)]
    label = ShipmentStatus(shipment.status).label
    alerting.resolve_alerts(about, [kind for kind in over if kind not in wanted], resolution=f"物流有了新进展：{label}")
    for kind, trouble in wanted.items():
        open_about(shipment, kind, orders, trouble)


def open_about(
    shipment: Shipment, kind: AlertKind, orders: Sequence[Order], trouble: Trouble, *, owner_id: int | None = None
) -> Alert | None:
    """Open an alert about a shipment, or return None if there is one."""
    return alerting.open_alert(
        kind,
        subject=subject(shipment),
        order=orders[0] if orders else None,
        detail=f"运单 {shipment.waybill_no}：{trouble.detail}",
        occurred_at=trouble.since,
        owner_id=owner_id,
    )


def review_withdrawn(shipment: Shipment, derived: Derived, orders: Sequence[Order]) -> None:
    """Tell a person of goods that travel under a withdrawn waybill while their order waits to be shipped.

    With another parcel on its way the number was most likely mistyped, and these are a stranger's goods.
    """
    for order in orders if derived.picked_up_at else ():
        if not Shipment.objects.filter(links__order=order, voided_at=None).exists():
            detail = f"运单 {shipment.waybill_no} 已作废，承运商却有新轨迹：{derived.status.label}"
            alerting.open_alert(
                K.EXCEPTION, subject=subject(shipment), order=order, detail=detail, occurred_at=derived.picked_up_at
            )


def resolve(alert: Alert, note: str, user: AbstractBaseUser, outcome: AlertOutcome = AlertOutcome.OTHER) -> None:
    """Close an alert by a person, and let each order of a shared box say so. Raises as `alerting.resolve`."""
    with transaction.atomic():
        for closed in alerting.resolve(alert, note, user, outcome):
            show_on_all(closed.subject)


def show_on_all(about: str) -> None:
    """Give each order of the box that an alert is about its next version: an alert itself knows only the first."""
    if shipment_id := shipment_id_of(about):
        bump(ShipmentOrder.objects.filter(shipment_id=shipment_id).values_list("order_id", flat=True))


def withdraw(shipment: Shipment, *, by: str, resolution: str) -> None:
    """Resolve all that is open about a shipment, because it no longer counts."""
    alerting.resolve_alerts(subject(shipment), ALL_KINDS, by=by, resolution=resolution, outcome=AlertOutcome.CORRECTED)


def _wanted(shipment: Shipment, derived: Derived) -> dict[AlertKind, Trouble]:
    wanted: dict[AlertKind, Trouble] = {}
    if kind := kind_of(derived.status, derived.reason):
        why = f"（{Reason(derived.reason).label}）" if derived.reason in Reason else ""
        wanted[kind] = Trouble(f"{derived.status.label}{why} {derived.location}".strip(), derived.status_at)
    if derived.only_earlier_life:
        wanted[K.EARLIER_LIFE] = Trouble("只有发货前很久的轨迹，可能是重复使用的运单号", shipment.shipped_at)
    if derived.clock_anomaly:
        wanted[K.CLOCK_ANOMALY] = Trouble("有轨迹的时间晚于现在")
    return wanted


def _reviewed(derived: Derived, *, heard: bool) -> list[AlertKind]:
    kinds = [*TROUBLE, K.EARLIER_LIFE, K.CLOCK_ANOMALY]
    kinds += [kind for kind, status in WAITING.items() if derived.status != status]
    return [*kinds, *SILENT] if heard else kinds
