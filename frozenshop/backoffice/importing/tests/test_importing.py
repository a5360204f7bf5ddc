"""A file from its upload to the orders, and back."""

import csv
import io

import pytest

from frozenshop.backoffice.batches.models import Batch, BatchFilePiece, BatchRow
from frozenshop.backoffice.batches.tests.doing import work
from frozenshop.backoffice.importing.fields import WHATS
from frozenshop.backoffice.importing.kinds import compare
from frozenshop.backoffice.importing.tests.conftest import START
from frozenshop.backoffice.tests.pages import text
from frozenshop.kernel.models import AuditEntry
from logistics.models import Shipment
from logistics.tests.factories import make_shipment, report
from orders.importing import COLUMNS
from orders.models import Alert, AlertKind, Order, OrderEvent
from orders.tests.factories import make_order
from orders.tests.test_importing import ROW

pytestmark = pytest.mark.django_db
PARCEL = {
    "paid_at": "2026-01-05 09:00",
    "carrier_code": "SF",
    "waybill_no": "SF1234567890123",
    "shipped_at": "2026-01-06",
}


HEADS = tuple(COLUMNS.values())


def table(*rows, columns=HEADS):
    return [list(columns), *[[(ROW | row)[name] for name in COLUMNS] for row in rows]]


def statuses():
    return dict(Order.objects.order_by("order_no").values_list("order_no", "status"))


def test_a_good_file_is_matched_checked_and_imported(importing):
    importing.upload(table({"order_no": "A1"}, {"order_no": "B2"} | PARCEL)).check()
    assert (importing.counts, statuses()) == ({}, {})
    importing.run()
    assert statuses() == {"A1": "placed", "B2": "shipped"}
    assert importing.rows == [("A1", "done"), ("B2", "done")]


def test_the_steps_of_a_check_are_not_called_rows(importing):
    importing.upload(table({})).check()
    shown = importing.client.get(f"/admin/backoffice/batch/{importing.checked.pk}/change/").context["rows"]["shown"]
    assert [place for place, _ in shown] == ["整份文件", "第 1 段"]


def test_the_dry_run_writes_no_order(importing):
    importing.upload(table({"order_no": "B2"} | PARCEL)).check()
    assert (Order.objects.count(), Shipment.objects.count(), importing.batch.state) == (0, 0, "preview")


def test_the_same_file_again_changes_nothing(importing):
    rows = table({"order_no": "A1"}, {"order_no": "B2"} | PARCEL)
    importing.upload(rows).check().run()
    before = list(Order.objects.values("order_no", "version"))
    importing.upload(rows).check().run()
    assert importing.counts == {"same": 2}
    assert list(Order.objects.values("order_no", "version")) == before


def test_a_problem_of_each_kind_is_told_by_row_and_column(importing):
    make_order("cancelled", order_no="GONE")
    shipped = make_order("paid", order_no="SENT")
    make_shipment(shipped, waybill_no="SF0000000000001")
    importing.upload(
        table(
            {"order_no": "A1", "quantity": "x"},
            {"order_no": "B2", "consignee_phone": ""} | PARCEL,
            {"order_no": "C3"} | PARCEL | {"waybill_no": "SF0000000000001"},
            {"order_no": "D4"} | PARCEL | {"waybill_no": "7.73E+14"},
            {"order_no": "E5"} | PARCEL | {"waybill_no": "YT1234567890123"},
            {"order_no": "F6"} | PARCEL | {"carrier_code": "没有这家", "waybill_no": "X99999999"},
            {"order_no": "GONE"},
            {"order_no": "SENT"},
            {"order_no": "H8"},
            {"order_no": "H8"},
        )
    ).check()
    found = dict.fromkeys(importing.found)
    for one in (
        (2, "quantity", "cell"),
        (3, "consignee_phone", "phone_for_sf"),
        (4, "waybill_no", "duplicate_waybill"),
        (5, "waybill_no", "rewritten"),
        (6, "waybill_no", "wrong_carrier"),
        (7, "carrier_code", "unknown_carrier"),
        (8, "order_no", "closed"),
        (9, "order_no", "already_shipped"),
        (11, "order_no", "duplicate_row"),
    ):
        assert one in found


def test_a_waybill_twice_in_a_file_is_found(importing):
    importing.upload(table({"order_no": "A1"} | PARCEL, {"order_no": "B2"} | PARCEL)).check()
    assert importing.found == [(3, "waybill_no", "duplicate_waybill")]


def test_an_order_that_a_file_ships_twice_is_found(shipping):
    make_order("paid", order_no="A1")
    shipping.upload([["订单号", "快递单号"], ["A1", "SF0000000000001"], ["A1", "SF0000000000002"]]).check()
    assert shipping.found == [(3, "order_no", "duplicate_row")]


