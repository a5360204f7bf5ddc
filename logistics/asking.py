"""One question put to a provider, within its limits, with a row that says how it ended.

`admit` and `settle` write to the database, the question between them doesn't: so that it may run in a thread, and never
inside a transaction.
"""

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from frozenshop.kernel import clock, throttling
from logistics import breaker, budget
from logistics.breaker import NotNow
from logistics.carriers import provider_code
from logistics.models import Carrier, ProviderCall
from logistics.providers.base import Concerns, ProviderError, configured_providers
from orders import alerting
from orders.models import AlertKind

T = TypeVar("T")

__all__ = ["NotNow", "Ticket", "admit", "ask", "carrier_subject", "provider_of", "settle"]

CALLS_PER_SECOND = 10.0
"""The lowest limit that a provider documents (快递鸟 1002 and 2002)."""


@dataclass(frozen=True, slots=True)
class Ticket:
    """Leave to put one question."""

    provider: str
    operation: str
    waybill_no: str
    started_at: dt.datetime
    probe: bool


def provider_of(carrier: Carrier) -> str | None:
    """Return the first configured provider that knows the carrier, or None if nobody can be asked."""
    return next((name for name in configured_providers() if provider_code(carrier, name)), None)


def ask(provider: str, operation: str, waybill_no: str, put: Callable[[], T]) -> T:
    """Put one question within the limits. Raises NotNow or ProviderError."""
    ticket = admit(provider, operation, waybill_no)
    try:
        answer = put()
    except ProviderError as error:
        settle(ticket, error)
        raise
    settle(ticket)
    return answer


def admit(provider: str, operation: str, waybill_no: str) -> Ticket:
    """Let a question pass breaker, pace and budget. Raises NotNow. Only queries count towards the budget."""
    now = clock.now()
    if wait := throttling.hit(f"provider:{provider}", rate=CALLS_PER_SECOND, burst=int(CALLS_PER_SECOND)):
        raise NotNow("查询过密", now + wait)
    probe = breaker.admit(provider)
    if operation == "query":
        _take_from_budget(provider)
    return Ticket(provider, operation, waybill_no, now, probe)


def settle(ticket: Ticket, error: ProviderError | None = None) -> None:
    """Record how a question ended, and let breaker and alerts know."""
    elapsed = clock.now() - ticket.started_at
    ProviderCall.objects.create(
        provider=ticket.provider,
        operation=ticket.operation,
        waybill_no=ticket.waybill_no,
        started_at=ticket.started_at,
        elapsed_ms=max(elapsed // dt.timedelta(milliseconds=1), 0),
        outcome=_outcome(error),
        detail=error.reason[:300] if error else "",
    )
    subject = provider_subject(ticket.provider)
    if error is None or error.concerns != Concerns.ACCOUNT:
        if breaker.succeeded(ticket.provider):
            resolution = "服务商已恢复"
            alerting.resolve_alerts(subject, [AlertKind.PROVIDER_TROUBLE], resolution=resolution)
    elif error.permanent:
        breaker.refused(ticket.provider, error.reason)
        alerting.open_alert(AlertKind.PROVIDER_TROUBLE, subject=subject, detail=error.reason)
    elif breaker.failed(ticket.provider, error.reason, probe=ticket.probe):
        alerting.open_alert(AlertKind.PROVIDER_TROUBLE, subject=subject, detail=f"连续出错：{error.reason}")


def provider_subject(provider: str) -> str:
    return f"provider:{provider}"


def carrier_subject(provider: str, carrier: Carrier) -> str:
    return f"provider:{provider}:{carrier.code}"


def _take_from_budget(provider: str) -> None:
    subject = f"{provider_subject(provider)}:budget"
    try:
        if budget.take(provider):
            alerting.resolve_alerts(subject, [AlertKind.PROVIDER_TROUBLE], resolution="新的一天")
    except NotNow as refusal:
        alerting.open_alert(AlertKind.PROVIDER_TROUBLE, subject=subject, detail=refusal.reason)
        raise


def _outcome(error: ProviderError | None) -> str:
    if error is None:
        return "ok"
    return "refused" if error.permanent else "failed"
