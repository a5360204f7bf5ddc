import datetime as dt

import pytest
from django.core.management import CommandError, call_command

from frozenshop.kernel import clock
from frozenshop.kernel.errors import Invalid
from frozenshop.kernel.models import AuditEntry
from logistics import staleness
from logistics.models import Shipment
from logistics.tests.factories import make_carrier
from orders.importing import COLUMNS
from orders.models import Alert, AlertKind, Order
from orders.tests.test_importing import ROW, as_csv

pytestmark = pytest.mark.django_db
PARCEL = {"paid_at": "2026-01-05 09:00", "carrier_code": "SF", "waybill_no": "SF1234567890", "shipped_at": "2026-01-06"}


@pytest.fixture(autouse=True)
def sf():
    return make_carrier("SF")


@pytest.fixture
def load(tmp_path, capsys):
    """Import rows (what differs from a good one); returns (exit code, what was printed)."""

    def load(*rows, **options) -> tuple[int, str]:
        path = tmp_path / "orders.csv"
        path.write_text(as_csv([list(COLUMNS), *[[(ROW | row)[name] for name in COLUMNS] for row in rows]]))
        code = 0
        try:
            call_command("import_orders", path, **options)
        except CommandError as error:
            code = error.returncode
        return code, capsys.readouterr().out

    return load


def orders() -> dict[str, str]:
    return dict(Order.objects.order_by("order_no").values_list("order_no", "status"))


def test_a_good_file_is_imported_with_payments_and_waybills(load):
    code, printed = load({"order_no": "A1"}, {"order_no": "B2"} | PARCEL)
    assert (code, orders()) == (0, {"A1": "placed", "B2": "shipped"})
    assert "新建 2" in printed
    assert Shipment.objects.get().waybill_no == "SF1234567890"


def test_the_same_file_again_changes_nothing(load):
    rows = [{"order_no": "A1"}, {"order_no": "B2"} | PARCEL]
    load(*rows)
    before = list(Order.objects.values("order_no", "version", "updated_at"))
    assert load(*rows) == (0, "导入完毕：不变 2\n")
    assert list(Order.objects.values("order_no", "version", "updated_at")) == before


def test_nothing_is_written_when_one_row_is_refused(load):
    code, printed = load({"order_no": "A1"}, {"order_no": "B2", "quantity": "x"})
    assert (code, orders()) == (1, {})
    assert "第 3 行，数量：应为整数" in printed


def test_partial_takes_the_good_orders_and_reports_the_others(load):
    code, printed = load({"order_no": "A1"}, {"order_no": "B2", "quantity": "x"}, partial=True)
    assert (code, orders()) == (1, {"A1": "placed"})
    assert "新建 1，拒绝 1" in printed


def test_a_dry_run_writes_nothing(load):
    assert load({"order_no": "A1"}, dry_run=True) == (0, "检查完毕，没有写入：没有问题\n")
    assert orders() == {}


def test_an_unknown_carrier_is_refused_before_anything_is_written(load):
    code, printed = load({"order_no": "A1"}, {"order_no": "B2"} | PARCEL | {"carrier_code": "不存在"})
    assert (code, orders()) == (1, {})
    assert "第 3 行，承运商：" in printed


def test_a_waybill_that_is_none_is_refused_before_anything_is_written(load):
    code, printed = load({"order_no": "A1"}, {"order_no": "B2"} | PARCEL | {"waybill_no": "单号"})
    assert (code, orders()) == (1, {})
    assert "第 3 行，运单号：" in printed


def test_an_order_that_can_no_longer_change_is_refused_and_the_others_go_on(load):
    load({"order_no": "A1"} | PARCEL)
    code, printed = load({"order_no": "A1", "quantity": "9"} | PARCEL, {"order_no": "B2"})
    assert (code, orders()) == (1, {"A1": "shipped", "B2": "placed"})
    assert "第 2 行" in printed
    assert Order.objects.get(order_no="A1").lines.get().quantity == 2


def test_an_order_whose_waybill_is_refused_leaves_nothing_behind(load, monkeypatch):
    def refuse(order, **parcel):
        raise Invalid(fields={"waybill_no": "运单号已用于其他订单"})

    monkeypatch.setattr("logistics.management.commands.import_orders.ship", refuse)
    code, printed = load({"order_no": "A1"}, {"order_no": "B2"} | PARCEL)
    assert (code, orders()) == (1, {"A1": "placed"})
    assert "第 3 行，运单号：运单号已用于其他订单" in printed


def test_lines_travel_in_the_parcel_that_their_row_names(load):
    other = PARCEL | {"waybill_no": "SF0000000001"}
    load({"order_no": "A1", "sku": "A"} | PARCEL, {"order_no": "A1", "sku": "B"} | other)
    loaded = {
        (shipment.waybill_no, line.order_line.sku)
        for shipment in Shipment.objects.all()
        for link in shipment.links.all()
        for line in link.lines.all()
    }
    assert loaded == {("SF1234567890", "A"), ("SF0000000001", "B")}


def test_an_import_is_audited_without_personal_data(load):
    load({"order_no": "A1"})
    entry = AuditEntry.objects.get(action="orders.imported")
    assert (entry.actor, entry.details) == ("import_orders", {"created": 1, "refused": 0})


def test_more_orders_than_one_batch_are_all_imported(load, monkeypatch):
    monkeypatch.setattr("logistics.management.commands.import_orders.BATCH", 2)
    load(*({"order_no": f"N{n}"} for n in range(5)))
    assert len(orders()) == 5


def test_the_order_says_that_it_was_imported(load):
    load({"order_no": "A1"})
    assert Order.objects.get().events.get().source == "import"


def test_a_file_that_is_not_there_is_wrong_use():
    with pytest.raises(CommandError) as refused:
        call_command("import_orders", "/nowhere/orders.csv")
    assert refused.value.returncode == 2


def test_a_file_that_cannot_be_read_has_failed(tmp_path):
    (tmp_path / "orders.csv").write_bytes(b"")
    with pytest.raises(CommandError) as refused:
        call_command("import_orders", tmp_path / "orders.csv")
    assert (refused.value.returncode, str(refused.value)) == (1, "文件是空的")


def test_a_refused_change_of_a_shipped_order_leaves_its_alert(load):
    load({"order_no": "B2"} | PARCEL)
    assert load({"order_no": "B2", "address": "另一条路 9 号"} | PARCEL)[0] == 1
    assert Alert.objects.get(resolved_at=None).kind == AlertKind.ORDER_CHANGED_AFTER_SHIPPING


@pytest.mark.parametrize("days", [3, 300])
def test_what_was_shipped_long_before_it_is_imported_opens_no_alert(load, days):
    long_ago = clock.shanghai(clock.now() - dt.timedelta(days=days))
    times = dict.fromkeys(("placed_at", "paid_at", "shipped_at"), f"{long_ago:%Y-%m-%d %H:%M}")
    load({"order_no": "B2"} | PARCEL | times)
    assert bool(Shipment.objects.get().next_poll_at) == (days < 30)
    staleness.find_stale()
    staleness.recheck()
    assert not Alert.objects.exists()