def test_all_or_nothing_unless_the_good_rows_are_chosen(importing):
    importing.upload(table({"order_no": "A1"}, {"order_no": "B2", "quantity": "x"})).check().run()
    assert (statuses(), importing.batch.state) == ({}, "preview")
    importing.run("run_good")
    assert (statuses(), importing.batch.done, importing.batch.refused) == ({"A1": "placed"}, 1, 1)


def test_a_row_that_has_become_impossible_since_the_check_is_refused_alone(shipping):
    for number in ("A1", "B2"):
        make_order("paid", order_no=number)
    shipping.upload([["订单号", "快递单号"], ["A1", "SF0000000000001"], ["B2", "SF0000000000002"]]).check()
    Order.objects.filter(order_no="B2").update(status="refunded")
    shipping.run()
    assert shipping.rows == [("A1", "done"), ("B2", "refused")]


def test_nothing_of_a_file_lies_in_the_clear(importing):
    importing.upload(table({"order_no": "A1", "consignee_name": "欧阳雪"})).check().run()
    told = [str(row) for row in Batch.objects.values()] + [str(row) for row in BatchRow.objects.values()]
    told += BatchFilePiece.objects.values_list("sealed", flat=True)
    assert not [text for text in told if "欧阳雪" in text or "13812341234" in text or "某某" in text]


@pytest.mark.parametrize("phone", ["13812341234", "021-12345678", "13812341234-1234"])
def test_a_phone_in_the_column_of_order_numbers_is_refused_and_kept_nowhere(importing, shipping, phone):
    for one, rows in (
        (importing, table({"order_no": phone})),
        (shipping, [["订单号", "快递单号"], [phone, "SF0000000000001"]]),
    ):
        one.upload(rows).check()
        assert one.found == [(2, "order_no", "cell")]
        assert one.rows == [("", "refused")]
    kept = [*BatchRow.objects.values_list("about", "message"), *Batch.objects.values_list("message", "parameters")]
    assert phone not in str(kept)


def test_the_match_is_remembered_for_the_same_header(importing):
    heads = ["编号甲", *HEADS[1:]]
    importing.upload(table({"order_no": "A1"}, columns=heads))
    assert "order_no" not in importing.match()
    importing.check(order_no=0)
    importing.upload(table({"order_no": "B2"}, columns=heads))
    assert importing.match()["order_no"] == 0


def test_no_match_is_taken_over_where_no_header_tells_that_the_files_are_alike(shipping):
    shipping.upload(b"A1001,SF0000000000001\nA1002,SF0000000000002\n").check(order_no=1, waybill_no=0)
    shipping.upload(b"A1003,SF0000000000003\nA1004,SF0000000000004\n")
    assert shipping.match() == {"order_no": 0, "waybill_no": 1}


def test_a_column_that_no_file_has_is_no_crash(importing):
    importing.upload(table({"order_no": "A1"})).check(order_no="9" * 5000)
    assert "订单号" in importing.said


def test_a_missing_column_is_asked_for(importing):
    importing.upload(table({"order_no": "A1"}))
    importing.check(order_no="")
    assert "订单号" in importing.said


def test_the_report_holds_all_that_was_found(importing):
    importing.upload(table({"order_no": "A1", "quantity": "x"}, {"order_no": "=B2"})).check()
    body = b"".join(importing.client.get(importing.page + "report/").streaming_content).decode("utf-8-sig")
    rows = list(csv.DictReader(io.StringIO(body)))
    assert [(row["行"], row["列"]) for row in rows] == [("2", "数量"), ("3", "订单号")]


# --- waybills and corrections ----------------------------------------------------------------------


def test_a_check_that_was_cancelled_is_not_told_as_one_that_found_nothing(importing):
    importing.upload(table({}))
    chosen = {f"column:{name}": at for name, at in importing.match().items()}
    importing.client.post(importing.page, {"do": "check", **chosen})
    importing.client.post(f"/admin/backoffice/batch/{importing.checked.pk}/do/cancel/")
    shown = text(importing.client.get(importing.page))
    assert "检查没有完成" in shown
    assert "检查已取消" in shown
    assert "没有发现问题" not in shown


def test_problems_stand_by_row_and_column_whichever_step_found_them(importing, monkeypatch):
    monkeypatch.setattr("frozenshop.backoffice.importing.kinds.CHECKED_AT_ONCE", 2)
    make_order("cancelled", order_no="B2")
    importing.upload(
        table(
            {"order_no": "A1", "quantity": "x", "placed_at": "x"},
            {"order_no": "B2"} | PARCEL,
            {"order_no": "C3", "unit_price": "x", "consignee_phone": "x"},
            {"order_no": "D4", "quantity": "x"},
            {"order_no": "A1", "sku": "S2", "city": "深圳市"},
        )
    ).check()
    found = [(row, column) for row, column, _ in importing.found]
    heads = list(COLUMNS)
    assert [row for row, _ in found] == sorted(row for row, _ in found)
    assert found == sorted(found, key=lambda one: (one[0], heads.index(one[1])))
    assert len(found) >= 8
    lines = list(
        csv.reader(io.StringIO(b"".join(importing.client.get(importing.page + "report/")).decode("utf-8-sig")))
    )
    assert [int(line[0]) for line in lines[1:]] == [row for row, _ in found]


