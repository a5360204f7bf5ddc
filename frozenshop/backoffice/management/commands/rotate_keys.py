"""`manage.py rotate_keys [--check]`: seal and index everything under the newest keys, while the site runs."""

from argparse import ArgumentParser
from collections.abc import Iterable, Iterator
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from frozenshop.backoffice import rotation


class Command(BaseCommand):
    help = (
        "把所有密封值和盲索引改用最新密钥。"
        "先把新密钥加在 FIELD_ENCRYPTION_KEYS / BLIND_INDEX_KEYS 最前面，并重启全部进程；"
        "可随时中断和重复；10 分钟后 --check 仍为 0 时才可删除旧密钥"
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--check", action="store_true", help="只统计仍在旧密钥下的行，有则返回 1")

    def handle(self, *args: Any, **options: Any) -> None:
        tables = {progress.table: progress for progress in self._watched(rotation.rotate(change=not options["check"]))}
        word = "仍在旧密钥下" if options["check"] else "已改用最新密钥"
        for progress in tables.values():
            self.stdout.write(f"{progress.table}：{progress.seen} 行，其中 {progress.changed} 行{word}")
        broken = {progress.table: progress.broken for progress in tables.values() if progress.broken}
        if broken:
            rows = "；".join(f"{table} {', '.join(map(str, ids[:20]))}" for table, ids in broken.items())
            raise CommandError(f"这些行无法解开或一直在变化，未处理（主键）：{rows}")
        if options["check"] and any(progress.changed for progress in tables.values()):
            raise CommandError("还有行在旧密钥下，请先运行 manage.py rotate_keys")

    def _watched(self, steps: Iterable[rotation.Progress]) -> Iterator[rotation.Progress]:
        for progress in steps:
            if self.stdout.isatty():
                self.stdout.write(f"\r{progress.table} {progress.seen}", ending="")
                self.stdout.flush()
            yield progress
        if self.stdout.isatty():
            self.stdout.write("")
