"""How soon news is noticed by asking: our policy against fixed intervals, at equal calls. No database, no network.

`python -m benchmarks.polling [--parcels 20000] [--seed 3]`. The policy was tuned on seed 1, and 2 was looked at, too.
"""

import argparse
import datetime as dt
import math
import os
import random
import statistics
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.settings")

import django

django.setup()

from benchmarks.journeys import Parcel, Scan, parcels  # noqa: E402
from benchmarks.wrk import show  # noqa: E402
from logistics import cadence  # noqa: E402
from logistics.cadence import FLOOR, GIVE_UP_AFTER, THAW, Outlook, look_again_in  # noqa: E402
from logistics.learning import rhythm  # noqa: E402
from logistics.learning.gaps import Gap, keys  # noqa: E402
from logistics.learning.rhythm import Rates, Stay, phase_of  # noqa: E402
from logistics.models import ShipmentStatus as S  # noqa: E402
from orders.models import TemperatureClass  # noqa: E402

MONDAY = dt.datetime(2026, 3, 1, 16, tzinfo=dt.UTC)  # midnight in Shanghai
HOUR = dt.timedelta(hours=1)
FLOOR_HOURS, GIVE_UP_HOURS = FLOOR / HOUR, GIVE_UP_AFTER / HOUR
THAW_HOURS = THAW[TemperatureClass.FROZEN] / HOUR
PROBLEMS = frozenset({S.EXCEPTION, S.DELIVERY_FAILED, S.RETURNING})
LEARNT_DAYS, DAYS, ENOUGH, SAMPLE = 14, 14, 30, 1000
EXCHANGE = 1.2
"""By which power eagerness grows with calls, as seen."""


@dataclass(slots=True)
class Known:
    """What was noticed of a parcel so far: what it does, and when it was last heard of (hour)."""

    status: str
    heard: float
    left: bool = False
    near: bool = False


@dataclass(slots=True)
class Learnt:
    """The tables that the program learns from its history: gaps by lane, carrier and status, and the rhythm."""

    gaps: dict[str, Gap] = field(default_factory=dict)
    rates: Rates = field(default_factory=dict)

    def gap(self, parcel: Parcel, status: str) -> Gap | None:
        names = keys(parcel.carrier, parcel.origin, parcel.destination, status)
        return next((self.gaps[name] for name in names if name in self.gaps), None)


Policy = Callable[[Parcel, Known, float], float]
"""Return the hour of the next question about a parcel, by what is known of it, and now."""


@dataclass(slots=True)
class Outcome:
    """Hours from each scan to its notice, and what it took."""

    events: list[float] = field(default_factory=list)
    problems: list[float] = field(default_factory=list)
    calls: int = 0
    days: float = 0.0

    def notice(self, scan: Scan, now: float) -> None:
        self.events.append(now - scan.at)
        if scan.status in PROBLEMS:
            self.problems.append(now - scan.at)

    @property
    def calls_per_day(self) -> float:
        return self.calls / self.days


# --- what is compared -----------------------------------------------------------------------------


def every(hours: float) -> Policy:
    return lambda parcel, known, now: now + hours


def in_pairs(parcel: Parcel, known: Known, now: float) -> float:
    """A job at minutes 59 and 0 of each hour that takes all but what changed within two hours: karrio's `*/59`.

    The floor lets the first call of a pair through; the second, a minute later, is counted by nobody here.
    """
    at = max(now + FLOOR_HOURS, known.heard + 2)
    return math.ceil(at - 59 / 60) + 59 / 60


def ours(learnt: Learnt, eagerness: float) -> Policy:
    def ask_next(parcel: Parcel, known: Known, now: float) -> float:
        outlook = Outlook(
            known.status,
            MONDAY + known.heard * HOUR,
            left=known.left,
            near=known.near,
            gap=learnt.gap(parcel, known.status),
            deadline=MONDAY + min(parcel.shipped + THAW_HOURS, parcel.promised or math.inf) * HOUR,
        )
        wait = look_again_in(outlook, MONDAY + now * HOUR, learnt.rates, eagerness=eagerness)
        return math.inf if wait is None else now + wait / HOUR

    return ask_next


# --- what is learnt -------------------------------------------------------------------------------


def learn(history: Sequence[Parcel]) -> Learnt:
    found: dict[str, list[float]] = defaultdict(list)
    for parcel, since, scan, until in _stays(history):
        for key in keys(parcel.carrier, parcel.origin, parcel.destination, scan.status):
            found[key].append(until - since)
    learnt = Learnt({key: _gap(sorted(hours)) for key, hours in found.items() if len(hours) >= ENOUGH})
    learnt.rates = rhythm.learn(
        Stay(phase_of(scan.status, left=scan.left, near=scan.near), gap, since % 24, until - since)
        for parcel, since, scan, until in _stays(history)
        if (gap := learnt.gap(parcel, scan.status))
    )
    return learnt


