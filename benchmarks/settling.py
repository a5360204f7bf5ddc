"""Telling WeChat of many shipped orders while worker, relay and WeChat's stand-in are killed at random.

`python -m benchmarks.settling [--orders 50000] [--kill-every 350] [--concurrency 4] [--services]`: on SQLite and files,
or on what DATABASE_URL, REDIS_URL and CELERY_BROKER_URL name. Counts at the stand-in how often each payment was told.
"""

import argparse
import os
import tempfile
from pathlib import Path

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.settings")

import django

django.setup()

from benchmarks.wrk import show  # noqa: E402
from notifications.tests.hasty import fleet  # noqa: E402


def main() -> None:
    options = argparse.ArgumentParser()
    options.add_argument("--orders", type=int, default=50_000)
    options.add_argument("--kill-every", type=int, default=350, help="orders")
    options.add_argument("--concurrency", type=int, default=4)
    options.add_argument("--services", action="store_true")
    given = options.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="settling-"))
    opened = fleet.on_services(folder, concurrency=given.concurrency) if given.services else fleet.embedded(folder)
    with opened as processes:
        processes.prepare(given.orders)
        seconds = processes.settle(given.orders, 4 * 3600, kill_every=given.kill_every)
        show(
            "settling",
            orders=given.orders,
            seconds=round(seconds),
            orders_per_second=round(given.orders / seconds, 1),
            killed=dict(processes.kills),
            uploads=processes.counted(),
        )


if __name__ == "__main__":
    main()
