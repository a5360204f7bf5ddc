"""Questions put to providers, within their limits, with rows that say how each ended and what it cost.

`admit` and `settle` write to the database, the question between them doesn't: so that it may run in a thread, and never
inside a transaction. `ask_in_turn` goes from one provider to the next until one answers.
"""

import datetime as dt
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Generic, TypeVar

from frozenshop.kernel import clock, throttling
from logistics import breaker, budget, costs, refusals
from logistics.breaker import NotNow
from logistics.carriers import provider_code
from logistics.models import Carrier
from logistics.providers.base import PROVIDERS, Concerns, ProviderError, configured_providers
from orders import alerting
from orders.models import AlertKind

T = TypeVar("T")

__all__ = [
    "NotNow",
    "Paced",
    "Ticket",
    "Turn",
    "admit",
    "ask",
    "ask_in_turn",
    "carrier_subject",
    "providers_of",
    "settle",
]


class Paced(NotNow):
    """Too many questions at this moment. Another provider isn't asked instead: the wait is short."""


@dataclass(frozen=True, slots=True)
class Ticket:
    """Leave to put one question, about one waybill or (in one call) several of a carrier.

    `probe`: it tries an open breaker; `retrial`: it tries whether the carrier is still refused.
    """

    provider: str
    operation: str
    waybill_nos: tuple[str, ...]
    started_at: dt.datetime
    probe: bool = False
    carrier: Carrier | None = None
    retrial: bool = False


@dataclass(slots=True)
class Turn(Generic[T]):
    """How it went to ask one provider after the other: who answered what (nobody: None), and why others didn't.

    `errors` are of those that were asked, `refusals` of those that weren't.
    """

    provider: str = ""
    answer: T | None = None
    errors: dict[str, ProviderError] = field(default_factory=dict)
    refusals: dict[str, NotNow] = field(default_factory=dict)

    @property
    def asked(self) -> bool:
        return self.answer is not None or bool(self.errors)

    @property
    def reason(self) -> str:
        """Why nobody answered, for staff."""
        told = {name: error.reason for name, error in self.errors.items()}
        told |= {name: refusal.reason for name, refusal in self.refusals.items()}
        if len(told) == 1:
            return next(iter(told.values()))
        return "；".join(f"{name}：{reason}" for name, reason in told.items())


def providers_of(carrier: Carrier) -> list[str]:
    """Return the configured providers that know the carrier, the first choice first."""
    configured = configured_providers()
    wanted = carrier.providers or PROVIDERS
    return [name for name in wanted if name in configured and provider_code(carrier, name)]


def ask_in_turn(
    names: Iterable[str], operation: str, waybill_no: str, put: Callable[[str], T], *, carrier: Carrier | None = None
) -> Turn[T]:
    """Ask one provider after the other, each at most once, until one answers (`put` never returns None)."""
    turn: Turn[T] = Turn()
    for name in names:
        try:
            turn.answer = ask(name, operation, waybill_no, partial(put, name), carrier=carrier)
        except NotNow as refusal:
            turn.refusals[name] = refusal
            if isinstance(refusal, Paced):
                break
        except ProviderError as error:
            turn.errors[name] = error
        else:
            turn.provider = name
            break
    return turn


def ask(provider: str, operation: str, waybill_no: str, put: Callable[[], T], *, carrier: Carrier | None = None) -> T:
    """Put one question within the limits. Raises NotNow or ProviderError."""
    ticket = admit(provider, operation, waybill_no, carrier=carrier)
    try:
        answer = put()
    except ProviderError as error:
        settle(ticket, error)
        raise
    settle(ticket)
    return answer


def admit(provider: str, operation: str, *waybill_nos: str, carrier: Carrier | None = None) -> Ticket:
    """Let a question pass pace, refusals, breaker and budget. Raises NotNow. Only queries are refused and budgeted."""
    now, query = clock.now(), operation == "query"
    _keep_pace(provider)
    retrial = bool(query and carrier and refusals.admit(provider, carrier))
    probe = breaker.admit(provider)
    if query:
        _take_from_budget(provider)
    return Ticket(provider, operation, waybill_nos, now, probe, carrier, retrial)


def settle(
    ticket: Ticket, error: ProviderError | None = None, failed: Mapping[str, ProviderError] | None = None
) -> None:
    """Record how a question ended, and let breaker, refusals and alerts know.

    `failed`: the waybills that the answer to a question about several said nothing usable of.
    """
    costs.note_call(ticket, error, failed or {})
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
    if ticket.carrier and ticket.operation == "query":
        _settle_carrier(ticket, ticket.carrier, error)


def provider_subject(provider: str) -> str:
    return f"provider:{provider}"


def carrier_subject(provider: str, carrier: Carrier) -> str:
    return f"provider:{provider}:{carrier.code}"


def budget_subject(provider: str) -> str:
    return f"{provider_subject(provider)}:budget"


def _settle_carrier(ticket: Ticket, carrier: Carrier, error: ProviderError | None) -> None:
    if error is None:
        if ticket.retrial:
            refusals.forget(ticket.provider, carrier)
    elif error.permanent and error.concerns in (Concerns.PLAN, Concerns.CARRIER):
        refusals.note(ticket.provider, carrier, error.reason)


def _keep_pace(provider: str) -> None:
    """Keep to the calls a minute: no minute, wherever it begins, sees more of them."""
    calls = max(breaker.state_of(provider).calls_per_minute, 1)
    burst = max(calls // 60, 1)
    if wait := throttling.hit(f"provider:{provider}", rate=(calls - burst + 1) / 60, burst=burst):
        raise Paced("查询过密", clock.now() + wait)


def _take_from_budget(provider: str) -> None:
    subject = budget_subject(provider)
    try:
        if budget.take(provider):
            alerting.resolve_alerts(subject, [AlertKind.PROVIDER_TROUBLE], resolution="新的一天")
    except NotNow as refusal:
        if breaker.state_of(provider).daily_budget:  # With a cap of nothing staff have switched it off.
            alerting.open_alert(AlertKind.PROVIDER_TROUBLE, subject=subject, detail=refusal.reason)
        raise
