"""Sending: claim due notices and commit, call the channels outside any transaction, then record their answers.

A process that dies in between leaves deliveries that are `sending`; after a while they are `unknown` and asked about.
No more than `claiming.chunk()` of them for each process.
"""

import datetime as dt
import functools
import os
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from concurrent import futures
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from typing import Literal

import structlog
from django.db import DEFAULT_DB_ALIAS, DatabaseError, connections

from frozenshop.kernel import clock, leases, metrics, outbox, request_id
from notifications import breaker, claiming, outcomes, reports, situation
from notifications.channels import base
from notifications.channels.base import ChannelError, Report, Taken
from notifications.claiming import Envelope
from notifications.models import Channel, Delivery, Notice
from notifications.occasions import SMS
from notifications.reach import Reach
from notifications.situation import Situation

logger = structlog.get_logger(__name__)

TOO_LATE = dt.timedelta(seconds=60)
"""A letter that waited longer between its claim and its sending is not sent: somebody may be asking about it by now."""
MAY_SLEEP_SECONDS = 3.0
TOPIC = "notifications.send_due"
SENDERS = 2
"""How many processes work off what is due: a backlog uses two cores, and leaves the other processes to what is new."""
LEASE = dt.timedelta(seconds=75)
HELP_AFTER = 5
"""After so many full hands a second process is asked to help."""
GATHER_SECONDS = 0.03
"""How long an answer waits for others to be recorded with it."""
ASK_BATCH = 50
ASK_AGAIN = dt.timedelta(minutes=5)
REPORT_AWAITED = dt.timedelta(minutes=10)
"""How long a report may take to settle what can't be asked about."""
_Allowed = Mapping[str, Collection[str]]
"""By channel: the references of the letters that its ledger allows."""
ASKED_FOR = dt.timedelta(hours=6)


def send(ids: Collection[int]) -> int:
    """Send these notices now, with the next channel at once where one refuses; return how many letters were sent.

    What can't go now is left to `send_due`. Never call it inside a transaction.
    """
    sent, slept, left = 0, 0.0, set(ids)
    while left:
        lanes = breaker.lanes()
        envelopes, looked = claiming.claim(lanes, limit=claiming.chunk(), ids=left)
        sent += len(envelopes)
        left -= _deliver(envelopes)
        if left and not looked:
            wait = _soon(left, lanes)
            if wait is None or slept + wait > MAY_SLEEP_SECONDS:
                break
            slept += wait
            time.sleep(wait)
    return sent


def send_due(seconds: float = 45.0) -> int:
    """Send what is due until nothing is left or the time is over; return how many letters were sent.

    Oldest first, each channel in its turn: the backlog of one doesn't keep another one waiting. 0 at once where
    `SENDERS` processes are at it.
    """
    with _one_of_few() as ours:
        sent, left = _send_lanes(time.monotonic() + seconds) if ours else (0, False)
    if left:
        outbox.enqueue(TOPIC)
    return sent


def _send_lanes(until: float) -> tuple[int, bool]:
    """Return how many letters were sent, and whether there is more to do."""
    sent, full = 0, 0
    busy = [channel.value for channel in Channel if channel != Channel.WEBHOOK]
    while busy and time.monotonic() < until:
        lanes = breaker.lanes(probe=True)
        for lane in list(busy):
            more, looked = _send_lane(lane, lanes, until)
            sent += more
            if not looked:
                busy.remove(lane)
            full += looked == claiming.chunk() > 1
            if full == HELP_AFTER:
                full += 1
                outbox.enqueue(TOPIC)
    return sent, bool(busy)


def _send_lane(lane: str, lanes: breaker.Lanes, until: float) -> tuple[int, int]:
    """Send a handful of this lane; return how many letters that were, and how many notices were looked at last.

    Where it may be tried we go on until a letter does: those that have another way first must not use that up.
    """
    sent = 0
    while True:
        envelopes, looked = claiming.claim(lanes, limit=claiming.chunk(), lane=lane)
        _deliver(envelopes)
        sent += len(envelopes)
        tried = lane not in lanes.probing or any(envelope.probe for envelope in envelopes)
        if tried or not looked or time.monotonic() > until:
            return sent, looked


