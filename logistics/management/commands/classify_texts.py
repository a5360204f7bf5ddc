"""`manage.py classify_texts FILE.csv`: what carriers' sentences say, in our words."""

import csv
import io
import os
import sys
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from logistics.texts import read
from logistics.texts.files import BadFile, read_rows
from logistics.texts.labels import Score

OURS = ("status", "reason", "confidence")


class Command(BaseCommand):
    """Exit codes: 0 done, 1 the file breaks off, 2 it is no such file."""

    help = "读取 CSV（列 carrier,text），输出每行的 status,reason,confidence；status 为空表示不确定"
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", type=Path, help="UTF-8 的 CSV，表头含 carrier,text；其他列原样保留")
        parser.add_argument(
            "--score", action="store_true", help="按文件里的 status 列（中文标签或本系统状态）打分，按承运商列表"
        )

    def handle(self, *, file: Path, score: bool, **options: Any) -> None:
        try:
            if score:
                self._score(file)
            else:
                self._classify(file)
        except BadFile as problem:
            raise CommandError(str(problem), returncode=2 if problem.wrong_use else 1) from problem
        except BrokenPipeError:  # Who reads the output has seen enough; nothing more may be flushed to it.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())

    def _classify(self, file: Path) -> None:
        """A column of the file that has the name of one of ours is replaced by ours."""
        columns, rows = read_rows(file)
        kept = [name for name in columns if name not in OURS]
        self.stdout.write(_line([*kept, *OURS]), ending="")
        for row in rows:
            reading = read(row["carrier"].strip(), row["text"])
            told = (reading.status, reading.reason, f"{reading.confidence:.2f}" if reading.status else "")
            self.stdout.write(_line([*(row[name] for name in kept), *map(str, told)]), ending="")

    def _score(self, file: Path) -> None:
        columns, rows = read_rows(file)
        if "status" not in columns:
            raise BadFile("缺少列 status：打分需要每句的标签", wrong_use=True)
        score = Score()
        for row in rows:
            score.add(row["carrier"].strip(), row["status"].strip(), read(row["carrier"].strip(), row["text"]).status)
        self.stdout.write("\n".join(score.lines()))


def _line(cells: list[str]) -> str:
    line = io.StringIO()
    csv.writer(line, lineterminator="\n").writerow(cells)
    return line.getvalue()
