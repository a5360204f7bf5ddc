"""What an answer or a report makes of a delivery and its notice. Every change is conditional: the first one counts."""

import datetime as dt
import random
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from django.db import transaction
from django.db.models import Case, CharField, Q, Value, When

from frozenshop.kernel import clock
from frozenshop.kernel.scrubbing import scrub
from notifications import breaker, budgets, exchanges
from notifications.channels import base
from notifications.channels.base import ChannelError, Fate, Report, Taken
from notifications.claiming import ASK_AFTER, Envelope
from notifications.models import Audience, Delivery, Milestone, Notice
from notifications.occasions import CANT_WAIT, OCCASIONS, PATIENCE, SMS
from orders.contention import retried

Sent, Told, Why = Delivery.State, Notice.State, Notice.Why
OPEN = (Sent.SENDING, Sent.UNKNOWN)

FIRST_WAIT = dt.timedelta(seconds=20)
LONGEST_WAIT = dt.timedelta(minutes=5)
MOST_LOST = 3
"""After so many letters of one notice that a channel never took, as it says, the next channel has it."""


Answer = Taken | ChannelError


@retried
def answered(answers: Collection[tuple[Envelope, Answer]]) -> None:
    """Record what the channels answered, in one transaction."""
    with transaction.atomic():
        transaction.on_commit(lambda: exchanges.log(answers), robust=True)
        _taken({envelope: answer for envelope, answer in answers if isinstance(answer, Taken)})
        for envelope, answer in answers:
            if isinstance(answer, Taken):
                continue
            if answer.unknown:
                _unknown(envelope, answer)
            else:
                _refused(envelope, answer)


def reported(delivery: Delivery, report: Report) -> None:
    """Record what a channel says became of a delivery, whose row the caller has locked."""
    now, open_now = clock.now(), delivery.state in OPEN
    transaction.on_commit(lambda: exchanges.log_report(delivery, report), robust=True)
    changes: dict[str, Any] = {
        "code": scrub(report.code)[:60],
        "said": scrub(report.said)[:300],
        "ask_at": None,
        "answered_at": now,
    }
    if report.provider_id and not delivery.provider_id:
        changes["provider_id"] = report.provider_id[:100]
    if report.fate == Fate.DELIVERED:
        _change(delivery, Sent.DELIVERED, **changes)
        _told(delivery.notice_id)
    elif report.fate == Fate.UNDERWAY and open_now:
        _change(delivery, Sent.SENT, **changes)
        _told(delivery.notice_id)
    elif report.fate == Fate.FAILED and delivery.state not in (Sent.DELIVERED, Sent.FAILED):
        _change(delivery, Sent.FAILED, permanent=True, **changes)
        _onward(delivery.notice_id, delivery.channel)
    elif report.fate == Fate.NEVER_TAKEN and open_now:
        changes["code"] = report.code[:60] or Fate.NEVER_TAKEN.value
        lost = _lost_so_often(delivery, changes["code"])
        _change(delivery, Sent.FAILED, permanent=lost, **changes)
        _give_back(delivery.channel, delivery.started_at)
        if lost:
            _onward(delivery.notice_id, delivery.channel)
        else:
            _to_lane(delivery.notice_id, delivery.channel, now)


def _lost_so_often(delivery: Delivery, code: str) -> bool:
    """Say whether a channel says of so many letters of one notice that they never came, that it is believed no more."""
    before = Delivery.objects.filter(notice=delivery.notice_id, channel=delivery.channel, state=Sent.FAILED, code=code)
    return before.count() + 1 >= MOST_LOST


def doubtful(delivery: Delivery) -> None:
    """Leave a delivery that can't be asked about as it is: nobody may be told twice because of a doubt."""
    _change(delivery, Sent.UNKNOWN, ask_at=None)
    waiting = Notice.objects.filter(pk=delivery.notice_id, state=Told.WAITING, channel="")
    waiting.update(state=Told.NOT_TOLD, why=Why.UNKNOWN, settled_at=clock.now())


def backoff(attempt: int) -> dt.timedelta:
    """Return a wait that doubles with each attempt, with jitter."""
    ceiling = min(FIRST_WAIT * float(2 ** min(attempt - 1, 20)), LONGEST_WAIT)
    return ceiling * random.uniform(0.5, 1)  # noqa: S311


def _taken(answers: Mapping[Envelope, Taken]) -> None:
    if not answers:
        return
    ids = {envelope.delivery_id: answer.provider_id[:100] for envelope, answer in answers.items()}
    said = Case(*(When(pk=pk, then=Value(number)) for pk, number in ids.items()), output_field=CharField())
    rows, now = Delivery.objects.filter(pk__in=ids), clock.now()
    notices = {envelope.delivery_id: envelope.notice.pk for envelope in answers}
    ours = rows.filter(state__in=OPEN).update(state=Sent.SENT, ask_at=None, provider_id=said, answered_at=now)
    if ours < len(ids):  # A report was faster, and has told what became of the notice.
        rows.update(provider_id=said, answered_at=now)
        sent = set(rows.filter(state=Sent.SENT).values_list("pk", flat=True))
        notices = {pk: notice_id for pk, notice_id in notices.items() if pk in sent}
    _told(*notices.values())
    for channel in {envelope.channel for envelope in answers}:
        breaker.succeeded(channel)


