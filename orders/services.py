"""Taking in orders, and what happened to them, from the shop, from a file or by hand."""

import dataclasses
from dataclasses import dataclass
from typing import Any, Literal

from django.db import transaction

from frozenshop.kernel import clock
from frozenshop.kernel.actor import Actor
from frozenshop.kernel.errors import Invalid, NotPossible
from orders import access, alerting, consignee, lifecycle
from orders.contention import retried
from orders.facts import Applied, Fact, FactType, record_fact, review_payment
from orders.intake import LineInput, OrderInput
from orders.models import AlertKind, Customer, Order, OrderLine, OrderStatus, Product, ProductCategory, TemperatureClass
from orders.versions import bump

__all__ = ["Applied", "Fact", "FactType", "Taken", "bump", "record_fact", "take_order"]

Result = Literal["created", "updated", "unchanged", "stale"]

LABELS = {
    "placed_at": "下单时间",
    "customer": "买家",
    "transaction_id": "微信支付单号",
    "mchid": "商户号",
    "out_trade_no": "商户订单号",
    "combine_mchid": "合单商户号",
    "combine_out_trade_no": "合单商户订单号",
    "total_fen": "总金额",
    "freight_fen": "运费",
    "discount_fen": "优惠",
    "consignee": "收件人",
    "lines": "明细",
    "promised_by": "承诺时效",
    "note": "备注",
}
PRICING = frozenset({"total_fen", "freight_fen", "discount_fen", "lines"})
ALWAYS_CHANGEABLE = frozenset({"promised_by", "note"})


@dataclass(frozen=True, slots=True)
class Taken:
    """`result` in the words of the merchant API; `paid` if this is what made the order paid."""

    result: Result
    order: Order
    paid: bool = False


class ChangedTooLate(NotPossible):
    """What was to change has been shipped, cancelled, refunded or returned; `fields` names it."""

    message = "订单已发货或已结束，只能修改备注和承诺时效"


def take_order(data: OrderInput, actor: Actor) -> Taken:
    """Make the order or bring it up to date, all or nothing; sending the same again changes nothing.

    Raises NotPossible for a change that comes too late (staff get an alert), Invalid for instants that can't be.
    """
    try:
        return _take_order(data, actor)
    except ChangedTooLate as problem:
        # After the rollback, so that the alert stays: somebody may have to call the carrier about the new address.
        order = Order.objects.get(order_no=data.order_no)
        fields = "、".join(LABELS[name] for name in problem.fields)
        alerting.open_alert(
            AlertKind.ORDER_CHANGED_AFTER_SHIPPING, subject=order.order_no, order=order, detail=f"要求修改：{fields}"
        )
        raise


@retried
def _take_order(data: OrderInput, actor: Actor) -> Taken:
    with transaction.atomic():
        order = Order.objects.select_for_update().filter(order_no=data.order_no).first()
        if order is None:
            order = _create(data, actor)
            return Taken("created", order, paid=_take_payment(order, data, actor))
        if data.updated_at and order.source_updated_at and data.updated_at < order.source_updated_at:
            return Taken("stale", order)
        changed = _update(order, data, actor)
        paid = _take_payment(order, data, actor)
        return Taken("updated" if changed or paid else "unchanged", order, paid=paid)


def _create(data: OrderInput, actor: Actor) -> Order:
    now = clock.now()
    order = Order(order_no=data.order_no, source_updated_at=data.updated_at, recorded_at=now, updated_at=now)
    for name, value in _columns(data).items():
        setattr(order, name, value)
    _seal(order, data)
    order.lines_summary = summarise(data.lines)
    order.save(force_insert=True)
    OrderLine.objects.bulk_create(_order_lines(order, data.lines))
    access.grant(order)
    lifecycle.begin(order, actor)
    return order


