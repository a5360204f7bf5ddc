"""`manage.py verify_audit [--checkpoint FILE] [--write-checkpoint FILE]`: was the audit changed afterwards?"""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from frozenshop.kernel import audit


class Command(BaseCommand):
    help = "核对审计链；发现改动时返回 1 并指出第一条。--checkpoint 还能发现末尾被截断"

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--checkpoint", type=Path, metavar="FILE", help="与此前写出的检查点比对")
        parser.add_argument("--write-checkpoint", type=Path, metavar="FILE", help="核对无误后写出签名的检查点")

    def handle(self, *args: Any, **options: Any) -> None:
        verdict = audit.verify(self._read(options["checkpoint"]))
        if verdict.unsealed:
            self.stdout.write(f"另有 {verdict.unsealed} 条尚未封印")
        if verdict.odd_times:
            ids = "、".join(f"#{number}" for number in verdict.odd_times[:10])
            self.stdout.write(f"{len(verdict.odd_times)} 条记录的时间与封印时间不符，服务器时钟可能被调整过：{ids}")
        if verdict.fault:
            raise CommandError(_sentence(verdict.fault))
        self.stdout.write(f"审计链完好：{verdict.count} 条，末端 {verdict.head[:16] or '（空）'}")
        if path := options["write_checkpoint"]:
            path.write_text(audit.write_checkpoint(verdict), encoding="utf-8")

    def _read(self, path: Path | None) -> dict[str, Any] | None:
        if path is None:
            return None
        try:
            text = path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise CommandError(f"读不到检查点文件 {path}：{error}", returncode=2) from error
        try:
            return audit.read_checkpoint(text)
        except ValueError as error:
            raise CommandError(f"{path}：{error}") from error


def _sentence(fault: audit.Fault) -> str:
    place = f"记录 #{fault.audit_id}" if fault.audit_id is not None else "审计链"
    position = f"（第 {fault.position} 位）" if fault.position is not None else ""
    return f"{place}{position}：{fault.reason}"
