import datetime as dt
import json
import threading

import pytest
import time_machine
from django.core.management import call_command
from django.db import connection
from django.utils.module_loading import autodiscover_modules
from django_celery_beat.models import PeriodicTask

from frozenshop import schedule
from frozenshop.kernel import audit, beat, clock, jobs, outbox, tasks
from frozenshop.kernel.jobs import Job
from frozenshop.kernel.models import JobRun, OutboxMessage
from frozenshop.kernel.outbox import consuming

pytestmark = pytest.mark.django_db
MINUTE = dt.timedelta(minutes=1)
NOW = dt.datetime(2026, 11, 23, 1, 42, 18, tzinfo=dt.UTC)
EACH_MINUTE = Job("each_minute", "tests.job", "每分钟的事", every=MINUTE)
DAILY = Job("daily", "tests.job", "每天的事", at=dt.time(3, 30))
runs: list[str] = []


@outbox.consumer("tests.job")
def job(slot):
    runs.append(slot)


@pytest.fixture(autouse=True)
def _forget_runs():
    runs.clear()


def deliver_all():
    for pk in OutboxMessage.objects.filter(status="pending").values_list("pk", flat=True):
        outbox.deliver(pk)


def test_all_that_a_slot_sets_off_has_an_id_that_the_schedule_tells():
    with time_machine.travel(NOW, tick=False):
        jobs.tick(EACH_MINUTE)
    assert OutboxMessage.objects.get().request_id == "job-each_minute-20261123T014200Z"


@pytest.mark.parametrize(
    ("job", "slot", "cadence"),
    [
        (EACH_MINUTE, "2026-11-23T01:42:00+00:00", "每分钟"),
        (Job("a", "t", "", every=5 * MINUTE), "2026-11-23T01:40:00+00:00", "每 5 分钟"),
        (Job("a", "t", "", every=60 * MINUTE), "2026-11-23T01:00:00+00:00", "每小时"),
        (Job("a", "t", "", every=360 * MINUTE), "2026-11-23T00:00:00+00:00", "每 6 小时"),
        (DAILY, "2026-11-22T19:30:00+00:00", "每天 03:30（上海时间）"),
        (Job("a", "t", "", at=dt.time(9, 42)), "2026-11-23T01:42:00+00:00", "每天 09:42（上海时间）"),
        (Job("a", "t", "", at=dt.time(9, 43)), "2026-11-22T01:43:00+00:00", "每天 09:43（上海时间）"),
    ],
)
def test_the_newest_slot_is_not_after_now(job, slot, cadence):
    assert job.newest_slot(NOW).isoformat() == slot
    assert job.cadence == cadence


def test_a_job_has_one_rhythm():
    with pytest.raises(ValueError, match="either every or at"):
        Job("a", "t", "")
    with pytest.raises(ValueError, match="colon"):
        Job("a:b", "t", "", every=MINUTE)


@time_machine.travel(NOW, tick=False)
def test_a_slot_takes_effect_once_and_its_run_is_closed():
    assert jobs.tick(EACH_MINUTE) == dt.datetime(2026, 11, 23, 1, 42, tzinfo=dt.UTC)
    assert jobs.tick(EACH_MINUTE) is None
    deliver_all()
    assert jobs.tick(EACH_MINUTE) is None
    assert runs == ["2026-11-23T01:42:00+00:00"]
    assert JobRun.objects.get().finished_at == NOW


def test_an_outage_of_hours_ends_with_one_run():
    with time_machine.travel(NOW, tick=False) as traveller:
        jobs.tick(EACH_MINUTE)
        deliver_all()
        traveller.shift(dt.timedelta(hours=3))
        jobs.tick(EACH_MINUTE)
        jobs.tick(EACH_MINUTE)
        deliver_all()
    assert runs == ["2026-11-23T01:42:00+00:00", "2026-11-23T04:42:00+00:00"]


def test_ticks_do_not_pile_up_while_nothing_is_relayed():
    with time_machine.travel(NOW, tick=False) as traveller:
        for _ in range(5):
            jobs.tick(EACH_MINUTE)
            traveller.shift(MINUTE)
    assert OutboxMessage.objects.count() == JobRun.objects.count() == 1


@pytest.mark.parametrize("change", [{"status": "dead"}, {"attempts": 1}, {"status": "sent"}])
def test_a_failed_or_lost_run_does_not_hold_up_the_next(change):
    with time_machine.travel(NOW, tick=False) as traveller:
        jobs.tick(EACH_MINUTE)
        OutboxMessage.objects.update(sent_at=NOW, **change)
        traveller.shift(jobs.PATIENCE)
        assert jobs.tick(EACH_MINUTE)