def test_orders_are_shipped_by_file_with_the_carrier_told_by_the_number(shipping):
    for number in ("A1", "B2"):
        make_order("paid", order_no=number)
    shipping.upload(
        [["订单编号", "物流公司", "快递单号"], ["A1", "顺丰", "SF0000000000001"], ["B2", "", "SF0000000000002"]]
    )
    shipping.check().run()
    assert statuses() == {"A1": "shipped", "B2": "shipped"}


def test_what_speaks_against_shipping_is_told(shipping):
    make_order("placed", order_no="P1")
    make_order("refunded", order_no="R2")
    refunding = make_order("paid", order_no="Q3")
    Alert.objects.create(
        kind=AlertKind.REFUND_PARTIAL, subject="Q3", order=refunding, severity="2high", due_at="2026-01-01T00:00Z"
    )
    make_shipment(make_order("paid", order_no="S4"), waybill_no="SF0000000000004")
    rows = [[number, f"SF900000000000{n}"] for n, number in enumerate(("P1", "R2", "Q3", "S4", "NONE"))]
    shipping.upload([["订单号", "快递单号"], *rows]).check()
    assert [kind for _, _, kind in shipping.found] == [
        "not_paid",
        "closed",
        "refund",
        "already_shipped",
        "unknown_order",
    ]


def test_two_orders_of_one_consignee_share_a_box_and_it_is_said(shipping):
    one, other = make_order("paid", order_no="A1"), make_order("paid", order_no="B2")
    make_shipment(one, waybill_no="SF0000000000001")
    shipping.upload([["订单号", "快递单号"], ["B2", "SF0000000000001"]]).check()
    assert shipping.found == [(2, "waybill_no", "shared_box")]
    shipping.run()
    assert other.shipments.get().waybill_no == "SF0000000000001"


def test_a_waybill_is_corrected_by_file(correcting):
    order = make_order("paid", order_no="A1")
    make_shipment(order, waybill_no="SF0000000000001")
    correcting.upload([["订单号", "新运单号"], ["A1", "SF0000000000009"]]).check().run()
    live = order.shipments.filter(voided_at=None)
    assert [shipment.waybill_no for shipment in live] == ["SF0000000000009"]


def test_after_the_first_scan_nothing_is_corrected(correcting):
    order = make_order("paid", order_no="A1")
    report(make_shipment(order, waybill_no="SF0000000000001"), "picked_up")
    correcting.upload([["订单号", "新运单号"], ["A1", "SF0000000000009"]]).check()
    assert correcting.found == [(2, "old_waybill_no", "scanned")]


# --- who may, and how much it asks the database ------------------------------------------------------


def test_importing_needs_the_right(viewer):
    client = viewer
    assert client.get(START).status_code == 403
    assert client.get(f"{START}1/").status_code == 403


def test_an_import_is_its_owners_alone(importing, service):
    importing.upload(table({"order_no": "A1"}))
    assert service.get(importing.page).status_code == 404


def test_who_has_lost_the_right_imports_nothing(importing):
    importing.upload(table({"order_no": "A1"})).check()
    user = Batch.objects.get(pk=importing.batch.pk).owner
    importing.client.post(importing.page, {"do": "run"})
    user.groups.clear()
    work()
    assert statuses() == {}


def test_each_order_is_found_in_the_audit(importing):
    importing.upload(table({"order_no": "A1"})).check().run()
    assert AuditEntry.objects.filter(action="import.rows").exists()
    assert {"import.uploaded", "import.started", "import.rows"} <= set(
        AuditEntry.objects.values_list("action", flat=True)
    )


def test_the_import_itself_is_in_the_history(importing):
    importing.upload(table({"order_no": "B2"} | PARCEL)).check().run()
    assert {event.actor for event in OrderEvent.objects.all()} == {f"staff:{importing.batch.owner_id}"}


def test_queries_of_a_check_do_not_grow_with_the_rows(shipping, django_assert_max_num_queries):
    given = [{"row": n, "given": {"order_no": f"A{n}", "waybill_no": f"SF00000000000{n:02}"}} for n in range(40)]
    for n in range(40):
        make_order("paid", order_no=f"A{n}")
    with django_assert_max_num_queries(9):
        compare(WHATS["waybills"], given)


def test_every_kind_of_file_has_a_way_in(lead):
    page = lead.get(START)
    assert [what.name for what in page.context["whats"]] == ["orders", "waybills", "corrections"]
