"""What may be done to one order from its page. Each calls a service and is recorded as its person's act."""

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from django import forms
from django.contrib.auth.models import AbstractBaseUser, AnonymousUser
from django.db import transaction
from django.http import HttpRequest

from frozenshop.backoffice import parcel_actions
from frozenshop.backoffice.models import OrderNote
from frozenshop.kernel.changelist import record_act, staff_actor
from frozenshop.kernel.clock import now
from frozenshop.kernel.crypto import SealBroken
from frozenshop.kernel.errors import Invalid, NotPossible
from logistics import polling, shipping
from logistics.carriers import resolve_carrier
from logistics.models import Carrier, Shipment
from logistics.services import record_shop_fact
from orders import lifecycle
from orders.facts import STILL, Fact, FactType
from orders.models import Order, OrderStatus

FACTS = {
    FactType.PAID: "标记已付款",
    FactType.CANCELLED: "标记已取消",
    FactType.REFUNDED: "标记已退款",
    FactType.RETURNED: "标记已退回",
}
UNCHANGED = {
    "already_paid": "订单已付款",
    "already_cancelled": "订单已取消",
    "already_refunded": "订单已退款",
    "already_returned": "订单已退回",
    "already_shipped": "订单已发货，已开预警",
    "not_paid": "订单还没有付款，已开预警",
    "not_shipped": "订单还没有发货，已开预警",
    "refund_partial": "部分退款，已开预警",
    "repeated": "这个事实已经记录过",
}
CHANGE, UNMASK = "orders.change_order", "orders.unmask_order"


@dataclass(frozen=True, slots=True)
class Done:
    """`revealed` and `driver_link` stand on this one answer only."""

    message: str = ""
    driver_link: str = ""
    revealed: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class OrderAction:
    """`run` raises Problem when it can't be done."""

    permission: str
    run: Callable[[HttpRequest, Order], Done]


class ShipForm(forms.Form):
    carrier = forms.CharField(label="承运商", max_length=60)
    waybill_no = forms.CharField(label="运单号", max_length=64)
    shipped_at = forms.DateTimeField(label="发货时间", required=False)


class ReplaceForm(forms.Form):
    shipment = forms.IntegerField(label="运单", min_value=1, max_value=2**63 - 1)
    reason = forms.CharField(label="原因", max_length=200)
    carrier = forms.CharField(label="新承运商", max_length=60, required=False)
    waybill_no = forms.CharField(label="新运单号", max_length=64, required=False)


class ParcelForm(forms.Form):
    shipment = forms.IntegerField(label="运单", min_value=1, max_value=2**63 - 1)


class FactForm(forms.Form):
    fact = forms.ChoiceField(label="事实", choices=FactType.choices)
    occurred_at = forms.DateTimeField(label="发生时间", required=False)
    amount = forms.DecimalField(label="金额（元）", required=False, min_value=0, max_digits=12, decimal_places=2)
    reference = forms.CharField(label="凭证号", max_length=90, required=False)


class TextForm(forms.Form):
    text = forms.CharField(label="内容", max_length=500)


class ReasonForm(forms.Form):
    reason = forms.CharField(label="理由", max_length=500)


def offered(order: Order, user: AbstractBaseUser | AnonymousUser, *, shipped: bool) -> dict[str, Any]:
    """Return which actions the page offers, from the table of arrows and the person's rights."""
    may_change = user.has_perm(CHANGE)  # type: ignore[union-attr]
    return {
        "change": may_change,
        "facts": [(fact.value, label) for fact, label in FACTS.items() if may_change and moves(order, fact)],
        "sync": may_change and shipped,
        "unmask": user.has_perm(UNMASK),  # type: ignore[union-attr]
    }


def moves(order: Order, fact: FactType) -> bool:
    """Say whether a fact would move the order from where it stands."""
    return lifecycle.allowed(order.status, fact.value) and (fact, OrderStatus(order.status)) not in STILL


