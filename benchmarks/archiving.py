"""`python -m benchmarks.archiving --orders 1000000 [--kills 5]`: how fast orders are archived, and all of them?

Makes `frozenshop_archive_N` anew with the project's own seeding, times each kind of search with everything in the hot
tables, archives all that is finished (killed so often at random and begun again), counts what is where, checks every
body's checksum in the database, times the same searches over both, and restores a sample and compares it row by row.
Seeding takes longer than all the rest: `--seed-only` ends after it, `--seeded` takes a database that was made so.
Needs MariaDB or MySQL, which `BENCH_DATABASE_SERVER` names. Prints lines of JSON; exit code 1 if anything is missing.
"""

import argparse
import json
import os
import random
import resource
import selectors
import signal
import statistics
import subprocess
import sys
import time
from typing import Any

from benchmarks import database
from benchmarks.wrk import show

DAYS = 400
AGE_DAYS = 20
ROUNDS = 20
SAMPLE = 200


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--orders", type=int, required=True)
    parser.add_argument("--kills", type=int, default=0, help="so often the archiving process is killed at random")
    parser.add_argument("--workers", type=int, default=1, help="archiving processes at once")
    parser.add_argument("--batch", type=int, default=500, help="orders in a transaction")
    parser.add_argument("--seed-only", action="store_true", help="make the database, and no more")
    parser.add_argument("--seeded", action="store_true", help="the database is made already, and was not used yet")
    parser.add_argument("--step", choices=("count", "alone", "search", "archive", "compare"), help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.step:
        import django

        django.setup()
        return {"count": count, "alone": alone, "search": search, "archive": archive, "compare": compare}[given.step]()
    made = environment(given.orders) if given.seeded else seeded(given.orders)
    return 0 if given.seed_only else whole(made, given)


def whole(made: dict[str, str], given: argparse.Namespace) -> int:
    orders, workers, kills = given.orders, given.workers, given.kills
    made |= {"ARCHIVE_BATCH": str(given.batch)}
    before, alone = step("count", made), step("alone", made)
    seconds, burnt, died = archived(made, workers, kills, before["finished"])
    analyze(made)
    both, after, compared = step("search", made), step("count", made), step("compare", made)
    moved = before["hot"] - after["hot"]
    show(
        "archive",
        orders=orders,
        archived=moved,
        seconds=round(seconds, 1),
        orders_per_s=round(moved / seconds),
        workers=workers,
        own_cpu_us_per_order=round(burnt * 1e6 / max(moved, 1)),
        killed=died,
        bytes_per_order=round(after["bytes"] / max(moved, 1)),
    )
    faults = {
        "lost": before["hot"] - after["hot"] - after["archived"],
        "in_both": after["in_both"],
        "damaged": after["damaged"],
        "uncounted": after["archived"] - after["counted"],
        "rows_lost": before["rows"] - after["rows"] - after["archived_rows"],
        "not_the_same": compared["differing"],
    }
    show("archive: nothing lost, nothing doubled", restored=compared["restored"], **faults)
    for kind, was in alone.items():
        now = both[kind]
        show(f"archive: search by {kind}", hot_us=was, both_us=now, ratio=round(now / was, 2))
    ratio = sum(both.values()) / sum(alone.values())
    show("archive: search over hot and archive against hot alone", ratio=round(ratio, 2))
    return 1 if any(faults.values()) else 0


def environment(orders: int) -> dict[str, str]:
    made = database.environment(orders)
    name = f"frozenshop_archive_{orders}"
    return made | {"DATABASE_URL": f"{database.SERVER}/{name}", "REDIS_URL": "", "CELERY_BROKER_URL": ""}


def seeded(orders: int) -> dict[str, str]:
    made, name = environment(orders), f"frozenshop_archive_{orders}"
    create = f"DROP DATABASE IF EXISTS {name}; CREATE DATABASE {name} CHARACTER SET utf8mb4"
    database.run([sys.executable, "-c", database.CREATE, database.SERVER, create], {})
    database.manage(made, "migrate", "--verbosity=0")
    database.manage(made, "load_base_data")
    started = time.monotonic()
    seed = [f"--orders={orders}", f"--days={DAYS}", "--seed=1", f"--with-events={orders}"]
    database.manage(made | {"DEBUG": "true"}, "seed_demo", *seed)
    show("archive: seeded", orders=orders, seconds=round(time.monotonic() - started, 1))
    analyze(made)
    return made


def analyze(made: dict[str, str]) -> None:
    """Let the database count its indexes anew, as it does by itself some time after a table has changed much."""
    tables = f"{database.ANALYZE}, logistics_archivedorder, logistics_archivedwaybill, logistics_archivedproduct"
    database.run([sys.executable, "-c", database.CREATE, made["DATABASE_URL"], tables], {})


def command(name: str) -> list[str]:
    return [sys.executable, "-m", "benchmarks.archiving", "--orders=0", f"--step={name}"]


def step(name: str, made: dict[str, str]) -> dict[str, Any]:
    printed = database.run(command(name), made)
    found: dict[str, Any] = json.loads(printed.splitlines()[-1])
    return found


def archived(made: dict[str, str], workers: int, kills: int, finished: int) -> tuple[float, float, int]:
    """Archive to the end; return the seconds in all, those of the archivers' own processors, and how many were killed.

    Several at once pass over what another has locked.
    """
    marks = sorted(random.randrange(finished) for _ in range(kills))
    started, burnt = time.monotonic(), _burnt()
    moved = died = 0
    running = [_archiver(made) for _ in range(workers)]
    with selectors.DefaultSelector() as told:
        for process in running:
            told.register(process.stdout, selectors.EVENT_READ, process)  # type: ignore[arg-type]
        while told.get_map():
            for key, _ in told.select():
                process = key.data
                line = process.stdout.readline()
                moved += int(line or 0)
                if line and marks and moved >= marks[0]:
                    marks.pop(0)
                    time.sleep(random.random() / 3)  # anywhere within a batch
                    process.kill()
                    died += 1
                if not line:
                    told.unregister(process.stdout)
                    if code := process.wait():
                        if code != -signal.SIGKILL:
                            raise SystemExit(f"archiving ended with {code}")
                        again = _archiver(made)
                        told.register(again.stdout, selectors.EVENT_READ, again)  # type: ignore[arg-type]
    return time.monotonic() - started, _burnt() - burnt, died


def _archiver(made: dict[str, str]) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        command("archive"), env=os.environ | made, cwd=database.ROOT, stdout=subprocess.PIPE, text=True
    )


