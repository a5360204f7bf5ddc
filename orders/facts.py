"""What the shop tells of an order's money and goods: each fact moves the order or is recorded where it stands."""

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from types import MappingProxyType

from django.db import models, transaction
from django.db.models import Sum

from frozenshop.kernel import clock
from frozenshop.kernel.actor import Actor
from frozenshop.kernel.errors import Invalid
from orders import alerting, lifecycle
from orders.models import AlertKind, Order, OrderEvent, OrderStatus
from orders.reading import FEN_RULE, MAX_FEN, unprintable


class FactType(models.TextChoices):
    PAID = "paid", "付款"
    CANCELLED = "cancelled", "取消"
    REFUNDED = "refunded", "退款"
    RETURNED = "returned", "退货"


@dataclass(frozen=True, slots=True)
class Fact:
    """`reference` names the fact in the shop's books: the same one counts once per type."""

    type: FactType
    occurred_at: dt.datetime
    reference: str
    amount_fen: int | None = None


@dataclass(frozen=True, slots=True)
class Applied:
    """Whether the fact moved the order; if not, `reason` says why in a stable code."""

    applied: bool
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Still:
    """Why a fact leaves the order where it stands, and the alert that it opens."""

    reason: str
    alert: AlertKind | None = None


_T, _S, _A = FactType, OrderStatus, AlertKind

# The facts that don't move an order. Every other pair of type and status is an arrow of lifecycle.TRANSITIONS.
STILL: Mapping[tuple[FactType, OrderStatus], Still] = MappingProxyType(
    {
        (_T.PAID, _S.PAID): Still("already_paid"),
        (_T.PAID, _S.SHIPPED): Still("already_paid"),
        (_T.PAID, _S.IN_TRANSIT): Still("already_paid"),
        (_T.PAID, _S.DELIVERED): Still("already_paid"),
        (_T.PAID, _S.RETURNED): Still("already_paid"),
        (_T.PAID, _S.CANCELLED): Still("already_cancelled", _A.PAID_AFTER_CANCELLED),
        (_T.PAID, _S.REFUNDED): Still("already_refunded", _A.MONEY_CONFLICT),
        (_T.CANCELLED, _S.SHIPPED): Still("already_shipped", _A.MONEY_CONFLICT),
        (_T.CANCELLED, _S.IN_TRANSIT): Still("already_shipped", _A.MONEY_CONFLICT),
        (_T.CANCELLED, _S.DELIVERED): Still("already_shipped", _A.MONEY_CONFLICT),
        (_T.CANCELLED, _S.RETURNED): Still("already_returned"),
        (_T.CANCELLED, _S.CANCELLED): Still("already_cancelled"),
        (_T.CANCELLED, _S.REFUNDED): Still("already_refunded"),
        (_T.REFUNDED, _S.PLACED): Still("not_paid", _A.MONEY_CONFLICT),
        (_T.REFUNDED, _S.CANCELLED): Still("already_cancelled"),
        (_T.REFUNDED, _S.REFUNDED): Still("already_refunded", _A.MONEY_CONFLICT),
        (_T.RETURNED, _S.PLACED): Still("not_shipped", _A.MONEY_CONFLICT),
        # The table's arrow is for a carrier's news; the shop's word without a shipment contradicts our books.
        (_T.RETURNED, _S.PAID): Still("not_shipped", _A.MONEY_CONFLICT),
        (_T.RETURNED, _S.CANCELLED): Still("already_cancelled"),
        (_T.RETURNED, _S.REFUNDED): Still("already_refunded"),
        (_T.RETURNED, _S.RETURNED): Still("already_returned"),
    }
)

# What a fact puts right, whether it moves the order or not.
SETTLES: Mapping[FactType, tuple[AlertKind, ...]] = MappingProxyType(
    {
        _T.PAID: (_A.SHIPPED_UNPAID,),
        _T.CANCELLED: (_A.NOT_SHIPPED,),
        _T.REFUNDED: (_A.NOT_SHIPPED, _A.REFUND_PARTIAL, _A.PAID_AFTER_CANCELLED),
        _T.RETURNED: (_A.SHIPPED_AFTER_CANCELLED,),
    }
)

AHEAD = dt.timedelta(hours=1)
BEFORE_PLACED = dt.timedelta(days=1)


def record_fact(order: Order, fact: Fact, actor: Actor) -> Applied:
    """Move the order by a fact, or record it where the order stands, with an alert where money or goods conflict.

    Raises Invalid for an instant, reference or amount that can't be.
    """
    _check(order, fact)
    with transaction.atomic():
        locked = Order.objects.select_for_update().get(pk=order.pk)
        applied = _record(locked, fact, actor)
    order.refresh_from_db()
    return applied


def _record(order: Order, fact: Fact, actor: Actor) -> Applied:
    reference = f"{fact.type.value}:{fact.reference}"
    if lifecycle.recorded(order, reference):
        return Applied(False, "repeated")
    still = _still(order, fact)
    conflict = _conflict(order, fact)
    record = lifecycle.record_still if still else partial(lifecycle.move, to=OrderStatus(fact.type.value))
    record(
        order,
        kind=fact.type.value,
        occurred_at=fact.occurred_at,
        actor=actor,
        reason=still.reason if still else "",
        reference=reference,
        amount_fen=fact.amount_fen,
    )
    _alert(order, fact, still, conflict)
    return Applied(still is None, still.reason if still else None)


