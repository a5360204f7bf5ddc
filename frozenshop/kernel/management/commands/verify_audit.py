"""`manage.py verify_audit [--checkpoint PATH] [--write-checkpoint FILE]`: was the audit changed afterwards?"""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.db import connection

from frozenshop.kernel import audit
from frozenshop.kernel.audit import checkpoints, testimony

SHOWN = 50


class Command(BaseCommand):
    help = "核对审计链；发现改动时返回 1 并指出第一条。--checkpoint 还能发现末尾被截断和整链重写"

    requires_system_checks: tuple[str, ...] = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--checkpoint", type=Path, metavar="PATH", help="与此前写出的检查点比对：一个文件，或一个文件夹里的全部"
        )
        parser.add_argument("--write-checkpoint", type=Path, metavar="FILE", help="核对无误后写出签名的检查点")
        parser.add_argument("--public-key", action="store_true", help="只显示核对检查点签名的公钥（不是秘密）")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["public_key"]:
            self.stdout.write(checkpoints.public_key())
            return
        verdict = audit.verify(self._read(options["checkpoint"]))
        doubts = self._hear_the_witness()
        if verdict.unsealed:
            self.stdout.write(f"另有 {verdict.unsealed} 条尚未封印")
        if verdict.odd_times:
            ids = "、".join(f"#{number}" for number in verdict.odd_times[:10])
            self.stdout.write(f"{len(verdict.odd_times)} 条记录的时间与封印时间不符，服务器时钟可能被调整过：{ids}")
        if verdict.fault:
            raise CommandError(_sentence(verdict.fault))
        self.stdout.write(f"审计链完好：{verdict.count} 条，末端 {verdict.head[:16] or '（空）'}")
        if doubts:
            raise CommandError(f"第二见证有 {doubts} 处无法由程序自己的记录解释，见上")
        if path := options["write_checkpoint"]:
            path.write_text(audit.write_checkpoint(verdict.count, verdict.head), encoding="utf-8")

    def _hear_the_witness(self) -> int:
        """Say what the triggers noted; return how much of it is in doubt."""
        if connection.vendor != "mysql":
            return 0
        found = testimony.report(settings.AUDIT_ADMIN_DATABASE_URL)
        if found is None:
            self.stdout.write("没有第二见证（可用 install_audit_triggers 安装）")
            return 0
        changes = "、".join(f"{account} {count} 次" for account, count in found.accounts.most_common(10))
        self.stdout.write(f"第二见证：{changes or '还没有见证到改动'}")
        if found.missing is None:
            self.stdout.write("当前账号看不到触发器，不知道是否齐全（给出 AUDIT_ADMIN_DATABASE_URL 后再核对）")
        elif not settings.AUDIT_ADMIN_DATABASE_URL:
            self.stdout.write("触发器的内容要给出 AUDIT_ADMIN_DATABASE_URL 才能核对")
        if found.missing:
            self.stdout.write(f"触发器缺失或被改动：{'、'.join(found.missing)}")
        if found.rewritable:
            self.stdout.write("注意：程序自己的账号可以改写见证，见 docs/audit.md")
        for suspect in found.suspects[:SHOWN]:
            number = f"见证 #{suspect.witness_id} " if suspect.witness_id else ""
            self.stdout.write(f"{number}{suspect.what}：{suspect.reason}")
        return len(found.suspects) + len(found.missing or ())

    def _read(self, path: Path | None) -> list[audit.Checkpoint]:
        if path is None:
            return []
        try:
            found = checkpoints.read_all(path)
        except (OSError, UnicodeDecodeError) as error:
            raise CommandError(f"读不到检查点文件 {path}：{error}", returncode=2) from error
        except ValueError as error:
            raise CommandError(str(error)) from error
        if not found:
            raise CommandError(f"{path} 里没有检查点文件（{checkpoints.PATTERN}）", returncode=2)
        return found


def _sentence(fault: audit.Fault) -> str:
    place = f"记录 #{fault.audit_id}" if fault.audit_id is not None else "审计链"
    position = f"（第 {fault.position} 位）" if fault.position is not None else ""
    return f"{place}{position}：{fault.reason}"
