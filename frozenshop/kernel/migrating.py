"""Changing the tables of a shop that is open, on MySQL and MariaDB.

A change of structure waits for every transaction that has touched the table, and whoever comes after waits behind it.
So none waits longer than a second: it lets everybody pass, and tries again. Such a change can't be rolled back either:
each statement is written down before and after, so that a migration that was broken off goes on where it stopped.
"""

import hashlib
import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

from django.db import DatabaseError, OperationalError
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.migrations import Migration

LOCK_SECONDS = 1
FIRST_WAIT, LONGEST_WAIT = 0.5, 15.0
OTHER_SECONDS = 60
"""How long another `migrate` on the same database is waited for."""
STEPS = "migration_steps"

NO_LOCK = {1205, 1213}
DONE_ALREADY = {1050, 1051, 1060, 1061, 1091, 1826}
"""The table, column, index or foreign key is there already, or gone."""
_STRUCTURE = re.compile(r"\s*(ALTER|CREATE|DROP|RENAME)\b", re.IGNORECASE)


class NoLock(Exception):
    """The tables stayed busy; the sentence says where it stopped and who may be in the way."""


class Patience:
    """Runs the statements of migrations: structure in turns of a second, each step once."""

    def __init__(self, connection: BaseDatabaseWrapper, *, tries: int, say: Callable[[str], None]) -> None:
        self._connection, self._tries, self._say = connection, tries, say
        self._migration, self._step, self._ledger = "", 0, False
        self._steps: dict[str, bool] = {}

    def begin(self, migration: Migration) -> None:
        """Read what of a migration was done before it was broken off."""
        self._migration, self._step = f"{migration.app_label}.{migration.name}", 0
        self._steps = dict(self._rows()) if self._ledger_is_there() else {}

    def end(self) -> None:
        """Forget the steps of a migration that is recorded as a whole."""
        if self._steps:
            self._quietly(f"DELETE FROM {STEPS} WHERE migration = %s", [self._migration])  # noqa: S608
        self._migration, self._steps = "", {}

    def clear(self) -> None:
        """Leave no table behind in which nothing stands."""
        if self._ledger and not list(self._rows(whole=True)):
            self._quietly(f"DROP TABLE {STEPS}")

    def __call__(self, execute: Callable[..., Any], sql: str, params: Any, many: bool, context: Any) -> Any:
        if not self._migration or not _STRUCTURE.match(sql) or STEPS in sql:
            return execute(sql, params, many, context)
        self._step += 1
        digest = hashlib.sha256(f"{self._step} {sql} {params}".encode()).hexdigest()
        begun = digest in self._steps
        if self._steps.get(digest):
            return None
        self._note(digest, done=False)
        try:
            result = self._in_turns(sql, lambda: execute(sql, params, many, context))
        except DatabaseError as error:
            if not (begun and code_of(error) in DONE_ALREADY):
                raise
            result = None
        self._note(digest, done=True)
        return result

    def _in_turns(self, sql: str, run: Callable[[], Any]) -> Any:
        for turn in range(1, self._tries + 1):
            try:
                return run()
            except OperationalError as error:
                if code_of(error) not in NO_LOCK:
                    raise
            if turn < self._tries:
                self._say(f"{self._migration} 第 {self._step} 步：表正被使用，先让开（第 {turn} 次）")
                time.sleep(wait(turn))
        raise NoLock(
            f"迁移 {self._migration} 停在第 {self._step} 步（{sql[:80]}）：{self._tries} 次都没有在 {LOCK_SECONDS} 秒内"
            f"等到表空闲。{self._in_the_way()}做完的步骤已记下：处理后重新运行 manage.py migrate，会从这一步接着做。"
        )

    def _in_the_way(self) -> str:
        """Name the transactions that are open for longest: one of them holds the table."""
        sql = (
            "SELECT trx_mysql_thread_id, TIMESTAMPDIFF(SECOND, trx_started, NOW()) FROM information_schema.innodb_trx"
            " WHERE trx_mysql_thread_id <> CONNECTION_ID() ORDER BY trx_started LIMIT 3"
        )
        try:
            found = self._select(sql)
        except DatabaseError:  # The account lacks the right PROCESS.
            return "用 SHOW PROCESSLIST 找出长时间未结束的事务。"
        names = "、".join(f"连接 {thread}（{seconds} 秒）" for thread, seconds in found)
        return f"开着最久的事务：{names}。" if names else ""

    # --- the ledger -------------------------------------------------------------------------------

    def _ledger_is_there(self) -> bool:
        if not self._ledger:
            with self._connection.cursor() as cursor:
                self._ledger = STEPS in self._connection.introspection.table_names(cursor)
        return self._ledger

    def _rows(self, *, whole: bool = False) -> Iterator[tuple[str, bool]]:
        where, params = ("", []) if whole else (" WHERE migration = %s", [self._migration])
        for digest, done in self._select(f"SELECT digest, done FROM {STEPS}{where}", params):  # noqa: S608
            yield str(digest), bool(done)

    def _note(self, digest: str, *, done: bool) -> None:
        if not self._ledger_is_there():
            self._run(
                f"CREATE TABLE {STEPS} (migration VARCHAR(255) NOT NULL, digest CHAR(64) NOT NULL,"
                " done SMALLINT NOT NULL, PRIMARY KEY (migration, digest))"
            )
            self._ledger = True
        self._steps[digest] = done
        self._run(f"REPLACE INTO {STEPS} VALUES (%s, %s, %s)", [self._migration, digest, int(done)])  # noqa: S608

    def _select(self, sql: str, params: list[Any] | None = None) -> list[tuple[Any, ...]]:
        with self._connection.cursor() as cursor:
            cursor.execute(sql, params)
            return list(cursor.fetchall())

    def _run(self, sql: str, params: list[Any] | None = None) -> None:
        with self._connection.cursor() as cursor:
            cursor.execute(sql, params)

    def _quietly(self, sql: str, params: list[Any] | None = None) -> None:
        with suppress(OperationalError):
            self._run(sql, params)