def _stays(history: Iterable[Parcel]) -> Iterator[tuple[Parcel, float, Scan, float]]:
    for parcel in history:
        for before, after in pairwise([Scan(parcel.shipped, S.NO_TRACE.value), *parcel.scans]):
            yield parcel, before.at, before, after.at


def _gap(hours: Sequence[float]) -> Gap:
    p50, p90, p999 = (hours[int(q * (len(hours) - 1))] * HOUR for q in (0.5, 0.9, 0.999))
    return Gap(p50, p90, p999, len(hours))


# --- the simulation -------------------------------------------------------------------------------


def simulate(shipped: Sequence[Parcel], policy: Policy, *, seed: int) -> Outcome:
    """Ask about each parcel until its end is noticed, or it was silent for so long that we give up."""
    outcome, rng = Outcome(), random.Random(seed)
    for parcel in shipped:
        _follow(parcel, policy, rng.uniform(0, 2), outcome)
    return outcome


def _follow(parcel: Parcel, policy: Policy, phase: float, outcome: Outcome) -> None:
    """`phase`: the first look is some time after shipping."""
    scans, count, known = parcel.scans, 0, Known(S.NO_TRACE.value, parcel.shipped)
    now = parcel.shipped + max(phase, FLOOR_HOURS)
    while now - known.heard <= GIVE_UP_HOURS:
        outcome.calls += 1
        while count < len(scans) and scans[count].at <= now:
            scan = scans[count]
            known = Known(scan.status, scan.at, scan.left, scan.near)
            outcome.notice(scan, now)
            count += 1
        if known.status in cadence.FINAL:
            break
        now = max(policy(parcel, known, now), now + FLOOR_HOURS)
    outcome.days += ((scans[-1].at if parcel.ended else known.heard + GIVE_UP_HOURS) - parcel.shipped) / 24


def as_eager(shipped: Sequence[Parcel], learnt: Learnt, calls_per_day: float, *, seed: int) -> float:
    """Return the eagerness at which our policy makes so many calls."""
    low, high = 0.1, 10.0
    for _ in range(9):
        middle = (low * high) ** 0.5
        more = simulate(shipped, ours(learnt, middle), seed=seed).calls_per_day > calls_per_day
        low, high = (low, middle) if more else (middle, high)
    return (low * high) ** 0.5


def minutes(hours: Sequence[float], quantile: float) -> float:
    return round(statistics.quantiles(hours, n=100)[round(quantile * 100) - 1] * 60, 1)


def report(name: str, outcome: Outcome, **more: object) -> None:
    show(
        "polling",
        policy=name,
        calls_per_parcel_day=round(outcome.calls_per_day, 2),
        event_median_min=minutes(outcome.events, 0.5),
        event_p95_min=minutes(outcome.events, 0.95),
        problem_median_min=minutes(outcome.problems, 0.5),
        problem_p95_min=minutes(outcome.problems, 0.95),
        **more,
    )


def main() -> None:
    options = argparse.ArgumentParser()
    options.add_argument("--parcels", type=int, default=20_000)
    options.add_argument("--seed", type=int, default=3)
    given = options.parse_args()
    seed, history = given.seed, list(parcels(given.parcels // 2, days=LEARNT_DAYS, seed=1000 + given.seed))
    learnt = learn(history)
    shipped = list(parcels(given.parcels, days=DAYS, seed=seed, first_day=LEARNT_DAYS))
    show(
        "polling.parcels", parcels=len(shipped), scans=sum(len(parcel.scans) for parcel in shipped), taught=len(history)
    )
    sample = shipped[:: max(len(shipped) // SAMPLE, 1)]

    def compare(name: str, known: Learnt, calls_per_day: float) -> None:
        """Scale on the sample, and once more by what that makes of all parcels, so that the calls are nearly equal."""
        eagerness = as_eager(sample, known, calls_per_day, seed=seed)
        found = simulate(shipped, ours(known, eagerness), seed=seed)
        if abs(found.calls_per_day / calls_per_day - 1) > 0.01:
            eagerness *= (calls_per_day / found.calls_per_day) ** EXCHANGE
            found = simulate(shipped, ours(known, eagerness), seed=seed)
        report(name, found, eagerness=round(eagerness, 3))

    theirs: dict[str, Outcome] = {}
    for name, policy in (("every 2 h", every(2)), ("hourly pairs", in_pairs)):
        theirs[name] = simulate(shipped, policy, seed=seed)
        report(name, theirs[name])
        compare(f"ours, calls as {name}", learnt, theirs[name].calls_per_day)
    two_hours = theirs["every 2 h"].calls_per_day
    compare("ours, nothing learnt, calls as every 2 h", Learnt(), two_hours)
    compare("ours, 40 % of the calls of every 2 h", learnt, two_hours * 0.4)
    report("ours, as shipped", simulate(shipped, ours(learnt, cadence.EAGERNESS), seed=seed))


if __name__ == "__main__":
    main()
