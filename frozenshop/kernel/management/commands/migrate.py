"""`manage.py migrate`, beside a shop that is open: see `frozenshop.kernel.migrating`."""

import time
from typing import Any

from django.conf import settings
from django.core.management.base import CommandError
from django.core.management.commands import migrate
from django.db import OperationalError, connections
from django.db.migrations import Migration

from frozenshop.kernel import migrating
from frozenshop.kernel.audit import testimony
from frozenshop.kernel.checks import refuse_unusable_settings


class Command(migrate.Command):
    _patience: migrating.Patience | None = None

    def check(self, *args: Any, **options: Any) -> None:
        """Say what is wrong with the settings, or that nobody is there, before Django asks the database."""
        refuse_unusable_settings()
        for alias in options.get("databases") or []:
            try:
                connections[alias].ensure_connection()
            except OperationalError as error:
                raise CommandError(f"DATABASE_URL 所指的数据库无法连接：{error}") from None
        super().check(*args, **options)

    def handle(self, *args: Any, **options: Any) -> None:
        connection = connections[options["database"]]
        if connection.vendor != "mysql" or options["plan"] or options["check_unapplied"]:
            super().handle(*args, **options)
            return
        if named := testimony.in_the_way():
            # A trigger that names a column which is gone lets no write to its table pass.
            columns = "、".join(named)
            raise CommandError(
                f"见证触发器还用着这一版去掉的列（{columns}）：先运行 manage.py install_audit_triggers。"
            )
        try:
            with migrating.patiently(connection, tries=settings.MIGRATE_TRIES, say=self._say) as self._patience:
                self._until_done(*args, **options)
        except migrating.NoLock as error:
            raise CommandError(str(error)) from error
        finally:
            self._patience = None

    def _until_done(self, *args: Any, **options: Any) -> None:
        """Data changes in one transaction, which is undone as a whole when a row is busy, and begun anew."""
        for turn in range(1, settings.MIGRATE_TRIES + 1):
            try:
                super().handle(*args, **options)
                return
            except OperationalError as error:
                if migrating.code_of(error) not in migrating.NO_LOCK:
                    raise
            self._say(f"有行正被使用，先让开（第 {turn} 次）")
            time.sleep(migrating.wait(turn))
        raise migrating.NoLock(f"{settings.MIGRATE_TRIES} 次都有行正被使用：稍后重新运行 manage.py migrate。")

    def migration_progress_callback(self, action: str, migration: Migration | None = None, fake: bool = False) -> None:
        super().migration_progress_callback(action, migration, fake)
        if self._patience and migration and action in ("apply_start", "unapply_start"):
            self._patience.begin(migration)
        if self._patience and action in ("apply_success", "unapply_success"):
            self._patience.end()

    def _say(self, sentence: str) -> None:
        self.stderr.write(sentence)
