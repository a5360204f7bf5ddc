"""Who is asked about while the rest of the day's budget won't do for all: the least urgent wait until tomorrow.

What is expected until midnight is counted anew each time, so that nothing is put off that the budget will do for.
"""

import datetime as dt
import random
from collections.abc import Iterable, Mapping, Sequence

from django.db.models import QuerySet

from frozenshop.kernel import clock
from logistics import budget, cadence
from logistics.asking import budget_subject, providers_of
from logistics.models import Carrier, Shipment
from orders import alerting
from orders.models import AlertKind

FORECAST = 20_000
"""How many parcels are looked at, those due first: more than that no budget is for."""
USUAL_GAP = dt.timedelta(hours=4)
"""Between two questions about a parcel that was never asked about."""
MORNING = dt.timedelta(hours=6)
"""What was put off comes back spread over the first hours of the day."""

Pool = tuple[str, ...]


def must_wait(parcels: Sequence[Shipment], now: dt.datetime) -> dict[int, dt.datetime]:
    """Return which of these due parcels are to wait, and until when."""
    if not parcels:
        return {}
    midnight = clock.start_of_day(clock.shanghai(now).date() + dt.timedelta(days=1))
    pools = {carrier.pk: tuple(providers_of(carrier)) for carrier in Carrier.objects.all()}
    waiting: dict[int, dt.datetime] = {}
    scarce = _scarce(pools, {parcel.carrier_id for parcel in parcels}, now, midnight)
    for pool, left in scarce.items():
        short = _beyond(left, [pk for pk, own in pools.items() if own == pool], now, midnight)
        late = [parcel.pk for parcel in parcels if parcel.pk in short]
        waiting |= {pk: midnight + MORNING * random.random() for pk in late}  # noqa: S311
        if late:
            _tell(pool, left)
    return waiting


def expected_calls(due_at: dt.datetime, asked_at: dt.datetime | None, now: dt.datetime, until: dt.datetime) -> int:
    """Return how many questions a parcel will need until then, if it goes on as its last gap was."""
    gap = max(due_at - asked_at, cadence.FLOOR) if asked_at and due_at > asked_at else USUAL_GAP
    return 1 + max(until - max(due_at, now), dt.timedelta(0)) // gap


def _scarce(pools: Mapping[int, Pool], concerned: set[int], now: dt.datetime, midnight: dt.datetime) -> dict[Pool, int]:
    """Return the sets of providers whose budgets won't do, with the questions that they have left."""
    wanted: dict[Pool, int] = {pools[pk]: 0 for pk in concerned if pools[pk]}
    rows = _due_until(midnight).values_list("carrier_id", "next_poll_at", "checked_at")
    for carrier_id, due_at, asked_at in rows[:FORECAST]:
        if (pool := pools[carrier_id]) in wanted and due_at:
            wanted[pool] += expected_calls(due_at, asked_at, now, midnight)
    left = {pool: sum(budget.left(name) for name in pool) for pool in wanted}
    return {pool: left[pool] for pool, calls in wanted.items() if calls > left[pool] > 0}


def _beyond(left: int, carriers: Iterable[int], now: dt.datetime, midnight: dt.datetime) -> set[int]:
    """Return the parcels that nothing is left for, once the more urgent ones had theirs."""
    parcels = list(_due_until(midnight).filter(carrier_id__in=carriers)[:FORECAST])
    parcels.sort(key=lambda parcel: cadence.urgency(parcel, now), reverse=True)
    short = set()
    for parcel in parcels:
        if left <= 0:
            short.add(parcel.pk)
        elif parcel.next_poll_at:
            left -= expected_calls(parcel.next_poll_at, parcel.checked_at, now, midnight)
    return short


def _due_until(midnight: dt.datetime) -> QuerySet[Shipment]:
    live = Shipment.objects.filter(voided_at__isnull=True).exclude(status__in=cadence.FINAL)
    return live.filter(next_poll_at__lt=midnight).order_by("next_poll_at", "id")


def _tell(pool: Pool, left: int) -> None:
    detail = f"今日只剩 {left} 次查询，不够用到午夜：先查紧急的运单，其余推迟到明天"
    alerting.open_alert(AlertKind.PROVIDER_TROUBLE, subject=budget_subject(pool[0]), detail=detail)
