"""`manage.py doctor`: what is wrong, how late things are, and the page that helps. Exit 1 if anything is wrong."""

import sys
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand

from frozenshop.celery import app
from frozenshop.kernel import clock, health, jobs
from frozenshop.kernel.health import Finding
from frozenshop.kernel.models import OutboxMessage


class Command(BaseCommand):
    help = "检查各部分是否正常，指出对应的处理手册"
    requires_system_checks = []

    def handle(self, *args: Any, **options: Any) -> None:
        found = self._findings()
        if not any(finding.name == "database" for finding in found):
            self._describe()
        for finding in found:
            self.stdout.write(self.style.ERROR(f"✗ {finding.sentence} → {finding.page}"))
        if found:
            sys.exit(1)
        self.stdout.write(self.style.SUCCESS("✓ 一切正常"))

    def _findings(self) -> list[Finding]:
        unready = [NOT_READY[name] for name in health.not_ready()]
        if any(finding.name in ("database", "migrations") for finding in unready):
            return unready
        return [*unready, *broker_findings(), *health.findings()]

    def _describe(self) -> None:
        now = clock.now()
        oldest = health.oldest_due()
        late = max((now - oldest.due_at).total_seconds(), 0) if oldest else 0
        self.stdout.write(f"数据库 {settings.DATABASES['default']['ENGINE'].rpartition('.')[2]}")
        for status in (OutboxMessage.Status.PENDING, OutboxMessage.Status.SENT, OutboxMessage.Status.DEAD):
            count = OutboxMessage.objects.filter(status=status)[:10_000].count()
            self.stdout.write(f"消息 {status.label}：{count if count < 10_000 else '10000+'}")
        self.stdout.write(f"最早待发消息：{f'{oldest.topic}，晚 {late:.0f} 秒' if oldest else '无'}")
        for job in jobs.load():
            run = jobs.last_run(job)
            age = f"{(now - run.slot).total_seconds():.0f} 秒前" if run else "从未"
            self.stdout.write(f"定时任务 {job.title}（{job.cadence}）：{age}")


def broker_findings() -> list[Finding]:
    """Ask the broker itself: only this command does, the site judges by the outbox."""
    try:
        with app.connection_for_read(connect_timeout=3) as broker:
            broker.ensure_connection(max_retries=1, timeout=5)
    except Exception as error:
        return [Finding("broker", f"消息队列无法连接：{type(error).__name__}")]
    return []


NOT_READY = {
    finding.name: finding
    for finding in (
        Finding("database", "数据库无法连接"),
        Finding("migrations", "数据库结构不是最新：运行 manage.py migrate"),
        Finding("sandbox", "沙箱没有回应"),
        Finding("demo_orders", "演示订单还没有写入"),
        Finding("demo_file", "var/demo.json 还没有写好"),
    )
}
