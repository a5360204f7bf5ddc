"""`manage.py erase_person --phone … | --openid … --reason … [--dry-run]`: nothing that names them stays. Repeatable."""

from argparse import ArgumentParser
from collections import Counter
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from frozenshop.backoffice.management.commands import person_data
from frozenshop.backoffice.subjects import erasure
from frozenshop.kernel.errors import Problem
from frozenshop.kernel.logstore import StoreDown

WORDS = {
    "customers": "买家", "orders": "订单收件人", "archived": "归档订单收件人",
    "bought_for_others": "送给他人的订单（收件人保留）", "texts": "文字",
    "notices": "通知", "accesses": "订单访问权", "consents": "订阅授权", "sms_codes": "短信验证码", "opt_outs": "退订",
    "followers": "公众号身份", "addressees": "接收人", "tasks": "待办消息", "samples": "示例文字",
    "raw_messages": "原始消息", "logs": "日志", "batch_rows": "导入的行", "batch_files": "导入的文件",
    "searches": "最近查找",
}  # fmt: skip


class Command(BaseCommand):
    help = "清除某个人的个人信息（订单事实和金额保留）；可重复执行，中断后重新执行即继续；记入审计"

    def add_arguments(self, parser: ArgumentParser) -> None:
        person_data.add_arguments(parser)
        parser.add_argument("--dry-run", action="store_true", help="只说明会清除什么")

    def handle(self, *args: Any, **options: Any) -> None:
        who = person_data.found(options)
        try:
            if options["dry_run"]:
                self._say("将清除", erasure.preview(who))
            else:
                self._say("已清除", erasure.erase(who, actor=person_data.operator(), reason=options["reason"]))
        except Problem as problem:
            raise CommandError(problem.message) from problem
        except StoreDown as error:
            raise CommandError(f"日志库无法连接，请稍后重新执行：{error}") from error

    def _say(self, verb: str, counts: Counter[str]) -> None:
        done = [f"{WORDS[name]} {count}" for name, count in counts.items() if count]
        self.stdout.write(f"{verb}：{'，'.join(done)}" if done else "没有找到这个人的资料")
