"""The second witness, on a MariaDB of the test's own: what goes past the program is seen, and the program's work is not
suspected."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import MySQLdb
import pytest

from frozenshop.bootstrap import make_secret
from tests.mariadb import DATABASE, OwnMariaDB

pytestmark = [pytest.mark.drill, pytest.mark.services("mysql"), pytest.mark.timeout(600)]
ROOT = Path(__file__).resolve().parent.parent
KEYS = ("SECRET_KEY", "AUDIT_KEY", "FIELD_ENCRYPTION_KEYS", "BLIND_INDEX_KEYS")
RIGHTS = "SELECT, INSERT, UPDATE, DELETE, CREATE, DROP, INDEX, ALTER, REFERENCES, LOCK TABLES"


class Shop:
    """A database whose program has an account without triggers, and an administrator beside it."""

    def __init__(self, server: OwnMariaDB, folder: Path) -> None:
        self.server = server
        self.environment = os.environ | {
            "DATABASE_URL": f"mysql://shop:secret@127.0.0.1:{server.port}/{DATABASE}",
            "REDIS_URL": "",
            "CELERY_BROKER_URL": "",
            "VAR_DIR": str(folder),
            "DEBUG": "true",
            "DJANGO_SETTINGS_MODULE": "frozenshop.settings",
            **{name: make_secret(name) for name in KEYS},
        }
        self.administrator = f"mysql://root@127.0.0.1:{server.port}/"

    def manage(self, *arguments: str, **environment: str) -> tuple[int, str]:
        done = subprocess.run(
            [sys.executable, "manage.py", *arguments],
            env=self.environment | environment,
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=300,
        )
        return done.returncode, done.stdout + done.stderr

    def verify(self) -> tuple[int, str]:
        return self.manage("verify_audit", AUDIT_ADMIN_DATABASE_URL=self.administrator)

    def as_root(self, *statements: str) -> list[tuple]:
        return [self.server.sql(statement, DATABASE) for statement in statements][-1]

    def as_program(self, statement: str) -> list[tuple]:
        with (
            closing(
                MySQLdb.connect(
                    host="127.0.0.1", port=self.server.port, user="shop", password="secret", database=DATABASE,
                    autocommit=True,
                )
            ) as connection,
            connection.cursor() as cursor,
        ):  # fmt: skip
            cursor.execute(statement)
            return list(cursor.fetchall())

    def count(self) -> int:
        ((count,),) = self.as_root(f"SELECT COUNT(*) FROM {DATABASE}_witness.witness")
        return count

    def live(self, code: str) -> str:
        status, said = self.manage("shell", "-c", code)
        assert status == 0, said
        return said


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    folder = tmp_path_factory.mktemp("witness")
    server = OwnMariaDB(folder / "db")
    (folder / "var").mkdir()
    server.install()
    server.start()
    try:
        server.create_database()
        server.sql("CREATE USER 'shop'@'%' IDENTIFIED BY 'secret'")
        server.sql(f"GRANT {RIGHTS} ON {DATABASE}.* TO 'shop'@'%'")
        shop = Shop(server, folder / "var")
        status, said = shop.manage("migrate", "--verbosity=0")
        assert status == 0, said
        status, said = shop.manage("install_audit_triggers", "--url", shop.administrator)
        assert (status, "第二见证已装好。" in said) == (0, True), said
        shop.live(DAY)
        yield shop
    finally:
        server.kill()


# What a day's work does: orders taken, paid, changed; people and their roles; acts on record; seals.
DAY = """
from django.contrib.auth.models import Group, User
from frozenshop.kernel import audit, clock
from frozenshop.kernel.actor import SYSTEM, Actor, Source
from orders import lifecycle
from orders.models import Alert, Order, OrderStatus
for number in range(5):
    order = Order.objects.create(order_no=f"W-{number}", placed_at=clock.now(), consignee_sealed="x" * 60)
    lifecycle.begin(order, SYSTEM)
    lifecycle.move(order, OrderStatus.PAID, kind="paid", occurred_at=clock.now(), actor=SYSTEM)
Order.objects.filter(order_no="W-0").update(updated_at=clock.now())
user = User.objects.create_user("lin", password="a-long-password-1")
user.groups.add(Group.objects.create(name="r"))
User.objects.create_user("wei", password="a-long-password-2")
audit.record("staff:1", "user.added", f"user:{user.pk}")
for number in range(5):
    audit.record("staff:1", "order.unmasked", f"W-{number}", reason="客户来电", details={"名": number})
