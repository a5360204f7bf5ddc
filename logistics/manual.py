"""The provider without an API: what staff, the shop's system or a driver says of a parcel, each thing once."""

import datetime as dt
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from django.db import transaction

from frozenshop.kernel import audit, clock
from frozenshop.kernel.actor import Actor, Source
from frozenshop.kernel.errors import Invalid, NotPossible
from logistics import driver_links, texts, tracking
from logistics.derivation import EARLIER_LIFE
from logistics.models import DriverLink, Provider, Reason, Shipment, ShipmentStatus, TrackingEvent
from logistics.providers.base import ProviderEvent, ProviderReport
from orders.contention import retried

S, R = ShipmentStatus, Reason

AHEAD = dt.timedelta(minutes=5)
"""How far a person's clock may be before ours."""
MAX_DESCRIPTION = 200
MAX_LOCATION = 100
MAX_REFERENCE = 100
MAX_REMARK = 60

_WHO: Mapping[Source, tuple[str, str]] = {
    Source.STAFF: ("staff", "商家更新"),
    Source.SHOP: ("shop", "商家更新"),
    Source.CARRIER: ("driver", "司机报告"),
}
_DIGITS = 12


@dataclass(frozen=True, slots=True)
class Step:
    """What a person says of a parcel. `reference` names it in their books: the same one counts once per status."""

    status: ShipmentStatus
    occurred_at: dt.datetime
    reference: str
    description: str = ""
    location: str = ""
    reason: str = ""


@retried
def report(shipment: Shipment, step: Step, *, by: Actor, subject: str = "", address: str = "") -> bool:
    """Record a step and that it was told; return False if it was told before.

    `subject` is what the audit names, the shipment if empty; `address` the caller's. Raises Invalid naming the field,
    NotPossible for a withdrawn waybill.
    """
    with transaction.atomic():
        locked = Shipment.objects.select_for_update().select_related("carrier").get(pk=shipment.pk)
        _check(locked, step)
        event = _event(locked, step, by)
        if TrackingEvent.objects.filter(shipment=locked, provider=Provider.MANUAL, code=event.code).exists():
            return False
        tracking.record_events(locked, _alone(locked, event), provider=Provider.MANUAL)
        audit.record(
            by,
            "shipment.reported",
            subject or f"shipment:{locked.pk}",
            details={"waybill_no": locked.waybill_no, "status": step.status.value, "code": event.code},
            address=address,
        )
        return True


def _check(shipment: Shipment, step: Step) -> None:
    if shipment.voided_at is not None:
        raise NotPossible("运单已作废，不能再报告物流进展")
    if step.occurred_at > clock.now() + AHEAD:
        raise Invalid(fields={"occurred_at": "发生时间不能晚于现在"})
    if step.occurred_at < shipment.shipped_at - EARLIER_LIFE:
        raise Invalid(fields={"occurred_at": f"发生时间不能早于发货（{clock.short(shipment.shipped_at)}）前 72 小时"})


def _event(shipment: Shipment, step: Step, by: Actor) -> ProviderEvent:
    """Return the step as a scan. Its code says who told it, and stands for the reference."""
    prefix, told_by = _WHO[by.source]
    digest = hashlib.sha256(f"{step.status}\x1f{step.reference}".encode("utf-8", "replace")).hexdigest()[:_DIGITS]
    return ProviderEvent(
        step.status,
        step.occurred_at,
        step.description or f"{told_by}：{step.status.label}",
        step.location,
        code=f"{prefix}-{digest}",
        reason=step.reason or _reason_in(shipment, step),
    )


def _reason_in(shipment: Shipment, step: Step) -> str:
    """Return why, where the description says so of this very status."""
    reading = texts.read(shipment.carrier.code, step.description)
    return reading.reason if reading.status == step.status else ""


def _alone(shipment: Shipment, event: ProviderEvent) -> ProviderReport:
    return ProviderReport(shipment.waybill_no, shipment.carrier.code, (event,))


# --- the driver -----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class DriverStep:
    """One of the few things that a driver may say: the button, the question behind it, the text of the scan."""

    status: ShipmentStatus
    label: str
    question: str
    text: str


DRIVER_STEPS: Mapping[str, DriverStep] = {
    "picked_up": DriverStep(S.PICKED_UP, "已取货", "货物已经装上车了吗？", "司机已取货"),
    "arriving": DriverStep(S.OUT_FOR_DELIVERY, "即将到达", "正在送往收件人处吗？", "司机正在派送，即将到达"),
    "delivered": DriverStep(S.DELIVERED, "已送达", "货物已经交给收件人了吗？", "已送达，司机已确认"),
    "failed": DriverStep(S.DELIVERY_FAILED, "无法送达", "为什么没有送到？", "派送未成功"),
}
DRIVER_REASONS = (R.UNREACHABLE, R.REFUSED, R.WRONG_ADDRESS, R.WRONG_PHONE, R.DAMAGED, R.WEATHER)


class Heard(StrEnum):
    """What became of a driver's tap. `overtaken`: the parcel has moved on since the page was shown."""

    RECORDED = "recorded"
    REPEATED = "repeated"
    OVERTAKEN = "overtaken"
    ENDED = "ended"


def offered(shipment: Shipment) -> dict[str, DriverStep]:
    """Return what a driver may say of a parcel as it stands: never what is true already."""
    known = {shipment.status} | ({S.PICKED_UP} if shipment.picked_up_at else set())
    return {name: step for name, step in DRIVER_STEPS.items() if step.status not in known}


def turn_of(shipment: Shipment) -> int:
    """Return how many steps drivers told of a parcel: a page names it, and is good for the next one only."""
    told = TrackingEvent.objects.filter(shipment=shipment, provider=Provider.MANUAL)
    return told.filter(code__startswith=f"{_WHO[Source.CARRIER][0]}-").count()


@retried
def report_by_driver(
    link: DriverLink, name: str, *, turn: int, reason: str = "", remark: str = "", address: str = ""
) -> Heard:
    """Record what a driver tapped (a name of `DRIVER_STEPS`) on a page that was shown at `turn`.

    A step that can't be delivered has a `reason` or a `remark`. Taps that are repeated, from this phone or another,
    have a turn that is over and change nothing.
    """
    step = DRIVER_STEPS[name]
    with transaction.atomic():
        shipment = Shipment.objects.select_for_update().get(pk=link.shipment_id)
        if not driver_links.is_live(DriverLink.objects.get(pk=link.pk), shipment):
            return Heard.ENDED
        if turn != turn_of(shipment) or name not in offered(shipment):
            return Heard.OVERTAKEN if name in offered(shipment) else Heard.REPEATED
        why = "，".join(part for part in (Reason(reason).label if reason else "", remark) if part)
        told = Step(step.status, clock.now(), str(turn), f"{step.text}：{why}" if why else step.text, reason=reason)
        report(shipment, told, by=Actor(Source.CARRIER, f"driver_link:{link.pk}"), address=address)
        return Heard.RECORDED
