"""Scheduled jobs: what runs when, as data, and the ledger that gives each slot one effect."""

import datetime as dt
from dataclasses import dataclass

from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import QuerySet
from django.utils.module_loading import import_string

from frozenshop.kernel import clock, purging
from frozenshop.kernel.models import JobRun, OutboxMessage

EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
DAY = dt.timedelta(days=1)
KEEP = dt.timedelta(days=35)
# How long a run that was handed to the broker keeps the next one waiting.
PATIENCE = dt.timedelta(minutes=2)


@dataclass(frozen=True, slots=True)
class Job:
    """A job runs `every` so often (slots counted in UTC) or each day `at` a time of the shop's wall clock.

    `topic` is an outbox consumer that takes `slot`, an ISO instant.
    """

    name: str
    topic: str
    title: str
    every: dt.timedelta | None = None
    at: dt.time | None = None

    def __post_init__(self) -> None:
        if (self.every is None) == (self.at is None):
            raise ValueError(f"{self.name}: either every or at")
        if ":" in self.name:
            raise ValueError(f"{self.name}: no colon in a job's name")

    @property
    def period(self) -> dt.timedelta:
        return self.every or DAY

    @property
    def cadence(self) -> str:
        """The rhythm in words for staff."""
        if self.at:
            return f"每天 {self.at:%H:%M}（上海时间）"
        minutes = int(self.period.total_seconds() // 60)
        if minutes % 60:
            return "每分钟" if minutes == 1 else f"每 {minutes} 分钟"
        return "每小时" if minutes == 60 else f"每 {minutes // 60} 小时"

    def newest_slot(self, now: dt.datetime) -> dt.datetime:
        """Return the newest slot that is not after `now`, in UTC."""
        if self.every:
            return EPOCH + (now - EPOCH) // self.every * self.every
        assert self.at is not None
        slot = dt.datetime.combine(clock.shanghai(now).date(), self.at, clock.SHANGHAI)
        return (slot if slot <= now else slot - DAY).astimezone(dt.UTC)


def load() -> list[Job]:
    """Return the schedule."""
    jobs: list[Job] = import_string(settings.SCHEDULE)
    return jobs


def by_name(name: str) -> Job | None:
    return next((job for job in load() if job.name == name), None)


def tick(job: Job) -> dt.datetime | None:
    """Start the job for its newest slot, once for all tickers, and return the slot; None when there is nothing to do.

    Slots missed while nobody ticked are not made up: the newest stands for them. While the former run still waits
    for the relay (or was sent a moment ago) no other is added, so that an outage doesn't pile them up.
    """
    now = clock.now()
    slot = job.newest_slot(now)
    if JobRun.objects.filter(job=job.name, slot=slot).exists() or _under_way(job, now):
        return None
    try:
        with transaction.atomic():
            JobRun.objects.create(job=job.name, slot=slot, recorded_at=now)
            OutboxMessage.objects.create(
                topic=job.topic,
                payload={"slot": slot.isoformat()},
                key=_key(job.name, slot),
                request_id=request_id_of(job, slot),
                due_at=now,
                created_at=now,
            )
    except IntegrityError:
        return None
    return slot


def request_id_of(job: Job, slot: dt.datetime) -> str:
    """Return the id of all that a slot of a job sets off, which a person can write down from the schedule."""
    return f"job-{job.name}-{slot.astimezone(dt.UTC):%Y%m%dT%H%M%SZ}"


def last_run(job: Job) -> JobRun | None:
    return JobRun.objects.filter(job=job.name).order_by("-slot").first()


def purge() -> int:
    """Delete runs that are too old to keep, of each job along its index; return how many."""
    before, names = clock.now() - KEEP, JobRun.objects.order_by().values_list("job", flat=True).distinct()
    return sum(purging.delete(JobRun.objects.filter(job=name, slot__lt=before).order_by("slot")) for name in names)


def run_of(message: OutboxMessage) -> QuerySet[JobRun] | None:
    """Return the ledger row (as a query) that this message works for, or None if no job sent it."""
    kind, _, rest = (message.key or "").partition(":")
    if kind != "job":
        return None
    name, _, slot = rest.partition(":")
    return JobRun.objects.filter(job=name, slot=dt.datetime.fromisoformat(slot))


def _under_way(job: Job, now: dt.datetime) -> bool:
    run = last_run(job)
    if run is None or run.finished_at is not None:
        return False
    message = OutboxMessage.objects.filter(key=_key(job.name, run.slot)).first()
    if message is None:
        return False
    if message.status == OutboxMessage.Status.SENT:
        return message.sent_at is not None and message.sent_at > now - PATIENCE
    return message.status == OutboxMessage.Status.PENDING and message.attempts == 0


def _key(name: str, slot: dt.datetime) -> str:
    return f"job:{name}:{slot.isoformat()}"