@contextmanager
def patiently(connection: BaseDatabaseWrapper, *, tries: int, say: Callable[[str], None]) -> Iterator[Patience]:
    """Let what runs inside wait a second for a lock, alone of its kind. Raises NoLock."""
    patience = Patience(connection, tries=tries, say=say)
    with _alone(connection), _short_waits(connection), connection.execute_wrapper(patience):
        yield patience
        patience.clear()


@contextmanager
def _alone(connection: BaseDatabaseWrapper) -> Iterator[None]:
    name = f"migrate:{connection.settings_dict['NAME']}"[:64]
    with connection.cursor() as cursor:
        cursor.execute("SELECT GET_LOCK(%s, %s)", [name, OTHER_SECONDS])
        if cursor.fetchone() != (1,):
            raise NoLock(f"另一个 migrate 正在运行，等了 {OTHER_SECONDS} 秒仍未结束。")
    try:
        yield
    finally:
        with suppress(DatabaseError), connection.cursor() as cursor:
            cursor.execute("SELECT RELEASE_LOCK(%s)", [name])


@contextmanager
def _short_waits(connection: BaseDatabaseWrapper) -> Iterator[None]:
    names = ("lock_wait_timeout", "innodb_lock_wait_timeout")
    with connection.cursor() as cursor:
        cursor.execute("SELECT @@SESSION.lock_wait_timeout, @@SESSION.innodb_lock_wait_timeout")
        before = cursor.fetchone()
        for name in names:
            cursor.execute(f"SET SESSION {name} = %s", [LOCK_SECONDS])
    try:
        yield
    finally:
        with suppress(DatabaseError), connection.cursor() as cursor:
            for name, value in zip(names, before, strict=True):
                cursor.execute(f"SET SESSION {name} = %s", [value])


def wait(turn: int) -> float:
    """Return how many seconds others may pass after so many tries."""
    return min(FIRST_WAIT * 2.0 ** (turn - 1), LONGEST_WAIT)


def code_of(error: BaseException) -> int:
    """Return MySQL's number of an error, 0 where it has none."""
    return error.args[0] if error.args and isinstance(error.args[0], int) else 0
