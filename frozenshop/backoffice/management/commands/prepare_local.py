"""Everything that `make run` needs before its processes start, in one go; quick when there is nothing to do."""

import os
from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand

from frozenshop.backoffice.demo import credentials, sms
from frozenshop.backoffice.management.commands.seed_demo import refuse_real_shop
from orders.models import Order

DEMO_ORDERS = 300


class Command(BaseCommand):
    help = "准备本地演示：迁移、基础数据、角色、定时任务、演示订单"

    def handle(self, *args: Any, **options: Any) -> None:
        call_command("migrate", verbosity=0)
        call_command("load_base_data", verbosity=0, stdout=open(os.devnull, "w"))  # noqa: SIM115
        call_command("ensure_roles", verbosity=0, stdout=open(os.devnull, "w"))  # noqa: SIM115
        call_command("sync_schedule", verbosity=0, stdout=open(os.devnull, "w"))  # noqa: SIM115
        refuse_real_shop()
        if Order.objects.exists():
            made, _ = credentials.prepare()
        else:
            call_command("seed_demo", orders=DEMO_ORDERS)
            made = credentials.known()
        sms.make_templates()
        self._show(made)

    def _show(self, made: dict[str, Any]) -> None:
        urls, staff = made["urls"], made["staff"]
        for line in (
            "",
            f"  后台 admin    {urls['admin']}",
            f"    账号 {staff['username']}   密码 {staff['password']}",
            f"  买家 buyer    {urls['buyer']}",
            f"    手机号 {made['buyer']['phone']}   短信验证码见 {urls['sandbox']}phones",
            f"  接口 API      {settings.PUBLIC_URL}/api/schema/",
            f"  沙箱 sandbox  {urls['sandbox']}",
            f"  全部演示凭据  {credentials.path()}",
            "  Ctrl-C 停止",
            "",
        ):
            self.stdout.write(line)
