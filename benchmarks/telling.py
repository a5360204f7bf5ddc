"""Telling many buyers by WeChat and SMS while worker, relay and the stand-ins are killed at random.

`python -m benchmarks.telling [--messages 10000] [--kill-every 350] [--concurrency 4] [--threads 4] [--services]`: on
SQLite and files, or on what DATABASE_URL, REDIS_URL and CELERY_BROKER_URL name. Counts at the stand-ins how often each
buyer was told, and what became of each letter whose answer was never heard.
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
from notifications.tests.hasty.telling import TellingFleet, verdict  # noqa: E402


def main() -> None:
    options = argparse.ArgumentParser()
    options.add_argument("--messages", type=int, default=10_000)
    options.add_argument("--kill-every", type=int, default=350, help="messages")
    options.add_argument("--concurrency", type=int, default=4)
    options.add_argument("--threads", type=int, default=4)
    options.add_argument("--services", action="store_true")
    given = options.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="telling-"))
    kind = TellingFleet
    opened = (
        fleet.on_services(folder, kind, concurrency=given.concurrency)
        if given.services
        else fleet.embedded(folder, kind)
    )
    with opened as processes:
        if given.services:
            processes.let_send(given.threads)
        processes.prepare(given.messages)
        seconds = processes.tell(given.messages, 4 * 3600, kill_every=given.kill_every)
        figures = verdict(processes, given.messages)
        show("telling", seconds=round(seconds), per_second=round(given.messages / seconds, 1), **figures)


if __name__ == "__main__":
    main()