def _unknown(envelope: Envelope, error: ChannelError) -> None:
    row = Delivery.objects.filter(pk=envelope.delivery_id, state=Sent.SENDING)
    row.update(
        state=Sent.UNKNOWN,
        code=error.code[:60],
        said=error.reason,
        answered_at=clock.now(),
        ask_at=clock.now() + ASK_AFTER,
    )
    breaker.failed(envelope.channel, error.reason, probe=envelope.probe)


def _refused(envelope: Envelope, error: ChannelError) -> None:
    row = Delivery.objects.filter(pk=envelope.delivery_id, state__in=OPEN)
    if not row.update(
        state=Sent.FAILED,
        permanent=error.permanent,
        code=error.code[:60],
        said=error.reason,
        answered_at=clock.now(),
        ask_at=None,
    ):
        return
    _give_back(envelope.channel, envelope.started_at)
    _judge(envelope, error)
    if error.permanent:
        _onward(envelope.notice.pk, envelope.channel)
    else:
        again_at = clock.now() if error.trouble else _again_at(envelope, error.retry_after or dt.timedelta(0))
        _to_lane(envelope.notice.pk, envelope.channel, again_at)


def _again_at(envelope: Envelope, asked_for: dt.timedelta) -> dt.datetime:
    """Return when to look again: what thaws not later than when it may go another way."""
    now, notice = clock.now(), envelope.notice
    again_at, patience_ends = now + max(asked_for, backoff(envelope.attempt)), notice.occurred_at + PATIENCE
    return min(again_at, patience_ends) if notice.milestone in CANT_WAIT and patience_ends > now else again_at


def _judge(envelope: Envelope, error: ChannelError) -> None:
    """Let the breaker know: a refusal of one letter is an answer, and no failure of the channel."""
    if error.trouble and not error.permanent:
        breaker.refused(envelope.channel, error.trouble)
    elif error.trouble:
        breaker.tell(envelope.channel, error.trouble)
    elif not error.channel_is_well:
        breaker.failed(envelope.channel, error.reason, probe=envelope.probe)
    else:
        breaker.succeeded(envelope.channel)


def _told(*notice_ids: int) -> None:
    Notice.objects.filter(pk__in=notice_ids).exclude(state=Told.TOLD).update(
        state=Told.TOLD, why="", channel="", settled_at=clock.now()
    )


def _onward(notice_id: int, channel: str) -> None:
    """Let the next channel have it, or say that all have failed; what was settled otherwise stays."""
    notice = Notice.objects.get(pk=notice_id)
    if (notice.state == Told.NOT_TOLD and notice.why != Why.UNKNOWN) or notice.channel:
        return
    others = notice.deliveries.filter(state__in=[Sent.SENT, Sent.DELIVERED, *OPEN])
    if others.exists():
        return
    planned = OCCASIONS[Milestone(notice.milestone)].told[Audience(notice.audience)]
    left = planned[planned.index(channel) + 1 :] if channel in planned else ()
    if left:
        _to_lane(notice_id, _open_lane(left), clock.now())
    else:
        settled = {"state": Told.NOT_TOLD, "why": Why.FAILED, "channel": "", "settled_at": clock.now()}
        Notice.objects.filter(pk=notice_id).update(**settled)


def _open_lane(channels: Sequence[str]) -> str:
    """Return a lane in which the notice is looked at soon; which channel it really takes is decided there."""
    configured, clear = base.configured_channels(), breaker.lanes().clear
    usable = [channel for channel in channels if channel in configured] or channels
    return next((channel for channel in usable if channel in clear), usable[0])


def _to_lane(notice_id: int, channel: str, due_at: dt.datetime) -> None:
    settled = Q(state=Told.NOT_TOLD) & ~Q(why=Why.UNKNOWN)
    in_hand = Notice.objects.filter(~settled, pk=notice_id, channel="")
    in_hand.update(state=Told.WAITING, why="", settled_at=None, channel=channel, due_at=due_at)


def _change(delivery: Delivery, state: Delivery.State, **changes: object) -> None:
    Delivery.objects.filter(pk=delivery.pk).update(state=state, **changes)


def _give_back(channel: str, started_at: dt.datetime) -> None:
    if channel in SMS:
        budgets.give_back(budgets.day_of(started_at))


def put_back(notice_id: int) -> None:
    """Let a notice wait again that nobody has in hand: it is told unless its channels have all refused."""
    notice = Notice.objects.get(pk=notice_id)
    first = OCCASIONS[Milestone(notice.milestone)].told[Audience(notice.audience)][0]
    _to_lane(notice_id, first, clock.now())
