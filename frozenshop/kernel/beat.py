"""Beat ticks the jobs itself: it needs the database, not the broker, and an outage leaves no heap of ticks behind."""

from typing import Any

import structlog
from django_celery_beat.schedulers import DatabaseScheduler, ModelEntry

from frozenshop.kernel import jobs

logger = structlog.get_logger(__name__)
TICK = "kernel.tick"


class LedgerScheduler(DatabaseScheduler):  # type: ignore[misc]
    """The database's schedule, with jobs started through the slot ledger."""

    # Not a connection to the broker before something else than a job is due.
    producer = None

    def apply_entry(self, entry: ModelEntry, producer: Any = None) -> None:
        if entry.task != TICK:
            super().apply_entry(entry, producer=producer)
            return
        try:
            for job in filter(None, map(jobs.by_name, entry.args)):
                jobs.tick(job)
        except Exception as error:
            logger.warning("beat.tick_failed", job=entry.name, error=type(error).__name__)