def _update(order: Order, data: OrderInput, actor: Actor) -> bool:
    changed = {name: value for name, value in _columns(data).items() if getattr(order, name) != value}
    known = order.open_consignee() if order.consignee_sealed else None  # erased: whatever is sent is another one
    lines = _order_lines(order, data.lines)
    names = set(changed)
    if data.consignee != known:
        names.add("consignee")
    if not _same_lines(order, lines):
        names.add("lines")
    _refuse_if_too_late(order, names)
    if {"consignee", "placed_at"} & names:
        _seal(order, data)
    if "lines" in names:
        order.lines.all().delete()
        OrderLine.objects.bulk_create(lines)
        order.lines_summary = summarise(data.lines)
    for name, value in changed.items():
        setattr(order, name, value)
    newer = data.updated_at is not None and data.updated_at != order.source_updated_at
    if newer:
        order.source_updated_at = data.updated_at
    if names or newer:
        order.save(update_fields=[*_SAVED])
    if {"consignee", "placed_at", "customer"} & names:
        access.grant(order)
    if names:
        reason = "修改：" + "、".join(label for name, label in LABELS.items() if name in names)
        lifecycle.record_still(
            order, kind="updated", occurred_at=data.updated_at or clock.now(), actor=actor, reason=reason
        )
    if PRICING & names:
        review_payment(order)
    return bool(names)


_COLUMNS = (
    "placed_at", "transaction_id", "mchid", "out_trade_no", "combine_mchid", "combine_out_trade_no", "total_fen",
    "freight_fen", "discount_fen", "promised_by", "note",
)  # fmt: skip
_SAVED = (
    *_COLUMNS, "customer", "consignee_sealed", "phone_index", "name_index", "tail_index", "province", "city",
    "district", "lines_summary", "source_updated_at",
)  # fmt: skip


def _columns(data: OrderInput) -> dict[str, Any]:
    """Return what was said about the order's own columns."""
    said = {name: getattr(data, name) for name in _COLUMNS if getattr(data, name) is not None}
    if data.buyer_openid is not None:
        said["customer"] = Customer.objects.get_or_create(openid=data.buyer_openid)[0]
    return said


def _seal(order: Order, data: OrderInput) -> None:
    order.consignee_sealed = data.consignee.seal(data.order_no)
    for name, value in dataclasses.asdict(consignee.indexes(data.consignee, data.placed_at)).items():
        setattr(order, name, value)
    order.province, order.city = data.consignee.province, data.consignee.city
    order.district = data.consignee.district


def _refuse_if_too_late(order: Order, names: set[str]) -> None:
    open_to_change = order.status in {OrderStatus.PLACED, OrderStatus.PAID} and order.shipped_at is None
    too_late = names - ALWAYS_CHANGEABLE
    if too_late and not open_to_change:
        raise ChangedTooLate(fields={name: "订单已发货或已结束，不能修改" for name in LABELS if name in too_late})


def _take_payment(order: Order, data: OrderInput, actor: Actor) -> bool:
    if data.paid_at is None or order.paid_at is not None:
        return False
    fact = Fact(FactType.PAID, data.paid_at, reference="order.paid_at")
    try:
        return record_fact(order, fact, actor).applied
    except Invalid as problem:
        raise Invalid(fields={"paid_at": problem.fields["occurred_at"]}) from problem


def _order_lines(order: Order, lines: tuple[LineInput, ...]) -> list[OrderLine]:
    products = Product.objects.filter(sku__in={line.sku for line in lines})
    categories = ProductCategory.objects.filter(code__in={line.category for line in lines} - {""})
    by_sku = dict(products.values_list("sku", "temperature_class"))
    by_category = dict(categories.values_list("code", "temperature_class"))
    return [
        OrderLine(
            order=order,
            position=position,
            sku=line.sku,
            name=line.name,
            quantity=line.quantity,
            unit_price_fen=line.unit_price_fen,
            category=line.category,
            temperature_class=line.temperature_class
            or by_sku.get(line.sku)
            or by_category.get(line.category)
            or TemperatureClass.FROZEN,
        )
        for position, line in enumerate(lines, start=1)
    ]


_LINE_COLUMNS = ("position", "sku", "name", "quantity", "unit_price_fen", "category", "temperature_class")


def _same_lines(order: Order, lines: list[OrderLine]) -> bool:
    known = list(order.lines.order_by("position").values_list(*_LINE_COLUMNS))
    return known == [tuple(getattr(line, name) for name in _LINE_COLUMNS) for line in lines]


def summarise(lines: tuple[LineInput, ...]) -> str:
    """Return what a list shows of the lines: 虾仁×2、鳕鱼×1 等 5 种."""
    shown = "、".join(f"{line.name}×{line.quantity}" for line in lines[:2])
    more = f" 等 {len(lines)} 种" if len(lines) > 2 else ""
    return shown[: 200 - len(more)] + more
