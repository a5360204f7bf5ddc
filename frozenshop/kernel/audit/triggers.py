"""Putting the triggers in place, and taking them away, by an administrator's account of the database."""
# ruff: noqa: S608 - tables and columns are ours, and values are passed beside

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Any

import environ

from frozenshop.kernel.audit import witnessing
from frozenshop.kernel.audit.witnessing import KINDS, PREFIX, Witnessed, schema_of

if TYPE_CHECKING:
    from MySQLdb.cursors import Cursor  # type: ignore[import-untyped]

LOCK_SECONDS = 5
"""Nobody waits longer behind us for a table that is busy; then it fails, and is run again."""
Say = Callable[[str], object]


@contextmanager
def administrator(url: str) -> Iterator["Cursor"]:
    """Yield a cursor of the account in the address. Raises MySQLdb.Error."""
    import MySQLdb  # type: ignore[import-untyped]

    given = environ.Env.db_url_config(url)
    account = {"host": given["HOST"] or "127.0.0.1", "user": given["USER"], "password": given["PASSWORD"] or ""}
    mode = "STRICT_TRANS_TABLES,NO_ENGINE_SUBSTITUTION,ERROR_FOR_DIVISION_BY_ZERO"
    with closing(
        MySQLdb.connect(
            **account,
            port=int(given["PORT"] or 3306),
            charset="utf8mb4",
            autocommit=True,
            connect_timeout=5,
            init_command=f"SET sql_mode='{mode}', lock_wait_timeout={LOCK_SECONDS}",
        )
    ) as connection:
        yield connection.cursor()


class Installer:
    """What there is, what there should be, and the statements from the one to the other."""

    def __init__(self, cursor: "Cursor", database: str, say: Say, *, dry: bool = False, definer: str = "") -> None:
        self._cursor, self._database, self._say, self._dry = cursor, database, say, dry
        self._definer = f"DEFINER={definer} " if definer else ""
        self.schema = schema_of(database)
        self.changes = 0

    def install(self, wanted: Sequence[Witnessed], reader: str) -> None:
        """Bring schema, tables, rights and triggers to what is wanted; what is so already is left alone.

        `reader`: the program's account, as `name@host`, which may then read the witness.
        """
        if not self._there("information_schema.SCHEMATA WHERE SCHEMA_NAME = %s", f"{self._database}_witness"):
            self._do(f"CREATE DATABASE {self.schema} CHARACTER SET utf8mb4")
        for name, statement in (
            ("witness", witnessing.WITNESS_TABLE),
            ("installed", witnessing.INSTALLED_TABLE),
        ):
            where = "information_schema.TABLES WHERE TABLE_SCHEMA = %s AND TABLE_NAME = %s"
            if not self._there(where, f"{self._database}_witness", name):
                self._do(statement.format(schema=self.schema))
                self._do(f"GRANT SELECT ON {self.schema}.{name} TO {_quoted(reader)}")
        found = installed(self._cursor, self._database)
        present = [one.present(self._columns(one.table)) for one in wanted]
        for one in present:
            if one.columns:
                self._install(one, found)
        names = {name for one in present if one.columns for name in one.triggers(self.schema)}
        self._drop([name for name in found if name not in names])

    def remove(self) -> None:
        """Take the triggers away; what they noted stays."""
        self._drop([*installed(self._cursor, self._database)])
        if self._there("information_schema.SCHEMATA WHERE SCHEMA_NAME = %s", f"{self._database}_witness"):
            self._do(f"DELETE FROM {self.schema}.installed")

    def _install(self, one: Witnessed, found: dict[str, tuple[str, str]]) -> None:
        triggers = one.triggers(self.schema)
        if all(found.get(name, ("", ""))[1] == body for name, (_kind, body) in triggers.items()):
            return
        table = f"`{self._database}`.`{one.table}`"
        self._do(f"LOCK TABLES {table} WRITE, {self.schema}.witness WRITE, {self.schema}.installed WRITE")
        try:
            for name, (kind, body) in triggers.items():
                self._do(f"DROP TRIGGER IF EXISTS `{self._database}`.`{name}`")
                self._do(
                    f"CREATE {self._definer}TRIGGER `{self._database}`.`{name}` "
                    f"AFTER {KINDS[kind]} ON {table} FOR EACH ROW {body}"
                )
            self._do(
                f"REPLACE INTO {self.schema}.installed SELECT '{one.table}', '{one.version}',"
                f" '{','.join(one.columns)}', COALESCE(MAX(id), 0), UTC_TIMESTAMP(6) FROM {self.schema}.witness"
            )
        finally:
            self._do("UNLOCK TABLES")

    def _drop(self, names: Sequence[str]) -> None:
        for name in names:
            self._do(f"DROP TRIGGER IF EXISTS `{self._database}`.`{name}`")

    def _columns(self, table: str) -> list[str]:
        where = "information_schema.COLUMNS WHERE TABLE_SCHEMA = %s AND TABLE_NAME = %s"
        self._cursor.execute(f"SELECT COLUMN_NAME FROM {where}", [self._database, table])
        return [name for (name,) in self._cursor.fetchall()]

    def _there(self, where: str, *values: str) -> bool:
        self._cursor.execute(f"SELECT COUNT(*) FROM {where}", values)
        return bool(self._cursor.fetchall()[0][0])

    def _do(self, statement: str) -> None:
        self.changes += 1
        if self._dry:
            self._say(f"{statement};")
        else:
            self._cursor.execute(statement)


def installed(cursor: Any, database: str) -> dict[str, tuple[str, str]]:
    """Return name → (table, body) of the triggers that the account of the cursor sees.

    MariaDB shows names without bodies ("" here) to an account without rights to triggers; MySQL shows it nothing.
    """
    cursor.execute(
        "SELECT TRIGGER_NAME, EVENT_OBJECT_TABLE, ACTION_STATEMENT FROM information_schema.TRIGGERS"
        " WHERE TRIGGER_SCHEMA = %s",
        [database],
    )
    return {name: (table, body or "") for name, table, body in cursor.fetchall() if name.startswith(PREFIX)}


def _quoted(account: str) -> str:
    name, _, host = account.rpartition("@")
    return f"'{name}'@'{host}'"
