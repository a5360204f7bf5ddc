"""The buyer's refresh: all parcels of an order are asked about at once, and the buyer waits for the answers."""

import datetime as dt
import itertools
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import suppress
from contextvars import copy_context
from dataclasses import dataclass

from frozenshop.kernel import clock
from logistics import asking, cadence, floor, polling, turns
from logistics.asking import NotNow, Ticket
from logistics.models import Shipment
from logistics.providers.base import Concerns, ProviderError, ProviderReport, get_provider
from orders.models import Order
from orders.versions import bump

SECONDS = 4.5
AT_MOST = 5


@dataclass(frozen=True, slots=True)
class Refreshed:
    """`refreshed`: at least one parcel was asked about and answered; `next_allowed_at`: when asking again may help."""

    refreshed: bool
    next_allowed_at: dt.datetime


def refresh_now(order: Order) -> Refreshed:
    """Ask about all of an order's parcels at once and wait for at most five seconds; silence is `refreshed=False`.

    Only the questions run in threads: they touch no database.
    """
    live = Shipment.objects.filter(orders=order, voided_at__isnull=True).select_related("carrier").order_by("pk")
    parcels = [shipment for shipment in live if not cadence.is_over(shipment)]
    may = ((shipment, ticket) for shipment in parcels if (ticket := _admit(shipment)))
    asked = dict(itertools.islice(may, AT_MOST))
    answers = _ask_together(asked)
    refreshed = [_settle(shipment, ticket, answers[shipment]) for shipment, ticket in asked.items()]
    if asked:
        bump([order.pk])  # `checked_at` stands in the document: who refreshed reads it next.
    checked = Shipment.objects.filter(pk__in=[shipment.pk for shipment in parcels]).values_list("checked_at", flat=True)
    allowed = [checked_at + cadence.FLOOR for checked_at in checked if checked_at]
    now = clock.now()
    if not parcels or len(allowed) < len(parcels):
        return Refreshed(any(refreshed), now)
    return Refreshed(any(refreshed), max(min(allowed), now))


def _admit(shipment: Shipment) -> Ticket | None:
    """Take leave, and a ticket of the first provider that may be asked."""
    leave = floor.take_leave(shipment)
    for name in turns.turn_of(shipment) if leave else ():
        with suppress(NotNow):
            return asking.admit(name, "query", shipment.waybill_no, carrier=shipment.carrier)
    if leave:
        floor.give_back(leave)
    return None


def _ask_together(asked: dict[Shipment, Ticket]) -> dict[Shipment, ProviderReport | ProviderError]:
    if not asked:
        return {}
    pool = ThreadPoolExecutor(max_workers=len(asked), thread_name_prefix="refresh")
    futures: dict[Shipment, Future[ProviderReport]] = {}
    for shipment, ticket in asked.items():
        question = polling.question_about(shipment, ticket.provider)
        query = get_provider(ticket.provider).query
        futures[shipment] = pool.submit(copy_context().run, query, question, timeout=SECONDS)
    wait(futures.values(), timeout=SECONDS)
    pool.shutdown(wait=False, cancel_futures=True)
    return {shipment: _outcome(future) for shipment, future in futures.items()}


def _outcome(future: Future[ProviderReport]) -> ProviderReport | ProviderError:
    if not future.done():
        return ProviderError("没有按时答复", concerns=Concerns.ACCOUNT)
    error = future.exception()
    if error is None:
        return future.result()
    if isinstance(error, ProviderError):
        return error
    raise error


def _settle(shipment: Shipment, ticket: Ticket, outcome: ProviderReport | ProviderError) -> bool:
    error = outcome if isinstance(outcome, ProviderError) else None
    asking.settle(ticket, error)
    polling.record_alone(shipment, polling.turn_of_one(ticket.provider, outcome))
    return error is None