def _burnt() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


# --- in a process of its own, with the settings of that database ----------------------------------


def rule() -> Any:
    import datetime as dt

    from frozenshop.kernel import clock
    from logistics.archive.candidates import Rule

    return Rule(clock.now() - dt.timedelta(days=AGE_DAYS))


def archive() -> int:
    from logistics.archive import moving

    for moved in moving.archive(rule()):
        print(moved.orders, flush=True)
    return 0


def count() -> int:
    from django.db import connection

    from logistics.archive import tables

    def number(sql: str) -> int:
        with connection.cursor() as cursor:
            cursor.execute(sql)
            return int(cursor.fetchone()[0] or 0)

    rows = {table.name: number(f"SELECT COUNT(*) FROM {table.name}") for table in tables.TABLES}
    finished = "SELECT COUNT(*) FROM orders_order WHERE status IN ('delivered','cancelled','refunded','returned')"
    away = "logistics_archivedorder"
    figures = {
        "hot": rows["orders_order"],
        "rows": sum(rows.values()),
        "finished": number(finished),
        "archived": number(f"SELECT COUNT(*) FROM {away}"),
        "archived_rows": number(f"SELECT SUM(`rows`) FROM {away}"),
        "in_both": number(f"SELECT COUNT(*) FROM {away} a JOIN orders_order o ON o.id = a.id"),
        "damaged": number(f"SELECT COUNT(*) FROM {away} WHERE SHA2(body, 256) <> checksum"),
        "counted": number("SELECT SUM(orders) FROM logistics_archivemonth"),
        "bytes": number("SELECT SUM(bytes) FROM logistics_archivemonth"),
    }
    print(json.dumps(figures))
    return 0