def _still(order: Order, fact: Fact) -> Still | None:
    still = STILL.get((fact.type, OrderStatus(order.status)))
    if still is not None:
        return still
    if fact.type == _T.CANCELLED and order.shipped_at is not None:
        return Still("already_shipped", _A.MONEY_CONFLICT)  # shipped while unpaid: the goods are gone
    if fact.type == _T.REFUNDED and refunded_fen(order, fact) < expected_fen(order):
        return Still("refund_partial", _A.REFUND_PARTIAL)
    return None


def _conflict(order: Order, fact: Fact) -> str:
    """Return what is wrong with the sums, apart from the order's status."""
    total = expected_fen(order)
    if fact.type == _T.PAID:
        if _facts(order, _T.PAID).exclude(reference=None).exclude(reference="paid:order.paid_at").exists():
            return "同一订单收到两笔付款"
        if fact.amount_fen is not None and fact.amount_fen != total:
            return f"付款 {yuan(fact.amount_fen)} 元，订单金额 {yuan(total)} 元"
    refunded = refunded_fen(order, fact) if fact.type == _T.REFUNDED else 0
    if refunded > total:
        return f"累计退款 {yuan(refunded)} 元，超过订单金额 {yuan(total)} 元"
    return ""


def _alert(order: Order, fact: Fact, still: Still | None, conflict: str) -> None:
    if fact.type != _T.REFUNDED or refunded_fen(order) >= expected_fen(order):
        alerting.resolve_alerts(order.order_no, SETTLES[fact.type], resolution=f"收到{fact.type.label}")
    if still is not None and still.alert is not None:
        detail = f"{OrderStatus(order.status).label}的订单收到{fact.type.label}"
        _open(still.alert, order, detail, fact)
    if conflict:
        _open(_A.MONEY_CONFLICT, order, conflict, fact)


def _open(kind: AlertKind, order: Order, detail: str, fact: Fact) -> None:
    alerting.open_alert(kind, subject=order.order_no, order=order, detail=detail, occurred_at=fact.occurred_at)


def implausible(occurred_at: dt.datetime, placed_at: dt.datetime) -> str:
    """Return why something can't have happened to an order then: a sentence's end, empty where it can."""
    if occurred_at > clock.now() + AHEAD:
        return "晚于现在一小时以上"
    return "早于下单时间一天以上" if occurred_at < placed_at - BEFORE_PLACED else ""


def review_payment(order: Order) -> None:
    """Open an alert where an order that changed no longer costs what was paid for it."""
    total = expected_fen(order)
    paid = _facts(order, _T.PAID).aggregate(sum=Sum("amount_fen"))["sum"]
    if paid is not None and paid != total:
        detail = f"付款 {yuan(paid)} 元，修改后订单金额 {yuan(total)} 元"
        alerting.open_alert(_A.MONEY_CONFLICT, subject=order.order_no, order=order, detail=detail)


def expected_fen(order: Order) -> int:
    """Return the order's total, or what its lines, freight and discount add up to where no total was given."""
    if order.total_fen is not None:
        return order.total_fen
    # Added up here: the sum of the largest lines that are taken in is too large for a database's integers.
    lines = sum(quantity * price for quantity, price in order.lines.values_list("quantity", "unit_price_fen"))
    return max(0, lines + (order.freight_fen or 0) - (order.discount_fen or 0))


def yuan(fen: int) -> str:
    """Return fen as yuan with two places."""
    return f"{fen // 100}.{fen % 100:02}"


def refunded_fen(order: Order, *more: Fact) -> int:
    """Return the sum of the recorded refunds, and of `more`; one without an amount is of all that was left.

    After the whole was refunded, another one without an amount is of the whole again.
    """
    told = _facts(order, _T.REFUNDED).order_by("id").values_list("amount_fen", flat=True)
    total, refunded = expected_fen(order), 0
    for amount in (*told, *(fact.amount_fen for fact in more)):
        rest = total - refunded if refunded < total else total
        refunded += rest if amount is None else amount
    return refunded


def _facts(order: Order, fact_type: FactType) -> "models.QuerySet[OrderEvent]":
    return OrderEvent.objects.filter(order=order, kind=fact_type.value)


def _check(order: Order, fact: Fact) -> None:
    errors: dict[str, str] = {}
    if why := implausible(fact.occurred_at, order.placed_at):
        errors["occurred_at"] = f"发生时间{why}"
    if not 1 <= len(fact.reference) <= 100 or unprintable(fact.reference):
        errors["reference"] = "应为 1–100 个字，不含控制字符"
    if fact.amount_fen is not None and not 0 <= fact.amount_fen <= MAX_FEN:
        errors["amount_fen"] = FEN_RULE
    if errors:
        raise Invalid(fields=errors)
