"""Beat ticks the jobs itself: it needs the database, not the broker, and an outage leaves no heap of ticks behind."""

from typing import Any

import structlog
from django_celery_beat.schedulers import DatabaseScheduler, ModelEntry

from frozenshop.kernel import jobs, liveness
from frozenshop.kernel.metrics import work

logger = structlog.get_logger(__name__)
TICK = "kernel.tick"


class LedgerScheduler(DatabaseScheduler):  # type: ignore[misc]
    """The database's schedule, with jobs started through the slot ledger."""

    # Not a connection to the broker before something else than a job is due.
    producer = None

    def tick(self, *args: Any, **kwargs: Any) -> float:
        liveness.show("beat")
        work.TICK.set_to_current_time()
        return float(super().tick(*args, **kwargs))

    def apply_entry(self, entry: ModelEntry, producer: Any = None) -> None:
        if entry.task != TICK:
            super().apply_entry(entry, producer=producer)
            return
        try:
            for job in filter(None, map(jobs.by_name, entry.args)):
                if jobs.tick(job):
                    work.STARTED.labels(job.name).inc()
        except Exception as error:
            work.TICK_FAILURES.inc()
            logger.warning("beat.tick_failed", job=entry.name, error=type(error).__name__)
