"""`manage.py sync_schedule`: write the schedule for beat. Safe to repeat; a switched-off job stays off."""

from typing import Any

from django.core.management.base import BaseCommand
from django.db import transaction

from frozenshop.kernel import scheduling


class Command(BaseCommand):
    help = "把定时任务表写入数据库（保留人工的启用开关）"

    def handle(self, *args: Any, **options: Any) -> None:
        with transaction.atomic():
            written, removed = scheduling.sync()
        self.stdout.write(f"定时任务：{written} 个已写入，{removed} 个已删除")