def test_a_clock_set_back_repeats_no_slot():
    with time_machine.travel(NOW, tick=False) as traveller:
        for shift in (0, 60, 60, -60, -60):
            traveller.shift(shift)
            jobs.tick(EACH_MINUTE)
            deliver_all()
    assert len(runs) == len(set(runs)) == 3


@pytest.mark.django_db(transaction=True)
def test_three_tickers_on_one_slot_start_it_once():
    barrier = threading.Barrier(3)
    slots = []

    def ticker():
        barrier.wait()
        slots.append(jobs.tick(EACH_MINUTE))
        connection.close()

    with time_machine.travel(NOW, tick=False):
        threads = [threading.Thread(target=ticker) for _ in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert sorted(map(str, slots))[1:] == ["None", "None"]
    assert OutboxMessage.objects.count() == JobRun.objects.count() == 1


def test_the_schedule_is_written_by_name_and_says_its_rhythm():
    call_command("sync_schedule", verbosity=0)
    row = PeriodicTask.objects.get(name="find_not_shipped")
    assert (row.task, json.loads(row.args)) == (beat.TICK, ["find_not_shipped"])
    assert row.interval.schedule.run_every < MINUTE
    assert row.description == "找出逾期未发货的订单：每 5 分钟"
    assert PeriodicTask.objects.count() == len(schedule.JOBS)


def test_writing_the_schedule_again_keeps_the_operators_switch_and_drops_former_jobs(settings):
    call_command("sync_schedule", verbosity=0)
    PeriodicTask.objects.filter(name="purge").update(enabled=False, description="旧")
    PeriodicTask.objects.create(name="former", task=beat.TICK, interval=PeriodicTask.objects.first().interval)
    PeriodicTask.objects.create(name="by hand", task="x", interval=PeriodicTask.objects.first().interval)
    call_command("sync_schedule", verbosity=0)
    row = PeriodicTask.objects.get(name="purge")
    assert not row.enabled
    assert row.description.startswith("清理")
    assert not PeriodicTask.objects.filter(name="former").exists()
    assert PeriodicTask.objects.filter(name="by hand").exists()


def test_every_job_has_a_consumer():
    autodiscover_modules("tasks")
    assert {job.topic for job in schedule.JOBS} <= set(consuming._consumers)


def test_every_job_has_a_name_of_its_own():
    assert len({job.name for job in schedule.JOBS}) == len(schedule.JOBS)


def test_beat_ticks_without_a_broker(settings):
    call_command("sync_schedule", verbosity=0)
    scheduler = beat.LedgerScheduler.__new__(beat.LedgerScheduler)
    entry = beat.ModelEntry(PeriodicTask.objects.get(name="rearm"))
    scheduler.apply_entry(entry)
    scheduler.apply_entry(entry)
    assert OutboxMessage.objects.get().topic == "kernel.rearm"


def test_a_tick_of_an_unknown_job_does_nothing():
    tasks.tick("no such job")
    assert not JobRun.objects.exists()


def test_the_kernels_jobs_do_their_work():
    audit.record("test", "nothing")
    OutboxMessage.objects.create(topic="tests.job", claimed_until=clock.now() - MINUTE)
    JobRun.objects.create(job="old", slot=clock.now() - dt.timedelta(days=36))
    for each in schedule.JOBS:
        if each.topic.startswith("kernel."):
            jobs.tick(each)
    for message in OutboxMessage.objects.filter(topic__startswith="kernel."):
        outbox.deliver(message.pk)
    assert not JobRun.objects.filter(finished_at=None).exists()
    assert not JobRun.objects.filter(job="old").exists()
    assert not audit.pending().exists()
    assert OutboxMessage.objects.get(topic="tests.job").claimed_until is None


@pytest.mark.django_db
def test_runs_go_after_35_days_those_of_former_jobs_and_of_backups_too():
    now = clock.now()
    for job in ("purge", "backup_binlog", "former"):
        for days in (1, 34, 36, 400):
            JobRun.objects.create(job=job, slot=now - dt.timedelta(days=days))
    assert jobs.purge() == 6
    assert min(JobRun.objects.values_list("slot", flat=True)) > now - dt.timedelta(days=35)
    assert JobRun.objects.count() == 6
