"""How fast `seed_demo` writes, against a bare `executemany` of the same kind of rows. Prints one line of JSON."""

import time
from random import Random

import django

django.setup()

from django.db import transaction  # noqa: E402

from benchmarks.wrk import show  # noqa: E402
from frozenshop.backoffice.demo import credentials, seeding  # noqa: E402
from frozenshop.backoffice.demo.journeys import make_journey  # noqa: E402
from frozenshop.backoffice.demo.seeder import Seeder  # noqa: E402
from frozenshop.kernel import clock  # noqa: E402

ORDERS = 10_000


class Rollback(Exception):
    """Leaves the database as it was."""


def timed_bare(first: int) -> tuple[float, int]:
    """Return the seconds that the database needs for prepared rows of ORDERS orders, and how many rows they are."""
    now, rng = clock.now(), Random(2)
    seeder = Seeder(now)
    for number in range(ORDERS):
        placed_at = now - seeding.SHOWCASE_BEGINS * (number / ORDERS)
        journey = make_journey(rng, placed_at, now, first + number)
        seeder.add(f"BARE{first + number:012d}", journey, None)
    rows = sum(len(table.rows) for table in seeder.tables.values())
    started = time.perf_counter()
    seeder.flush()
    return time.perf_counter() - started, rows


def timed_whole(buyer: object, phone: str) -> float:
    started = time.perf_counter()
    seeding.seed(seeding.plan(ORDERS, days=13, seed=3, buyer=buyer, buyer_phone=phone, with_events=None))  # type: ignore[arg-type]
    return time.perf_counter() - started


def main() -> None:
    made, buyer = credentials.prepare()
    try:
        with transaction.atomic():
            bare, rows = timed_bare(seeding.next_serial())
            whole = timed_whole(buyer, made["buyer"]["phone"])
            raise Rollback
    except Rollback:
        show(
            "seeding against bare executemany",
            orders=ORDERS,
            rows=rows,
            rows_per_s=round(rows / whole),
            bare_rows_per_s=round(rows / bare),
            ratio=round(bare / whole, 2),
        )


main()