audit.seal_pending()
"""


@pytest.fixture
def put_back(shop: Shop) -> Iterator[None]:
    """Take what was witnessed since away again, as only the administrator can."""
    (last,) = shop.as_root(f"SELECT COALESCE(MAX(id), 0) FROM {DATABASE}_witness.witness")[0]
    yield
    shop.as_root(f"DELETE FROM {DATABASE}_witness.witness WHERE id > {last}")


def test_the_programs_own_work_is_not_suspected(shop):
    status, said = shop.verify()
    assert status == 0, said
    assert "第二见证：shop" in said
    assert "缺失" not in said
    assert "可以改写" not in said


def test_without_the_administrator_nobody_is_accused(shop):
    status, said = shop.manage("verify_audit")
    assert (status, "缺失" in said) == (0, False), said


def test_installing_again_changes_nothing(shop):
    status, said = shop.manage("install_audit_triggers", "--url", shop.administrator)
    assert (status, "早已装好" in said) == (0, True), said
    assert "TRIGGER" not in shop.manage("install_audit_triggers", "--url", shop.administrator, "--dry-run")[1]


def test_what_only_counts_is_no_change(shop):
    before = shop.count()
    shop.as_program("UPDATE orders_order SET updated_at=updated_at + INTERVAL 1 SECOND, version=version + 1")
    assert shop.count() == before


def test_the_witness_holds_no_personal_data(shop):
    rows = shop.as_root(f"SELECT * FROM {DATABASE}_witness.witness")
    assert rows
    assert not any(word in json.dumps(rows, default=str, ensure_ascii=False) for word in ("lin", "客户来电", "xxxx"))


@pytest.mark.parametrize(
    ("statement", "back", "sentence"),
    [
        (
            "UPDATE orders_order SET status='delivered' WHERE order_no='W-1'",
            "UPDATE orders_order SET status='paid' WHERE order_no='W-1'",
            "订单历史里却没有这一步",
        ),
        (
            "UPDATE kernel_auditentry SET reason='x' WHERE subject='W-1'",
            "UPDATE kernel_auditentry SET reason='客户来电' WHERE subject='W-1'",
            "审计记录只增不改",
        ),
        (
            "UPDATE auth_user SET is_superuser=1 WHERE username='wei'",
            "UPDATE auth_user SET is_superuser=0 WHERE username='wei'",
            "账号变了",
        ),
        (
            "INSERT INTO auth_group_permissions (id, group_id, permission_id) VALUES (77, 1, 1)",
            "DELETE FROM auth_group_permissions WHERE id=77",
            "角色的权限变了",
        ),
    ],
    ids=["status", "audit", "account", "rights"],
)
def test_what_the_program_cant_explain_is_named_with_its_account(shop, put_back, statement, back, sentence):
    shop.as_program(statement)
    try:
        status, said = shop.verify()
        assert (status, sentence in said) == (1, True), said
        assert "账号 shop@" in said
    finally:
        shop.as_program(back)


def test_the_programs_account_can_neither_write_the_witness_nor_take_the_triggers_away(shop):
    for statement in (
        f"DELETE FROM {DATABASE}_witness.witness",
        f"UPDATE {DATABASE}_witness.witness SET account='x'",
        f"INSERT INTO {DATABASE}_witness.witness (tbl) VALUES ('x')",
        "DROP TRIGGER fsw_orders_order_u",
    ):
        with pytest.raises(MySQLdb.OperationalError, match=r"denied|SUPER"):
            shop.as_program(statement)


def test_a_clock_set_by_the_session_is_not_believed(shop, put_back):
    shop.as_root("SET STATEMENT timestamp=86400 FOR UPDATE orders_order SET province='x' WHERE order_no='W-2'")
    ((at,),) = shop.as_root(f"SELECT at FROM {DATABASE}_witness.witness ORDER BY id DESC LIMIT 1")
    shop.as_root("UPDATE orders_order SET province='' WHERE order_no='W-2'")
    assert at.year > 2000


def test_a_missing_and_a_hollow_trigger_are_named(shop):
    shop.as_root(
        "DROP TRIGGER fsw_orders_order_d",
        "DROP TRIGGER fsw_orders_order_u",
        "CREATE TRIGGER fsw_orders_order_u AFTER UPDATE ON orders_order FOR EACH ROW BEGIN END",
    )
    status, said = shop.verify()
    assert (status, "fsw_orders_order_d、fsw_orders_order_u" in said) == (1, True), said
    assert shop.manage("install_audit_triggers", "--url", shop.administrator)[0] == 0
    assert shop.verify()[0] == 0


def test_a_change_made_while_the_trigger_was_away_is_found_by_the_row_as_it_is(shop, put_back):
    shop.as_program("UPDATE orders_order SET city='甲' WHERE order_no='W-3'")
    body = shop.as_root("SHOW CREATE TRIGGER fsw_orders_order_u")[0][2]
    shop.as_root("DROP TRIGGER fsw_orders_order_u", "UPDATE orders_order SET city='乙' WHERE order_no='W-3'", body)
    status, said = shop.verify()
    assert (status, "不是最后一次见证的内容" in said) == (1, True), said
    shop.as_program("UPDATE orders_order SET city='丙' WHERE order_no='W-3'")
    assert "见证记录有缺失" in shop.verify()[1]
    shop.as_root("DROP TRIGGER fsw_orders_order_u", "UPDATE orders_order SET city='' WHERE order_no='W-3'", body)


def test_deleted_witness_rows_are_found_by_the_next_of_their_row(shop, put_back):
    for city in ("一", "二", "三"):
        shop.as_program(f"UPDATE orders_order SET city='{city}' WHERE order_no='W-4'")
    shop.as_root(
        f"DELETE FROM {DATABASE}_witness.witness WHERE id = (SELECT MAX(id) - 1 FROM {DATABASE}_witness.witness)"
    )
    assert "见证记录有缺失" in shop.verify()[1]
    shop.as_program("UPDATE orders_order SET city='' WHERE order_no='W-4'")


def test_migrations_pass_over_tables_with_triggers(shop):
    """To the tables that the triggers watch: a column added, changed and taken away, by the program's own account."""
    for statement in (
        "ALTER TABLE orders_order ADD COLUMN extra VARCHAR(10) NOT NULL DEFAULT ''",
        "ALTER TABLE orders_order MODIFY COLUMN province VARCHAR(60) NOT NULL",
        "ALTER TABLE orders_order ADD INDEX extra_index (extra)",
        "UPDATE orders_order SET extra='1'",
        "ALTER TABLE orders_order DROP COLUMN extra",
        "ALTER TABLE orders_order MODIFY COLUMN province VARCHAR(40) NOT NULL",
    ):
        shop.as_program(statement)
    for target in (("kernel", "0003"), ()):
        status, said = shop.manage("migrate", *target, "--verbosity=0")
        assert status == 0, said
    assert shop.verify()[0] == 0


