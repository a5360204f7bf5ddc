"""What the kernel's tables and the server under them say at the moment of the scrape: the same from every process."""

import shutil
from collections.abc import Iterator

from django.conf import settings
from django.db import connection
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

MOST = 10_000
"""Beyond this it is not counted on: the cost of a scrape stays the same."""


class DatabaseCollector(Collector):
    def collect(self) -> Iterator[Metric]:
        yield from _outbox()
        yield from _jobs()
        yield _audit()
        yield from _connections()
        yield from _disk()


def _outbox() -> Iterator[Metric]:
    from frozenshop.kernel import clock
    from frozenshop.kernel.models import OutboxMessage

    now = clock.now()
    messages = GaugeMetricFamily("frozenshop_outbox_messages", "Unfinished outbox rows", labels=["status"])
    lag = GaugeMetricFamily("frozenshop_outbox_lag_seconds", "How long the oldest row is overdue", labels=["status"])
    for status in (OutboxMessage.Status.PENDING, OutboxMessage.Status.SENT, OutboxMessage.Status.DEAD):
        rows = OutboxMessage.objects.filter(status=status).order_by("due_at", "id")
        oldest = rows.values_list("due_at", flat=True).first()
        messages.add_metric([status], rows[:MOST].count())
        lag.add_metric([status], max((now - oldest).total_seconds(), 0) if oldest else 0)
    yield messages
    yield lag


def _jobs() -> Iterator[Metric]:
    """Jobs that staff have switched off are left out: nobody waits for them."""
    from django_celery_beat.models import PeriodicTask

    from frozenshop.kernel import clock, jobs

    now = clock.now()
    age = GaugeMetricFamily("frozenshop_job_slot_age_seconds", "Age of a job's newest slot", labels=["name"])
    period = GaugeMetricFamily("frozenshop_job_period_seconds", "How often a job is to run", labels=["name"])
    open_for = GaugeMetricFamily(
        "frozenshop_job_unfinished_seconds", "How long a job's newest slot has not been finished", labels=["name"]
    )
    enabled = set(PeriodicTask.objects.filter(enabled=True).values_list("name", flat=True))
    for job in jobs.load():
        run = jobs.last_run(job) if job.name in enabled else None
        if run is None:
            continue
        seconds = (now - run.slot).total_seconds()
        age.add_metric([job.name], seconds)
        period.add_metric([job.name], job.period.total_seconds())
        open_for.add_metric([job.name], 0 if run.finished_at else max((now - run.recorded_at).total_seconds(), 0))
    yield from (age, period, open_for)


def _audit() -> Metric:
    from frozenshop.kernel import audit, clock

    oldest = audit.pending().order_by("at", "id").values_list("at", flat=True).first()
    return GaugeMetricFamily(
        "frozenshop_audit_unsealed_seconds",
        "How long the oldest act on record has waited for its seal",
        value=max((clock.now() - oldest).total_seconds(), 0) if oldest else 0,
    )


def _connections() -> Iterator[Metric]:
    """MySQL and MariaDB only: SQLite has no server."""
    used = GaugeMetricFamily("frozenshop_database_connections", "Connections to the database server, everybody's")
    most = GaugeMetricFamily("frozenshop_database_connections_max", "Connections that the server allows")
    if connection.vendor == "mysql":
        with connection.cursor() as cursor:
            cursor.execute("SHOW GLOBAL STATUS LIKE 'Threads_connected'")
            used.add_metric([], float(cursor.fetchone()[1]))
            cursor.execute("SELECT @@max_connections")
            most.add_metric([], float(cursor.fetchone()[0]))
    yield used
    yield most


def _disk() -> Iterator[Metric]:
    disk = shutil.disk_usage(settings.VAR_DIR)
    yield GaugeMetricFamily("frozenshop_disk_free_bytes", "Room left where VAR_DIR stands", value=disk.free)
    yield GaugeMetricFamily("frozenshop_disk_size_bytes", "All the room where VAR_DIR stands", value=disk.total)
