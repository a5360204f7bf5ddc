"""`manage.py install_audit_triggers [--remove] [--dry-run]`: the database itself watches the tables that matter."""

from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.db import connection

from frozenshop.kernel import audit
from frozenshop.kernel.audit import testimony, triggers, witnessing


class Command(BaseCommand):
    help = "在 MySQL/MariaDB 上装好（或拆除）审计的第二见证；用管理员账号，可重复运行"

    requires_system_checks: tuple[str, ...] = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--url", default="", help="管理员账号；不给则用 AUDIT_ADMIN_DATABASE_URL")
        parser.add_argument("--definer", default="", help="触发器以谁的身份写见证，如 'witness'@'%%'；默认是管理员账号")
        parser.add_argument("--remove", action="store_true", help="拆除触发器；已有的见证保留")
        parser.add_argument("--dry-run", action="store_true", help="只显示要执行的 SQL")

    def handle(self, *args: Any, **options: Any) -> None:
        if connection.vendor != "mysql":
            raise CommandError("第二见证只用于 MySQL 和 MariaDB。", returncode=2)
        url = options["url"] or settings.AUDIT_ADMIN_DATABASE_URL
        if not url:
            raise CommandError("请用 --url 或 AUDIT_ADMIN_DATABASE_URL 给出管理员账号。", returncode=2)
        from MySQLdb import Error  # type: ignore[import-untyped]

        try:
            with triggers.administrator(url) as cursor:
                changes = self._run(cursor, options)
        except Error as error:
            raise CommandError(f"没有做完（{error.args[-1]}）：排除原因后重新运行，会接着做。") from error
        if options["dry_run"]:
            return
        if changes:
            action = "removed" if options["remove"] else "installed"
            audit.record("operator", f"audit.triggers_{action}", details={"statements": changes})
        self.stdout.write(self._told(changes, remove=options["remove"]))

    def _run(self, cursor: Any, options: dict[str, Any]) -> int:
        say, database = self.stdout.write, str(connection.settings_dict["NAME"])
        installer = triggers.Installer(cursor, database, say, dry=options["dry_run"], definer=options["definer"])
        if options["remove"]:
            installer.remove()
        else:
            installer.install(witnessing.tables(), _own_account())
        return installer.changes

    def _told(self, changes: int, *, remove: bool) -> str:
        if remove:
            return "触发器已拆除，见证记录保留。"
        rewritable = testimony.may_write()
        own = "注意：程序自己的账号可以改写见证（权限过大），见 docs/audit.md。" if rewritable else ""
        return f"{'第二见证已装好' if changes else '第二见证早已装好，没有改动'}。{own}"


def _own_account() -> str:
    with connection.cursor() as cursor:
        cursor.execute("SELECT CURRENT_USER()")
        return str(cursor.fetchone()[0])
