"""Telling WeChat of shipping exactly once: the claim is committed before the call; in doubt WeChat is asked first.

WAITING → UPLOADING → UPLOADED; where no answer came, or after a crash: UPLOADING → UNKNOWN → (get_order) → UPLOADED,
or WAITING again.

Payments below a combined one (合单支付) are told in one call, and each is asked about by itself. What WeChat's page of
upload_combined_shipping_info says (发货信息合单录入, read 2026-11): the shape, that numbers above and below are of one
kind, the one re-shipping per payment. Where it is silent we assume the least: that each payment below has a record and
a re-shipping of its own, so that one which has all is never named again; and of a refusal nothing: each is asked about.
"""

import datetime as dt
import random
from collections.abc import Iterable, Mapping
from typing import Any

import structlog
from django.db import transaction

from frozenshop.kernel import clock, outbox
from frozenshop.kernel.http import ServiceError
from notifications.models import ShippingReport
from notifications.settlement import claiming, content, guard, known, payments
from notifications.settlement.claiming import ALONE, CONFIRMED, FLAGS, Ask, Later, Upload
from notifications.settlement.errors import NOT_FOUND, NOT_SHIPPABLE, Does, Verdict, code_of, said_of, verdict
from notifications.settlement.known import Known, Unreadable
from notifications.wechat import client
from notifications.wechat.errors import UNREADABLE, WechatError
from orders.models import Order

logger = structlog.get_logger(__name__)

State = ShippingReport.State
PATH = "/wxa/sec/order/upload_shipping_info"
COMBINED = "/wxa/sec/order/upload_combined_shipping_info"
TIMEOUT = 8.0
ASK_AFTER = dt.timedelta(seconds=10)
"""How long WeChat gets to finish what it may have begun, before it is asked."""
LONGEST = dt.timedelta(hours=1)
ASK_AT_MOST = dt.timedelta(minutes=15)
PATIENCE = 6
"""After so many tries in vain staff are told; it goes on meanwhile."""
NOT_MANAGED, FOREIGN, NO_PAYER, WHOLE = "not_managed", "foreign", "no_payer", "whole"
_ANSWERED = frozenset({"10060002", "10060003", str(NOT_SHIPPABLE)})
"""WeChat said clearly that it has something else: it can be asked at once."""


def settle(report_id: int) -> None:
    """Do what is to be done about a report now. Repeatable, in parallel and after a crash at any point."""
    if not _managed(report_id):
        return
    for _ in range(4):
        step = claiming.claim(report_id)
        if step is None:
            return
        if isinstance(step, Later):
            guard.wake(report_id, step.at, key=f"report:{report_id}:{step.at.timestamp():.6f}:again")
            return
        if not (_tell(step, report_id) if isinstance(step, Upload) else _find_out(step, report_id)):
            return
    guard.wake(report_id)


def request_of(step: Upload, openid: str) -> dict[str, Any]:
    """Return the request of an upload."""
    parts = [{"order_key": payments.order_key(part.payment), **part.body} for part in step.parts]
    whole = {"order_key": payments.order_key(step.combined), "sub_orders": parts} if step.combined else parts[0]
    mark = clock.shanghai(step.mark).isoformat(timespec="milliseconds")
    return {**whole, "upload_time": mark, "payer": {"openid": openid}}


def _managed(report_id: int) -> bool:
    try:
        if guard.is_managed():
            return True
    except (WechatError, ServiceError) as error:
        found = verdict(error)
        if found.does is Does.ACCOUNT:
            guard.account_trouble(said_of(error))
        guard.wake(report_id, clock.now() + max(found.least_wait, dt.timedelta(minutes=1)))
        return False
    report = ShippingReport.objects.filter(pk=report_id)
    report.filter(state=State.WAITING).update(state=State.NOT_NEEDED, code=NOT_MANAGED)
    report.update(due_at=None)
    return False


def _tell(step: Upload, report_id: int) -> bool:
    """Upload; say whether there is more to do at once."""
    try:
        _post(step)
    except (WechatError, ServiceError) as error:
        return _failed(step, report_id, error)
    except _NobodyPaid:
        return _stop_or_part(step, NO_PAYER, "不知道是谁付的款：核对订单的买家 openid 和支付单号")
    _succeeded(step)
    return bool(step.combined)  # there may be others below the same


