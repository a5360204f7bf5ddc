"""Realistic orders with history, shipments and events, for a demo or a benchmark."""

import os
import sys
import time
from argparse import ArgumentParser
from collections.abc import Callable
from random import SystemRandom
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from frozenshop.backoffice.demo import bulk, credentials, seeding
from frozenshop.kernel.models import MerchantKey
from orders.models import Order

MOST = 10_000_000
TOLD_EVERY = 10  # seconds


class Command(BaseCommand):
    help = (
        "写入演示订单（仅限演示数据库），并写 var/demo.json。空的 MySQL/MariaDB 数据库且订单很多时，多个进程成批装载，"
        "其间先去掉各表的索引，最后重建；中断后须删库重来。"
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--orders", type=int, required=True, help=f"订单数，1 至 {MOST:,}")
        parser.add_argument("--days", type=int, default=30, help="下单时间分布在最近多少天（默认 30）")
        parser.add_argument("--seed", type=int, default=None, help="随机种子；相同的种子给出相同的订单")
        parser.add_argument(
            "--with-events", type=int, default=None, help="只有最新的多少个订单带物流轨迹和完整历史（默认全部）"
        )
        parser.add_argument("--workers", type=int, default=os.cpu_count() or 1, help="成批装载时的进程数（默认同核数）")

    def handle(
        self,
        *args: Any,
        orders: int,
        days: int,
        seed: int | None,
        with_events: int | None = None,
        workers: int = 1,
        **options: Any,
    ) -> None:
        refuse_real_shop()
        if not 1 <= orders <= MOST:
            raise CommandError(f"--orders 应为 1 至 {MOST:,}", returncode=2)
        if not 1 <= days <= 3650:
            raise CommandError("--days 应为 1 至 3650", returncode=2)
        if with_events is not None and with_events < 0:
            raise CommandError("--with-events 不能是负数", returncode=2)
        if unfinished := bulk.unfinished():
            raise CommandError(unfinished)
        made, buyer = credentials.prepare()
        started = time.monotonic()
        plan = seeding.plan(
            orders,
            days=days,
            seed=SystemRandom().getrandbits(32) if seed is None else seed,
            buyer=buyer,
            buyer_phone=made["buyer"]["phone"],
            with_events=with_events,
        )
        if bulk.fits(plan):
            bulk.seed(plan, workers=max(workers, 1), progress=self._progress(orders), say=self._say(started))
        else:
            seeding.seed(plan, self._progress(orders))
        elapsed = time.monotonic() - started
        self.stdout.write(f"已写入 {orders:,} 个演示订单，用时 {elapsed:.1f} 秒（每秒 {orders / elapsed:,.0f} 个）")

    def _say(self, started: float) -> Callable[[str], None]:
        return lambda text: self.stdout.write(f"[{time.monotonic() - started:,.0f} 秒] {text}")

    def _progress(self, orders: int) -> Callable[[int], None]:
        """Rewrite one line for a person; add one now and then to a file."""
        said = time.monotonic()

        def tell(done: int) -> None:
            nonlocal said
            if sys.stdout.isatty():
                self.stdout.write(f"\r{done:,}/{orders:,}", ending="")
            elif time.monotonic() - said > TOLD_EVERY:
                said = time.monotonic()
                self.stdout.write(f"{done:,}/{orders:,}")
                self.stdout.flush()

        return tell


def refuse_real_shop() -> None:
    """Raise CommandError unless this may be a demo: DEBUG on, and no order that the demo did not make."""
    if not settings.DEBUG:
        raise CommandError("DEBUG=False：这可能是正式环境，不写入演示数据")
    if Order.objects.exists() and not MerchantKey.objects.filter(name=credentials.KEY_NAME).exists():
        raise CommandError("数据库里已有不是演示产生的订单，不写入演示数据")
