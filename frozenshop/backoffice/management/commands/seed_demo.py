"""Realistic orders with history, shipments and events, for a demo or a benchmark."""

import sys
import time
from argparse import ArgumentParser
from random import Random
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from frozenshop.backoffice.demo import credentials, seeding
from frozenshop.kernel.models import MerchantKey
from orders.models import Order

MOST = 10_000_000


class Command(BaseCommand):
    help = "写入演示订单（仅限演示数据库），并写 var/demo.json"

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--orders", type=int, required=True, help=f"订单数，1 至 {MOST:,}")
        parser.add_argument("--days", type=int, default=30, help="下单时间分布在最近多少天（默认 30）")
        parser.add_argument("--seed", type=int, default=None, help="随机种子；相同的种子给出相同的订单")

    def handle(self, *args: Any, orders: int, days: int, seed: int | None, **options: Any) -> None:
        refuse_real_shop()
        if not 1 <= orders <= MOST:
            raise CommandError(f"--orders 应为 1 至 {MOST:,}", returncode=2)
        if not 1 <= days <= 3650:
            raise CommandError("--days 应为 1 至 3650", returncode=2)
        made, buyer = credentials.prepare()
        started = time.monotonic()
        seeding.seed(
            orders,
            days=days,
            rng=Random(seed),  # noqa: S311 (demo data)
            buyer=buyer,
            buyer_phone=made["buyer"]["phone"],
            progress=self._progress(orders),
        )
        elapsed = time.monotonic() - started
        self.stdout.write(f"已写入 {orders:,} 个演示订单，用时 {elapsed:.1f} 秒（每秒 {orders / elapsed:,.0f} 个）")

    def _progress(self, orders: int) -> Any:
        if not sys.stdout.isatty():
            return lambda done: None
        return lambda done: self.stdout.write(f"\r{done:,}/{orders:,}", ending="")


def refuse_real_shop() -> None:
    """Raise CommandError unless this may be a demo: DEBUG on, and no order that the demo did not make."""
    if not settings.DEBUG:
        raise CommandError("DEBUG=False：这可能是正式环境，不写入演示数据")
    if Order.objects.exists() and not MerchantKey.objects.filter(name=credentials.KEY_NAME).exists():
        raise CommandError("数据库里已有不是演示产生的订单，不写入演示数据")