class _NobodyPaid(Exception):
    """WeChat doesn't say who paid either."""


def _post(step: Upload) -> None:
    path, first = (COMBINED if step.combined else PATH), step.payments[0]
    openid = step.openid or _payer(first)
    try:
        client.authorised(path, request_of(step, openid), timeout=TIMEOUT)
    except WechatError as error:
        if verdict(error).does is not Does.PAYER or (payer := _payer(first)) == openid:
            raise
        client.authorised(path, request_of(step, payer), timeout=TIMEOUT)


def _payer(payment: str) -> str:
    """Return who paid, by WeChat's own record. A question that fails leaves no doubt about the upload."""
    try:
        openid = known.ask(payment).openid
    except Unreadable:
        openid = ""
    except ServiceError as error:
        error.sent = False
        raise
    if not openid:
        raise _NobodyPaid
    return openid


def _failed(step: Upload, report_id: int, error: WechatError | ServiceError) -> bool:
    found, code, said = verdict(error), code_of(error), said_of(error)
    logger.warning("settlement.refused", payment=step.payments[0][-8:], code=code, does=found.does.name)
    if found.does is Does.DONE:
        _succeeded(step)
        return bool(step.combined)
    one_is_guilty = code == str(NOT_SHIPPABLE) or (code == str(NOT_FOUND) and step.attempt >= PATIENCE)
    if len(step.parts) > 1 and one_is_guilty:
        return _stop_or_part(step, code, said)
    if found.does is Does.ASK:
        return _doubt(step, report_id, code, said)
    if found.does in (Does.WAIT, Does.ACCOUNT):
        _put_off(step, report_id, code, said, _wait(found, step.attempt))
        if found.does is Does.ACCOUNT:
            guard.account_trouble(said)
        return bool(step.combined)
    return _stop_or_part(step, code, said)


def _stop_or_part(step: Upload, code: str, said: str) -> bool:
    """What was refused stops. Of several that were told together each is asked about, then told alone."""
    if len(step.parts) == 1:
        _stop(step, code, said)
        return bool(step.combined)
    with transaction.atomic():
        for part in step.parts:
            rows = claiming.claimed([part.payment], step.mark)
            for report in rows[:1]:
                wanted = {**report.wanted, ALONE: True}
                rows.update(state=State.UNKNOWN, wanted=wanted, code=WHOLE, said=said[:300], due_at=clock.now())
    return True


def _wait(found: Verdict, attempt: int) -> dt.timedelta:
    """Doubling, with jitter, so that an outage doesn't end in one burst."""
    doubled = found.least_wait * float(2 ** min(attempt - 1, 12))
    return max(min(doubled, LONGEST), found.least_wait) * random.uniform(1, 1.3)  # noqa: S311


def _succeeded(step: Upload) -> None:
    for part in step.parts:
        _taken(part.payment, step.mark, part.body, part.again_at)


def _taken(payment: str, mark: dt.datetime, body: Mapping[str, Any], due_at: dt.datetime | None, **more: Any) -> None:
    """Note what WeChat has now. A claim that is no longer ours changes nothing: somebody else found out."""
    orders = _orders([payment])
    changes = {
        "state": State.UPLOADED, "content": dict(body), "complete": content.is_complete(body), "wanted": {},
        "code": "", "said": "", "attempts": 0, "due_at": due_at,
    }  # fmt: skip
    with transaction.atomic():
        if not claiming.claimed([payment], mark).update(**changes | more):
            return
        guard.calm(orders, "发货信息已上报微信")
        for report in ShippingReport.objects.filter(payment=payment, order__delivered_at__isnull=False):
            outbox.enqueue("notifications.remind_receipt", {"report_id": report.pk})


def _doubt(step: Upload, report_id: int, code: str, said: str) -> bool:
    answered = code in _ANSWERED
    due_at = clock.now() + (dt.timedelta(0) if answered else ASK_AFTER)
    _note(step, report_id, due_at, state=State.UNKNOWN, code=code, said=said)
    return answered


def _put_off(step: Upload | Ask, report_id: int, code: str, said: str, wait: dt.timedelta) -> None:
    _note(step, report_id, clock.now() + wait, state=State.WAITING, code=code, said=said)
    if isinstance(step, Upload):
        _lose_patience(step, step.attempt, said)


