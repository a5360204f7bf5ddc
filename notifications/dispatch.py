"""Sending: claim due notices and commit, call the channels outside any transaction, then record their answers.

A process that dies in between leaves deliveries that are `sending`; after a while they are `unknown` and asked about.
No more than `claiming.chunk()` of them for each process.
"""

import datetime as dt
import time
from collections.abc import Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Literal

import structlog
from django.conf import settings
from django.db import connections

from frozenshop.kernel import clock, metrics
from notifications import breaker, claiming, outcomes, reports, situation
from notifications.channels import base
from notifications.channels.base import ChannelError, Report, Taken
from notifications.claiming import Envelope
from notifications.models import Channel, Delivery, Notice
from notifications.reach import Reach

logger = structlog.get_logger(__name__)

TOO_LATE = dt.timedelta(seconds=60)
"""A letter that waited longer between its claim and its sending is not sent: somebody may be asking about it by now."""
MAY_SLEEP_SECONDS = 3.0
ASK_BATCH = 50
ASK_AGAIN = dt.timedelta(minutes=5)
REPORT_AWAITED = dt.timedelta(minutes=10)
"""How long a report may take to settle what can't be asked about."""
ASKED_FOR = dt.timedelta(hours=6)


def send(ids: Collection[int]) -> int:
    """Send these notices now, with the next channel at once where one refuses; return how many letters were sent.

    What can't go now is left to `send_due`. Never call it inside a transaction.
    """
    sent, slept = 0, 0.0
    while ids:
        envelopes, looked = claiming.claim(breaker.lanes(), limit=claiming.chunk(), ids=ids)
        sent += len(envelopes)
        _deliver(envelopes)
        if not looked:
            wait = _soon(ids)
            if wait is None or slept + wait > MAY_SLEEP_SECONDS:
                break
            slept += wait
            time.sleep(wait)
    return sent


def send_due(seconds: float = 45.0) -> int:
    """Send what is due until nothing is left or the time is over; return how many letters were sent.

    Oldest first, each channel in its turn: the backlog of one doesn't keep another one waiting.
    """
    until, sent = time.monotonic() + seconds, 0
    busy = [channel.value for channel in Channel if channel != Channel.WEBHOOK]
    while busy and time.monotonic() < until:
        lanes = breaker.lanes(probe=True)
        for lane in list(busy):
            envelopes, looked = claiming.claim(lanes, limit=claiming.chunk(), lane=lane)
            sent += len(envelopes)
            _deliver(envelopes)
            if not looked:
                busy.remove(lane)
    return sent


def ask_unknown(batch: int = ASK_BATCH) -> int:
    """Ask channels what became of letters without an answer; return how many were looked at."""
    now = clock.now()
    due = Delivery.objects.filter(state__in=outcomes.OPEN, ask_at__lte=now).order_by("ask_at", "id")
    asked = 0
    for delivery in list(due.select_related("notice")[:batch]):
        mine = Delivery.objects.filter(pk=delivery.pk, state__in=outcomes.OPEN, ask_at=delivery.ask_at)
        if mine.update(state=Delivery.State.UNKNOWN, ask_at=now + ASK_AGAIN):
            asked += 1
            _settle(delivery, _ask(delivery))
    return asked


def _deliver(envelopes: Sequence[Envelope]) -> None:
    """Send the letters side by side, each answer recorded as soon as it is there."""
    if settings.NOTIFY_THREADS <= 1 or len(envelopes) <= 1:
        for envelope in envelopes:
            _deliver_one(envelope)
        return
    with ThreadPoolExecutor(max_workers=len(envelopes)) as pool:
        list(pool.map(_deliver_apart, envelopes))


def _deliver_apart(envelope: Envelope) -> None:
    try:
        _deliver_one(envelope)
    finally:
        connections.close_all()


def _deliver_one(envelope: Envelope) -> None:
    answer = _call(envelope)
    outcomes.answered(envelope, answer)
    outcome = "taken" if isinstance(answer, Taken) else "unknown" if answer.unknown else "refused"
    logger.info("notice.sent", delivery=envelope.delivery_id, channel=envelope.channel, outcome=outcome)
    if outcome == "taken":
        metrics.observe_told(envelope.channel, (clock.now() - envelope.notice.due_at).total_seconds())


def _call(envelope: Envelope) -> Taken | ChannelError:
    if clock.now() - envelope.started_at > TOO_LATE:
        return ChannelError("领取后过久没有发出", code="too_late")
    try:
        return base.get_channel(envelope.channel).send(envelope.letter)
    except ChannelError as error:
        return error
    except Exception as error:
        logger.exception("channel.failed", channel=envelope.channel, delivery=envelope.delivery_id)
        return ChannelError(type(error).__name__, code="crashed", unknown=True)


def _soon(ids: Collection[int]) -> float | None:
    """Return after how many seconds one of these is due that was only put off for a moment."""
    waiting = Notice.objects.filter(pk__in=ids, state=Notice.State.WAITING).exclude(channel="")
    due_at = waiting.order_by("due_at").values_list("due_at", flat=True).first()
    wait = (due_at - clock.now()).total_seconds() if due_at else None
    return max(wait, 0.05) if wait is not None and 0 < wait <= MAY_SLEEP_SECONDS else None


def _ask(delivery: Delivery) -> Report | Literal["later"] | None:
    notice = delivery.notice
    about = situation.load([notice])[notice.pk]
    reach = Reach.of([notice], [about])
    address = reach.address(delivery.channel, notice, about) if delivery.channel in base.CHANNELS else None
    if address is None:
        return None
    letter = claiming.letter(notice, about, reach, delivery.channel, address, delivery.reference, whole=False)
    try:
        return base.get_channel(delivery.channel).ask(letter, delivery.provider_id, delivery.started_at)
    except ChannelError as error:
        logger.warning("channel.not_asked", channel=delivery.channel, delivery=delivery.pk, error=error.reason)
        return "later"


def _settle(delivery: Delivery, said: Report | Literal["later"] | None) -> None:
    waited = clock.now() - delivery.started_at
    if isinstance(said, Report):
        reports.settle_delivery(delivery.pk, said)
    elif (said == "later" and waited >= ASKED_FOR) or (said is None and waited >= REPORT_AWAITED):
        outcomes.doubtful(delivery)
