"""Asking about parcels: the watchdog behind the pushes, the buyer's refresh, and staff's "sync now".

One waybill is never asked about twice within `FLOOR`, whoever wants it: leave is taken by a conditional update.
"""

import datetime as dt
import itertools
import random
from collections.abc import Iterable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextvars import copy_context
from dataclasses import dataclass

from django.db import transaction
from django.db.models import Q, QuerySet

from frozenshop.kernel import clock, crypto, outbox
from logistics import asking, breaker, cadence, messages, problems, tracking
from logistics.asking import NotNow, Ticket
from logistics.carriers import provider_code
from logistics.models import Provider, ProviderCall, Shipment
from logistics.providers.base import (
    Concerns,
    ProviderError,
    ProviderReport,
    Question,
    configured_providers,
    get_provider,
)
from orders import alerting, phones
from orders.contention import retried
from orders.models import AlertKind, Order
from orders.versions import bump

FLOOR = cadence.FLOOR
BATCH = 200
CLAIM = dt.timedelta(minutes=30)
"""How long a claimed parcel is left alone before it counts as due again."""
NO_PROVIDER_GAP = dt.timedelta(hours=24)
PARKED_GAP = dt.timedelta(hours=24)
LONGEST_RETRY = dt.timedelta(hours=12)
SPREAD_SECONDS = 30.0
"""What was refused together comes back spread over so long, lest it is refused together again."""
REFRESH_SECONDS = 4.5
REFRESH_AT_MOST = 5


@dataclass(frozen=True, slots=True)
class Refreshed:
    """`refreshed`: at least one parcel was asked about and answered; `next_allowed_at`: when asking again may help."""

    refreshed: bool
    next_allowed_at: dt.datetime


@dataclass(frozen=True, slots=True)
class Synced:
    """How asking about one parcel ended; `reason` is a sentence for staff, empty when it was answered."""

    answered: bool
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Leave:
    """Leave to ask about a parcel, and when it was asked about before."""

    shipment: Shipment
    provider: str
    before: dt.datetime | None
    taken_at: dt.datetime


# --- one parcel -----------------------------------------------------------------------------------


def sync(shipment: Shipment, effect: outbox.Effect | None = None) -> Synced:
    """Ask about a parcel now and record the answer; `effect` is the transaction in which to record.

    Call it outside any transaction. Refusals and failures are recorded too, with the time of the next try.
    """
    recording = effect or transaction.atomic()
    if cadence.is_over(shipment):
        return _stop(shipment, recording)
    provider = asking.provider_of(shipment.carrier)
    if provider is None:
        return _put_off(shipment, clock.now() + NO_PROVIDER_GAP, "没有可用的轨迹服务商", recording)
    leave = _take_leave(shipment, provider)
    if leave is None:
        return _put_off(shipment, _next_allowed_at(shipment), "30 分钟内已查询过", recording)
    question = question_about(shipment, provider)
    try:
        report = asking.ask(provider, "query", shipment.waybill_no, lambda: get_provider(provider).query(question))
    except NotNow as refusal:
        _give_back(leave)
        return _put_off(shipment, _spread(refusal.until), refusal.reason, recording)
    except ProviderError as error:
        with recording:
            return _record_failure(shipment, provider, error)
    if effect is None:
        _record_alone(shipment, provider, report)
    else:
        with effect:
            _record(shipment, provider, report)
    return Synced(True)


def subscribe(shipment: Shipment, effect: outbox.Effect) -> None:
    """Ask the provider to push what happens to a parcel. Polling goes on as a watchdog, whatever comes of it."""
    provider = asking.provider_of(shipment.carrier)
    if provider is None or shipment.subscribed_at or cadence.is_over(shipment):
        return
    question = question_about(shipment, provider)
    try:
        asking.ask(provider, "subscribe", shipment.waybill_no, lambda: get_provider(provider).subscribe(question))
    except NotNow as refusal:
        with effect:
            outbox.enqueue("logistics.subscribe", {"shipment_id": shipment.pk}, due_at=_spread(refusal.until))
    except ProviderError as error:
        if not error.permanent:
            raise
        with effect:
            _tell_staff(shipment, provider, error)
    else:
        with effect:
            Shipment.objects.filter(pk=shipment.pk).update(subscribed_at=clock.now())


def sync_now(shipment: Shipment) -> Synced:
    """Ask because a person wants it. Says why where it can't be done."""
    if cadence.is_over(shipment):
        return Synced(False, "运单已结束")
    return sync(shipment)


def question_about(shipment: Shipment, provider: str) -> Question:
    """Return the question about a parcel, with the consignee's last four digits only where the provider wants them."""
    code = provider_code(shipment.carrier, provider)
    wants_tail = provider in shipment.carrier.needs_phone_tail
    return Question(code, shipment.waybill_no, _phone_tail(shipment) if wants_tail else "")


# --- many parcels ---------------------------------------------------------------------------------


