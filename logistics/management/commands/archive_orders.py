"""`manage.py archive_orders --before DATE`: move finished orders out of the hot tables, still searchable."""

import datetime as dt
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from frozenshop.kernel import clock
from logistics.archive import moving
from logistics.archive.bodies import BodyBroken
from logistics.archive.candidates import Rule
from logistics.archive.moving import Moved
from logistics.archive.places import PlaceDown


class Command(BaseCommand):
    help = "把指定日期之前下单、已经结束的订单移入归档（仍可查找）；可重复执行，中断后重新执行即继续"

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--before", required=True, metavar="DATE", type=_day, help="如 2026-01-31，不含当天")

    def handle(self, *, before: dt.date, **options: Any) -> None:
        total = Moved()
        try:
            for moved in moving.archive(Rule(clock.start_of_day(before))):
                total = total + moved
                if self.stdout.isatty():
                    self.stdout.write(f"\r已归档 {total.orders}", ending="")
        except (PlaceDown, BodyBroken) as error:
            raise CommandError(f"归档中断（已归档 {total.orders}）：{error or '写入后校验不符'}") from error
        kept = f"，{total.kept} 个订单还有事项未了，留在原处" if total.kept else ""
        begin = "\r" if self.stdout.isatty() else ""
        self.stdout.write(f"{begin}已归档 {total.orders} 个订单（{total.rows} 行）{kept}")


def _day(text: str) -> dt.date:
    return dt.date.fromisoformat(text)
