"""What the lint of migrations refuses: each rule, tried on a migration that breaks it."""

import pytest
from django.db import migrations, models
from django.db.migrations.state import ModelState, ProjectState

from deploy import releases
from deploy.releases import ROOT, contract, last, lint, snapshot
from deploy.releases.reviewed import REVIEWED

ALONE = migrations.SeparateDatabaseAndState


def known_models() -> ProjectState:
    state = ProjectState()
    fields = {
        "id": models.BigAutoField(primary_key=True),
        "order_no": models.CharField(max_length=64, null=True),
        "city": models.CharField(max_length=40),
        "note": models.CharField(max_length=40, db_default=""),
    }
    state.add_model(ModelState("orders", "Order", list(fields.items())))
    return state


def migration(*operations, name: str = "0099_more") -> migrations.Migration:
    made = type("Migration", (migrations.Migration,), {"__module__": __name__, "operations": list(operations)})
    return made(name, "orders")


def codes(*operations, released: ProjectState | None = None) -> set[str]:
    state = known_models()
    return {code for code, _ in contract.broken(migration(*operations), state, released or state)}


def shape(*operations, **changes) -> set[str]:
    return {code for code, _ in lint.shape(migration(*operations, **changes))}


def add(name: str, **options) -> migrations.AddField:
    return migrations.AddField("order", name, models.CharField(max_length=10, **options))


def alter(name: str, **options) -> migrations.AlterField:
    return migrations.AlterField("order", name, models.CharField(**{"max_length": 64} | options))


def nothing(apps, schema_editor) -> None: ...


