"""Which orders are guarded, when each is looked at, and whom it concerns when that is too late."""

import datetime as dt
from collections.abc import Iterable

import structlog
from django.conf import settings
from django.db import transaction
from django.db.models import Q

from frozenshop.kernel import caching, clock, outbox
from frozenshop.kernel.http import ServiceError
from notifications.models import ShippingReport
from notifications.settlement import content, payments, special
from notifications.wechat import client
from notifications.wechat.errors import WechatError
from orders import alerting
from orders.models import AlertKind, Order, OrderStatus

logger = structlog.get_logger(__name__)

State = ShippingReport.State
UNTOLD = (State.WAITING, State.UPLOADING, State.UNKNOWN, State.REFUSED)
OVER = frozenset({OrderStatus.CANCELLED, OrderStatus.REFUNDED})
WECHATS_LIMIT = dt.timedelta(hours=48)
WARN_AFTER = dt.timedelta(hours=36)
"""Since payment: what is untold then is told to staff, while there still is half a day."""
OVERDUE = dt.timedelta(minutes=3)
BATCH = 500
ACCOUNT = "settlement:account"
ACCESS = "settlement:access"
_DAY_SECONDS = 86_400
_LAST_KNOWN_SECONDS = 30 * _DAY_SECONDS
_PATH = "/wxa/sec/order/is_trade_managed"


def is_managed() -> bool:
    """Say whether WeChat holds back this mini-program's money until shipping is told. Raises WechatError, ServiceError.

    Asked once a day: WeChat takes programs in without asking.
    """
    known = caching.get_many([_managed_key()]).get(_managed_key())
    return bool(known) if known is not None else ask_managed()


def ask_managed() -> bool:
    """Ask WeChat, and remember for a day. Raises WechatError, ServiceError."""
    managed = client.authorised(_PATH, {"appid": settings.WECHAT_APPID}).get("is_trade_managed") is True
    caching.put(_managed_key(), int(managed), _DAY_SECONDS)
    caching.put(_last_known(), int(managed), _LAST_KNOWN_SECONDS)
    return managed


def known_free() -> bool:
    """Say whether WeChat said, when it was asked last, that it holds back nothing of this mini-program. Asks nobody."""
    return caching.get_many([_last_known()]).get(_last_known()) == 0


def forget_managed() -> None:
    """Ask anew the next time."""
    caching.put(_managed_key(), None, 1)
    caching.put(_last_known(), None, 1)


def follow(order_id: int) -> None:
    """Bring the report of an order in line with the order: paid, shipped, withdrawn, refunded. Repeatable.

    Nothing is done for an order that wasn't paid by WeChat, or while the mini-program isn't set up.
    """
    if not client.enabled():
        return
    with transaction.atomic():
        order = Order.objects.select_for_update().filter(pk=order_id).first()
        payment = payments.of(order) if order else ""
        if order is None or not payment or order.status == OrderStatus.PLACED:
            return
        named = {"payment": payment, "combined": payments.combined(order)}
        report, _ = ShippingReport.objects.get_or_create(order=order, defaults=named)
        if (report.payment, report.combined) != tuple(named.values()):
            _rename(report, named)
        looks = content.next_looks(order)
        if looks or report.uploaded_at or order.status in OVER:
            _look(report, looks, at_once=bool(report.uploaded_at) or order.status in OVER)
    if order.delivered_at is not None:
        outbox.enqueue("notifications.remind_receipt", {"report_id": report.pk})


def wake(report_id: int, at: dt.datetime | None = None, *, key: str | None = None) -> None:
    """Let a worker look at a report, now or later."""
    outbox.enqueue("notifications.report_shipping", {"report_id": report_id}, key=key, due_at=at)


def wake_overdue() -> int:
    """Look at reports whose time has passed without anybody having looked; return how many."""
    now = clock.now()
    late = ShippingReport.objects.filter(state__in=State.values, due_at__lt=now - OVERDUE)
    ids = list(late.order_by("state", "due_at", "id").values_list("pk", flat=True)[:BATCH])
    with transaction.atomic():
        for report_id in ids:
            wake(report_id, key=f"report:{report_id}:late:{int(now.timestamp()) // 60}")
    return len(ids)


