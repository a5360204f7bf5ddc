"""Every migration of ours goes forward and back over rows that are there, and loses none of what they hold."""

import datetime as dt
import itertools
import os
from collections.abc import Iterator
from contextlib import closing
from decimal import Decimal
from typing import Any

import pytest
from django.db import connections, models
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.migrations import Migration
from django.db.migrations.executor import MigrationExecutor

from deploy.releases.snapshot import APPS
from frozenshop.kernel.tests.processes import connect_mysql

ALIAS = "walked"
LOST = {("notifications", "0004_webhook_lanes"): {"notifications_webhookendpoint.secrets_sealed"}}
"""Columns that a migration of the first release made anew; nothing may be added here."""
NOON = dt.datetime(2026, 2, 28, 4, 0, 0, 123456, dt.UTC)

Rows = dict[str, list[dict[str, Any]]]


@pytest.fixture
def empty(django_db_blocker, tmp_path) -> Iterator[BaseDatabaseWrapper]:
    """A database of this test's own, without a table."""
    default = connections.databases["default"]
    name = str(tmp_path / "walked.sqlite3")
    if "mysql" in default["ENGINE"]:
        name = f"frozenshop_walked_{os.getpid()}"
        _on_server(f"CREATE DATABASE {name} CHARACTER SET utf8mb4")
    connections.databases[ALIAS] = default | {"NAME": name}
    try:
        with django_db_blocker.unblock():
            yield connections[ALIAS]
            connections[ALIAS].close()
    finally:
        del connections[ALIAS], connections.databases[ALIAS]
        if "mysql" in default["ENGINE"]:
            _on_server(f"DROP DATABASE {name}")


def _on_server(sql: str) -> None:
    with closing(connect_mysql(os.environ["DATABASE_URL"])) as server, server.cursor() as cursor:
        cursor.execute(sql)


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.skipif("DATABASE_URL" in os.environ, reason="that is the next one")
def test_every_migration_goes_forward_and_back_with_rows_in_the_tables(empty):
    walk(empty)


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.services("mysql")
@pytest.mark.django_db
def test_every_migration_goes_forward_and_back_with_rows_in_the_tables_of_a_server(empty):
    walk(empty)


def walk(empty: BaseDatabaseWrapper) -> None:
    executor = MigrationExecutor(empty)
    leaves = executor.loader.graph.leaf_nodes()
    state = executor.migrate([key for key in leaves if key[0] not in APPS])
    executor.loader.build_graph()
    walked, maker = [], Maker()
    for migration, _ in executor.migration_plan(leaves):
        maker.fill(state.apps, migration.app_label)
        before, found = state.clone(), rows(empty)
        state = executor.apply_migration(state, migration)
        _same(migration, found, rows(empty), "forward")
        executor.unapply_migration(before.clone(), migration)
        _same(migration, found, rows(empty), "back", whole=True)
        state = executor.apply_migration(before, migration)
        walked.append((migration.app_label, migration.name))
    assert len(walked) >= 25
    assert all(len(found) >= 2 for table, found in rows(empty).items() if table in _tables(state.apps))
    executor.loader.build_graph()
    executor.migrate([(app, None) for app in APPS])
    assert not {table for table in rows(empty) if table.partition("_")[0] in APPS}


def _tables(apps: Any) -> set[str]:
    """Tables that were filled before some migration changed them, or another one of their app."""
    return {apps.get_model("orders", "Order")._meta.db_table, apps.get_model("notifications", "Notice")._meta.db_table}


def _same(migration: Migration, before: Rows, after: Rows, way: str, *, whole: bool = False) -> None:
    lost = LOST.get((migration.app_label, migration.name), set())
    if whole:
        assert before.keys() == after.keys(), (migration, way)
    for table in before.keys() & after.keys():
        columns = {name for row in before[table][:1] for name in row}
        if not whole and after[table]:
            columns &= after[table][0].keys()
        columns -= {name for name in columns if f"{table}.{name}" in lost}
        kept = [[{name: row[name] for name in columns} for row in found[table]] for found in (before, after)]
        assert kept[0] == kept[1], (migration, way, table)


def rows(connection: BaseDatabaseWrapper) -> Rows:
    """Return all that stands in the tables of our apps, in the order of the first column."""
    found: Rows = {}
    with connection.cursor() as cursor:
        for table in connection.introspection.table_names(cursor):
            if table.partition("_")[0] not in APPS:
                continue
            cursor.execute(f"SELECT * FROM {connection.ops.quote_name(table)} ORDER BY 1")
            names = [column[0] for column in cursor.description]
            found[table] = [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
    return found


class Maker:
    """Makes rows of any model, as it stands at some migration: one with all that it may hold, one with the least."""

    def __init__(self) -> None:
        self.numbers = itertools.count(1)

    def fill(self, apps: Any, label: str) -> None:
        for model in apps.get_app_config(label).get_models() if label in apps.app_configs else ():
            for full in (True, False):
                self.make(model, full=full)

    def make(self, model: type[models.Model], *, full: bool) -> models.Model:
        number = next(self.numbers)
        fields = [field for field in model._meta.concrete_fields if not isinstance(field, models.AutoField)]
        values = {field.attname: self.value(model, field, number, full=full) for field in fields}
        return model._base_manager.using(ALIAS).create(**values)

    def value(self, model: type[models.Model], field: Any, number: int, *, full: bool) -> Any:
        if field.null and not full:
            return None
        if field.is_relation:
            return self.other(model, field)
        return _plain(field, number)

    def other(self, model: type[models.Model], field: Any) -> Any:
        if field.related_model is model:
            return None
        together = {name for one in model._meta.constraints for name in getattr(one, "fields", ())}
        alone = field.unique or field.name in together
        known = None if alone else field.related_model._base_manager.using(ALIAS).order_by("-pk").first()
        return (known or self.make(field.related_model, full=False)).pk


def _plain(field: Any, number: int) -> Any:
    match field.get_internal_type():
        case "CharField":
            return f"{number}冻A ".ljust(min(field.max_length, 40), "é")[: field.max_length]
        case "TextField":
            return f"{number} 冷库直发 " * 40
        case "DateTimeField":
            return NOON + dt.timedelta(hours=number)
        case "DateField":
            return NOON.date() + dt.timedelta(days=number)
        case "DecimalField":
            return Decimal(number % 90) + Decimal("0.5")
        case "BinaryField":
            return b"bytes"
        case "JSONField":
            return {"n": number, "字": ["冻", None, 1.5]}
        case "BooleanField":
            return bool(number % 2)
        case "FloatField":
            return number + 0.25
    return number % 30_000