def ship(request: HttpRequest, order: Order) -> Done:
    data = checked(ShipForm(request.POST))
    carrier, lines = resolve_carrier(data["carrier"]), chosen_quantities(request)
    return Done(ship_order(request, order, carrier, data["waybill_no"], not_ahead(data["shipped_at"]), lines))


def ship_order(
    request: HttpRequest,
    order: Order,
    carrier: Carrier,
    waybill_no: str,
    shipped_at: dt.datetime,
    lines: dict[str, int] | None = None,
) -> str:
    """Ship by a person; returns what was done in words. Raises Problem."""
    with transaction.atomic():
        shipment = shipping.ship(
            order,
            carrier=carrier,
            waybill_no=waybill_no.strip(),
            shipped_at=shipped_at,
            actor=staff_actor(request),
            lines=lines,
        )
        details = {"carrier": carrier.code, "waybill_no": shipment.waybill_no}
        record_act(request, "order.shipped", order.order_no, details=details)
    return f"已发货：{carrier.name} {shipment.waybill_no}。"


def correct(request: HttpRequest, order: Order) -> Done:
    data = checked(ReplaceForm(request.POST))
    if not data["carrier"] or not data["waybill_no"]:
        raise Invalid("更正运单要填写新的承运商和运单号")
    replacement = (resolve_carrier(data["carrier"]), data["waybill_no"].strip())
    shipment = shipment_of(order, data["shipment"])
    with transaction.atomic():
        shipping.void(shipment, order=order, reason=data["reason"], actor=staff_actor(request), replacement=replacement)
        record_act(
            request,
            "order.waybill_corrected",
            order.order_no,
            reason=data["reason"],
            details={"from": shipment.waybill_no, "to": replacement[1], "carrier": replacement[0].code},
        )
    return Done(f"运单 {shipment.waybill_no} 已更正为 {replacement[1]}。")


def void(request: HttpRequest, order: Order) -> Done:
    data = checked(ReplaceForm(request.POST))
    shipment = shipment_of(order, data["shipment"])
    with transaction.atomic():
        shipping.void(shipment, order=order, reason=data["reason"], actor=staff_actor(request))
        record_act(
            request,
            "order.waybill_voided",
            order.order_no,
            reason=data["reason"],
            details={"waybill_no": shipment.waybill_no},
        )
    return Done(f"运单 {shipment.waybill_no} 已作废。")


def sync(request: HttpRequest, order: Order) -> Done:
    with transaction.atomic():
        count = enqueue_sync(order)
        record_act(request, "order.synced", order.order_no, details={"count": count})
    return Done(f"已安排向服务商查询 {count} 个运单，稍后刷新本页。")


def mark(request: HttpRequest, order: Order) -> Done:
    data = checked(FactForm(request.POST))
    return Done(record_fact(request, order, data))


def record_fact(request: HttpRequest, order: Order, data: dict[str, Any]) -> str:
    """Record a fact by a person; returns what became of it in words.

    Without a reference of its own a fact counts once per sum, so that a second click changes nothing.
    """
    fact, amount = FactType(data["fact"]), data.get("amount")
    amount_fen = int(amount * 100) if amount is not None else None
    reference = data.get("reference") or ("staff" if amount_fen is None else f"staff:{amount_fen}")
    with transaction.atomic():
        applied = record_shop_fact(
            order, Fact(fact, not_ahead(data.get("occurred_at")), reference, amount_fen), staff_actor(request)
        )
        record_act(request, "order.marked", order.order_no, details={"fact": fact.value, "applied": applied.applied})
    if applied.applied:
        return f"已记录：{fact.label}。"
    return f"已记录“{fact.label}”，状态没有改变：{UNCHANGED.get(applied.reason or '', applied.reason)}。"