def warn() -> int:
    """Open an alert for what WeChat was not told within 36 hours of the payment; return how many were looked at."""
    if not _may_be_managed():
        return 0
    before = clock.now() - WARN_AFTER
    late = ShippingReport.objects.filter(settled_at=None, warned_at=None, order__paid_at__lt=before)
    late = late.filter(Q(state__in=UNTOLD) | Q(state=State.UPLOADED, complete=False)).exclude(order__status__in=OVER)
    late = late.exclude(special.waiting_as_told(clock.now() + WECHATS_LIMIT - WARN_AFTER))
    found = list(late.select_related("order").order_by("id")[:BATCH])
    for report in found:
        with transaction.atomic():
            alert(report.order, f"付款已超过 36 小时，{_standing(report)}；超过 48 小时微信会限制交易")
            ShippingReport.objects.filter(pk=report.pk).update(warned_at=clock.now())
    return len(found)


def alert(order: Order, detail: str) -> None:
    """Tell staff that an order's money is held back; one alert per order at a time."""
    alerting.open_alert(
        AlertKind.SETTLEMENT, subject=order.order_no, order=order, detail=detail, occurred_at=clock.now()
    )


def account_trouble(told: str) -> None:
    """Tell staff, once, that nothing can be told to WeChat."""
    logger.error("settlement.account", told=told)
    alerting.open_alert(AlertKind.SETTLEMENT, subject=ACCOUNT, detail=told)


def recover() -> None:
    """Close the alert of the account once something was told after it was opened."""
    for one in alerting.open_alerts(ACCOUNT, [AlertKind.SETTLEMENT]):
        if ShippingReport.objects.filter(state=State.UPLOADED, uploaded_at__gt=one.opened_at).exists():
            alerting.resolve_alerts(ACCOUNT, [AlertKind.SETTLEMENT], resolution="发货信息又能上报了")


def ask_back(report: ShippingReport) -> None:
    """Let what is in doubt be asked once more, for this payment alone, before it is told or believed."""
    rows = ShippingReport.objects.filter(payment=report.payment, state=report.state, uploaded_at=report.uploaded_at)
    with transaction.atomic():
        if rows.update(
            state=State.UNKNOWN,
            wanted=report.content or report.wanted,
            uploaded_at=report.uploaded_at or clock.now(),
            due_at=clock.now(),
        ):
            wake(report.pk)


def calm(orders: Iterable[Order], resolution: str) -> None:
    """Close the alerts of orders about which nobody need do anything any more."""
    for order in orders:
        alerting.resolve_alerts(order.order_no, [AlertKind.SETTLEMENT], resolution=resolution)


def _rename(report: ShippingReport, named: dict[str, str]) -> None:
    """Begin anew under the right payment, as long as WeChat took nothing under the wrong one."""
    anew = {"state": State.WAITING, "uploaded_at": None, "due_at": None, "attempts": 0, "code": "", "said": ""}
    untold = ShippingReport.objects.filter(pk=report.pk, content={}).exclude(state__in=(State.UPLOADING, State.UNKNOWN))
    if untold.update(**named, **anew):
        report.refresh_from_db()


def _look(report: ShippingReport, looks: list[dt.datetime], *, at_once: bool) -> None:
    """Wake for each waybill's time once; `at_once` also now, for what was withdrawn or refunded."""
    now = clock.now()
    if report.state in (State.WAITING, State.NOT_NEEDED) and report.due_at is None:
        due_at = now if at_once else min((at for at in looks if at > now), default=now)
        ShippingReport.objects.filter(pk=report.pk, due_at=None).update(due_at=due_at)
    for at in looks:
        wake(report.pk, max(at, now), key=f"report:{report.pk}:{at.timestamp():.6f}")
    if at_once:
        wake(report.pk)


def _may_be_managed() -> bool:
    try:
        return is_managed()
    except (WechatError, ServiceError):
        return True


def _managed_key() -> str:
    return f"wechat:{settings.WECHAT_APPID}:trade_managed"


def _last_known() -> str:
    return f"{_managed_key()}:last"


def _standing(report: ShippingReport) -> str:
    if report.state == State.UPLOADED:
        return "只上报了一部分包裹"
    if report.due_at is None and report.state == State.WAITING:
        return "还没有发货" if not report.code else report.said
    return f"发货信息{report.get_state_display()}" + (f"（{report.said}）" if report.said else "")
