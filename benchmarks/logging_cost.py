"""What a log costs whoever writes it: one entry, and a request without logs, with them, and while MongoDB hangs.

`python -m benchmarks.logging_cost`: in one process, on SQLite, in turns. The store is a server that speaks MongoDB's
protocol (secantusdb), so that only the writer's side means something.
"""

import os
import statistics
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

FOLDER = tempfile.mkdtemp(prefix="frozenshop-bench-")
os.environ |= {
    "DJANGO_SETTINGS_MODULE": "tests.settings",
    "VAR_DIR": FOLDER,
    "DATABASE_URL": f"sqlite:///{FOLDER}/db.sqlite3",
    "REDIS_URL": "",
    "LOG_KINDS": "access,call",
}
TURNS, REQUESTS, ENTRIES = 9, 200, 20_000


def main() -> None:
    import django

    django.setup()
    from django.conf import settings
    from django.core.management import call_command

    from benchmarks.wrk import show
    from frozenshop.kernel import logstore
    from frozenshop.kernel.logstore import stores, writer
    from frozenshop.kernel.tests.mongo import Hanging, Mongo

    call_command("migrate", verbosity=0)
    mongo, hanging = Mongo(Path(FOLDER)), Hanging()
    mongo.start()
    places = {"off": ("", []), "mongodb": (mongo.url, ["access"]), "hanging": (hanging.url, ["access"])}
    times: dict[str, list[tuple[float, float]]] = {name: [] for name in places}
    request = _request()
    for _ in range(TURNS):
        for name, (url, kinds) in places.items():
            settings.MONGODB_URL, settings.LOG_KINDS = url, kinds
            stores._store.cache_clear()
            writer._writer = None
            times[name].append(_timed(request))
            if writer._writer is not None:
                threading.Thread(target=writer._writer.end).start()
    bare = statistics.median(wall for wall, _ in times["off"])
    for name, taken in times.items():
        wall, cpu = (statistics.median(column) for column in zip(*taken, strict=True))
        show(f"request, logs {name}", us=round(wall * 1e6), cpu_us=round(cpu * 1e6), against_off=round(wall / bare, 3))
    settings.MONGODB_URL, settings.LOG_KINDS = mongo.url, ["call"]
    stores._store.cache_clear()
    writer._writer = None
    started = time.thread_time()
    for number in range(ENTRIES):
        logstore.write(logstore.Kind.CALL, service="kdniao", what="query", outcome="ok", subject=f"SF{number}")
    seconds = time.thread_time() - started
    show("one entry", cpu_us=round(seconds / ENTRIES * 1e6, 1), entries=ENTRIES)
    writer.end()
    mongo.kill()
    hanging.close()


def _request() -> Callable[[], Any]:
    from django.test import Client

    client = Client()
    return lambda: client.get("/api/shop")


def _timed(request: Callable[[], Any]) -> tuple[float, float]:
    """Return the seconds of one request, and the CPU seconds of its own thread."""
    for _ in range(20):
        request()
    wall, cpu = time.perf_counter(), time.thread_time()
    for _ in range(REQUESTS):
        request()
    return (time.perf_counter() - wall) / REQUESTS, (time.thread_time() - cpu) / REQUESTS


if __name__ == "__main__":
    main()
