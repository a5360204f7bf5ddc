"""What is to be done about one payment now: decided under the locks of its orders, written down before any call.

Several orders may have been paid together: then all of their reports are claimed, and say the same. Payments below a
combined one (合单支付) are claimed together too, each with a say of its own. Whoever claims an upload marks it with its
upload_time; what was claimed meanwhile by somebody else no longer has that mark.
"""

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
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
TOGETHER_WITHIN = dt.timedelta(hours=24)
"""How long after the payment those below a combined one wait for each other: half of what WeChat allows."""
CONFIRMED, FINISH, ALONE = "confirmed", "finish", "alone"
FLAGS = (CONFIRMED, FINISH, ALONE)
"""What a person has agreed to; and a payment that is told by itself, because the whole was refused."""
CHANGED, REFUNDED, TOGETHER = "changed", "refunded", "together"
_BUSY = (State.UPLOADING, State.UNKNOWN)


@dataclass(frozen=True, slots=True)
class Part:
    """One payment's share of an upload. `again_at`: when it is looked at next."""

    payment: str
    body: Mapping[str, Any]
    again_at: dt.datetime | None


@dataclass(frozen=True, slots=True)
class Upload:
    """`mark` is the upload_time, by which the claimed rows are known; `attempt` counts from the last success.

    `combined`: the payment above all parts; without one there is one part.
    """

    parts: tuple[Part, ...]
    mark: dt.datetime
    openid: str
    attempt: int
    combined: str = ""

    @property
    def payments(self) -> list[str]:
        return [part.payment for part in self.parts]


@dataclass(frozen=True, slots=True)
class Ask:
    """`body` is what was being told when it was cut off, `code` how that ended."""

    payment: str
    mark: dt.datetime
    body: Mapping[str, Any]
    code: str

    @property
    def payments(self) -> list[str]:
        return [self.payment]


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


def claimed(payments: Iterable[str], mark: dt.datetime) -> QuerySet[ShippingReport]:
    """Return the rows that are still under the claim with this mark."""
    return ShippingReport.objects.filter(payment__in=list(payments), uploaded_at=mark, state__in=_BUSY)


def told(body: Mapping[str, Any]) -> dict[str, Any]:
    """Return the part of a wanted content that WeChat is told."""
    return {name: value for name, value in body.items() if name not in FLAGS}


def _lock(report_id: int) -> "_Set | None":
    """Lock the orders first, as everybody does, then their reports."""
    named = ShippingReport.objects.filter(pk=report_id).values_list("payment", "combined").first()
    if not named or not named[0]:
        return None
    payment, combined = named
    rows = ShippingReport.objects.filter(**{"combined": combined} if combined else {"payment": payment})
    ids = sorted(rows.values_list("order_id", flat=True))
    orders = {order.pk: order for order in Order.objects.select_for_update().filter(pk__in=ids).order_by("pk")}
    reports: dict[str, list[ShippingReport]] = {payment: []}
    for report in rows.filter(order_id__in=ids).select_for_update().order_by("order_id"):
        reports.setdefault(report.payment, []).append(report)
    claims = [_Claim(name, found, [orders[one.order_id] for one in found]) for name, found in reports.items() if found]
    return _Set(combined, claims) if claims else None


@dataclass(frozen=True, slots=True)
class _News:
    """Something that WeChat should be told of one payment."""

    claim: "_Claim"
    found: content.Wanted


class _Set:
    """The payments that may be told in one call: one, or all below a combined one; whose report it is, is the first."""

    def __init__(self, combined: str, claims: Sequence["_Claim"]) -> None:
        self.combined, self.claims, self.now = combined, claims, clock.now()

    def decide(self) -> Step:
        """While one of them is in doubt, WeChat is told nothing about the others."""
        if busy := self._in_doubt():
            return busy
        resting = {claim.payment: until for claim in self.claims if (until := claim.rests_until())}
        news = [one for claim in self.claims if claim.payment not in resting and (one := claim.decide())]
        # What was refused isn't told again because something else below the same combined payment has changed.
        news = [one for one in news if not one.claim.over(one.found.body, combined=bool(self.combined))]
        if self._told_together(resting):
            news = [one for one in news if one.claim.alone]
        together = [one for one in news if not one.claim.alone]
        if together and (wait := self._waits(together)):
            return wait
        if chosen := together or news[:1]:
            return self._upload(sorted(chosen, key=lambda one: one.claim.orders[0].pk))
        return Later(min(resting.values())) if resting else None

    def _in_doubt(self) -> Ask | Later | None:
        later: list[Later] = []
        for claim in self.claims:
            step = claim.ask()
            if isinstance(step, Ask):
                return step
            later += [step] if step else []
        return min(later, key=lambda step: step.at, default=None)

    def _told_together(self, resting: Mapping[str, dt.datetime]) -> bool:
        return any(claim.payment in resting and not claim.alone for claim in self.claims)

    def _waits(self, news: Sequence[_News]) -> Later | None:
        """The first time it is told, a combined payment is told as a whole, if that isn't too late."""
        live = [claim for claim in self.claims if claim.live and not claim.lost]
        whole = len(news) == len(live) and all(content.is_complete(one.found.body) for one in news)
        until = min(order.paid_at or order.placed_at for claim in live for order in claim.live) + TOGETHER_WITHIN
        if not self.combined or whole or until <= self.now or any(claim.head.uploaded_at for claim in self.claims):
            return None
        for one in news:
            one.claim.wait_for_others(until)
        return Later(until)

    def _upload(self, chosen: Sequence[_News]) -> Upload:
        heads = [one.claim.head for one in chosen]
        mark = max([self.now, *(head.uploaded_at + STEP for head in heads if head.uploaded_at)])
        for one in chosen:
            one.claim.begin(one.found, mark)
        live = (order for one in chosen for order in one.claim.live)
        openids = (order.customer.openid for order in live if order.customer and order.customer.openid)
        parts = tuple(Part(one.claim.payment, one.found.body, one.found.again_at) for one in chosen)
        return Upload(parts, mark, next(openids, ""), max(head.attempts for head in heads) + 1, self.combined)