def alone() -> int:
    """Do so without asking the archive at all."""
    from importlib import import_module

    from logistics.archive.models import ArchivedOrder

    changelist: Any = import_module("frozenshop.backoffice.finding.changelist")
    both = changelist.search

    def hot(text: str, tables: Any, period: Any, *, kind: Any = None) -> Any:
        meaning, (orders,) = both(text, tables[:1], period, kind=kind)
        return meaning, [orders, ArchivedOrder.objects.none()]

    changelist.search = hot
    return search()


def search() -> int:
    """Print the median microseconds of each kind's page, of texts that lead to old orders and to new ones."""
    from django.contrib.auth import get_user_model
    from django.test import Client

    staff = Client()
    staff.force_login(get_user_model().objects.get_or_create(username="bench", is_staff=True, is_superuser=True)[0])
    medians = {}
    for kind, texts in _texts().items():
        for text in texts:
            _ask(staff, text)
        medians[kind] = round(statistics.median(_ask(staff, text) for _ in range(ROUNDS) for text in texts) * 1e6)
    print(json.dumps(medians))
    return 0


def _ask(staff: Any, text: str) -> float:
    started = time.perf_counter()
    answer = staff.get("/admin/orders/order/", {"q": text}, HTTP_HOST="127.0.0.1")
    if answer.status_code != 200:
        raise SystemExit(f"{text}: {answer.status_code}")
    return time.perf_counter() - started


def _texts() -> dict[str, list[str]]:
    """Return what is typed, always the same: of three orders from all over the time, wherever they lie."""
    from frozenshop.kernel import clock
    from logistics.archive.models import ArchivedOrder, ArchivedWaybill
    from logistics.models import ShipmentOrder
    from orders.models import Order

    newest = max(
        [pk for model in (Order, ArchivedOrder) for pk in model._default_manager.order_by("-pk").values_list("pk")[:1]]
    )[0]
    texts: dict[str, list[str]] = {}
    for part in (0.2, 0.6, 0.97):
        pk = int(newest * part)
        order: Any = None
        while order is None:
            pk += 1
            order = Order.objects.filter(pk=pk).first() or ArchivedOrder.objects.filter(pk=pk).first()
        who, placed = order.open_consignee(), clock.shanghai(order.placed_at)
        typed = {"order number": order.order_no, "phone": who.phone, "name": who.name}
        typed |= {"last four and day": f"{who.phone[-4:]} {placed:%Y-%m-%d}", "product": _sku(pk)}
        link = ShipmentOrder.objects.filter(order_id=pk).select_related("shipment").first()
        away = ArchivedWaybill.objects.filter(order_id=pk).first()
        if found := away or (link.shipment if link else None):
            typed |= {"waybill": found.waybill_no, "waybill's end": found.waybill_no[-8:]}
        for kind, text in typed.items():
            texts.setdefault(kind, []).append(text)
    return texts


def _sku(order_id: int) -> str:
    from logistics.archive.models import ArchivedProduct
    from orders.models import OrderLine

    here = OrderLine.objects.filter(order_id=order_id).values_list("sku", flat=True)
    return min(here or ArchivedProduct.objects.filter(order_id=order_id).values_list("sku", flat=True))


def compare() -> int:
    """Restore a sample and read it back out of what was archived of it again: each row must be the same."""
    from frozenshop.kernel.actor import SYSTEM
    from logistics.archive import bodies, places, restoring
    from logistics.archive.models import ArchivedOrder
    from logistics.archive.snapshots import Rows
    from logistics.models import ShipmentOrder

    keys = list(ArchivedOrder.objects.values_list("pk", flat=True))
    sample = random.sample(keys, min(SAMPLE, len(keys)))
    differing = 0
    for row in ArchivedOrder.objects.filter(pk__in=sample):
        kept = bodies.inflate(places.read(row))["rows"]
        restoring.restore(row.order_no, by=SYSTEM, reason="benchmark")
        boxes = list(ShipmentOrder.objects.filter(order_id=row.pk).values_list("shipment_id", flat=True))
        here = Rows.read([row.pk], boxes).by_order({row.pk: boxes})[row.pk]
        differing += {name: [json.loads(text) for text in texts] for name, texts in here.items()} != kept
    print(json.dumps({"restored": len(sample), "differing": differing}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
