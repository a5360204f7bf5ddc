"""Once a day: what WeChat has, payment by payment, beside what we believe; what differs is put right."""

import datetime as dt
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import structlog

from frozenshop.kernel import clock, outbox
from notifications.models import ShippingReport
from notifications.settlement import guard, known, payments
from notifications.settlement.known import Known, Unreadable
from notifications.wechat import client
from orders import alerting
from orders.models import AlertKind, Order

logger = structlog.get_logger(__name__)

State = ShippingReport.State
PATH = "/wxa/sec/order/get_order_list"
LOOK_BACK = dt.timedelta(days=20)
"""Express is settled ten days after shipping at the latest, shipping takes some days itself."""
PAGE, PAGES = 100, 10
STRANGERS = "settlement:strangers"
JUST_NOW = dt.timedelta(hours=1)


def begin(now: dt.datetime) -> None:
    """Queue the walk through the payments of the last weeks."""
    _walk(begin=int((now - LOOK_BACK).timestamp()), end=int(now.timestamp()))


def walk(effect: outbox.Effect, begin: int, end: int, last_index: str = "", strangers: int = 0) -> None:
    """Compare some pages, then queue the rest. Raises WechatError, ServiceError, to go on later from the same page."""
    found: Counter[str] = Counter(strangers=strangers)
    for _ in range(PAGES):
        asked: dict[str, Any] = {"pay_time_range": {"begin_time": begin, "end_time": end}, "page_size": PAGE}
        if last_index:
            asked["last_index"] = last_index
        answer = client.authorised(PATH, asked, timeout=10)
        found.update(compare([one for one in answer.get("order_list") or () if isinstance(one, dict)]))
        former, last_index = last_index, str(answer.get("last_index") or "")
        more = answer.get("has_more") is True and last_index not in ("", former)
        if not more:
            break
    logger.info("settlement.reconciled", **found)
    with effect:
        if more:
            _walk(begin=begin, end=end, last_index=last_index, strangers=found["strangers"])
        else:
            _report_strangers(found["strangers"])


def compare(listed: Sequence[Mapping[str, Any]]) -> Counter[str]:
    """Bring our reports in line with what WeChat lists; count what was found, by what it was."""
    names = {name for one in listed for name in payments.names(one)}
    _adopt(listed, set(ShippingReport.objects.filter(payment__in=names).values_list("payment", flat=True)))
    reports: dict[str, list[ShippingReport]] = {}
    for report in ShippingReport.objects.filter(payment__in=names).select_related("order"):
        reports.setdefault(report.payment, []).append(report)
    found: Counter[str] = Counter()
    for one in listed:
        ours = [report for name in payments.names(one) for report in reports.get(name, ())]
        try:
            found.update(_compare(known.read(one), ours))
        except Unreadable:
            found["unreadable"] += 1
    return found


def _adopt(listed: Sequence[Mapping[str, Any]], known_names: Collection[str]) -> None:
    """Guard orders that slipped through, as far as the merchant's number of their payment is the order's."""
    unknown = [one for one in listed if not any(name in known_names for name in payments.names(one))]
    numbers = [str(one.get("merchant_trade_no") or "") for one in unknown]
    for order_id in Order.objects.filter(order_no__in=numbers).values_list("pk", flat=True):
        guard.follow(order_id)


def _compare(told: Known, ours: Sequence[ShippingReport]) -> Counter[str]:
    found: Counter[str] = Counter()
    if not ours and told.state == known.TO_SHIP:
        found["strangers"] += 1
    for report in ours:
        found[_settle(told, report)] += 1
    return found


def _settle(told: Known, report: ShippingReport) -> str:
    """Put one report right. What somebody is telling at this moment is left alone."""
    facts = {"wechat_state": told.state, "in_complaint": told.in_complaint, "asked_at": clock.now()}
    rows = ShippingReport.objects.filter(pk=report.pk, state=report.state, uploaded_at=report.uploaded_at)
    if told.state == known.SETTLED and report.settled_at is None:
        rows.update(**facts, settled_at=clock.now())
        guard.calm([report.order], "微信已结算")
        return "settled"
    rows.update(**facts)
    found = "missing" if _lost(told, report) else "found" if _found(told, report) else "same"
    if found != "same":
        guard.ask_back(report)
    return found


def _lost(told: Known, report: ShippingReport) -> bool:
    """We believe to have told all, WeChat waits for it: not if that was a moment ago."""
    if told.state != known.TO_SHIP or report.state != State.UPLOADED or not report.complete:
        return False
    return report.uploaded_at is None or report.uploaded_at < clock.now() - JUST_NOW


def _found(told: Known, report: ShippingReport) -> bool:
    """WeChat has what we believe not to have told."""
    told_there = told.complete or told.state in (known.CONFIRMED, known.SETTLING, known.SETTLED, known.REFUNDED)
    untold = report.state in (State.WAITING, State.REFUSED) or (report.state == State.UPLOADED and not report.complete)
    return told_there and untold and report.order.status not in guard.OVER


def _walk(**payload: Any) -> None:
    outbox.enqueue("notifications.compare_payments", payload)


def _report_strangers(count: int) -> None:
    if count:
        detail = f"微信有 {count} 笔待发货的支付，系统里没有对应的订单：到微信公众平台“发货管理”核对"
        alerting.open_alert(AlertKind.SETTLEMENT, subject=STRANGERS, detail=detail)
    else:
        alerting.resolve_alerts(STRANGERS, [AlertKind.SETTLEMENT], resolution="没有不认识的支付了")
