"""`python -m deploy.releases.lint`: may these migrations run while the last release is still serving?

Two sets of rules: django-migration-linter's on the SQL (what locks or breaks), and ours on the operations (what a
rolling upgrade and a rollback need). What is found and may stay stands in `reviewed.py` with its reason.
"""

import ast
import inspect
import re
import sys
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import django
from django.db import connection, models
from django.db.migrations import Migration, RunPython, RunSQL, SeparateDatabaseAndState
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.operations.base import Operation
from django.db.migrations.state import ProjectState
from django_migration_linter import MigrationLinter
from django_migration_linter.sql_analyser.analyser import analyse_sql_statements

from deploy.releases import contract, last
from deploy.releases.reviewed import REVIEWED
from deploy.releases.snapshot import APPS

Finding = tuple[str, str]
"""A code, and a sentence that says what to do."""

_NAME = re.compile(r"\d{4}_(?!auto_)[a-z][a-z0-9_]*(?<!_and_more)")
_RAW = {"cursor", "execute", "executemany", "executescript", "raw"}


def main() -> int:
    found = list(unreviewed())
    for line in found:
        print(line)
    if not found:
        print(f"Migrations: {len(ours())} looked at, nothing that {last().version} could not run beside.")
    return 1 if found else 0


def unreviewed() -> Iterator[str]:
    """Yield what nobody has looked at, and what was looked at and is there no more."""
    for key, migration in ours().items():
        known = REVIEWED.get(key, {})
        found = dict(_of(migration))
        for code, sentence in found.items():
            if code not in known:
                yield f"{'.'.join(key)}: {code}: {sentence}"
        for code in known.keys() - found.keys() - _unseen():
            yield f"{'.'.join(key)}: {code} is found no more: take it out of deploy/releases/reviewed.py"
    for key in REVIEWED.keys() - ours().keys():
        yield f"{'.'.join(key)} is no migration: take it out of deploy/releases/reviewed.py"


def ours() -> dict[tuple[str, str], Migration]:
    """Return the migrations of our apps by app and name, in their order."""
    return {key: loader().disk_migrations[key] for key in sorted(loader().disk_migrations) if key[0] in APPS}


@cache
def loader() -> MigrationLoader:
    return MigrationLoader(None, ignore_no_migrations=True)


def _of(migration: Migration) -> Iterator[Finding]:
    yield from _sql(migration)
    yield from shape(migration)
    if is_new(migration):
        yield from contract.broken(migration, state_before(migration), released())


def is_new(migration: Migration) -> bool:
    """Say whether a migration came after the last release."""
    newest = last().migrations.get(migration.app_label)
    return newest is None or (migration.app_label, migration.name) not in _plan((migration.app_label, newest))


@cache
def released() -> ProjectState:
    """Return the models as the last release's code knows them."""
    return loader().project_state(sorted(last().migrations.items()))


def state_before(migration: Migration) -> ProjectState:
    return loader().project_state((migration.app_label, migration.name), at_end=False)


@cache
def _plan(key: tuple[str, str]) -> set[tuple[str, str]]:
    return set(loader().graph.forwards_plan(key))


# --- the SQL --------------------------------------------------------------------------------------


@cache
def _linter() -> MigrationLinter:
    return MigrationLinter(no_cache=True, no_output=True)


def _unseen() -> set[str]:
    """SQLite writes whole tables anew, which looks like NOT NULL: that one is judged on MySQL, and by `contract`."""
    return {"NOT_NULL"} if connection.vendor == "sqlite" else set()


def _sql(migration: Migration) -> Iterator[Finding]:
    statements = _linter().get_sql(migration.app_label, migration.name)
    errors, _, warnings = analyse_sql_statements(_linter().sql_analyser_class, statements, _unseen())
    for issue in [*errors, *warnings]:
        yield issue.code, f"{issue.message} (django-migration-linter)"


# --- the file -------------------------------------------------------------------------------------


def shape(migration: Migration) -> Iterator[Finding]:
    """Yield what is wrong with a migration, whatever it stands beside."""
    if not _NAME.fullmatch(migration.name):
        yield "name", "name it after what it makes possible: makemigrations --name"
    module = inspect.getmodule(type(migration))
    if migration.name != "0001_initial" and not (module and module.__doc__):
        yield "docstring", "say in a docstring what for, and what bears the old code meanwhile"
    operations = list(flat(migration.operations))
    for operation in operations:
        if isinstance(operation, RunSQL):
            yield "raw_sql", "no RunSQL: operations are written for MySQL, MariaDB and SQLite alike"
        elif not operation.reversible:
            yield "reverse", f"{type(operation).__name__} can't be undone: give it reverse_code"
        yield from _subset(operation)
    yield from _data(migration, operations)
    if module and module.__file__ and _raw_calls(Path(module.__file__)):
        yield "raw_sql", "no SQL by hand in a migration: use the historical models"


def flat(operations: Sequence[Operation]) -> Iterator[Operation]:
    for operation in operations:
        if isinstance(operation, SeparateDatabaseAndState):
            yield from flat([*operation.database_operations, *operation.state_operations])
        else:
            yield operation


def _data(migration: Migration, operations: list[Operation]) -> Iterator[Finding]:
    data = [operation for operation in operations if isinstance(operation, RunPython)]
    if data and len(data) < len(operations):
        yield "mixed", "data and structure in one migration: MySQL commits before each change of structure; make two"
    for operation in data:
        if not (migration.atomic if operation.atomic is None else operation.atomic):
            yield "atomic", "data changes in one transaction, or in a job that goes on where it stopped"


def _raw_calls(path: Path) -> bool:
    tree = ast.walk(ast.parse(path.read_text(encoding="utf-8")))
    calls = (node.func for node in tree if isinstance(node, ast.Call))
    return any(isinstance(function, ast.Attribute) and function.attr in _RAW for function in calls)


def _subset(operation: Operation) -> Iterator[Finding]:
    """Yield what MySQL, MariaDB and SQLite don't share."""
    for field in _fields(operation):
        if isinstance(field, models.UUIDField | models.GeneratedField):
            yield "subset", f"{type(field).__name__} differs between MySQL and MariaDB: use KeyField"
        if getattr(field, "db_collation", None):
            yield "subset", "a fixed db_collation breaks the other databases: use KeyField"
    for part in _parts(operation):
        special = any(getattr(part, name, None) for name in ("condition", "expressions", "include", "opclasses"))
        if special and not isinstance(part, models.CheckConstraint):
            yield "subset", "partial, covering and expression indexes aren't there on every database"


def _fields(operation: Operation) -> list[Any]:
    field = getattr(operation, "field", None)
    return [*([field] if field else []), *(field for _, field in getattr(operation, "fields", []))]


def _parts(operation: Operation) -> list[Any]:
    options = getattr(operation, "options", None) or {}
    alone = [getattr(operation, name) for name in ("index", "constraint") if hasattr(operation, name)]
    return [*alone, *options.get("indexes", []), *options.get("constraints", [])]


if __name__ == "__main__":
    django.setup()
    sys.exit(main())