class _Claim:
    """One payment: its reports and orders, and what is to be done about them."""

    def __init__(self, payment: str, reports: Sequence[ShippingReport], orders: Sequence[Order]) -> None:
        self.payment, self.reports, self.orders, self.now = payment, reports, orders, clock.now()
        self.live = [order for order in orders if order.status not in guard.OVER]
        never = dt.datetime.min.replace(tzinfo=dt.UTC)
        self.head = max(reports, key=lambda report: report.uploaded_at or never)
        self.alone, self.lost = bool(self.head.wanted.get(ALONE)), False

    def ask(self) -> Ask | Later | None:
        """What was begun and has no answer yet goes first."""
        busy = next((report for report in self.reports if report.state in _BUSY), None)
        if busy is None:
            return None
        if busy.due_at and busy.due_at > self.now:
            return Later(busy.due_at)
        assert busy.uploaded_at is not None
        self._write(state=State.UNKNOWN, due_at=self.now + LEASE, asked_at=self.now, uploaded_at=busy.uploaded_at)
        return Ask(self.payment, busy.uploaded_at, busy.wanted, busy.code)

    def rests_until(self) -> dt.datetime | None:
        """Return when the next try is, if one failed and it isn't time yet."""
        resting = [r.due_at for r in self.reports if r.state == State.WAITING and r.attempts and r.due_at]
        return max(resting) if resting and max(resting) > self.now else None

    def over(self, body: Mapping[str, Any], *, combined: bool) -> bool:
        """Say whether this very thing was refused, or WeChat said of it that it was refunded."""
        refunded = self.head.state == State.NOT_NEEDED and self.head.code == REFUNDED
        refused = combined and self.head.state == State.REFUSED
        return (refunded or refused) and content.same(told(self.head.wanted), body)

    def decide(self) -> _News | None:
        if self.live:
            return self._compare(self.live)
        self._drop()
        return None

    def begin(self, found: content.Wanted, mark: dt.datetime) -> None:
        """Note that this is being told."""
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

    def wait_for_others(self, until: dt.datetime) -> None:
        said = f"合单支付：等其余订单发货后一并上报，最迟 {clock.short(until)}"
        self._write(state=State.WAITING, due_at=until, code=TOGETHER, said=said)

    def _drop(self) -> None:
        """Whether it was told or not, money that goes back to the buyer isn't waited for."""
        untold = ShippingReport.objects.filter(pk__in=[r.pk for r in self.reports]).exclude(state=State.UPLOADED)
        untold.update(state=State.NOT_NEEDED, code=REFUNDED, said="")
        self._write(due_at=None)
        guard.calm(self.orders, "订单已取消或退款，不用上报")

    def _compare(self, live: Sequence[Order]) -> _News | None:
        head = self.head
        found = content.wanted(live, self.now, former=head.content, finish=bool(head.wanted.get(FINISH)))
        agreed = head.wanted.get(CONFIRMED) and content.same(told(head.wanted), found.body)
        if any(report.settled_at for report in self.reports):
            self._rest(found.again_at)  # the money is there, and nothing can be told any more
        elif found.trouble:
            self._stand_back(found)
        elif not found.body or content.same(head.content, found.body):
            self._rest(found.again_at)
        elif head.complete and not agreed:
            self._ask_staff(found)
        else:
            return _News(self, found)
        return None

    def _stand_back(self, found: content.Wanted) -> None:
        """It can't be told until a person has mended something. What can't be opened any more holds up no other one."""
        self.lost = found.code == content.NO_CONTACT
        self._write(code=found.code, said=found.trouble[:300], due_at=found.again_at)
        for order in self.orders:
            guard.alert(order, found.trouble[:300])

    def _rest(self, again_at: dt.datetime | None) -> None:
        head, changes = self.head, dict[str, Any](due_at=again_at)
        if head.content:
            changes |= {"state": State.UPLOADED, "content": head.content, "complete": head.complete, "code": ""}
            changes |= {"uploaded_at": head.uploaded_at, "wanted": {}, "said": "", "corrections": head.corrections}
        self._write(**changes)

    def _ask_staff(self, found: content.Wanted) -> None:
        """All was told already: to tell otherwise is the one correction, and a person must want it."""
        left = "请在“微信结算”核对后确认更正（只能更正一次）"
        if self.head.corrections:
            left = "更正的机会已经用完，请到微信公众平台处理"
        said = f"上报后运单有变化：{left}"
        known = self.head.code == CHANGED and content.same(self.head.wanted, found.body)
        self._write(
            state=State.UPLOADED, wanted=found.body, code=CHANGED, said=said, due_at=found.again_at,
            content=self.head.content, complete=True, uploaded_at=self.head.uploaded_at,
        )  # fmt: skip
        for order in self.orders if not known else ():
            guard.alert(order, said)

    def _write(self, **changes: Any) -> None:
        ShippingReport.objects.filter(pk__in=[report.pk for report in self.reports]).update(**changes)
