"""What asking providers costs: counted with each call, told by provider, day and order, and ahead for the month."""

import calendar
import datetime as dt
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from django.db import transaction
from django.db.models import Count, F, Q, QuerySet, Sum

from frozenshop.kernel import clock, logstore
from logistics import breaker, budget, masking
from logistics.models import Provider, ProviderCall, ProviderState, ProviderUsage, Shipment
from logistics.providers.base import ProviderError
from orders.contention import retried
from orders.models import Order

if TYPE_CHECKING:
    from logistics.asking import Ticket

NOTHING = Decimal(0)
CENT = Decimal("0.01")
NEAR = 0.8
"""From this share of the day's cap on, staff are shown that it is near."""
TREND = 7
"""A month's forecast goes on from the mean of so many complete days."""
DEAREST = 20
OK = "ok"


# --- counting -------------------------------------------------------------------------------------


@retried
def note_call(ticket: "Ticket", error: ProviderError | None, failed: Mapping[str, ProviderError]) -> None:
    """Write down a call and count it with its day, together or not at all.

    A query costs its price unless it was refused for good: whether one that broke off is charged, only the bill tells.
    """
    paid = ticket.operation == "query" and not (error and error.permanent)
    cost = breaker.state_of(ticket.provider).price_fen if paid else NOTHING
    elapsed = max((clock.now() - ticket.started_at) // dt.timedelta(milliseconds=1), 0)
    rows = [
        ProviderCall(
            provider=ticket.provider,
            operation=ticket.operation,
            waybill_no=waybill_no,
            started_at=ticket.started_at,
            elapsed_ms=elapsed,
            outcome=_outcome(why),
            detail=why.reason[:300] if why else "",
            cost_fen=share,
        )
        for waybill_no, share in zip(ticket.waybill_nos, shares(cost, len(ticket.waybill_nos)), strict=True)
        for why in (error or failed.get(waybill_no),)
    ]
    with transaction.atomic():
        _count(ticket, failed=error is not None, cost=cost)
        ProviderCall.objects.bulk_create(rows)
        transaction.on_commit(lambda: _log(rows), robust=True)


def _log(rows: Iterable[ProviderCall]) -> None:
    for row in rows if logstore.keeps(logstore.Kind.CALL) else ():
        logstore.write(
            logstore.Kind.CALL,
            service=row.provider,
            what=row.operation,
            outcome=row.outcome,
            failed=row.outcome != OK,
            ms=row.elapsed_ms,
            subject=row.waybill_no,
            detail=row.detail and masking.of_waybill(row.waybill_no)(row.detail),
            under=row.request_id,
        )


def shares(cost: Decimal, parts: int) -> list[Decimal]:
    """Split a cost so that the parts add up to it."""
    part = (cost / parts).quantize(CENT)
    return [cost - part * (parts - 1), *[part] * (parts - 1)]


def _count(ticket: "Ticket", *, failed: bool, cost: Decimal) -> None:
    day = clock.shanghai(ticket.started_at).date()
    row: dict[str, Any] = {"provider": ticket.provider, "used_on": day, "operation": ticket.operation}
    more = {"calls": F("calls") + 1, "failures": F("failures") + int(failed), "cost_fen": F("cost_fen") + cost}
    if not ProviderUsage.objects.filter(**row).update(**more):
        ProviderUsage.objects.get_or_create(**row)
        ProviderUsage.objects.filter(**row).update(**more)


def _outcome(error: ProviderError | None) -> str:
    if error is None:
        return OK
    return "refused" if error.permanent else "failed"


# --- by provider and day --------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Used:
    """What was asked in a day: `queries` count for the cap, `others` are subscriptions and the like."""

    queries: int = 0
    others: int = 0
    failures: int = 0
    cost_fen: Decimal = NOTHING

    def __add__(self, more: "Used") -> "Used":
        return Used(
            self.queries + more.queries,
            self.others + more.others,
            self.failures + more.failures,
            self.cost_fen + more.cost_fen,
        )


@dataclass(frozen=True, slots=True)
class Month:
    """A provider's month by day, newest first. Forecasts are to its end; of a past month they are what was."""

    provider: str
    days: list[tuple[dt.date, Used]]
    total: Used
    forecast_queries: int
    forecast_fen: Decimal

    @property
    def label(self) -> str:
        return Provider(self.provider).label


def months(first: dt.date) -> list[Month]:
    """Return the month that begins on that day, for each provider that was asked anything in it."""
    last = first.replace(day=calendar.monthrange(first.year, first.month)[1])
    used = _by_day(first - dt.timedelta(days=TREND), last)
    asked = [provider for provider in Provider.values if any(day >= first for day in used.get(provider, ()))]
    return [_month(provider, used[provider], first, last) for provider in asked]


def _month(provider: str, used: Mapping[dt.date, Used], first: dt.date, last: dt.date) -> Month:
    days = sorted(((day, one) for day, one in used.items() if day >= first), reverse=True)
    total = sum((one for _, one in days), Used())
    queries, fen = _rest(used, clock.now(), last)
    return Month(provider, days, total, total.queries + round(queries), (total.cost_fen + fen).quantize(CENT))


def _rest(used: Mapping[dt.date, Used], now: dt.datetime, last: dt.date) -> tuple[Decimal, Decimal]:
    """Return the queries and the cost that are still to come until `last`, if days go on as the latest ones went."""
    today = clock.shanghai(now).date()
    if today > last:
        return NOTHING, NOTHING
    days = Decimal((last - today).days)
    so_far = used.get(today, Used())
    usual = _usual_day(used, today) or _extrapolated(so_far, now)
    queries, fen = usual
    return (
        max(queries - so_far.queries, NOTHING) + queries * days,
        max(fen - so_far.cost_fen, NOTHING) + fen * days,
    )


def _usual_day(used: Mapping[dt.date, Used], today: dt.date) -> tuple[Decimal, Decimal] | None:
    """Return the mean of the last complete days since the first question; None before there is one."""
    begun = min(used, default=today)
    length = min((today - begun).days, TREND)
    if length < 1:
        return None
    past = [used.get(today - dt.timedelta(days=ago), Used()) for ago in range(1, length + 1)]
    return Decimal(sum(day.queries for day in past)) / length, sum((day.cost_fen for day in past), NOTHING) / length


def _extrapolated(so_far: Used, now: dt.datetime) -> tuple[Decimal, Decimal]:
    gone = now - clock.start_of_day(clock.shanghai(now).date())
    share = Decimal(max(gone / dt.timedelta(days=1), 1 / 24))
    return so_far.queries / share, so_far.cost_fen / share


def _by_day(since: dt.date, until: dt.date) -> dict[str, dict[dt.date, Used]]:
    found: dict[str, dict[dt.date, Used]] = defaultdict(dict)
    for row in ProviderUsage.objects.filter(used_on__range=(since, until)):
        query = row.operation == "query"
        more = Used(row.calls * query, row.calls * (not query), row.failures, row.cost_fen)
        found[row.provider][row.used_on] = found[row.provider].get(row.used_on, Used()) + more
    return found


# --- caps -----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Cap:
    """How much of today's questions is used; `open`: the breaker lets nothing through."""

    state: ProviderState
    used: int
    open: bool

    @property
    def label(self) -> str:
        return Provider(self.state.provider).label

    @property
    def left(self) -> int:
        return max(self.state.daily_budget - self.used, 0)

    @property
    def off(self) -> bool:
        """A cap of nothing is how staff switch a provider off."""
        return self.state.daily_budget == 0

    @property
    def reached(self) -> bool:
        return not self.off and self.left == 0

    @property
    def near(self) -> bool:
        return not self.off and self.used >= self.state.daily_budget * NEAR


def caps() -> list[Cap]:
    """Return today's cap of each provider that was ever asked, in a fixed order."""
    now = clock.now()
    states = ProviderState.objects.order_by("provider")
    return [Cap(one, budget.used(one), bool(one.open_until and one.open_until > now)) for one in states]


# --- by order -------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Spent:
    """What was spent on a waybill, and the orders that travel under it."""

    waybill_no: str
    calls: int
    cost_fen: Decimal
    orders: list[Order]


def dearest(day: dt.date) -> list[Spent]:
    """Return the waybills that cost most in one day."""
    start = clock.start_of_day(day)
    calls = ProviderCall.objects.filter(started_at__gte=start, started_at__lt=start + dt.timedelta(days=1))
    return _spent(calls.exclude(waybill_no=""), DEAREST)


def of_number(number: str) -> list[Spent]:
    """Return what was spent on an order's waybills, or on one waybill, as far back as calls are kept."""
    orders = Order.objects.filter(order_no=number).values("pk")
    parcels = Shipment.objects.filter(Q(orders__in=orders) | Q(waybill_no=number))
    numbers = list(parcels.values_list("waybill_no", flat=True).distinct()[:DEAREST])
    return _spent(ProviderCall.objects.filter(waybill_no__in=numbers), DEAREST)


def _spent(calls: QuerySet[ProviderCall], most: int) -> list[Spent]:
    rows = calls.order_by().values("waybill_no").annotate(calls=Count("pk"), fen=Sum("cost_fen"))
    found = list(rows.order_by("-fen", "-calls", "waybill_no")[:most])
    orders = _orders_of(row["waybill_no"] for row in found)
    return [Spent(row["waybill_no"], row["calls"], row["fen"], orders[row["waybill_no"]]) for row in found]


def _orders_of(numbers: Iterable[str]) -> dict[str, list[Order]]:
    found: dict[str, list[Order]] = defaultdict(list)
    for parcel in Shipment.objects.filter(waybill_no__in=list(numbers)).prefetch_related("orders"):
        found[parcel.waybill_no] += [order for order in parcel.orders.all() if order not in found[parcel.waybill_no]]
    return found
