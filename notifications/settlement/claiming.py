"""What is to be done about one payment now: decided under the locks of its orders, written down before any call.

Several orders may have been paid together: then all of their reports are claimed, and say the same. Whoever claims an
upload marks it with its upload_time; what was claimed meanwhile by somebody else no longer has that mark.
"""

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.db import transaction
from django.db.models import F, QuerySet

from frozenshop.kernel import clock
from notifications.models import ShippingReport
from notifications.settlement import content, guard
from orders.contention import retried
from orders.models import Order

State = ShippingReport.State
LEASE = dt.timedelta(seconds=60)
"""After how long without a word an upload or a question counts as cut off. Longer than all of its calls may take."""
STEP = dt.timedelta(milliseconds=1)
CONFIRMED, FINISH = "confirmed", "finish"
FLAGS = (CONFIRMED, FINISH)
CHANGED, NO_COMPANY, REFUNDED = "changed", "no_company", "refunded"
_BUSY = (State.UPLOADING, State.UNKNOWN)


@dataclass(frozen=True, slots=True)
class Upload:
    """`mark` is the upload_time, by which the claimed rows are known; `attempt` counts from the last success."""

    payment: str
    mark: dt.datetime
    body: Mapping[str, Any]
    openid: str
    attempt: int
    again_at: dt.datetime | None


@dataclass(frozen=True, slots=True)
class Ask:
    """`body` is what was being told when it was cut off, `code` how that ended."""

    payment: str
    mark: dt.datetime
    body: Mapping[str, Any]
    code: str


@dataclass(frozen=True, slots=True)
class Later:
    """Nothing now: somebody is at it, or it waits for its next try."""

    at: dt.datetime


Step = Upload | Ask | Later | None


@retried
def claim(report_id: int) -> Step:
    """Decide and write down what is done next. One of several callers gets the work, the others wait or get nothing."""
    with transaction.atomic():
        found = _lock(report_id)
        return found.decide() if found else None


def claimed(payment: str, mark: dt.datetime) -> QuerySet[ShippingReport]:
    """Return the rows that are still under the claim with this mark."""
    return ShippingReport.objects.filter(payment=payment, uploaded_at=mark, state__in=_BUSY)


def told(body: Mapping[str, Any]) -> dict[str, Any]:
    """Return the part of a wanted content that WeChat is told."""
    return {name: value for name, value in body.items() if name not in FLAGS}


def _lock(report_id: int) -> "_Claim | None":
    """Lock the orders first, as everybody does, then their reports."""
    payment = ShippingReport.objects.filter(pk=report_id).values_list("payment", flat=True).first()
    if not payment:
        return None
    rows = ShippingReport.objects.filter(payment=payment)
    ids = sorted(rows.values_list("order_id", flat=True))
    orders = list(Order.objects.select_for_update().filter(pk__in=ids).order_by("pk"))
    reports = list(rows.filter(order_id__in=ids).select_for_update().order_by("order_id"))
    return _Claim(payment, reports, orders) if reports else None


class _Claim:
    def __init__(self, payment: str, reports: Sequence[ShippingReport], orders: Sequence[Order]) -> None:
        self.payment, self.reports, self.orders, self.now = payment, reports, orders, clock.now()
        never = dt.datetime.min.replace(tzinfo=dt.UTC)
        self.head = max(reports, key=lambda report: report.uploaded_at or never)

    def decide(self) -> Step:
        busy = next((report for report in self.reports if report.state in _BUSY), None)
        if busy is not None:
            return self._ask(busy)
        resting = [r.due_at for r in self.reports if r.state == State.WAITING and r.attempts and r.due_at]
        if resting and max(resting) > self.now:
            return Later(max(resting))
        live = [order for order in self.orders if order.status not in guard.OVER]
        return self._compare(live) if live else self._drop()

    def _ask(self, busy: ShippingReport) -> Step:
        if busy.due_at and busy.due_at > self.now:
            return Later(busy.due_at)
        assert busy.uploaded_at is not None
        self._write(state=State.UNKNOWN, due_at=self.now + LEASE, asked_at=self.now, uploaded_at=busy.uploaded_at)
        return Ask(self.payment, busy.uploaded_at, busy.wanted, busy.code)

    def _drop(self) -> Step:
        """Whether it was told or not, money that goes back to the buyer isn't waited for."""
        untold = ShippingReport.objects.filter(pk__in=[r.pk for r in self.reports]).exclude(state=State.UPLOADED)
        untold.update(state=State.NOT_NEEDED, code=REFUNDED, said="")
        self._write(due_at=None)
        guard.settled(self.orders, "订单已取消或退款，不用上报")
        return None

    def _compare(self, live: Sequence[Order]) -> Step:
        head = self.head
        found = content.wanted(live, self.now, finish=bool(head.wanted.get(FINISH)))
        if found.trouble:
            return self._without_company(found.trouble, found.again_at)
        if not found.body or content.same(head.content, found.body):
            return self._rest(found.again_at)
        agreed = head.wanted.get(CONFIRMED) and content.same(told(head.wanted), found.body)
        if head.complete and not agreed:
            return self._ask_staff(found)
        return self._upload(live, found)

    def _upload(self, live: Sequence[Order], found: content.Wanted) -> Upload:
        mark = max(self.now, self.head.uploaded_at + STEP if self.head.uploaded_at else self.now)
        flags = {name: self.head.wanted[name] for name in FLAGS if name in self.head.wanted}
        self._write(
            state=State.UPLOADING,
            wanted=found.body | flags,
            uploaded_at=mark,
            due_at=self.now + LEASE,
            attempts=F("attempts") + 1,
            content=self.head.content,
            complete=self.head.complete,
            corrections=self.head.corrections,
        )
        openids = (order.customer.openid for order in live if order.customer and order.customer.openid)
        return Upload(self.payment, mark, found.body, next(openids, ""), self.head.attempts + 1, found.again_at)

    def _without_company(self, names: str, again_at: dt.datetime | None) -> Step:
        said = f"微信的快递公司名单里没有“{names}”：在“承运商”里填写微信编码"
        self._write(code=NO_COMPANY, said=said[:300], due_at=again_at)
        for order in self.orders:
            guard.alert(order, said)
        return None

    def _rest(self, again_at: dt.datetime | None) -> Step:
        head, changes = self.head, dict[str, Any](due_at=again_at)
        if head.content:
            changes |= {"state": State.UPLOADED, "content": head.content, "complete": head.complete, "code": ""}
            changes |= {"uploaded_at": head.uploaded_at, "wanted": {}, "said": "", "corrections": head.corrections}
        self._write(**changes)
        return None

    def _ask_staff(self, found: content.Wanted) -> Step:
        """All was told already: to tell otherwise is the one correction, and a person must want it."""
        left = "请在“微信结算”核对后确认更正（只能更正一次）"
        if self.head.corrections:
            left = "更正的机会已经用完，请到微信公众平台处理"
        said = f"上报后运单有变化：{left}"
        self._write(
            state=State.UPLOADED, wanted=found.body, code=CHANGED, said=said, due_at=found.again_at,
            content=self.head.content, complete=True, uploaded_at=self.head.uploaded_at,
        )  # fmt: skip
        for order in self.orders:
            guard.alert(order, said)
        return None

    def _write(self, **changes: Any) -> None:
        ShippingReport.objects.filter(pk__in=[report.pk for report in self.reports]).update(**changes)
