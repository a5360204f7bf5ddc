"""Telling WeChat of shipping exactly once: the claim is committed before the call; in doubt WeChat is asked first.

WAITING → UPLOADING → UPLOADED; where no answer came, or after a crash: UPLOADING → UNKNOWN → (get_order) → UPLOADED,
or WAITING again.
"""

import datetime as dt
import random
from collections.abc import Mapping
from typing import Any

import structlog
from django.db import transaction

from frozenshop.kernel import clock, outbox
from frozenshop.kernel.http import ServiceError
from notifications.models import ShippingReport
from notifications.settlement import claiming, content, guard, known, payments
from notifications.settlement.claiming import FLAGS, Ask, Later, Upload
from notifications.settlement.errors import NOT_FOUND, NOT_SHIPPABLE, Does, Verdict, code_of, said_of, verdict
from notifications.settlement.known import Known, Unreadable
from notifications.wechat import client
from notifications.wechat.errors import UNREADABLE, WechatError
from orders.models import Order

logger = structlog.get_logger(__name__)

State = ShippingReport.State
PATH = "/wxa/sec/order/upload_shipping_info"
TIMEOUT = 8.0
ASK_AFTER = dt.timedelta(seconds=10)
"""How long WeChat gets to finish what it may have begun, before it is asked."""
LONGEST = dt.timedelta(hours=1)
ASK_AT_MOST = dt.timedelta(minutes=15)
PATIENCE = 6
"""After so many tries in vain staff are told; it goes on meanwhile."""
NOT_MANAGED, FOREIGN, NO_PAYER = "not_managed", "foreign", "no_payer"
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


def request_of(step: Upload, openid: str) -> dict[str, Any]:
    """Return the request of an upload."""
    return {
        "order_key": payments.order_key(step.payment),
        **step.body,
        "upload_time": clock.shanghai(step.mark).isoformat(timespec="milliseconds"),
        "payer": {"openid": openid},
    }


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
    waiting = ShippingReport.objects.filter(pk=report_id, state=State.WAITING)
    waiting.update(state=State.NOT_NEEDED, code=NOT_MANAGED, due_at=None)
    return False


def _tell(step: Upload, report_id: int) -> bool:
    """Upload; say whether there is more to do at once."""
    try:
        _post(step)
    except (WechatError, ServiceError) as error:
        return _failed(step, report_id, error)
    except _NobodyPaid:
        _stop(step, NO_PAYER, "不知道是谁付的款：核对订单的买家 openid 和支付单号")
        return False
    _succeeded(step, step.body)
    return False


class _NobodyPaid(Exception):
    """WeChat doesn't say who paid either."""


def _post(step: Upload) -> None:
    openid = step.openid or _payer(step.payment)
    try:
        client.authorised(PATH, request_of(step, openid), timeout=TIMEOUT)
    except WechatError as error:
        if verdict(error).does is not Does.PAYER or (payer := _payer(step.payment)) == openid:
            raise
        client.authorised(PATH, request_of(step, payer), timeout=TIMEOUT)


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
    logger.warning("settlement.refused", payment=step.payment[-8:], code=code, does=found.does.name)
    if found.does is Does.DONE:
        _succeeded(step, step.body)
        return False
    if found.does is Does.ASK:
        return _doubt(step, report_id, code, said)
    if found.does in (Does.WAIT, Does.ACCOUNT):
        _put_off(step, report_id, code, said, _wait(found, step.attempt))
        if found.does is Does.ACCOUNT:
            guard.account_trouble(said)
        return False
    _stop(step, code, said)
    return False


def _wait(found: Verdict, attempt: int) -> dt.timedelta:
    """Doubling, with jitter, so that an outage doesn't end in one burst."""
    doubled = found.least_wait * float(2 ** min(attempt - 1, 12))
    return max(min(doubled, LONGEST), found.least_wait) * random.uniform(1, 1.3)  # noqa: S311


def _succeeded(step: Upload | Ask, body: Mapping[str, Any], **more: Any) -> None:
    """Note what WeChat has now. A claim that is no longer ours changes nothing: somebody else found out."""
    orders = _orders(step.payment)
    changes = {
        "state": State.UPLOADED, "content": dict(body), "complete": content.is_complete(body), "wanted": {},
        "code": "", "said": "", "attempts": 0, "due_at": step.again_at if isinstance(step, Upload) else clock.now(),
    }  # fmt: skip
    with transaction.atomic():
        if not claiming.claimed(step.payment, step.mark).update(**changes | more):
            return
        guard.settled(orders, "发货信息已上报微信")
        for report in ShippingReport.objects.filter(payment=step.payment, order__delivered_at__isnull=False):
            outbox.enqueue("notifications.remind_receipt", {"report_id": report.pk})


def _doubt(step: Upload, report_id: int, code: str, said: str) -> bool:
    answered = code in _ANSWERED
    due_at = clock.now() + (dt.timedelta(0) if answered else ASK_AFTER)
    _note(step, report_id, due_at, state=State.UNKNOWN, code=code, said=said)
    return answered


def _put_off(step: Upload | Ask, report_id: int, code: str, said: str, wait: dt.timedelta) -> None:
    _note(step, report_id, clock.now() + wait, state=State.WAITING, code=code, said=said)
    if isinstance(step, Upload) and step.attempt == PATIENCE:
        for order in _orders(step.payment):
            guard.alert(order, f"发货信息多次没有报成：{said}")


def _note(step: Upload | Ask, report_id: int, due_at: dt.datetime, *, state: str, code: str, said: str) -> None:
    with transaction.atomic():
        ours = claiming.claimed(step.payment, step.mark)
        if ours.update(state=state, code=code, said=said[:300], due_at=due_at) and due_at > clock.now():
            guard.wake(report_id, due_at)


def _stop(step: Upload | Ask, code: str, said: str) -> None:
    with transaction.atomic():
        if claiming.claimed(step.payment, step.mark).update(
            state=State.REFUSED, code=code, said=said[:300], due_at=None
        ):
            for order in _orders(step.payment):
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
        claiming.claimed(step.payment, step.mark).update(
            state=State.NOT_NEEDED, code=claiming.REFUNDED, said="微信显示已退款", due_at=None, **facts
        )
        guard.settled(_orders(step.payment), "微信显示已退款，不用上报")
        return False
    if found.shipping and content.same(found.shipping, wanted):
        _succeeded(step, wanted, **facts)
    elif found.complete:
        used = max(found.finished - 1, 0)
        _succeeded(step, found.shipping, **facts, corrections=used, code=FOREIGN, said="微信已有另外的发货信息")
    elif step.code == str(NOT_SHIPPABLE):
        state = known.STATES.get(found.state, "未知状态")
        _stop(step, step.code, f"微信显示{state}，不能发货：到微信公众平台“发货管理”核对")
        return False
    else:
        _again(step, found, facts)
    return True


def _again(step: Ask, found: Known, facts: Mapping[str, Any]) -> None:
    """It never got there. What was agreed by a person stays agreed."""
    wanted = dict(step.body) if set(FLAGS) & set(step.body) else {}
    claiming.claimed(step.payment, step.mark).update(
        state=State.WAITING, content=found.shipping, complete=False, wanted=wanted, due_at=clock.now(), **facts
    )


def _orders(payment: str) -> list[Order]:
    return list(Order.objects.filter(shipping_report__payment=payment).order_by("pk"))
