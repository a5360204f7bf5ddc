"""The second witness: triggers of the database note each change of the tables that matter, whoever makes it and how.

What they note lies in a schema beside the program's, which the program may read and not write: table, key, kind of
change, which columns, a digest of the row before and after, the connection's account and the time. No personal data.
The triggers come and go by `manage.py install_audit_triggers` alone. Only MySQL and MariaDB have them here.
"""
# ruff: noqa: S608 - tables and columns are ours, and values are passed beside

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from django.conf import settings
from django.utils.module_loading import import_string

KINDS: Mapping[str, str] = {"I": "INSERT", "U": "UPDATE", "D": "DELETE"}
PREFIX = "fsw_"

# The true time in UTC: `SET timestamp` moves NOW() and leaves SYSDATE().
_NOW = "TIMESTAMPADD(MICROSECOND, TIMESTAMPDIFF(MICROSECOND, NOW(6), SYSDATE(6)), UTC_TIMESTAMP(6))"

WITNESS_TABLE = """CREATE TABLE IF NOT EXISTS {schema}.witness (
  id BIGINT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY,
  at DATETIME(6) NOT NULL,
  tbl VARCHAR(64) NOT NULL,
  row_key VARCHAR(64) NOT NULL,
  kind CHAR(1) NOT NULL,
  version CHAR(8) NOT NULL,
  was CHAR(64) NOT NULL,
  became CHAR(64) NOT NULL,
  changed VARCHAR(1000) NOT NULL,
  state_was VARCHAR(64) NOT NULL,
  state_became VARCHAR(64) NOT NULL,
  account VARCHAR(190) NOT NULL,
  connection BIGINT UNSIGNED NOT NULL,
  KEY by_row (tbl, row_key, id),
  KEY by_time (at, id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin"""
INSTALLED_TABLE = """CREATE TABLE IF NOT EXISTS {schema}.installed (
  tbl VARCHAR(64) NOT NULL PRIMARY KEY,
  version CHAR(8) NOT NULL,
  named TEXT NOT NULL,
  since BIGINT UNSIGNED NOT NULL,
  installed_at DATETIME(6) NOT NULL
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin"""


@dataclass(frozen=True, slots=True)
class Rule:
    """What the program's own records must say of a witnessed change, else it wasn't the program that made it.

    `kinds`: of I, U and D. `changed`: only where this column changed. `told`: a condition in SQL over the witness's row
    `w`; empty: nothing explains such a change.
    """

    kinds: str
    sentence: str
    told: str = ""
    changed: str = ""


@dataclass(frozen=True, slots=True)
class Witnessed:
    """A table to be watched: the columns whose change is noted, the one kept in plain, and what explains a change."""

    table: str
    columns: tuple[str, ...]
    state: str = ""
    rules: tuple[Rule, ...] = field(default=())

    def present(self, columns: Sequence[str]) -> "Witnessed":
        """Return the same with those columns only that the table has: a release may come before its migration."""
        kept = tuple(name for name in self.columns if name in columns)
        return Witnessed(self.table, kept, self.state if self.state in columns else "", self.rules)

    @property
    def version(self) -> str:
        return hashlib.sha256(repr((self.table, self.columns, self.state)).encode()).hexdigest()[:8]

    def digest(self, row: str) -> str:
        """Return the SQL of a row's digest; `row` is its alias, or OLD or NEW."""
        return f"SHA2(CONCAT_WS(',', {', '.join(_bytes(row, name) for name in self.columns)}), 256)"

    def triggers(self, schema: str) -> dict[str, tuple[str, str]]:
        """Return name → (kind, body) of the three triggers."""
        return {f"{PREFIX}{self.table}_{kind.lower()}": (kind, self._body(kind, schema)) for kind in KINDS}

    def _body(self, kind: str, schema: str) -> str:
        was = self.digest("OLD") if kind != "I" else "''"
        became = self.digest("NEW") if kind != "D" else "''"
        changed = self._changed() if kind == "U" else "''"
        values = (
            *(_NOW, f"'{self.table}'", f"{'NEW' if kind == 'I' else 'OLD'}.id", f"'{kind}'", f"'{self.version}'"),
            *("v_was", "v_became", changed, self._state("OLD", kind != "I"), self._state("NEW", kind != "D")),
            *("LEFT(USER(), 190)", "CONNECTION_ID()"),
        )
        return (
            "BEGIN DECLARE v_was CHAR(64) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin; "
            "DECLARE v_became CHAR(64) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin; "
            f"SET v_was = {was}; SET v_became = {became}; IF v_was <> v_became THEN INSERT INTO {schema}.witness "
            "(at, tbl, row_key, kind, version, was, became, changed, state_was, state_became, account, connection) "
            f"VALUES ({', '.join(values)}); END IF; END"
        )

    def _state(self, row: str, there: bool) -> str:
        return f"LEFT(COALESCE({row}.`{self.state}`, ''), 64)" if self.state and there else "''"

    def _changed(self) -> str:
        each = (f"IF({_bytes('OLD', name)} = {_bytes('NEW', name)}, NULL, '{name}')" for name in self.columns)
        return f"LEFT(CONCAT_WS(',', {', '.join(each)}), 1000)"


def _bytes(row: str, name: str) -> str:
    """As bytes: the columns have collations that don't mix."""
    return f"CAST(QUOTE({row}.`{name}`) AS BINARY)"


def tables() -> Sequence[Witnessed]:
    """Return what is to be watched, as data from above (`frozenshop.witnessed`)."""
    found: Sequence[Witnessed] = import_string(settings.AUDIT_WITNESSED)
    return found


def schema_of(database: str) -> str:
    """Return the quoted name of the schema beside a database in which the witness lies."""
    return f"`{database}_witness`"