@contextmanager
def _one_of_few() -> Iterator[bool]:
    with ExitStack() as stack:
        yield any(stack.enter_context(leases.hold(f"{TOPIC}:{place}", LEASE)) for place in range(SENDERS))


def ask_unknown(batch: int = ASK_BATCH, seconds: float = 60.0) -> int:
    """Ask channels what became of letters without an answer, until the time is over; return how many were looked at."""
    now, until = clock.now(), time.monotonic() + seconds
    due = Delivery.objects.filter(state__in=outcomes.OPEN, ask_at__lte=now).order_by("ask_at", "id")
    asked = 0
    for delivery in list(due.select_related("notice")[:batch]):
        if time.monotonic() > until:
            break
        mine = Delivery.objects.filter(pk=delivery.pk, state__in=outcomes.OPEN, ask_at=delivery.ask_at)
        if mine.update(state=Delivery.State.UNKNOWN, ask_at=now + ASK_AGAIN):
            asked += 1
            with _origin(delivery.notice):
                _settle(delivery, _ask(delivery))
    return asked


def _deliver(envelopes: Sequence[Envelope]) -> set[int]:
    """Send the letters side by side, the answers recorded as they come; return the notices no letter is left for.

    Of those that were refused it isn't known: another channel may have them at once.
    """
    over: set[int] = set()
    errors: list[Exception] = []
    for answers in _answers(envelopes):
        try:
            _record(answers)
        except Exception as error:  # what others of this hand were answered is written down all the same
            errors.append(error)
        over |= {envelope.notice.pk for envelope, answer in answers if _tell(envelope, answer) != "refused"}
    if errors:
        raise errors[0]
    return over


def _record(answers: Sequence[tuple[Envelope, Taken | ChannelError]]) -> None:
    _note_taken([envelope for envelope, answer in answers if isinstance(answer, Taken)])
    try:
        outcomes.answered(answers)
    except Exception:
        if len(answers) == 1:
            raise
        for one in answers:
            outcomes.answered([one])


def _answers(envelopes: Sequence[Envelope]) -> Iterator[list[tuple[Envelope, Taken | ChannelError]]]:
    """Yield what the channels say, together what comes at about the same time."""
    allowed = _allowed(envelopes)
    if len(envelopes) <= 1 or claiming.chunk() <= 1:
        for envelope in envelopes:
            yield [(envelope, _call(envelope, allowed))]
        return
    hands, left = _hands(claiming.chunk(), os.getpid()), {}
    for envelope in envelopes:
        left[hands.submit(_call_apart, envelope, allowed)] = envelope
    while left:
        futures.wait(left, return_when=futures.FIRST_COMPLETED)
        done, _ = futures.wait(left, timeout=GATHER_SECONDS)
        yield [(left.pop(one), one.result()) for one in done]


@functools.cache
def _hands(number: int, process: int) -> ThreadPoolExecutor:
    """Return the threads of this process, which live as long as it: each keeps its connections to the channels."""
    return ThreadPoolExecutor(number, "sending")


def _call_apart(envelope: Envelope, allowed: _Allowed) -> Taken | ChannelError:
    """Leave no connection to the database behind: only what is out of the ordinary opens one in a thread."""
    try:
        return _call(envelope, allowed)
    finally:
        connections[DEFAULT_DB_ALIAS].close()


def _allowed(envelopes: Sequence[Envelope]) -> _Allowed:
    """Ask the ledgers of channels that have one, once for all letters; where that fails each letter asks for itself."""
    found: dict[str, Collection[str]] = {}
    for channel in {envelope.channel for envelope in envelopes}:
        if ledger := _ledger(channel):
            with suppress(DatabaseError):
                found[channel] = ledger.allowed([one.letter for one in envelopes if one.channel == channel])
    return found


