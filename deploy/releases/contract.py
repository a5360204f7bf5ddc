"""Expand, then contract: what a release may do to the tables while the one before it still runs on them.

docs/adr/0011 says why. A column's way out takes two releases: the first takes it out of the models alone
(`SeparateDatabaseAndState`, `state_operations`), the next one out of the table (`database_operations`).
"""

from collections.abc import Callable, Iterator
from typing import Any

from django.db import models
from django.db.migrations import Migration, SeparateDatabaseAndState
from django.db.migrations import operations as ops
from django.db.migrations.operations.base import Operation
from django.db.migrations.state import ProjectState

Finding = tuple[str, str]

_GONE = "the last release still reads and writes it. Now: only out of the models; next release: out of the database"


def broken(migration: Migration, before: ProjectState, released: ProjectState) -> Iterator[Finding]:
    """Yield what the last release could not run beside. `before`: the models in front of this migration."""
    state, app = before.clone(), migration.app_label
    for operation in migration.operations:
        if isinstance(operation, SeparateDatabaseAndState):
            yield from _separated(operation, state, app, released)
        elif judge := _RULES.get(type(operation)):
            yield from judge(operation, state, app, released)
        operation.state_forwards(app, state)


def _separated(
    operation: SeparateDatabaseAndState, state: ProjectState, app: str, released: ProjectState
) -> Iterator[Finding]:
    for inner in operation.database_operations:
        if isinstance(inner, ops.RemoveField | ops.DeleteModel):
            yield from _out_of_database(inner, app, released)
        elif judge := _RULES.get(type(inner)):
            yield from judge(inner, state, app, released)
    for inner in operation.state_operations:
        if isinstance(inner, ops.RemoveField):
            yield from _out_of_models(inner, state, app)


def _out_of_database(operation: Any, app: str, released: ProjectState) -> Iterator[Finding]:
    """The column or table may go once the release that runs doesn't know it."""
    model = getattr(operation, "model_name_lower", None) or operation.name_lower
    name = operation.name if isinstance(operation, ops.RemoveField) else None
    if _field(released, app, model, name) if name else (app, model) in released.models:
        yield "dropped", f"{model}{f'.{name}' if name else ''}: {_GONE}"


def _out_of_models(operation: Any, state: ProjectState, app: str) -> Iterator[Finding]:
    """The new release inserts without the column from now on."""
    field = _field(state, app, operation.model_name_lower, operation.name)
    if field is not None and not field.null and not field.has_db_default():
        yield "retired", f"{operation.model_name}.{operation.name}: give it null=True or a db_default first"


def _dropped(operation: Any, state: ProjectState, app: str, released: ProjectState) -> Iterator[Finding]:
    model = getattr(operation, "model_name_lower", None) or operation.name_lower
    if (app, model) in released.models:
        yield "dropped", f"{operation.describe()}: {_GONE}"


def _renamed(operation: Any, state: ProjectState, app: str, released: ProjectState) -> Iterator[Finding]:
    yield (
        "renamed",
        f"{operation.describe()}: the last release knows only the old name. Add a new one, fill it, drop later",
    )


def _added(operation: Any, state: ProjectState, app: str, released: ProjectState) -> Iterator[Finding]:
    field = operation.field
    if (app, operation.model_name_lower) not in released.models or field.many_to_many:
        return
    if not field.null and not field.has_db_default():
        yield (
            "not_null",
            f"{operation.model_name}.{operation.name}: the last release inserts without it; give it a db_default",
        )
    if field.unique and not field.null:
        yield "unique", f"{operation.model_name}.{operation.name}: every row has the same value at first"


def _altered(operation: Any, state: ProjectState, app: str, released: ProjectState) -> Iterator[Finding]:
    old = _field(released, app, operation.model_name_lower, operation.name)
    if old is None:
        return
    new, name = operation.field, f"{operation.model_name}.{operation.name}"
    if old.null and not new.null:
        yield "not_null", f"{name}: the last release may still write NULL"
    if new.unique and not old.unique:
        yield "unique", f"{name}: the last release may still write a value twice"
    if old.has_db_default() and not new.has_db_default() and not new.null:
        yield "not_null", f"{name}: the last release inserts without it; leave the db_default"
    if old.get_internal_type() != new.get_internal_type():
        yield "type", f"{name}: the last release reads and writes the old type. Add a new column"
    if (old.max_length or 0) > (new.max_length or old.max_length or 0):
        yield "shorter", f"{name}: the last release may write longer values"


def _constrained(operation: Any, state: ProjectState, app: str, released: ProjectState) -> Iterator[Finding]:
    if (app, operation.model_name_lower) not in released.models:
        return
    new = set(getattr(operation.constraint, "fields", ()))
    known = {field for field in new if _field(released, app, operation.model_name_lower, field)}
    if known == new or not isinstance(operation.constraint, models.UniqueConstraint):
        yield "constraint", f"{operation.describe()}: the last release doesn't keep to it yet"


def _field(state: ProjectState, app: str, model: str, name: str) -> Any:
    found = state.models.get((app, model.lower()))
    return found.fields.get(name) if found else None


_RULES: dict[type[Operation], Callable[[Any, ProjectState, str, ProjectState], Iterator[Finding]]] = {
    ops.RemoveField: _dropped,
    ops.DeleteModel: _dropped,
    ops.RenameField: _renamed,
    ops.RenameModel: _renamed,
    ops.AlterModelTable: _renamed,
    ops.AddField: _added,
    ops.AlterField: _altered,
    ops.AddConstraint: _constrained,
}
