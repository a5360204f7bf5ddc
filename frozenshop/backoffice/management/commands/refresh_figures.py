"""`manage.py refresh_figures [--from DATE]`: bring the index page's figures up to date, or count them anew."""

import datetime as dt
import time
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from frozenshop.backoffice.dashboard import changes, refreshing
from frozenshop.backoffice.dashboard.boards import BOARDS
from frozenshop.backoffice.dashboard.models import FigureKind

WAIT_SECONDS = 2.0
PATIENCE = 300


class Command(BaseCommand):
    help = "更新首页的统计；--from 2026-01-01 从这一天起全部重算。可随时中断和重复"

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--from", dest="since", help="从这一天（上海时间）起重算，如 2026-01-01")

    def handle(self, *args: Any, **options: Any) -> None:
        since = self._date(options["since"]) if options["since"] else None
        for board in BOARDS:
            refreshing.refresh_board(board)
        for kind in refreshing.COUNTED:
            if since is not None:
                changes.mark_all(kind, since)
            self.stdout.write(f"{kind.label}：统计了 {self._drain(kind)} 天")

    def _date(self, text: str) -> dt.date:
        try:
            return dt.date.fromisoformat(text)
        except ValueError as error:
            raise CommandError(f"{text} 不是日期，应写成 2026-01-01") from error

    def _drain(self, kind: FigureKind) -> int:
        """Count until nothing is left; while the scheduled job is at it, wait for it."""
        counted = waited = 0
        while True:
            progress = refreshing.refresh(kind)
            counted += progress.counted
            if progress.held and not progress.left:
                return counted
            if not progress.held:
                waited += 1
                if waited > PATIENCE:
                    raise CommandError("定时统计一直在进行，请稍后再试")
                time.sleep(WAIT_SECONDS)
            elif self.stdout.isatty():
                self.stdout.write(f"\r{kind.label}：还有 {progress.left} 天 ", ending="")
                self.stdout.flush()
