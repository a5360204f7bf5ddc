"""`manage.py train_texts FILE.csv …`: make the weights of the second opinion on texts anew."""

import json
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from logistics.models import ShipmentStatus
from logistics.texts.cleaning import clean
from logistics.texts.files import BadFile, read_rows
from logistics.texts.labels import statuses
from logistics.texts.learned import WEIGHTS, train


class Command(BaseCommand):
    """Exit codes: 0 done, 1 the file breaks off, 2 it is no such file."""

    help = "用带标签的句子（CSV，列 carrier,text,status）重新学习轨迹文字的第二判断"

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("files", nargs="+", type=Path, help="UTF-8 的 CSV，status 为中文标签或本系统状态")

    def handle(self, *, files: list[Path], **options: Any) -> None:
        pairs = []
        try:
            for file in files:
                columns, rows = read_rows(file)
                if "status" not in columns:
                    raise BadFile(f"{file}：缺少列 status", wrong_use=True)
                pairs += [(clean(row["text"]), _status(row["status"].strip())) for row in rows]
        except BadFile as problem:
            raise CommandError(str(problem), returncode=2 if problem.wrong_use else 1) from problem
        model = train(pairs)
        WEIGHTS.write_text(json.dumps(model, ensure_ascii=False, separators=(",", ":")) + "\n", encoding="utf-8")
        self.stdout.write(f"{len(pairs)} 句，{len(model['grams'])} 个片段：{WEIGHTS}")


def _status(label: str) -> str:
    status = statuses(label)[0] if statuses(label) else label
    if status not in ShipmentStatus.values:
        raise BadFile(f"没有这个状态：{label}")
    return status
