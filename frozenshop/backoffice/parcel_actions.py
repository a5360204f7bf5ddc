"""What staff may do to one parcel of an order: say what it does, and give its driver a link or take it back."""

import datetime as dt
from typing import Any

from django import forms
from django.db import transaction
from django.http import HttpRequest

from frozenshop.kernel.changelist import record_act, staff_actor
from frozenshop.kernel.client_address import client_address
from frozenshop.kernel.clock import now
from frozenshop.kernel.errors import Invalid, NotPossible
from logistics import driver_links, manual
from logistics.manual import MAX_DESCRIPTION, MAX_LOCATION, MAX_REFERENCE
from logistics.models import DriverLink, Shipment, ShipmentStatus
from orders.models import Order

STEPS = [
    (status.value, status.label)
    for status in ShipmentStatus
    if status not in (ShipmentStatus.NO_TRACE, ShipmentStatus.UNKNOWN)
]


class StepForm(forms.Form):
    """`told` is the page's own mark: its second submission is the same report."""

    status = forms.ChoiceField(label="物流状态", choices=STEPS)
    told_at = forms.DateTimeField(label="发生时间", required=False)
    description = forms.CharField(label="说明", max_length=MAX_DESCRIPTION, required=False)
    location = forms.CharField(label="地点", max_length=MAX_LOCATION, required=False)
    told = forms.CharField(label="页面标记", max_length=MAX_REFERENCE, required=False)


class LinkForm(forms.Form):
    days = forms.IntegerField(label="有效天数", min_value=1, max_value=driver_links.LONGEST_LIFE.days)


def report(request: HttpRequest, order: Order, shipment: Shipment, data: dict[str, Any]) -> str:
    """Report a step of a parcel by a person; returns what was done in words. Raises Problem."""
    at = now()
    step = manual.Step(
        ShipmentStatus(data["status"]),
        data["told_at"] or at,
        data["told"] or at.isoformat(),
        data["description"],
        data["location"],
    )
    address = client_address(request)
    try:
        recorded = manual.report(shipment, step, by=staff_actor(request), subject=order.order_no, address=address)
    except Invalid as problem:
        why = problem.fields.get("occurred_at") if problem.fields else None
        raise Invalid(fields={"told_at": why}) if why else problem from problem
    if not recorded:
        return f"运单 {shipment.waybill_no} 的这次报告已经记录过。"
    return f"已记录：运单 {shipment.waybill_no} {step.status.label}。"


def report_all(request: HttpRequest, order: Order, data: dict[str, Any]) -> str:
    """Report a step of each live parcel of an order. Raises Problem."""
    parcels = list(order.shipments.filter(voided_at=None).order_by("id"))
    if not parcels:
        raise NotPossible("没有可报告的运单")
    with transaction.atomic():
        return "".join(report(request, order, shipment, data) for shipment in parcels)


def give_link(request: HttpRequest, order: Order, shipment: Shipment, days: int) -> str:
    """Make a driver's link and return its address, which is shown this once. Raises NotPossible."""
    with transaction.atomic():
        link, url = driver_links.issue(shipment, by=staff_actor(request), life=dt.timedelta(days=days))
        details = {"waybill_no": shipment.waybill_no, "link": link.pk, "days": days}
        record_act(request, "driver_link.created", order.order_no, details=details)
    return url


def take_link_back(request: HttpRequest, order: Order, shipment: Shipment) -> str:
    with transaction.atomic():
        ended = driver_links.end(shipment)
        if ended:
            record_act(request, "driver_link.ended", order.order_no, details={"waybill_no": shipment.waybill_no})
    return f"运单 {shipment.waybill_no} 的司机链接已作废。" if ended else "没有可作废的司机链接。"


def live_links(shipment_ids: list[int]) -> dict[int, DriverLink]:
    """Return the open link of each parcel that has one."""
    links = DriverLink.objects.filter(shipment_id__in=shipment_ids, revoked_at=None, expires_at__gt=now())
    return {link.shipment_id: link for link in links}
