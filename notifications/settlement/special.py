"""Orders that aren't shipped in the usual time (特殊发货报备): a person tells WeChat of a presale or a test, once.

Source: WeChat's page of opspecialorder, read 2026-11: before shipping only; what takes longer than 15 days must be told
as a presale, with a day 15 to 330 days after the payment, of which WeChat tells the buyer; a test need not be shipped.
It says neither whether a payment may be told again nor how to ask what was told. So it is marked before the call, an
answer that gets lost stays unknown, and only a person tries again.
"""

import datetime as dt
from dataclasses import dataclass
from typing import Any

import structlog
from django.contrib.auth.models import AbstractBaseUser
from django.db import transaction
from django.db.models import Q

from frozenshop.kernel import audit, clock, outbox
from frozenshop.kernel.actor import staff
from frozenshop.kernel.errors import NotPossible
from frozenshop.kernel.http import ServiceError
from notifications.models import ShippingReport
from notifications.settlement.errors import Does, code_of, said_of, verdict
from notifications.wechat import client
from notifications.wechat.errors import WechatError
from orders.models import OrderStatus

logger = structlog.get_logger(__name__)

PATH = "/wxa/sec/order/opspecialorder"
LEAST, MOST = dt.timedelta(days=15), dt.timedelta(days=330)
Kind, State = ShippingReport.Special, ShippingReport.SpecialState
TYPES = {Kind.PRESALE: 1, Kind.TEST: 2}
REFUSALS = {
    268546000: "报备类型有误：程序有误，请把错误码告诉维护人员",
    268546001: "预计发货时间不在付款后 15 至 330 天之间",
    268546002: "微信没有这笔待发货的支付：核对支付单号，或已经发货",
}
_SHIP_AT = dt.time(18, 0)
_UNKNOWN = "没有收到微信的答复：到微信公众平台“发货管理”核对后再决定是否重报"


@dataclass(frozen=True, slots=True)
class Plan:
    """What WeChat would be told, to be agreed to."""

    kind: ShippingReport.Special
    delay_to: dt.datetime | None

    @property
    def lines(self) -> list[str]:
        if self.delay_to is None:
            return ["测试订单：不用发货；钱要退回，请在微信支付商户平台退款"]
        return [f"预售商品，预计 {clock.shanghai(self.delay_to):%Y-%m-%d} 前发货", "微信会把预计发货时间通知买家"]


def may_tell(report: ShippingReport) -> bool:
    """Say whether this payment may be told as special: unshipped, and not told so before."""
    open_ = report.special_state in ("", State.REFUSED, State.UNKNOWN)
    untold = report.uploaded_at is None and report.state == ShippingReport.State.WAITING
    return open_ and untold and report.order.status == OrderStatus.PAID and report.order.paid_at is not None


def days(report: ShippingReport) -> tuple[dt.date, dt.date]:
    """Return the first and the last day that WeChat takes for a presale."""
    assert report.order.paid_at is not None
    first, last = report.order.paid_at + LEAST, report.order.paid_at + MOST
    return clock.shanghai(first).date() + dt.timedelta(days=1), clock.shanghai(last).date() - dt.timedelta(days=1)


def plan(report: ShippingReport, kind: str, day: str) -> Plan:
    """Read what a person chose. Raises NotPossible with the way out."""
    if not may_tell(report):
        raise NotPossible("只有已付款、还没有发货也没有报备过的订单可以报备")
    if kind == Kind.TEST:
        return Plan(Kind.TEST, None)
    first, last = days(report)
    try:
        chosen = dt.date.fromisoformat(day)
    except ValueError:
        chosen = dt.date.min
    if kind != Kind.PRESALE or not first <= chosen <= last:
        raise NotPossible(f"预售的预计发货日期应在 {first} 至 {last} 之间（微信规定付款后 15 至 330 天）")
    return Plan(Kind.PRESALE, dt.datetime.combine(chosen, _SHIP_AT, clock.SHANGHAI))


def ask(report: ShippingReport, user: AbstractBaseUser, agreed: Plan) -> None:
    """Queue what was agreed to. Raises NotPossible where somebody was faster, or it was shipped meanwhile."""
    rows = ShippingReport.objects.filter(payment=report.payment, uploaded_at=None)
    with transaction.atomic():
        if not rows.filter(special_state__in=("", State.REFUSED, State.UNKNOWN)).update(
            special=agreed.kind, special_state=State.ASKED, special_said="", delay_to=agreed.delay_to
        ):
            raise NotPossible("这笔支付已经发货，或正在报备")
        details = {"payment": report.payment[-8:], "kind": agreed.kind.value}
        if agreed.delay_to:
            details["delay_to"] = agreed.delay_to.isoformat()
        audit.record(staff(user.pk), "settlement.special", report.order.order_no, details=details)
        outbox.enqueue("notifications.report_special", {"report_id": report.pk})


def tell(report_id: int) -> None:
    """Tell WeChat what was asked for. What was begun and has no answer is never repeated.

    Raises what says that nothing took effect, so that it is tried again.
    """
    report = ShippingReport.objects.filter(pk=report_id).first()
    if report is None:
        return
    rows = ShippingReport.objects.filter(payment=report.payment)
    begun = rows.filter(special_state=State.SENDING)
    if not rows.filter(special_state=State.ASKED).update(special_state=State.SENDING):
        begun.update(special_state=State.UNKNOWN, special_said=_UNKNOWN)
        return
    try:
        client.authorised(PATH, _request(report))
    except (WechatError, ServiceError) as error:
        logger.warning("settlement.special", payment=report.payment[-8:], code=code_of(error))
        state, said = _after(error)
        begun.update(special_state=state, special_said=said[:300])
        if state is State.ASKED:
            raise
    else:
        begun.update(special_state=State.TOLD, special_said="")


def waiting_as_told(at: dt.datetime) -> Q:
    """What WeChat was told of and isn't late before then."""
    return Q(special_state=State.TOLD) & (Q(special=Kind.TEST) | Q(delay_to__gt=at))


def _after(error: WechatError | ServiceError) -> tuple[ShippingReport.SpecialState, str]:
    """Return what became of it, with the reason for staff."""
    does = verdict(error).does
    if does in (Does.WAIT, Does.ACCOUNT):
        return State.ASKED, said_of(error)
    if isinstance(error, ServiceError) or does is Does.ASK:
        return State.UNKNOWN, _UNKNOWN
    return State.REFUSED, REFUSALS.get(error.errcode, said_of(error))


def _request(report: ShippingReport) -> dict[str, Any]:
    """WeChat's own number or the merchant's, without saying which."""
    asked: dict[str, Any] = {
        "order_id": report.payment.rpartition("/")[2],
        "type": TYPES[Kind(report.special)],
    }
    return asked | ({"delay_to": int(report.delay_to.timestamp())} if report.delay_to else {})
