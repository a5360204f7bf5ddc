"""The money that WeChat holds back: how much, why, and since when."""

import datetime as dt
from collections import defaultdict
from dataclasses import dataclass

from django.db.models import Count, Q, QuerySet, Sum

from frozenshop.kernel import clock
from notifications.models import ShippingReport
from notifications.settlement import claiming, guard, known

State = ShippingReport.State
SHOWN = 100


@dataclass(frozen=True, slots=True)
class Reason:
    """`act`: something is wrong that a person must mend."""

    label: str
    act: bool = False


NOT_SHIPPED = Reason("还没有发货")
TO_TELL = Reason("待上报")
IN_DOUBT = Reason("结果未知，正在核实", act=True)
REFUSED = Reason("被微信拒绝", act=True)
NO_COMPANY = Reason("快递公司没有微信编码", act=True)
CHANGED = Reason("运单有变化，等员工确认更正", act=True)
IN_PART = Reason("只发了一部分")
COMPLAINT = Reason("投诉中", act=True)
CONFIRMED = Reason("已确认收货，等微信结算")
TO_CONFIRM = Reason("等买家确认收货")
REASONS = (REFUSED, NO_COMPANY, CHANGED, COMPLAINT, IN_DOUBT, TO_TELL, NOT_SHIPPED, IN_PART, TO_CONFIRM, CONFIRMED)


@dataclass(frozen=True, slots=True)
class Held:
    """Of one reason: how many orders, and how much money of those whose total is known."""

    reason: Reason
    orders: int
    fen: int


def held(hours: int = 0) -> QuerySet[ShippingReport]:
    """Return the reports of orders whose money is held back, of those paid more than so many hours ago."""
    rows = ShippingReport.objects.filter(settled_at=None).exclude(state=State.NOT_NEEDED)
    rows = rows.exclude(order__status__in=guard.OVER).exclude(wechat_state=known.REFUNDED)
    return rows.filter(order__paid_at__lt=clock.now() - dt.timedelta(hours=hours)) if hours else rows


def untold() -> QuerySet[ShippingReport]:
    """Return the reports of which WeChat doesn't have everything."""
    return held().filter(Q(state__in=guard.UNTOLD) | Q(complete=False))


def reason_of(state: str, code: str, due: bool, told: tuple[bool, int | None, bool]) -> Reason:
    """Return why money is held back. `told`: all was told, WeChat's own state, a complaint is open."""
    complete, wechat_state, in_complaint = told
    if in_complaint:
        return COMPLAINT
    if state == State.UPLOADED:
        if code == claiming.CHANGED:
            return CHANGED
        done = wechat_state in (known.CONFIRMED, known.SETTLING)
        return CONFIRMED if done else TO_CONFIRM if complete else IN_PART
    if code == claiming.NO_COMPANY:
        return NO_COMPANY
    if state == State.REFUSED:
        return REFUSED
    if state == State.UNKNOWN:
        return IN_DOUBT
    return TO_TELL if due or state == State.UPLOADING else NOT_SHIPPED


def reason_for(report: ShippingReport) -> Reason:
    """Return why one order's money is held back."""
    told = (report.complete, report.wechat_state, report.in_complaint)
    return reason_of(report.state, report.code, report.due_at is not None, told)


def by_reason(hours: int = 0) -> list[Held]:
    """Return the money held back by reason, what needs a person first; counted by the database in one go."""
    rows = held(hours).annotate(due=Q(due_at__isnull=False))
    rows_by = rows.values_list("state", "code", "due", "complete", "wechat_state", "in_complaint")
    sums: dict[Reason, list[int]] = defaultdict(lambda: [0, 0])
    counted = rows_by.annotate(orders=Count("pk"), fen=Sum("order__total_fen")).order_by()
    for state, code, due, complete, wechat_state, in_complaint, orders, fen in counted:
        one = sums[reason_of(state, code, bool(due), (complete, wechat_state, in_complaint))]
        one[0], one[1] = one[0] + orders, one[1] + (fen or 0)
    return [Held(reason, *sums[reason]) for reason in REASONS if reason in sums]


def oldest(hours: int) -> list[ShippingReport]:
    """Return the reports that have waited longest."""
    return list(held(hours).select_related("order").order_by("order__paid_at", "id")[:SHOWN])
