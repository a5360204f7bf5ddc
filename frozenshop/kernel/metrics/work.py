"""Work behind the pages: tasks by topic, the relay's rounds, beat's ticks."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from prometheus_client import Counter, Gauge, Histogram

SECONDS = (0.01, 0.05, 0.1, 0.5, 1, 5, 15, 60, 240)
RUNS = Counter("frozenshop_task_runs_total", "Runs of a task, by how they ended", ["topic", "outcome"])
RUN_SECONDS = Histogram("frozenshop_task_seconds", "Time a run took", ["topic"], buckets=SECONDS)
WAITED = Histogram(
    "frozenshop_task_wait_seconds",
    "From when a message was due until its task began",
    ["topic"],
    buckets=(0.1, 0.5, 1, 2, 5, 15, 60, 300, 3600),
)
RUNNING = Gauge("frozenshop_tasks_in_flight", "Tasks running now", ["topic"], multiprocess_mode="livesum")
SLOTS = Gauge("frozenshop_worker_slots", "Tasks that the workers can run at once", multiprocess_mode="livesum")

RELAYED = Counter("frozenshop_relay_messages_total", "Messages that the broker confirmed")
PAUSES = Counter("frozenshop_relay_pauses_total", "Rounds of the relay that failed, by what didn't answer", ["cause"])
ROUND = Gauge(
    "frozenshop_relay_round_timestamp_seconds",
    "When the relay last went round without an error",
    multiprocess_mode="mostrecent",
)

TICK = Gauge("frozenshop_beat_tick_timestamp_seconds", "When beat last went round", multiprocess_mode="mostrecent")
STARTED = Counter("frozenshop_beat_jobs_started_total", "Slots that this beat entered into the ledger", ["name"])
TICK_FAILURES = Counter("frozenshop_beat_tick_failures_total", "Ticks that failed")


class Run:
    """A task under way: `outcome` is `done`, `repeated`, `failed` (to be tried again), `dead` or `unavailable`."""

    outcome = "unavailable"


@contextmanager
def task(topic: str, waited_seconds: float) -> Iterator[Run]:
    WAITED.labels(topic).observe(max(waited_seconds, 0))
    run, started = Run(), time.monotonic()
    try:
        with RUNNING.labels(topic).track_inprogress():
            yield run
    finally:
        RUNS.labels(topic, run.outcome).inc()
        RUN_SECONDS.labels(topic).observe(time.monotonic() - started)
