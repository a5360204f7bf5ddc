"""WeChat's events about payments: it wants shipping told, it waits for one, money is released. Each may come again."""

from typing import Any

from notifications.models import ShippingReport, WechatEvent
from notifications.settlement import guard, known, payments
from notifications.settlement.known import instant
from orders import alerting
from orders.models import AlertKind

State = ShippingReport.State
_NOT_OURS = "不是本系统的支付单"


def access_wanted(fields: dict[str, Any], event: WechatEvent) -> str:
    """WeChat asks that shipping be told through its interface: whether we must is asked anew."""
    guard.forget_managed()
    alerting.open_alert(
        AlertKind.SETTLEMENT,
        subject=guard.ACCESS,
        detail="微信提醒接入发货信息管理：到“微信结算”确认发货信息正在上报，有未上报的请处理",
    )
    return "已提醒员工"


def shipping_wanted(fields: dict[str, Any], event: WechatEvent) -> str:
    """WeChat has waited for 48 hours. What we believe to have told is asked back."""
    found = list(payments.reports(fields).select_related("order"))
    for report in found:
        if report.state == State.UPLOADED and report.complete:
            guard.ask_back(report)
        else:
            guard.alert(report.order, "微信提醒：付款已超过 48 小时，还没有收到发货信息")
            if report.state != State.UPLOADED:
                guard.wake(report.pk)
    return "" if found else _NOT_OURS


def settlement(fields: dict[str, Any], event: WechatEvent) -> str:
    """Told at shipping, with when the money will come, and again when it came."""
    found = payments.reports(fields)
    settled_at, expected_at = instant(fields.get("settlement_time")), instant(fields.get("estimated_settlement_time"))
    if settled_at:
        for report in found.select_related("order"):
            guard.calm([report.order], "微信已结算")
        changed = found.update(settled_at=settled_at, wechat_state=known.SETTLED)
    else:
        changed = found.filter(settled_at=None).update(
            wechat_state=known.CONFIRMED if instant(fields.get("confirm_receive_time")) else known.SHIPPED,
            **({"settles_at": expected_at} if expected_at else {}),
        )
    for report in found.filter(state__in=guard.UNTOLD):
        guard.wake(report.pk)  # somebody else told it: what WeChat says to our upload will show
    return "" if changed or found.exists() else _NOT_OURS
