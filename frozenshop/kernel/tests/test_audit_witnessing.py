"""What the triggers are made of; on a database they are tried in tests/test_audit_witness.py."""

import re

import pytest
from django.apps import apps
from django.core.management import CommandError, call_command

from frozenshop.kernel.audit import testimony, witnessing
from frozenshop.kernel.audit.witnessing import Witnessed

TABLES = witnessing.tables()
EXAMPLE = Witnessed("t", ("id", "a"), state="a")


@pytest.mark.parametrize("one", TABLES, ids=lambda one: one.table)
def test_each_watched_column_is_there(one):
    """A column leaves the list one release before it leaves its table."""
    fields = {model._meta.db_table: model for model in apps.get_models(include_auto_created=True)}
    assert {*one.columns, "id"} <= {field.column for field in fields[one.table]._meta.concrete_fields} | {"id"}
    assert not one.state or one.state in one.columns


@pytest.mark.parametrize("one", TABLES, ids=lambda one: one.table)
def test_names_of_triggers_fit(one):
    assert all(len(name) <= 64 for name in one.triggers("`s`"))


def test_a_column_that_isnt_there_yet_is_left_out():
    assert EXAMPLE.present(["id"]) == Witnessed("t", ("id",))


def test_other_columns_are_another_version():
    assert EXAMPLE.version != Witnessed("t", ("id", "a", "b"), state="a").version


def test_a_trigger_notes_only_what_changes_a_watched_column():
    body = EXAMPLE.triggers("`s`")["fsw_t_u"][1]
    assert "IF v_was <> v_became THEN INSERT" in body
    assert set(re.findall(r"(?:OLD|NEW)\.`(\w+)`", body)) == {"id", "a"}


@pytest.mark.django_db
def test_sqlite_has_no_witness(capsys, request):
    from django.db import connection

    if connection.vendor == "mysql":
        pytest.skip("SQLite's")
    assert testimony.report() is None
    assert testimony.in_the_way() == []
    assert testimony.seal_hours() == 0
    call_command("verify_audit")
    assert "见证" not in capsys.readouterr().out
    with pytest.raises(CommandError, match="只用于 MySQL 和 MariaDB") as error:
        call_command("install_audit_triggers")
    assert error.value.returncode == 2
