"""How old the newest backups are: `deploy/backup` writes it into the ledger of jobs."""

import datetime as dt
from collections.abc import Iterator, Sequence
from typing import Any

from django.apps import AppConfig
from django.conf import settings
from django.core.checks import CheckMessage, Tags, Warning, register
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from frozenshop.kernel import clock
from frozenshop.kernel.health import Finding

FULL, BINLOG = "backup", "backup_binlog"


def newest(job: str) -> dt.datetime | None:
    """Return the instant up to which everything committed is in the repository; None where nothing is."""
    from frozenshop.kernel.models import JobRun

    return JobRun.objects.filter(job=job).order_by("-slot").values_list("slot", flat=True).first()


def age_seconds(job: str) -> float:
    at = newest(job)
    return max((clock.now() - at).total_seconds(), 0) if at else float("inf")


class BackupCollector(Collector):
    """Nothing is told where no backup is set up; never having had one is an infinite age."""

    def collect(self) -> Iterator[Metric]:
        if settings.BACKUP_REPOSITORY:
            full, binlog = age_seconds(FULL), age_seconds(BINLOG)
            yield GaugeMetricFamily("frozenshop_backup_age_seconds", "Age of the newest full backup", value=full)
            yield GaugeMetricFamily(
                "frozenshop_binlog_age_seconds", "Age of the newest shipped binary log", value=binlog
            )


def findings() -> Iterator[Finding]:
    """Name a backup that is older than the settings allow, where one is set up."""
    if not settings.BACKUP_REPOSITORY:
        return
    if (age := age_seconds(FULL)) > settings.BACKUP_MAX_AGE_HOURS * 3600:
        yield Finding("backup", f"最近一次完整备份{_words(age)}（应在 {settings.BACKUP_MAX_AGE_HOURS} 小时以内）")
    if (age := age_seconds(BINLOG)) > settings.BACKUP_BINLOG_MAX_AGE_SECONDS:
        limit = settings.BACKUP_BINLOG_MAX_AGE_SECONDS
        yield Finding("backup", f"最近一次送出的 binlog {_words(age)}（应在 {limit} 秒以内）：此后的数据还没有备份")


@register(Tags.security, deploy=True)
def check_target(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[CheckMessage]:
    if settings.BACKUP_REPOSITORY or settings.DEBUG:
        return []
    hint = "例如 BACKUP_REPOSITORY=s3:https://s3.example.com/backups/shop，见 docs/backup.md"
    return [Warning("没有配置 BACKUP_REPOSITORY，数据没有备份。", hint=hint, id="frozenshop.W060")]


def _words(age: float) -> str:
    if age == float("inf"):
        return "从未完成"
    return f"已是 {age / 3600:.0f} 小时前" if age > 7200 else f"已是 {age / 60:.0f} 分钟前"