def due(now: dt.datetime | None = None) -> QuerySet[Shipment]:
    """Return the parcels that it is time to ask about, the longest waiting first."""
    live = Shipment.objects.filter(voided_at__isnull=True).exclude(status__in=cadence.FINAL)
    return live.filter(next_poll_at__lte=now or clock.now()).order_by("next_poll_at", "id")


def claim_due() -> int:
    """Queue a question for each due parcel of a bounded batch; return how many. Call it inside a transaction.

    A claimed parcel moves back in the queue first, so that one that fails for ever can't block the rest.
    """
    now = clock.now()
    claimed = 0
    for pk, due_at in due(now).values_list("pk", "next_poll_at")[: _batch()]:
        if Shipment.objects.filter(pk=pk, next_poll_at=due_at).update(next_poll_at=now + CLAIM):
            enqueue_sync([pk], slot=f"{due_at:%Y%m%d%H%M%S%f}")
            claimed += 1
    return claimed


def enqueue_sync(shipment_ids: Iterable[int], *, slot: str = "") -> None:
    """Queue a question about each parcel; a `slot` makes it one however often it is queued."""
    for pk in shipment_ids:
        key = f"sync:{pk}:{slot}" if slot else None
        outbox.enqueue("logistics.sync_shipment", {"shipment_id": pk}, key=key)


def _batch() -> int:
    """An open breaker lets nothing through, and one that is due for a probe needs a single parcel."""
    states = [breaker.state_of(name) for name in configured_providers()]
    if not states:
        return BATCH
    if all(state.open_until and state.open_until > clock.now() for state in states):
        return 0
    return 1 if all(state.open_until for state in states) else BATCH


# --- the buyer's refresh --------------------------------------------------------------------------


def refresh_now(order: Order) -> Refreshed:
    """Ask about all of an order's parcels at once and wait for at most five seconds; silence is `refreshed=False`.

    Only the questions run in threads: they touch no database.
    """
    live = Shipment.objects.filter(orders=order, voided_at__isnull=True).select_related("carrier").order_by("pk")
    parcels = [shipment for shipment in live if not cadence.is_over(shipment)]
    may = ((leave, ticket) for shipment in parcels if (leave := _leave(shipment)) and (ticket := _admit(leave)))
    asked = dict(itertools.islice(may, REFRESH_AT_MOST))
    answers = _ask_together(asked)
    refreshed = [_settle(leave, ticket, answers[leave]) for leave, ticket in asked.items()]
    if asked:
        bump([order.pk])  # `checked_at` stands in the document: who refreshed reads it next.
    checked = Shipment.objects.filter(pk__in=[shipment.pk for shipment in parcels]).values_list("checked_at", flat=True)
    allowed = [checked_at + FLOOR for checked_at in checked if checked_at]
    now = clock.now()
    if not parcels or len(allowed) < len(parcels):
        return Refreshed(any(refreshed), now)
    return Refreshed(any(refreshed), max(min(allowed), now))


def _leave(shipment: Shipment) -> Leave | None:
    provider = asking.provider_of(shipment.carrier)
    return _take_leave(shipment, provider) if provider else None


def _admit(leave: Leave) -> Ticket | None:
    try:
        return asking.admit(leave.provider, "query", leave.shipment.waybill_no)
    except NotNow:
        _give_back(leave)
        return None


def _ask_together(asked: dict[Leave, Ticket]) -> dict[Leave, ProviderReport | ProviderError]:
    if not asked:
        return {}
    pool = ThreadPoolExecutor(max_workers=len(asked), thread_name_prefix="refresh")
    futures: dict[Leave, Future[ProviderReport]] = {}
    for leave in asked:
        question = question_about(leave.shipment, leave.provider)
        query = get_provider(leave.provider).query
        futures[leave] = pool.submit(copy_context().run, query, question, timeout=REFRESH_SECONDS)
    wait(futures.values(), timeout=REFRESH_SECONDS)
    pool.shutdown(wait=False, cancel_futures=True)
    return {leave: _outcome(future) for leave, future in futures.items()}


def _outcome(future: Future[ProviderReport]) -> ProviderReport | ProviderError:
    if not future.done():
        return ProviderError("没有按时答复", concerns=Concerns.ACCOUNT)
    error = future.exception()
    if error is None:
        return future.result()
    if isinstance(error, ProviderError):
        return error
    raise error


def _settle(leave: Leave, ticket: Ticket, outcome: ProviderReport | ProviderError) -> bool:
    if isinstance(outcome, ProviderError):
        asking.settle(ticket, outcome)
        with transaction.atomic():
            return _record_failure(leave.shipment, leave.provider, outcome).answered
    asking.settle(ticket)
    _record_alone(leave.shipment, leave.provider, outcome)
    return True


# --- the floor ------------------------------------------------------------------------------------


