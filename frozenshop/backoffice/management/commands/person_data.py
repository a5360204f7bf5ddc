"""`manage.py person_data --phone … | --openid … --reason … --output FILE`: what is held of one person, as JSON."""

import getpass
import json
import os
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.core.serializers.json import DjangoJSONEncoder

from frozenshop.backoffice.subjects import held, person
from frozenshop.kernel import audit
from frozenshop.kernel.actor import Actor, Source
from frozenshop.kernel.errors import Problem


class Command(BaseCommand):
    help = "导出本系统保存的某个人的全部资料（JSON，只有文件所有者可读）；记入审计"

    def add_arguments(self, parser: ArgumentParser) -> None:
        add_arguments(parser)
        parser.add_argument("--output", type=Path, required=True, metavar="FILE", help="写到哪个文件；不覆盖已有文件")

    def handle(self, *args: Any, **options: Any) -> None:
        who = found(options)
        text = json.dumps(held.held(who), ensure_ascii=False, indent=1, cls=DjangoJSONEncoder) + "\n"
        try:
            descriptor = os.open(options["output"], os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except OSError as error:
            raise CommandError(f"无法写入 {options['output']}：{error.strerror}") from error
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            audit.record(operator(), "person.read", who.subject, reason=options["reason"])
            file.write(text)
        self.stdout.write(f"已写入 {options['output']}")


def add_arguments(parser: ArgumentParser) -> None:
    """What both commands about a person are asked with."""
    parser.add_argument("--phone", default="", help="手机号")
    parser.add_argument("--openid", default="", help="微信 openid")
    parser.add_argument("--reason", required=True, help="依据，例如工单号；不要写姓名或电话")


def found(options: dict[str, Any]) -> person.Person:
    if not options["reason"].strip():
        raise CommandError("请写明依据（--reason）")
    try:
        return person.find(phone=options["phone"].strip(), openid=options["openid"].strip())
    except Problem as problem:
        raise CommandError(problem.message) from problem


def operator() -> Actor:
    """Return who sits at the machine."""
    return Actor(Source.STAFF, f"shell:{getpass.getuser()}")