def _note_taken(envelopes: Sequence[Envelope]) -> None:
    for channel in {envelope.channel for envelope in envelopes}:
        if ledger := _ledger(channel):
            ledger.note_taken([one.letter for one in envelopes if one.channel == channel])


def _ledger(channel: str) -> base.Ledger | None:
    found = base.get_channel(channel)
    return found if isinstance(found, base.Ledger) else None


def _tell(envelope: Envelope, answer: Taken | ChannelError) -> str:
    """Log and measure what became of a letter."""
    outcome = "taken" if isinstance(answer, Taken) else "unknown" if answer.unknown else "refused"
    with _origin(envelope.notice):
        logger.info("notice.sent", delivery=envelope.delivery_id, channel=envelope.channel, outcome=outcome)
    metrics.observe_channel(envelope.channel, outcome)
    if outcome == "taken":
        metrics.observe_told(envelope.channel, (clock.now() - envelope.notice.due_at).total_seconds())
    return outcome


def _origin(notice: Notice) -> AbstractContextManager[None]:
    """A letter goes under the id of what called for it, whoever sends it, and when."""
    return request_id.carrying(notice.request_id or request_id.current())


def _call(envelope: Envelope, allowed: _Allowed) -> Taken | ChannelError:
    with _origin(envelope.notice):
        return _put(envelope, allowed)


def _put(envelope: Envelope, allowed: _Allowed) -> Taken | ChannelError:
    if clock.now() - envelope.started_at > TOO_LATE:
        return ChannelError("领取后过久没有发出", code="too_late")
    with metrics.channel_call(envelope.channel):
        return _answer(envelope, allowed.get(envelope.channel))


def _answer(envelope: Envelope, known: Collection[str] | None) -> Taken | ChannelError:
    channel = base.get_channel(envelope.channel)
    try:
        if known is not None and isinstance(channel, base.Ledger):
            return channel.send_if(envelope.letter.reference in known, envelope.letter)
        return channel.send(envelope.letter)
    except ChannelError as error:
        return error
    except Exception as error:
        logger.exception("channel.failed", channel=envelope.channel, delivery=envelope.delivery_id)
        return ChannelError(type(error).__name__, code="crashed", unknown=True)


def _soon(ids: Collection[int], lanes: breaker.Lanes) -> float | None:
    """Return after how many seconds one of these is due that was only put off, or held, for a moment."""
    waiting = Notice.objects.filter(pk__in=ids, state=Notice.State.WAITING, channel__in=lanes.clear | lanes.trouble)
    due_at = waiting.order_by("due_at").values_list("due_at", flat=True).first()
    wait = (due_at - clock.now()).total_seconds() if due_at else None
    return max(wait, 0.05) if wait is not None and wait <= MAY_SLEEP_SECONDS else None


def _ask(delivery: Delivery) -> Report | Literal["later"] | None:
    notice = delivery.notice
    about = situation.load([notice])[notice.pk]
    if delivery.channel in SMS and _moved_since(about, delivery.started_at):
        return None
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
    except DatabaseError:
        raise
    except Exception:  # as in `_call`: one letter that breaks must not hold up the others
        logger.exception("channel.not_asked", channel=delivery.channel, delivery=delivery.pk)
        return "later"


def _moved_since(about: Situation, instant: dt.datetime) -> bool:
    """Say whether the buyer has verified a phone since: a letter to the former one would be missing under this one."""
    verified_at = about.customer.phone_verified_at if about.customer else None
    return verified_at is not None and verified_at > instant


def _settle(delivery: Delivery, said: Report | Literal["later"] | None) -> None:
    waited = clock.now() - delivery.started_at
    if isinstance(said, Report):
        reports.settle_delivery(delivery.pk, said)
    elif (said == "later" and waited >= ASKED_FOR) or (said is None and waited >= REPORT_AWAITED):
        outcomes.doubtful(delivery)
