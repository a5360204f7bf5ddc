"""`manage.py restore_order NO`: take an order back out of the archive, as it was."""

import getpass
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from frozenshop.kernel.actor import Actor, Source
from frozenshop.kernel.errors import Problem
from logistics.archive import restoring
from orders.models import Order


class Command(BaseCommand):
    help = "把归档订单恢复到原处（同一包裹的订单一起恢复）；记入审计"

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("order_no", metavar="NO", help="订单号")
        parser.add_argument("--reason", default="命令行恢复", help="原因")

    def handle(self, *, order_no: str, reason: str, **options: Any) -> None:
        by = Actor(Source.STAFF, f"shell:{getpass.getuser()}")
        try:
            restored = restoring.restore(order_no, by=by, reason=reason)
        except Problem as problem:
            raise CommandError(problem.message) from problem
        if restored:
            self.stdout.write(f"已恢复：{'、'.join(restored)}")
        elif Order.objects.filter(order_no=order_no).exists():
            self.stdout.write(f"订单 {order_no} 不在归档中，没有改动")
        else:
            raise CommandError(f"没有订单 {order_no}")
