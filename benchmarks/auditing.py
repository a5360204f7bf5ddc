"""How long a million audit rows take to verify, and in how much memory. Prints one line of JSON.

    python -m benchmarks.auditing [--rows 1000000] [--keep]

The rows are made and sealed in a database of their own (`frozenshop_bench_audit` on BENCH_DATABASE_SERVER), whose only
tables are the two that the walk reads. Then `verify_audit` runs as a process of its own, as it would by hand.
"""

import argparse
import datetime as dt
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit, urlunsplit

if TYPE_CHECKING:
    from frozenshop.kernel.models import AuditEntry

ROOT = Path(__file__).resolve().parent.parent
SERVER = os.environ.get("BENCH_DATABASE_SERVER", "mysql://root@127.0.0.1:3306")
NAME = "frozenshop_bench_audit"
AT_ONCE = 5000
START = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)


def environment() -> dict[str, str]:
    folder = ROOT / "var" / "bench-audit"
    folder.mkdir(parents=True, exist_ok=True)
    made = {"VAR_DIR": str(folder), "PYTHONPATH": str(ROOT)}
    bootstrap = [sys.executable, "-m", "frozenshop.bootstrap", "local"]
    subprocess.run(bootstrap, env=os.environ | made, cwd=ROOT, check=True, capture_output=True)
    url = urlunsplit(urlsplit(SERVER)._replace(path=f"/{NAME}"))
    stores = {"DATABASE_URL": url, "REDIS_URL": "", "CELERY_BROKER_URL": "", "MONGODB_URL": ""}
    return made | stores | {"DEBUG": "false", "LOCAL_DEMO": "false", "DJANGO_SETTINGS_MODULE": "frozenshop.settings"}


def build(rows: int) -> float:
    """Make the tables and the rows, sealed; return the seconds that it took."""
    import django

    os.environ.update(environment())
    create()
    django.setup()

    from django.db import connection

    from frozenshop.kernel.models import AuditEntry, AuditSeal

    started = time.monotonic()
    with connection.schema_editor() as editor:
        for model in (AuditEntry, AuditSeal):
            editor.create_model(model)
    head = ""
    for first in range(1, rows + 1, AT_ONCE):
        head = write(range(first, min(first + AT_ONCE, rows + 1)), head)
    return time.monotonic() - started


def create() -> None:
    import MySQLdb  # type: ignore[import-untyped]

    parts = urlsplit(SERVER)
    connection = MySQLdb.connect(
        host=parts.hostname or "127.0.0.1", port=parts.port or 3306, user=parts.username or "root",
        password=parts.password or "", autocommit=True,
    )  # fmt: skip
    with connection.cursor() as cursor:
        cursor.execute(f"DROP DATABASE IF EXISTS {NAME}")
        cursor.execute(f"CREATE DATABASE {NAME} CHARACTER SET utf8mb4")
    connection.close()


def write(numbers: range, head: str) -> str:
    """Write the rows of these ids with their seals; return the last digest."""
    from frozenshop.kernel.audit import chain
    from frozenshop.kernel.models import AuditEntry, AuditSeal

    entries, seals = [], []
    for number in numbers:
        entry = row(number)
        sealed_at = entry.at + dt.timedelta(seconds=30)
        head = chain.link(head, number, sealed_at, {name: getattr(entry, name) for name in chain.COLUMNS})
        entries.append(entry)
        seals.append(AuditSeal(position=number, audit_id=number, digest=head, sealed_at=sealed_at))
    AuditEntry.objects.bulk_create(entries)
    AuditSeal.objects.bulk_create(seals)
    return head


def row(number: int) -> "AuditEntry":
    """Return a row like those of the back office: half with a reason, half with details."""
    from frozenshop.kernel.models import AuditEntry

    return AuditEntry(
        id=number,
        at=START + number * dt.timedelta(seconds=20),
        actor=f"staff:{number % 40}",
        action=("order.unmasked", "order.shipped", "batch.marked", "alert.resolved")[number % 4],
        subject=f"FD2026{number:010d}",
        reason="客户来电核对地址" if number % 2 else "",
        details={} if number % 2 else {"count": number % 90, "order_nos": [f"FD2026{number:010d}"], "承运商": "顺丰"},
        address="203.0.113.7",
        request_id=f"{number:032x}",
    )


def verify() -> dict[str, object]:
    """Run the command once; return its seconds, the processor's, and the most memory that it held."""
    started = time.monotonic()
    process = subprocess.Popen(
        [sys.executable, "manage.py", "verify_audit"],
        cwd=ROOT, env=os.environ | environment(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
    assert process.stdout is not None
    said = process.stdout.read()
    _pid, status, used = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"verify_audit failed:\n{said}")
    return {
        "seconds": round(time.monotonic() - started, 1),
        "cpu_seconds": round(used.ru_utime + used.ru_stime, 1),
        "most_memory_mb": round(used.ru_maxrss / 1024),
        "said": said.strip().splitlines()[-1],
    }


def main() -> None:
    from benchmarks.wrk import show

    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--keep", action="store_true", help="use the rows of the run before")
    options = parser.parse_args()
    built = None if options.keep else round(build(options.rows), 1)
    load = os.getloadavg()[0]
    show("verifying the audit", rows=options.rows, building_seconds=built, load_before=round(load, 1), **verify())


if __name__ == "__main__":
    main()
