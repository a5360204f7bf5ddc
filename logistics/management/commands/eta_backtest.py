"""`manage.py eta_backtest FILE.csv`: how good the arrival times would have been on a finished history."""

import csv
import json
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from logistics.learning import backtest
from orders.spreadsheets import Unreadable

TABLE = (
    ("n", "条数", "{:.0f}"),
    ("mae_days", "平均误差（天）", "{:.2f}"),
    ("p90_error_days", "P90 误差（天）", "{:.2f}"),
    ("coverage80", "80% 区间覆盖率", "{:.1%}"),
    ("width80_days", "80% 区间宽度（天）", "{:.2f}"),
    ("coverage90", "90% 区间覆盖率", "{:.1%}"),
    ("width90_days", "90% 区间宽度（天）", "{:.2f}"),
    ("pinball", "分位损失（天）", "{:.4f}"),
)


class Command(BaseCommand):
    """Exit codes: 0 done, 1 the file can't be used, 2 wrong use."""

    help = "用历史运单回测预计送达：按发货时间最新的五分之一，逐日只用当时已送达的数据预测"
    requires_system_checks = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "file", type=Path, help="CSV：origin,destination,carrier,shipped_at,delivered_at[,promised_by]"
        )
        parser.add_argument("--json", action="store_true", dest="as_json", help="以 JSON 输出得分")
        parser.add_argument("--predictions", type=Path, metavar="OUT.csv", help="写出测试行和预测的分位数（天）")

    def handle(self, *, file: Path, as_json: bool, predictions: Path | None, **options: Any) -> None:
        if not file.is_file():
            raise CommandError(f"文件不存在：{file}", returncode=2)
        if predictions is not None and not predictions.absolute().parent.is_dir():
            raise CommandError(f"目录不存在：{predictions.absolute().parent}", returncode=2)
        try:
            history = backtest.read_history(file)
            for note in history.notes:
                self.stderr.write(note)
            result = backtest.run(history)
        except Unreadable as problem:
            raise CommandError(problem.message, returncode=1) from problem
        if predictions is not None:
            self._write(predictions, result)
        self.stdout.write(json.dumps(result.as_json()) if as_json else _table(result))

    def _write(self, path: Path, result: backtest.Result) -> None:
        try:
            with path.open("w", encoding="utf-8", newline="") as file:
                writer = csv.DictWriter(file, result.columns, lineterminator="\n")
                writer.writeheader()
                writer.writerows(result.rows)
        except OSError as error:
            raise CommandError(f"无法写入 {path}：{error.strerror}", returncode=1) from error


def _table(result: backtest.Result) -> str:
    scores = result.as_json()
    lines = ["指标\t本模型\t同线路 90 天分位\t全部 90 天分位"]
    for name, label, form in TABLE:
        values = (form.format(scores[method][name]) for method in ("ours", "lane", "global"))
        lines.append("\t".join((label, *values)))
    return "\n".join(lines)
