"""Asking about parcels: the watchdog behind the pushes, and staff's "sync now".

No waybill is asked about twice within the floor, whoever wants it; when one provider fails, the next one is asked.
"""

import datetime as dt
import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from django.db import transaction
from django.db.models import QuerySet

from frozenshop.kernel import clock, crypto, outbox
from logistics import (
    anomalies,
    asking,
    breaker,
    cadence,
    callback_tokens,
    floor,
    messages,
    problems,
    rationing,
    subscriptions,
    tracking,
    turns,
)
from logistics.asking import Turn
from logistics.carriers import is_manual, provider_code
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
from orders.models import AlertKind

BATCH = 200
CLAIM = dt.timedelta(minutes=30)
"""How long a claimed parcel is left alone before it counts as due again."""
NO_PROVIDER_GAP = dt.timedelta(hours=24)
PARKED_GAP = dt.timedelta(hours=24)
LONGEST_RETRY = dt.timedelta(hours=12)
SPREAD_SECONDS = 30.0
"""What was refused together comes back spread over so long, lest it is refused together again."""


@dataclass(frozen=True, slots=True)
class Synced:
    """How asking about one parcel ended; `reason` is a sentence for staff, empty when it was answered."""

    answered: bool
    reason: str = ""


# --- one parcel -----------------------------------------------------------------------------------


def sync(shipment: Shipment, effect: outbox.Effect | None = None, *, skip: Sequence[str] = ()) -> Synced:
    """Ask about a parcel now and record the answer; `effect` is the transaction in which to record.

    Call it outside any transaction. One provider after the other is asked, each at most once, until one answers; those
    of `skip` were asked a moment ago. Refusals and failures are recorded too, with the time of the next try.
    """
    recording = effect or transaction.atomic()
    if cadence.is_over(shipment):
        return _stop(shipment, "运单已结束", recording)
    if is_manual(shipment.carrier):
        return _stop(shipment, "没有服务商可查这家承运商，由人工报告", recording)
    names = [name for name in turns.turn_of(shipment) if name not in skip]
    if not names:
        return _put_off(shipment, clock.now() + NO_PROVIDER_GAP, "没有可用的轨迹服务商", recording)
    leave = floor.take_leave(shipment)
    if leave is None:
        return _put_off(shipment, floor.next_allowed_at(shipment), "30 分钟内已查询过", recording)
    turn = asking.ask_in_turn(
        names, "query", shipment.waybill_no, lambda name: _query(shipment, name), carrier=shipment.carrier
    )
    if not turn.asked:
        floor.give_back(leave)
    if effect is None:
        record_alone(shipment, turn)
    else:
        with effect:
            record(shipment, turn)
    return Synced(turn.answer is not None, "" if turn.answer else turn.reason)


def subscribe(shipment: Shipment, effect: outbox.Effect) -> None:
    """Ask a provider (the next one, if one refuses) to push what happens to a parcel.

    Polling goes on as a watchdog, whatever comes of it.
    """
    if shipment.subscribed_at or cadence.is_over(shipment):
        return
    allowed = {name: subscriptions.next_at(shipment, name) for name in asking.providers_of(shipment.carrier)}
    now = clock.now()
    names = [name for name, at in allowed.items() if at and at <= now]
    turn = asking.ask_in_turn(names, "subscribe", shipment.waybill_no, lambda name: _subscribe(shipment, name))
    passing = next((error for error in turn.errors.values() if not error.permanent), None)
    if passing and not turn.answer:
        raise passing
    later = [at for at in allowed.values() if at and at > now]
    again = [*later, *(_spread(refusal.until) for refusal in turn.refusals.values())]
    with effect:
        _tell_of_failures(shipment, turn)
        if turn.answer:
            subscriptions.begin(shipment, turn.provider)
        elif again:
            outbox.enqueue("logistics.subscribe", {"shipment_id": shipment.pk}, due_at=min(again))


def sync_now(shipment: Shipment) -> Synced:
    """Ask because a person wants it. Says why where it can't be done."""
    if cadence.is_over(shipment):
        return Synced(False, "运单已结束")
    return sync(shipment)


def question_about(shipment: Shipment, provider: str) -> Question:
    """Return the question about a parcel, with the consignee's last four digits only where the provider wants them."""
    carrier = subscriptions.carrier_of(shipment, provider)
    return Question(
        provider_code(carrier, provider),
        shipment.waybill_no,
        _phone_tail(shipment) if provider in carrier.needs_phone_tail else "",
        origin=shipment.origin,
        destination=shipment.destination,
        callback_url=callback_tokens.address(shipment, provider),
    )


def _query(shipment: Shipment, provider: str) -> ProviderReport:
    return get_provider(provider).query(question_about(shipment, provider))


def _subscribe(shipment: Shipment, provider: str) -> bool:
    get_provider(provider).subscribe(question_about(shipment, provider))
    return True


# --- many parcels ---------------------------------------------------------------------------------


def due(now: dt.datetime | None = None) -> QuerySet[Shipment]:
    """Return the parcels that it is time to ask about, the longest waiting first."""
    live = Shipment.objects.filter(voided_at__isnull=True).exclude(status__in=cadence.FINAL)
    return live.filter(next_poll_at__lte=now or clock.now()).order_by("next_poll_at", "id")


