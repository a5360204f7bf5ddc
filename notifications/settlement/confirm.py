"""The one reminder to confirm receipt that WeChat sends for us, once the goods were delivered."""

import datetime as dt
from typing import Any

import structlog
from django.db.models import QuerySet

from frozenshop.kernel import clock
from frozenshop.kernel.http import ServiceError
from notifications.models import ShippingReport
from notifications.settlement import content, guard, payments
from notifications.settlement.errors import Does, code_of, verdict
from notifications.wechat import client
from notifications.wechat.errors import WechatError

logger = structlog.get_logger(__name__)

PATH = "/wxa/sec/order/notify_confirm_receive"
NOT_SHIPPED, BAD_TIME, USED, NOT_EXPRESS = 10060028, 10060029, 10060030, 10060032
_OVER = frozenset({USED, NOT_EXPRESS, NOT_SHIPPED, BAD_TIME})
"""Asking again can't help; the buyer's own confirmation, or WeChat's after ten days, comes anyway."""


def remind(report_id: int) -> None:
    """Let WeChat remind the buyer, once for each payment, after all of its orders were delivered.

    It is marked before the call: whatever becomes of the call, no buyer is reminded twice. Raises what says that
    nothing took effect, so that it is tried again.
    """
    report = ShippingReport.objects.filter(pk=report_id).first()
    if report is None or not _deserves(report):
        return
    rows = ShippingReport.objects.filter(payment=report.payment)
    now = clock.now()
    last = _delivered(rows)
    if last is None or not rows.filter(confirmed_at=None).update(confirmed_at=now):
        return
    received_at = max(last, report.uploaded_at or now)
    asked: dict[str, Any] = {**payments.asked(report.payment), "received_time": int(received_at.timestamp()) + 1}
    try:
        client.authorised(PATH, asked)
    except (WechatError, ServiceError) as error:
        logger.warning("settlement.reminder", payment=report.payment[-8:], code=code_of(error))
        if _nothing_happened(error):
            rows.filter(confirmed_at=now).update(confirmed_at=None)
            raise


def _deserves(report: ShippingReport) -> bool:
    told = report.state == ShippingReport.State.UPLOADED and report.complete
    express = report.content.get("logistics_type") == content.EXPRESS
    return told and express and report.confirmed_at is None and report.settled_at is None


def _delivered(rows: QuerySet[ShippingReport]) -> dt.datetime | None:
    """Return when the last order was delivered; None while one of those that go on isn't."""
    live = rows.exclude(order__status__in=guard.OVER).values_list("order__delivered_at", flat=True)
    found = [at for at in live if at is not None]
    return max(found) if found and len(found) == len(live) else None


def _nothing_happened(error: WechatError | ServiceError) -> bool:
    if isinstance(error, WechatError) and error.errcode in _OVER:
        return False
    return verdict(error).does in (Does.WAIT, Does.ACCOUNT)