def _take_leave(shipment: Shipment, provider: str) -> Leave | None:
    """Take leave to ask, or None if it was asked about within the floor."""
    now = clock.now()
    row = Shipment.objects.filter(pk=shipment.pk)
    before = row.values_list("checked_at", flat=True).get()
    free = Q(checked_at__isnull=True) | Q(checked_at__lte=now - FLOOR)
    if not row.filter(free).update(checked_at=now):
        return None
    return Leave(shipment, provider, before, now)


def _give_back(leave: Leave) -> None:
    """Undo leave that was not used: nothing was asked."""
    Shipment.objects.filter(pk=leave.shipment.pk, checked_at=leave.taken_at).update(checked_at=leave.before)


def _next_allowed_at(shipment: Shipment) -> dt.datetime:
    checked_at = Shipment.objects.values_list("checked_at", flat=True).get(pk=shipment.pk)
    return (checked_at or clock.now()) + FLOOR


# --- recording ------------------------------------------------------------------------------------


@retried
def _record_alone(shipment: Shipment, provider: str, report: ProviderReport) -> None:
    with transaction.atomic():
        _record(shipment, provider, report)


def _record(shipment: Shipment, provider: str, report: ProviderReport) -> None:
    messages.keep_answer(provider, report)
    recorded = tracking.record_events(shipment, report, provider=Provider(provider))
    _postpone(recorded.shipment, cadence.next_poll_at(recorded.shipment, clock.now()))
    for subject in (asking.carrier_subject(provider, shipment.carrier), problems.subject(shipment)):
        alerting.resolve_alerts(subject, [AlertKind.PROVIDER_TROUBLE], resolution="服务商已答复")


def _record_failure(shipment: Shipment, provider: str, error: ProviderError) -> Synced:
    """Set the next try: soon for what may pass, tomorrow (and a person now) for what won't."""
    if error.permanent:
        _tell_staff(shipment, provider, error)
        _postpone(shipment, clock.now() + PARKED_GAP)
    else:
        _postpone(shipment, clock.now() + _retry_gap(shipment))
    return Synced(False, error.reason)


def _retry_gap(shipment: Shipment) -> dt.timedelta:
    """Return a wait that doubles with each failure in a row, from the floor up, with jitter."""
    calls = ProviderCall.objects.filter(waybill_no=shipment.waybill_no, operation="query").order_by("-pk")
    failures = 0
    for outcome in calls.values_list("outcome", flat=True)[:5]:
        if outcome == "ok":
            break
        failures += 1
    gap = min(FLOOR * (1 << max(failures - 1, 0)), LONGEST_RETRY)
    return gap * random.uniform(1, 1.5)  # noqa: S311


def _tell_staff(shipment: Shipment, provider: str, error: ProviderError) -> None:
    """Open one alert where the trouble is: the carrier's plan or code, or this parcel. An account's has its own."""
    if error.concerns in (Concerns.PLAN, Concerns.CARRIER):
        subject, order = asking.carrier_subject(provider, shipment.carrier), None
    elif error.concerns == Concerns.WAYBILL:
        subject, order = problems.subject(shipment), shipment.orders.order_by("pk").first()
    else:
        return
    detail = f"{shipment.carrier.name} {shipment.waybill_no}：{error.reason}"
    alerting.open_alert(AlertKind.PROVIDER_TROUBLE, subject=subject, order=order, detail=detail)


def _stop(shipment: Shipment, recording: outbox.Effect | transaction.Atomic) -> Synced:
    with recording:
        Shipment.objects.filter(pk=shipment.pk).update(next_poll_at=None)
    return Synced(False, "运单已结束")


def _put_off(
    shipment: Shipment, until: dt.datetime, reason: str, recording: outbox.Effect | transaction.Atomic
) -> Synced:
    with recording:
        _postpone(shipment, until)
    return Synced(False, reason)


def _postpone(shipment: Shipment, until: dt.datetime | None) -> None:
    """Set the next try, or give up on a parcel that was silent for too long and hand it to a person."""
    ends = cadence.next_poll_at(shipment, clock.now()) is None
    Shipment.objects.filter(pk=shipment.pk).update(next_poll_at=None if ends else until)
    if not ends or cadence.is_over(shipment):
        return
    order = shipment.orders.order_by("pk").first()
    detail = f"{shipment.carrier.name} {shipment.waybill_no} 长期没有轨迹，已停止查询"
    alerting.open_alert(AlertKind.LOST_CONTACT, subject=problems.subject(shipment), order=order, detail=detail)
    problems.show_on_all(problems.subject(shipment))


def _spread(instant: dt.datetime) -> dt.datetime:
    return instant + dt.timedelta(seconds=random.uniform(0, SPREAD_SECONDS))  # noqa: S311


def _phone_tail(shipment: Shipment) -> str:
    """Return the last four digits of the consignee of the box's first order; empty where they can't be read."""
    order = shipment.orders.order_by("pk").first()
    try:
        return phones.tail(order.open_consignee().phone) if order else ""
    except crypto.SealBroken:
        return ""