def _lose_patience(step: Upload | Ask, attempt: int, said: str) -> None:
    if attempt == PATIENCE:
        for order in _orders(step.payments):
            guard.alert(order, f"发货信息多次没有报成：{said}")


def _note(step: Upload | Ask, report_id: int, due_at: dt.datetime, *, state: str, code: str, said: str) -> None:
    with transaction.atomic():
        ours = claiming.claimed(step.payments, step.mark)
        if ours.update(state=state, code=code, said=said[:300], due_at=due_at) and due_at > clock.now():
            guard.wake(report_id, due_at)


def _stop(step: Upload | Ask, code: str, said: str) -> None:
    with transaction.atomic():
        ours = claiming.claimed(step.payments, step.mark)
        ours.filter(complete=True).update(corrections=0)  # what was refused has not used the chance
        if ours.update(state=State.REFUSED, code=code, said=said[:300], due_at=None):
            for order in _orders(step.payments):
                guard.alert(order, said)


def _find_out(step: Ask, report_id: int) -> bool:
    """Ask what WeChat has; say whether there is more to do at once."""
    try:
        found = known.ask(step.payment)
    except (WechatError, ServiceError, Unreadable) as error:
        if isinstance(error, WechatError) and error.errcode == NOT_FOUND:
            _put_off(step, report_id, str(NOT_FOUND), said_of(error), ASK_AFTER)
            return False
        error = WechatError(UNREADABLE, path=known.PATH) if isinstance(error, Unreadable) else error
        due_at = clock.now() + min(max((clock.now() - step.mark) / 2, ASK_AFTER), ASK_AT_MOST)
        _note(step, report_id, due_at, state=State.UNKNOWN, code=step.code or code_of(error), said=said_of(error))
        return False
    return _learnt(step, report_id, found)


def _learnt(step: Ask, report_id: int, found: Known) -> bool:
    """Go on from what WeChat has; what it has in another form than ours is compared with what our rows want."""
    facts = {"wechat_state": found.state, "in_complaint": found.in_complaint}
    wanted = claiming.told(step.body)
    if found.state == known.REFUNDED:
        claiming.claimed(step.payments, step.mark).update(
            state=State.NOT_NEEDED, code=claiming.REFUNDED, said="微信显示已退款", due_at=None, **facts
        )
        guard.calm(_orders(step.payments), "微信显示已退款，不用上报")
        return True
    if found.shipping and content.same(found.shipping, wanted):
        has = wanted if content.is_complete(wanted) or not found.complete else found.shipping  # ended by somebody else
        _taken(step.payment, step.mark, has, clock.now(), **facts)
    elif found.complete and not _correction_got_lost(step, found):
        used = max(found.finished - 1, 0)
        foreign = {"corrections": used, "code": FOREIGN, "said": "微信已有另外的发货信息"}
        _taken(step.payment, step.mark, found.shipping, clock.now(), **facts, **foreign)
    elif step.code == str(NOT_SHIPPABLE):
        state = known.STATES.get(found.state, "未知状态")
        _stop(step, step.code, f"微信显示{state}，不能发货：到微信公众平台“发货管理”核对")
        return False
    else:
        _again(step, found, facts)
    return True


def _correction_got_lost(step: Ask, found: Known) -> bool:
    """Say whether a correction that a person agreed to never got there, and may still be told."""
    return CONFIRMED in step.body and found.finished <= 1 and step.code not in _ANSWERED


def _again(step: Ask, found: Known, facts: Mapping[str, Any]) -> None:
    """It never got there: once more at once, then ever more rarely. What was agreed by a person stays agreed."""
    wanted = dict(step.body) if set(FLAGS) & set(step.body) else {}
    rows = claiming.claimed(step.payments, step.mark)
    attempt, said = rows.values_list("attempts", "said").first() or (0, "")
    wait = _wait(Verdict(Does.ASK, ""), attempt) if attempt > 1 and step.code != WHOLE else dt.timedelta(0)
    rows.update(
        state=State.WAITING,
        content=found.shipping,
        complete=found.complete,
        wanted=wanted,
        due_at=clock.now() + wait,
        **facts,
    )
    _lose_patience(step, attempt, said)


def _orders(payments: Iterable[str]) -> list[Order]:
    return list(Order.objects.filter(shipping_report__payment__in=list(payments)).order_by("pk"))
