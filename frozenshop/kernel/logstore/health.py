"""What doctor and `/readyz` say of the logs."""

import datetime as dt
from collections.abc import Iterator

from django.conf import settings

from frozenshop.kernel import clock
from frozenshop.kernel.health import Finding
from frozenshop.kernel.logstore import spool, stores
from frozenshop.kernel.logstore.entries import boundary
from frozenshop.kernel.logstore.stores import StoreDown

LATE = dt.timedelta(minutes=2)
RECENT = dt.timedelta(hours=24)


def findings() -> Iterator[Finding]:
    """Where the database keeps the logs, whether it answers is asked elsewhere."""
    if settings.MONGODB_URL:
        try:
            stores.current().ping()
        except StoreDown:
            yield Finding("logstore", "MongoDB 没有回应：日志先写到本机磁盘，恢复后自动补写；订单和通知不受影响")
    waiting, now = spool.waiting(), clock.now()
    if waiting and waiting[0].name < boundary(now - LATE):
        held = f"{spool.size() / spool.MIB:.1f} MB"
        yield Finding("logstore", f"本机有 {held} 日志等待补写（上限 {settings.LOG_SPOOL_MB} MB）")
    if lost := spool.drops_since((now - RECENT).timestamp()):
        yield Finding("logstore", f"最近 24 小时丢弃了 {lost} 条日志")
