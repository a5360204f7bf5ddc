import datetime as dt

import pytest
from django.core.management import call_command

from frozenshop.kernel import backups, clock, metrics
from frozenshop.kernel.models import JobRun

pytestmark = pytest.mark.django_db


@pytest.fixture
def repository(settings):
    settings.BACKUP_REPOSITORY = "s3:https://s3.example.com/backups/shop"


def told(job: str, **ago: float) -> None:
    JobRun.objects.create(job=job, slot=clock.now() - dt.timedelta(**ago))


def sentences() -> list[str]:
    return [finding.sentence for finding in backups.findings()]


def test_without_a_repository_nothing_is_said_of_backups():
    assert sentences() == []
    assert "frozenshop_backup_age" not in metrics.render().decode()


def test_a_backup_that_never_was_is_infinitely_old(repository):
    text = metrics.render().decode()
    assert "frozenshop_backup_age_seconds +Inf" in text
    assert "frozenshop_binlog_age_seconds +Inf" in text
    assert [sentence[:12] for sentence in sentences()] == ["最近一次完整备份从未完成", "最近一次送出的 binl"]


def test_fresh_backups_are_well(repository):
    told("backup", hours=25)
    told("backup", hours=49)
    told("backup_binlog", seconds=200)
    assert sentences() == []
    assert "frozenshop_binlog_age_seconds 200." in metrics.render().decode()


def test_a_full_backup_is_late_after_a_day_and_two_hours(repository):
    told("backup", hours=27)
    told("backup_binlog", seconds=10)
    assert sentences() == ["最近一次完整备份已是 27 小时前（应在 26 小时以内）"]


def test_a_binary_log_is_late_after_five_minutes(repository):
    told("backup", hours=1)
    told("backup_binlog", minutes=6)
    assert sentences() == ["最近一次送出的 binlog 已是 6 分钟前（应在 300 秒以内）：此后的数据还没有备份"]


def test_production_without_a_target_is_warned(settings, capsys):
    settings.DEBUG, settings.BACKUP_REPOSITORY = False, ""
    assert [warning.id for warning in backups.check_target(None)] == ["frozenshop.W060"]
    call_command("check", "--deploy", "--tag", "security")
    assert "BACKUP_REPOSITORY" in capsys.readouterr().err
    settings.BACKUP_REPOSITORY = "/mnt/backup"
    assert backups.check_target(None) == []
