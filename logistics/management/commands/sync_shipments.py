"""`manage.py sync_shipments`: ask the provider now for what is due, or about one waybill."""

import time
from collections.abc import Iterator
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from logistics import breaker, polling
from logistics.models import Shipment
from logistics.providers.base import configured_providers


class Command(BaseCommand):
    help = "立即向轨迹服务商查询到期的运单；--waybill 只查询指定运单（同一运单 30 分钟内只查询一次）"

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--waybill", metavar="NO", help="只查询这个运单号，不论是否到期")

    def handle(self, *, waybill: str | None, **options: Any) -> None:
        parcels = _named(waybill) if waybill else _due()
        answered = failed = 0
        for shipment in parcels:
            synced = polling.sync_now(shipment)
            answered, failed = answered + synced.answered, failed + (not synced.answered)
            if waybill or not synced.answered:
                self.stdout.write(f"{shipment.waybill_no}  {synced.reason or '已更新'}")
            elif self.stdout.isatty():
                self.stdout.write(f"\r已查询 {answered}", ending="")
        self.stdout.write(f"完成：已更新 {answered}，未能查询 {failed}")
        if failed:
            raise CommandError("有运单未能查询，原因见上")


def _named(waybill_no: str) -> list[Shipment]:
    parcels = Shipment.objects.select_related("carrier").filter(waybill_no=waybill_no)
    if not parcels:
        raise CommandError(f"没有运单号为 {waybill_no} 的运单", returncode=2)
    live = [shipment for shipment in parcels if shipment.voided_at is None]
    return sorted(live or parcels, key=lambda shipment: shipment.generation)[-1:]


def _due() -> Iterator[Shipment]:
    """Each due parcel once, the longest waiting first, no faster than the slowest provider allows."""
    a_minute = min((breaker.state_of(name).calls_per_minute for name in configured_providers()), default=60)
    together = max(a_minute // 60, 1)
    for count, pk in enumerate(list(polling.due().values_list("pk", flat=True)), start=1):
        yield Shipment.objects.select_related("carrier").get(pk=pk)
        if count % together == 0:
            time.sleep(60 * together / max(a_minute, 1))
