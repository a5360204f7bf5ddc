"""The money that WeChat holds back: how much, why, and since when."""

import datetime as dt
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from django.db.models import Count, Q, QuerySet, Sum

from frozenshop.kernel import clock
from notifications.models import ShippingReport
from notifications.settlement import claiming, content, guard, known

State = ShippingReport.State
SHOWN = 100
_SPECIAL = ShippingReport.SpecialState.TOLD


@dataclass(frozen=True, slots=True)
class Reason:
    """`name` is for machines. `act`: something is wrong that a person must mend."""

    name: str
    label: str
    act: bool = False


NOT_SHIPPED = Reason("not_shipped", "还没有发货")
TO_TELL = Reason("to_tell", "待上报")
TOGETHER = Reason("together", "合单支付，等其余订单发货")
IN_DOUBT = Reason("in_doubt", "结果未知，正在核实", act=True)
REFUSED = Reason("refused", "被微信拒绝", act=True)
NO_COMPANY = Reason(content.NO_COMPANY, "快递公司没有微信编码", act=True)
NO_CONTACT = Reason(content.NO_CONTACT, "收件人电话打不开", act=True)
CHANGED = Reason("changed", "运单有变化，等员工确认更正", act=True)
PRESALE = Reason("presale", "预售或测试，已向微信报备")
IN_PART = Reason("in_part", "只发了一部分")
COMPLAINT = Reason("complaint", "投诉中", act=True)
CONFIRMED = Reason("confirmed", "已确认收货，等微信结算")
TO_CONFIRM = Reason("to_confirm", "等买家确认收货")
REASONS = (
    REFUSED,
    NO_COMPANY,
    NO_CONTACT,
    CHANGED,
    COMPLAINT,
    IN_DOUBT,
    TO_TELL,
    TOGETHER,
    NOT_SHIPPED,
    PRESALE,
    IN_PART,
    TO_CONFIRM,
    CONFIRMED,
)
TO_MEND = (NO_COMPANY, NO_CONTACT)
_BY_CODE = {one.name: one for one in TO_MEND}


@dataclass(frozen=True, slots=True)
class Held:
    """Of one reason: how many orders, and how much money of those whose total is known."""

    reason: Reason
    orders: int
    fen: int


def held(hours: int = 0) -> QuerySet[ShippingReport]:
    """Return the reports of orders whose money is held back, of those paid more than so many hours ago.

    None once WeChat has said that it doesn't manage this mini-program's trade.
    """
    if guard.known_free():
        return ShippingReport.objects.none()
    rows = ShippingReport.objects.filter(settled_at=None).exclude(state=State.NOT_NEEDED)
    rows = rows.exclude(order__status__in=guard.OVER).exclude(wechat_state=known.REFUNDED)
    return rows.filter(order__paid_at__lt=clock.now() - dt.timedelta(hours=hours)) if hours else rows


def untold(hours: int = 0) -> QuerySet[ShippingReport]:
    """Return the reports of which WeChat doesn't have everything."""
    return held(hours).filter(Q(state__in=guard.UNTOLD) | Q(complete=False))


Reports = Callable[[int], QuerySet[ShippingReport]]
"""Of orders paid more than so many hours ago."""


def reason_of(
    state: str, code: str, due: bool, told: tuple[bool, int | None, bool], *, special: bool = False
) -> Reason:
    """Return why money is held back. `told`: all was told, WeChat's own state, a complaint is open."""
    complete, wechat_state, in_complaint = told
    if in_complaint:
        return COMPLAINT
    if state == State.UPLOADED:
        if code == claiming.CHANGED:
            return CHANGED
        done = wechat_state in (known.CONFIRMED, known.SETTLING)
        return CONFIRMED if done else TO_CONFIRM if complete else IN_PART
    if code in _BY_CODE:
        return _BY_CODE[code]
    if state == State.REFUSED:
        return REFUSED
    if state == State.UNKNOWN:
        return IN_DOUBT
    if code == claiming.TOGETHER:
        return TOGETHER
    if due or state == State.UPLOADING:
        return TO_TELL
    return PRESALE if special else NOT_SHIPPED


def reason_for(report: ShippingReport) -> Reason:
    """Return why one order's money is held back."""
    told = (report.complete, report.wechat_state, report.in_complaint)
    special = report.special_state == _SPECIAL
    return reason_of(report.state, report.code, report.due_at is not None, told, special=special)


_GROUPED = ("state", "code", "due", "complete", "wechat_state", "in_complaint", "late")


def grouped(rows: QuerySet[ShippingReport], *more: str, **sums: Any) -> Iterator[tuple[Reason, dict[str, Any]]]:
    """Yield sums over the reports by what their reason follows from (and `more`), counted by the database in one go."""
    rows = rows.annotate(due=Q(due_at__isnull=False), late=Q(special_state=_SPECIAL))
    for row in rows.values(*_GROUPED, *more).annotate(**sums).order_by():
        told = (row["complete"], row["wechat_state"], row["in_complaint"])
        yield reason_of(row["state"], row["code"], bool(row["due"]), told, special=bool(row["late"])), row


def by_reason(hours: int = 0, among: Reports = held) -> list[Held]:
    """Return the money held back by reason, what needs a person first."""
    sums: dict[Reason, list[int]] = defaultdict(lambda: [0, 0])
    for reason, row in grouped(among(hours), orders=Count("pk"), fen=Sum("order__total_fen")):
        one = sums[reason]
        one[0], one[1] = one[0] + row["orders"], one[1] + (row["fen"] or 0)
    return [Held(reason, *sums[reason]) for reason in REASONS if reason in sums]


def oldest(hours: int, among: Reports = held) -> list[ShippingReport]:
    """Return the reports that have waited longest."""
    return list(among(hours).select_related("order").order_by("order__paid_at", "id")[:SHOWN])