def test_a_release_that_drops_a_watched_column_asks_for_the_triggers_first(shop):
    shop.as_root(
        f"UPDATE {DATABASE}_witness.installed SET named=CONCAT(named, ',gone') WHERE tbl='orders_order'",
    )
    status, said = shop.manage("migrate")
    assert (status, "orders_order.gone" in said) == (1, True), said
    shop.as_root(
        f"UPDATE {DATABASE}_witness.installed SET named=REPLACE(named, ',gone', '') WHERE tbl='orders_order'",
    )


def test_closed_hours_are_tied_into_the_audit(shop, put_back):
    shop.as_root(f"UPDATE {DATABASE}_witness.witness SET at = at - INTERVAL 5 HOUR")
    assert shop.live("from frozenshop.kernel.audit import testimony; print(testimony.seal_hours())").strip() != "0"
    assert "封存时不同" not in shop.verify()[1]
    shop.as_root(f"UPDATE {DATABASE}_witness.witness SET kind='X' ORDER BY id LIMIT 1")
    status, said = shop.verify()
    assert (status, "封存时不同" in said) == (1, True), said
    shop.as_root(
        f"UPDATE {DATABASE}_witness.witness SET at = at + INTERVAL 5 HOUR, kind=IF(kind='X', 'I', kind)",
        "DELETE FROM kernel_auditentry WHERE action='witness.sealed'",
    )


def test_removed_they_leave_what_they_noted(shop):
    before = shop.count()
    assert shop.manage("install_audit_triggers", "--url", shop.administrator, "--remove")[0] == 0
    assert shop.as_root("SELECT TRIGGER_NAME FROM information_schema.TRIGGERS WHERE TRIGGER_NAME LIKE 'fsw%'") == []
    shop.as_program("UPDATE orders_order SET status='refunded' WHERE order_no='W-1'")
    assert shop.count() == before
    shop.as_program("UPDATE orders_order SET status='paid' WHERE order_no='W-1'")
    assert shop.manage("install_audit_triggers", "--url", shop.administrator)[0] == 0
