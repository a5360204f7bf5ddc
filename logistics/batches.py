"""Several parcels in one call, where a provider takes them so: one call of its pace, its budget and its price."""

from collections.abc import Sequence
from typing import cast

from frozenshop.kernel import clock, outbox
from logistics import asking, cadence, floor, polling, turns
from logistics.asking import NotNow, Paced
from logistics.models import Carrier, Shipment
from logistics.providers.base import BatchProvider, ProviderError, ProviderReport, get_provider

Outcome = ProviderReport | ProviderError


def sync(provider: str, shipments: Sequence[Shipment], effect: outbox.Effect) -> None:
    """Ask a provider about several parcels at once, and record what it says of each. Repeatable.

    Call it outside any transaction. What it doesn't answer goes on by itself: to the next provider at once, or to its
    next try.
    """
    leaves = [leave for one in shipments if not cadence.is_over(one) and (leave := floor.take_leave(one))]
    asked = [leave.shipment for leave in leaves]
    try:
        outcomes = _ask(provider, asked) if asked else {}
    except NotNow as refusal:
        for leave in leaves:
            floor.give_back(leave)
        with effect:
            _go_on(asked, provider, refusal)
        return
    failed = [one for one in asked if isinstance(outcomes[one.waybill_no], ProviderError)]
    others = [one for one in failed if len(turns.turn_of(one)) > 1]
    for one in asked:
        if one not in others:
            polling.record_alone(one, polling.turn_of_one(provider, outcomes[one.waybill_no]))
    for leave in leaves:
        if leave.shipment in others:
            floor.give_back(leave)
    with effect:
        _queue(others, skip=[provider])


def _ask(provider: str, shipments: Sequence[Shipment]) -> dict[str, Outcome]:
    """Return an outcome for each waybill. Raises NotNow."""
    numbers = [shipment.waybill_no for shipment in shipments]
    ticket = asking.admit(provider, "query", *numbers, carrier=_carrier(shipments))
    questions = [polling.question_about(shipment, provider) for shipment in shipments]
    try:
        told = cast(BatchProvider, get_provider(provider)).query_many(questions)
    except ProviderError as error:
        asking.settle(ticket, error)
        return dict.fromkeys(numbers, error)
    outcomes = {number: told.get(number, ProviderError("答复中没有所问的运单号")) for number in numbers}
    asking.settle(ticket, failed={no: why for no, why in outcomes.items() if isinstance(why, ProviderError)})
    return outcomes


def _carrier(shipments: Sequence[Shipment]) -> Carrier | None:
    """A refusal is of a carrier only where all are of one."""
    carriers = {shipment.carrier for shipment in shipments}
    return carriers.pop() if len(carriers) == 1 else None


def _go_on(shipments: Sequence[Shipment], provider: str, refusal: NotNow) -> None:
    """Ask the next provider at once; a full minute is waited for, as by a parcel alone."""
    if isinstance(refusal, Paced):
        due_at = refusal.until
        Shipment.objects.filter(pk__in=[one.pk for one in shipments]).update(next_poll_at=due_at)
    else:
        _queue(shipments, skip=[])


def _queue(shipments: Sequence[Shipment], *, skip: list[str]) -> None:
    for shipment in shipments:
        payload = {"shipment_id": shipment.pk, "skip": skip}
        outbox.enqueue("logistics.sync_shipment", payload, due_at=clock.now())
