"""Bring beat's table in line with the schedule in the code."""

import datetime as dt
import json

from django_celery_beat.models import IntervalSchedule, PeriodicTask, PeriodicTasks

from frozenshop.kernel import clock, jobs
from frozenshop.kernel.beat import TICK

# Thrice a minute: were it once, a beat that drifts by milliseconds would now and then step over a whole slot.
TICK_EVERY = dt.timedelta(seconds=20)


def sync() -> tuple[int, int]:
    """Upsert a row for each job by its name, delete those of former jobs. Return (written, deleted).

    The operator's `enabled` survives. A new job is due at once.
    """
    rhythm = {"every": TICK_EVERY.seconds, "period": IntervalSchedule.SECONDS}
    interval = IntervalSchedule.objects.filter(**rhythm).first() or IntervalSchedule.objects.create(**rhythm)
    schedule = jobs.load()
    for job in schedule:
        defaults = {
            "task": TICK,
            "args": json.dumps([job.name]),
            "kwargs": "{}",
            "interval": interval,
            "crontab": None,
            "description": f"{job.title}：{job.cadence}",
        }
        PeriodicTask.objects.update_or_create(
            name=job.name,
            defaults=defaults,
            create_defaults=defaults | {"enabled": True, "last_run_at": clock.now() - TICK_EVERY},
        )
    former = PeriodicTask.objects.filter(task=TICK).exclude(name__in=[job.name for job in schedule])
    removed = former.delete()[0]
    PeriodicTasks.update_changed()
    return len(schedule), removed
