"""Which alerts a shipment's state opens, and which ones its next good event resolves."""

from collections.abc import Mapping, Sequence

from django.contrib.auth.models import AbstractBaseUser
from django.db import transaction

from logistics.derivation import Derived
from logistics.models import Shipment, ShipmentOrder, ShipmentStatus
from orders import alerting
from orders.models import Alert, AlertKind, AlertOutcome, Order
from orders.versions import bump

S, K = ShipmentStatus, AlertKind

BY_STATUS: Mapping[str, AlertKind] = {
    S.EXCEPTION: K.EXCEPTION,
    S.DELIVERY_FAILED: K.DELIVERY_FAILED,
    S.RETURNING: K.RETURNING,
    S.RETURNED: K.RETURNED,
    # Intercepted, or never carried: its order stands where it was, with nothing under way, until a person acts.
    S.CANCELLED: K.EXCEPTION,
}
SILENCE = (K.STALE, K.LOST_CONTACT)
ALL_KINDS = (*dict.fromkeys(BY_STATUS.values()), *SILENCE, K.LOCKER_WAITING, K.EARLIER_LIFE, K.CLOCK_ANOMALY)


def subject(shipment: Shipment) -> str:
    """Return what a shipment's alerts are about, in the words of `Alert.subject`."""
    return subject_of(shipment.pk)


def subject_of(shipment_id: int) -> str:
    return f"shipment:{shipment_id}"


def review(shipment: Shipment, derived: Derived, orders: Sequence[Order], *, heard: bool) -> None:
    """Open and resolve what follows from the status. `heard`: there is a new status or a newer scan."""
    about, first = subject(shipment), orders[0] if orders else None
    wanted = _wanted(derived)
    over = [kind for kind in _reviewed(derived, heard=heard) if kind not in wanted]
    label = ShipmentStatus(shipment.status).label
    alerting.resolve_alerts(about, over, resolution=f"物流有了新进展：{label}")
    for kind, detail in wanted.items():
        alerting.open_alert(kind, subject=about, order=first, detail=f"运单 {shipment.waybill_no}：{detail}")


def review_withdrawn(shipment: Shipment, derived: Derived, orders: Sequence[Order]) -> None:
    """Tell a person of goods that travel under a withdrawn waybill while their order waits to be shipped.

    With another parcel on its way the number was most likely mistyped, and these are a stranger's goods.
    """
    for order in orders if derived.picked_up_at else ():
        if not Shipment.objects.filter(links__order=order, voided_at=None).exists():
            detail = f"运单 {shipment.waybill_no} 已作废，承运商却有新轨迹：{derived.status.label}"
            alerting.open_alert(K.EXCEPTION, subject=subject(shipment), order=order, detail=detail)


def resolve(alert: Alert, note: str, user: AbstractBaseUser, outcome: AlertOutcome = AlertOutcome.OTHER) -> None:
    """Close an alert by a person, and let each order of a shared box say so. Raises as `alerting.resolve`."""
    with transaction.atomic():
        for closed in alerting.resolve(alert, note, user, outcome):
            show_on_all(closed.subject)


def show_on_all(about: str) -> None:
    """Give each order of the box that an alert is about its next version: an alert itself knows only the first."""
    kind, _, shipment_id = about.partition(":")
    if kind == "shipment":
        bump(ShipmentOrder.objects.filter(shipment_id=int(shipment_id)).values_list("order_id", flat=True))


def withdraw(shipment: Shipment, *, by: str, resolution: str) -> None:
    """Resolve all that is open about a shipment, because it no longer counts."""
    alerting.resolve_alerts(subject(shipment), ALL_KINDS, by=by, resolution=resolution)


def _wanted(derived: Derived) -> dict[AlertKind, str]:
    wanted: dict[AlertKind, str] = {}
    if kind := BY_STATUS.get(derived.status):
        wanted[kind] = f"{derived.status.label} {derived.location}".strip()
    if derived.only_earlier_life:
        wanted[K.EARLIER_LIFE] = "只有发货前很久的轨迹，可能是重复使用的运单号"
    if derived.clock_anomaly:
        wanted[K.CLOCK_ANOMALY] = "有轨迹的时间晚于现在"
    return wanted


def _reviewed(derived: Derived, *, heard: bool) -> list[AlertKind]:
    kinds = [*dict.fromkeys(BY_STATUS.values()), K.EARLIER_LIFE, K.CLOCK_ANOMALY]
    if derived.status != S.AWAITING_PICKUP:
        kinds.append(K.LOCKER_WAITING)
    return [*kinds, *SILENCE] if heard else kinds