def note(request: HttpRequest, order: Order) -> Done:
    text = checked(TextForm(request.POST))["text"]
    with transaction.atomic():
        written = OrderNote.objects.create(
            order_no=order.order_no, author=staff_actor(request).name, text=text, written_at=now()
        )
        record_act(request, "order.noted", order.order_no, details={"note": written.pk})
    return Done("备注已保存。")


def report(request: HttpRequest, order: Order) -> Done:
    data = checked(parcel_actions.StepForm(request.POST))
    return Done(parcel_actions.report(request, order, _parcel(request, order), data))


def give_link(request: HttpRequest, order: Order) -> Done:
    days = checked(parcel_actions.LinkForm(request.POST))["days"]
    return Done(driver_link=parcel_actions.give_link(request, order, _parcel(request, order), days))


def take_link_back(request: HttpRequest, order: Order) -> Done:
    return Done(parcel_actions.take_link_back(request, order, _parcel(request, order)))


def unmask(request: HttpRequest, order: Order) -> Done:
    """Reveal the consignee on this one answer, after the act and its reason are recorded."""
    reason = checked(ReasonForm(request.POST))["reason"]
    if not order.consignee_sealed:
        raise NotPossible("这个订单没有收件人信息")
    try:
        who = order.open_consignee()
    except SealBroken as broken:
        raise NotPossible("收件人信息无法解密，请检查密钥设置") from broken
    record_act(request, "order.unmasked", order.order_no, reason=reason)
    return Done(revealed=who.in_full() | {"reason": reason})


ACTIONS = {
    "ship": OrderAction(CHANGE, ship),
    "correct": OrderAction(CHANGE, correct),
    "void": OrderAction(CHANGE, void),
    "sync": OrderAction(CHANGE, sync),
    "mark": OrderAction(CHANGE, mark),
    "report": OrderAction(CHANGE, report),
    "driver-link": OrderAction(CHANGE, give_link),
    "driver-link-end": OrderAction(CHANGE, take_link_back),
    "note": OrderAction(CHANGE, note),
    "unmask": OrderAction(UNMASK, unmask),
}


def checked(form: forms.Form) -> dict[str, Any]:
    """Return a form's clean data. Raises Invalid that names each field in Chinese."""
    if form.is_valid():
        return form.cleaned_data
    raise Invalid(
        "请检查填写的内容",
        fields={name: f"{form.fields[name].label}：{errors[0]}" for name, errors in form.errors.items()},
    )


def _parcel(request: HttpRequest, order: Order) -> Shipment:
    return shipment_of(order, checked(ParcelForm(request.POST))["shipment"])


def shipment_of(order: Order, shipment_id: int) -> Shipment:
    shipment = order.shipments.filter(pk=shipment_id).first()
    if shipment is None:
        raise NotPossible("这个运单不属于该订单")
    return shipment


def enqueue_sync(order: Order) -> int:
    """Ask for every live parcel of the order to be looked up now; returns how many."""
    ids = list(order.shipments.filter(voided_at=None).values_list("id", flat=True))
    polling.enqueue_sync(ids)
    return len(ids)


def chosen_quantities(request: HttpRequest) -> dict[str, int] | None:
    """Return the quantities typed per SKU, or None where nothing was typed: all that remain."""
    posted = [(name, str(value).strip()) for name, value in request.POST.items() if name.startswith("qty:")]
    typed = {name.removeprefix("qty:"): value for name, value in posted if value}
    if not typed:
        return None
    if not all(value.isascii() and value.isdecimal() and len(value) <= 6 for value in typed.values()):
        raise Invalid("发货数量要填整数")
    return {sku: int(value) for sku, value in typed.items() if int(value)}


def not_ahead(instant: dt.datetime | None) -> dt.datetime:
    """Return the typed instant, or now. Raises Invalid for one to come."""
    if instant is not None and instant > now() + dt.timedelta(minutes=5):
        raise Invalid("时间不能晚于现在")
    return instant or now()