@pytest.mark.parametrize(
    ("operation", "code"),
    [
        (migrations.RemoveField("order", "city"), "dropped"),
        (migrations.DeleteModel("Order"), "dropped"),
        (migrations.RenameField("order", "city", "town"), "renamed"),
        (migrations.RenameModel("Order", "Purchase"), "renamed"),
        (migrations.AlterModelTable("order", "purchases"), "renamed"),
        (add("street", default=""), "not_null"),
        (add("street", unique=True, db_default=""), "unique"),
        (alter("order_no"), "not_null"),
        (alter("order_no", null=True, unique=True), "unique"),
        (alter("order_no", null=True, max_length=32), "shorter"),
        (alter("note", max_length=40), "not_null"),
        (migrations.AlterField("order", "order_no", models.BigIntegerField(null=True)), "type"),
        (migrations.AddConstraint("order", models.UniqueConstraint(fields=["city"], name="x")), "constraint"),
        (ALONE(database_operations=[migrations.RemoveField("order", "city")]), "dropped"),
        (ALONE(database_operations=[migrations.DeleteModel("Order")]), "dropped"),
        (ALONE(database_operations=[add("street", default="")]), "not_null"),
        (ALONE(state_operations=[migrations.RemoveField("order", "city")]), "retired"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_the_last_release_could_not_run_beside_is_refused(operation, code):
    assert codes(operation) == {code}


@pytest.mark.parametrize(
    "operation",
    [
        add("street", null=True),
        add("street", db_default=""),
        alter("order_no", null=True, max_length=100),
        alter("city", null=True),
        migrations.AddIndex("order", models.Index(fields=["city"], name="x")),
        migrations.CreateModel("Crate", [("id", models.BigAutoField(primary_key=True)), ("name", models.TextField())]),
        ALONE(state_operations=[migrations.RemoveField("order", "note")]),
    ],
    ids=lambda operation: type(operation).__name__,
)
def test_what_only_adds_is_welcome(operation):
    assert not codes(operation)


def test_a_column_may_go_once_the_release_that_runs_no_longer_knows_it():
    released = known_models()
    released.remove_field("orders", "order", "note")
    assert not codes(ALONE(database_operations=[migrations.RemoveField("order", "note")]), released=released)


def test_a_table_made_since_the_last_release_may_be_changed_freely():
    columns = [("id", models.BigAutoField(primary_key=True)), ("size", models.IntegerField())]
    made = migrations.CreateModel("Crate", columns)
    assert not codes(made, migrations.AddField("crate", "name", models.TextField()), migrations.DeleteModel("Crate"))


@pytest.mark.parametrize(
    ("operations", "code"),
    [
        ([migrations.RunPython(nothing)], "reverse"),
        ([migrations.RunPython(nothing, nothing), add("street", null=True)], "mixed"),
        ([migrations.RunPython(nothing, nothing, atomic=False)], "atomic"),
        ([migrations.RunSQL("SELECT 1", "SELECT 1")], "raw_sql"),
        ([migrations.AddField("order", "key", models.UUIDField(null=True))], "subset"),
        ([add("street", null=True, db_collation="utf8mb4_bin")], "subset"),
        (
            [migrations.AddIndex("order", models.Index(fields=["city"], name="x", condition=models.Q(city="")))],
            "subset",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_cannot_be_undone_or_is_not_the_same_everywhere_is_refused(operations, code):
    assert code in shape(*operations)


@pytest.mark.parametrize("name", ["0099_auto_20261123_1200", "0099_order_note_order_city_and_more", "0099", "more"])
def test_a_migration_is_named_after_what_it_makes_possible(name):
    assert "name" in shape(name=name)
    assert "name" not in shape()


def test_sql_by_hand_is_seen_in_the_file(tmp_path):
    written = tmp_path / "0002_more.py"
    written.write_text("def fill(apps, editor):\n    editor.connection.cursor().execute('UPDATE x SET y = 1')\n")
    assert lint._raw_calls(written)
    written.write_text("def fill(apps, editor):\n    apps.get_model('orders', 'Order').objects.update(note='')\n")
    assert not lint._raw_calls(written)


def test_a_remark_about_nothing_is_found(monkeypatch):
    stale = REVIEWED | {("orders", "0003_alert_due"): {"DROP_COLUMN": "x"}, ("orders", "0000_none"): {}}
    monkeypatch.setattr(lint, "REVIEWED", stale)
    monkeypatch.setattr(lint, "_sql", lambda migration: [])
    found = list(lint.unreviewed())
    assert any(line.startswith("orders.0003_alert_due: DROP_COLUMN is found no more") for line in found)
    assert any(line.startswith("orders.0000_none is no migration") for line in found)


def test_everything_that_is_looked_over_came_with_the_first_release():
    new = {key for key, migration in lint.ours().items() if lint.is_new(migration)}
    assert not new & REVIEWED.keys()
    assert ("orders", "0005_combined_payment") in new
    assert ("orders", "0004_messaging_alerts") not in new
    assert last().version in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [([], "Usage"), (["2"], "Usage"), ([last().version], "is there already"), (["99.0.0"], "Commit first")],
    ids=["nothing", "no version", "released", "dirty"],
)
def test_a_release_is_written_down_once_and_of_a_revision(arguments, sentence, monkeypatch):
    monkeypatch.setattr(snapshot, "_git", lambda *command: "x")
    assert sentence in snapshot.main(arguments)


def test_what_is_written_down_is_what_is_read(tmp_path, monkeypatch):
    monkeypatch.setattr(snapshot, "_git", lambda *command: "" if command[0] == "status" else "0123abc")
    for module in (snapshot, releases):
        monkeypatch.setattr(module, "FOLDER", tmp_path)
    monkeypatch.setattr(snapshot, "ROOT", tmp_path)
    assert snapshot.main(["0.9.0"]) is snapshot.main(["0.10.0"]) is None
    written = last()
    assert (written.version, written.revision) == ("0.10.0", "0123abc")
    assert written.migrations == snapshot.migrations()
    assert written.tasks["logistics.subscribe"] == {"shipment_id": {"type": "int", "required": True}}


@pytest.mark.django_db(transaction=True)
def test_the_migrations_of_this_release_pass_on_this_database():
    assert list(lint.unreviewed()) == []


def test_make_lint_asks_it():
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    assert "-m deploy.releases.lint" in makefile.partition("\nlint:")[2].partition("\n\n")[0]
