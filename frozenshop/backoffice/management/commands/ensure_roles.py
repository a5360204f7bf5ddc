from typing import Any

from django.core.management.base import BaseCommand

from frozenshop.backoffice.roles import ROLES, ensure_roles


class Command(BaseCommand):
    help = "建立员工分组（查看、客服、主管）及其权限；可重复执行"

    def handle(self, *args: Any, **options: Any) -> None:
        ensure_roles()
        self.stdout.write(f"员工分组已就绪：{'、'.join(ROLES)}")