def claim_due() -> int:
    """Queue questions about the due parcels of a bounded batch; return about how many. Call it inside a transaction.

    A claimed parcel moves back in the queue first, so that one that fails for ever can't block the rest. What the
    day's budget won't do for waits until tomorrow.
    """
    now = clock.now()
    parcels = list(due(now).select_related("carrier")[: _batch()])
    waiting = rationing.must_wait(parcels, now)
    for parcel in parcels:
        if parcel.pk in waiting:
            _move(parcel, waiting[parcel.pk])
    claimed = [parcel for parcel in parcels if parcel.pk not in waiting and _move(parcel, now + CLAIM)]
    for provider, group in turns.together(claimed):
        _enqueue(provider, group)
    return len(claimed)


def enqueue_sync(shipment_ids: Iterable[int]) -> None:
    """Queue a question about each parcel."""
    for pk in shipment_ids:
        outbox.enqueue("logistics.sync_shipment", {"shipment_id": pk})


def _move(parcel: Shipment, until: dt.datetime) -> bool:
    """Move a parcel in the queue, if nobody else has; `next_poll_at` of the object still says when it was due."""
    return bool(Shipment.objects.filter(pk=parcel.pk, next_poll_at=parcel.next_poll_at).update(next_poll_at=until))


def _enqueue(provider: str, parcels: Sequence[Shipment]) -> None:
    first, ids = parcels[0], [parcel.pk for parcel in parcels]
    key = f"sync:{first.pk}:{first.next_poll_at:%Y%m%d%H%M%S%f}"
    if provider:
        outbox.enqueue("logistics.sync_batch", {"provider": provider, "shipment_ids": ids}, key=key)
    else:
        outbox.enqueue("logistics.sync_shipment", {"shipment_id": first.pk}, key=key)


def _batch() -> int:
    """An open breaker lets nothing through, and one that is due for a probe needs a single parcel."""
    states = [breaker.state_of(name) for name in configured_providers()]
    if not states:
        return BATCH
    if all(state.open_until and state.open_until > clock.now() for state in states):
        return 0
    return 1 if all(state.open_until for state in states) else BATCH


# --- recording ------------------------------------------------------------------------------------


def turn_of_one(provider: str, outcome: ProviderReport | ProviderError) -> Turn[ProviderReport]:
    """Return what asking a single provider amounts to."""
    if isinstance(outcome, ProviderError):
        return Turn(errors={provider: outcome})
    return Turn(provider, outcome)


@retried
def record_alone(shipment: Shipment, turn: Turn[ProviderReport]) -> None:
    """Record in a transaction of its own how a turn ended."""
    with transaction.atomic():
        record(shipment, turn)


def record(shipment: Shipment, turn: Turn[ProviderReport]) -> None:
    """Record how a turn ended: the answer, or the next try. What a person must mend opens an alert."""
    report = turn.answer
    _tell_of_failures(shipment, turn)
    if report is None:
        _postpone(shipment, _next_try(shipment, turn))
        return
    messages.keep_answer(turn.provider, report)
    recorded = tracking.record_events(shipment, report, provider=Provider(turn.provider))
    _postpone(recorded.shipment, cadence.next_poll_at(recorded.shipment, clock.now()))
    for subject in (asking.carrier_subject(turn.provider, shipment.carrier), problems.subject(shipment)):
        alerting.resolve_alerts(subject, [AlertKind.PROVIDER_TROUBLE], resolution="服务商已答复")


def _next_try(shipment: Shipment, turn: Turn[ProviderReport]) -> dt.datetime:
    """Return when to try again: soon for what may pass, tomorrow for what won't by itself."""
    now = clock.now()
    tries = [_spread(refusal.until) for refusal in turn.refusals.values()]
    for name, error in turn.errors.items():
        tries.append(now + (PARKED_GAP if error.permanent else _retry_gap(shipment, name)))
    return max(min(tries), now + cadence.FLOOR) if turn.errors else min(tries)


def _retry_gap(shipment: Shipment, provider: str) -> dt.timedelta:
    """Return a wait that doubles with each failure in a row, from the floor up, with jitter."""
    asked = ProviderCall.objects.filter(waybill_no=shipment.waybill_no, provider=provider, operation="query")
    calls = asked.order_by("-pk")
    failures = 0
    for outcome in calls.values_list("outcome", flat=True)[:5]:
        if outcome == "ok":
            break
        failures += 1
    gap = min(cadence.FLOOR * (1 << max(failures - 1, 0)), LONGEST_RETRY)
    return gap * random.uniform(1, 1.5)  # noqa: S311


def _tell_of_failures(shipment: Shipment, turn: Turn[Any]) -> None:
    """Tell staff of what they must mend; that one provider has trouble with a parcel is none where another hasn't."""
    for name, error in turn.errors.items():
        if error.permanent and (turn.answer is None or error.concerns != Concerns.WAYBILL):
            _tell_staff(shipment, name, error)


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


def _stop(shipment: Shipment, reason: str, recording: outbox.Effect | transaction.Atomic) -> Synced:
    with recording:
        Shipment.objects.filter(pk=shipment.pk).update(next_poll_at=None)
    return Synced(False, reason)


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
    alerting.open_alert(
        AlertKind.LOST_CONTACT,
        subject=problems.subject(shipment),
        order=order,
        detail=detail,
        occurred_at=anomalies.silent_since(shipment),
    )
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
