import csv
import io

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test.utils import CaptureQueriesContext

from frozenshop.backoffice.export import safe_cell
from frozenshop.backoffice.tests.pages import BATCH, messages, text
from frozenshop.kernel.models import AuditEntry, OutboxMessage
from logistics.tests.factories import make_carrier, make_shipment
from orders.models import OrderStatus
from orders.tests.factories import make_order

pytestmark = pytest.mark.django_db


def found(response) -> list[str]:
    return [row.order.order_no for row in response.context["rows"]]


def outcomes(response) -> dict[str, tuple[bool, str]]:
    return {one.about: (one.ok, one.message) for one in response.context["outcomes"]}


@pytest.mark.parametrize(
    "pasted",
    [
        "A-1 B-2",
        "A-1,B-2",
        "A-1，B-2",
        "A-1；B-2、",
        "A-1\r\nB-2\r\n\r\n",
        '"A-1"\t"B-2"',
        '="A-1";="B-2"',
        "A-1|A-1|B-2",
    ],
)
def test_any_separator_will_do(viewer, pasted):
    make_order(order_no="A-1")
    make_order(order_no="B-2")
    assert found(viewer.post(BATCH, {"numbers": pasted})) == ["A-1", "B-2"]


def test_waybills_find_their_orders_and_the_rest_is_listed(viewer):
    order = make_order("paid", order_no="A-1")
    make_shipment(order, waybill_no="SF0000000009")
    shown = viewer.post(BATCH, {"numbers": "SF0000000009 A-1 NOPE 没有 😀"})
    assert found(shown) == ["A-1"]
    assert shown.context["rows"][0].found_by == ["SF0000000009", "A-1"]
    assert shown.context["missing"] == ["NOPE", "没有", "😀"]


def test_more_than_a_thousand_are_cut_and_said(viewer):
    shown = viewer.post(BATCH, {"numbers": " ".join(f"N{n}" for n in range(1500))})
    assert len(shown.context["missing"]) == 1000
    assert "1500" in messages(shown)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030"])
def test_a_file_with_a_header_gives_its_number_column(viewer, encoding):
    make_order(order_no="A-1")
    upload = SimpleUploadedFile("orders.csv", "收件人,订单号\n张三,A-1\n李四,B-2\n".encode(encoding))
    shown = viewer.post(BATCH, {"file": upload})
    assert (found(shown), shown.context["missing"]) == (["A-1"], ["B-2"])


@pytest.mark.parametrize("body", [b"\xff\xfe\x00\x01\x81", b"\x00" * 100, b'"unclosed\nA,B', b"x" * 1_000_001])
def test_a_file_that_is_no_list_is_no_crash(viewer, body):
    assert viewer.post(BATCH, {"file": SimpleUploadedFile("x.bin", body)}).status_code == 200


def test_queries_do_not_grow_with_the_numbers(viewer):
    for n in range(12):
        make_shipment(make_order("paid", order_no=f"A-{n}"), waybill_no=f"SF00000000{n:02}")
    viewer.post(BATCH, {"numbers": "A-0"})

    def count(numbers: int) -> int:
        with CaptureQueriesContext(connection) as captured:
            viewer.post(BATCH, {"numbers": " ".join(f"A-{n} SF00000000{n:02}" for n in range(numbers))})
        return len(captured)

    assert count(2) == count(12) <= 12


def test_sync_queues_a_question_for_each_live_parcel(service):
    order, without = make_order("paid", order_no="A-1"), make_order(order_no="B-2")
    make_shipment(order)
    OutboxMessage.objects.all().delete()
    data = {"numbers": "A-1 B-2", "order": [order.pk, without.pk], "action": "sync"}
    done = outcomes(service.post(BATCH, data))
    assert [ok for ok, _ in done.values()] == [True, False]
    assert OutboxMessage.objects.filter(topic="logistics.sync_shipment").count() == 1


def test_shipping_rows_go_on_past_a_bad_one(service):
    make_carrier("SF")
    make_order("paid", order_no="A-1")
    make_order("paid", order_no="B-2")
    rows = "A-1 顺丰速运 SF1111111111\nNOPE SF SF2222222222\nB-2 没有 SF3333333333\n只有两项 x\nB-2\tSF\tSF4444444444"
    done = service.post(BATCH, {"ship_rows": rows, "action": "ship"})
    assert [one.ok for one in done.context["outcomes"]] == [True, False, False, False, True]
    assert found(done) == ["A-1", "B-2"]
    assert done.context["ship_rows"].splitlines() == rows.splitlines()[1:4]


def test_marking_tells_each_row_what_became_of_it(service):
    placed, gone = make_order(order_no="A-1"), make_order("cancelled", order_no="B-2")
    data = {"numbers": "A-1 B-2", "order": [placed.pk, gone.pk], "action": "mark", "fact": "paid"}
    done = outcomes(service.post(BATCH, data))
    assert "已记录" in done["A-1"][1]
    assert "没有改变" in done["B-2"][1]
    placed.refresh_from_db()
    assert placed.status == OrderStatus.PAID


def test_only_what_was_looked_up_is_acted_on(service):
    order, other = make_order(order_no="A-1"), make_order(order_no="B-2")
    service.post(BATCH, {"numbers": "A-1", "order": [order.pk, other.pk], "action": "mark", "fact": "paid"})
    other.refresh_from_db()
    assert other.status == OrderStatus.PLACED


def test_a_batch_is_recorded_with_counts_and_numbers(service):
    order = make_order(order_no="A-1")
    service.post(BATCH, {"numbers": "A-1", "order": [order.pk], "action": "mark", "fact": "paid"})
    details = AuditEntry.objects.get(action="batch.marked").details
    assert (details["done"], details["refused"], details["order_nos"]) == (1, 0, ["A-1"])


def test_the_export_is_masked_and_recorded(lead):
    order = make_order(order_no="A-1", name="欧阳雪", phone="13812347788")
    done = lead.post(BATCH, {"numbers": "A-1", "order": [order.pk], "action": "export"})
    rows = list(csv.DictReader(io.StringIO(done.content.decode("utf-8-sig"))))
    assert (rows[0]["订单号"], rows[0]["收件人"], rows[0]["手机号"]) == ("A-1", "欧*", "138****7788")
    assert AuditEntry.objects.get(action="order.exported").details["order_nos"] == ["A-1"]


@pytest.mark.parametrize(
    "text", ["=1+1", "+1", "-1", "@x", "\tx", "\rx", "＝1", "＋1", "－1", "＠x", " =1", "　=1", "﹣1"]
)
def test_no_cell_is_a_formula(text):
    assert safe_cell(text).startswith("'")


@pytest.mark.parametrize("text", ["A-1", "虾仁×2", "", "138****7788", "2026-11-01 10:00"])
def test_ordinary_cells_stay_as_they_are(text):
    assert safe_cell(text) == text


@pytest.mark.parametrize("action", ["sync", "mark", "ship"])
def test_acting_needs_the_right_to_change(viewer, action):
    make_order(order_no="A-1")
    assert viewer.post(BATCH, {"numbers": "A-1", "action": action}).status_code == 403


def test_exporting_needs_its_own_right(service):
    make_order(order_no="A-1")
    assert service.post(BATCH, {"numbers": "A-1", "action": "export"}).status_code == 403


def test_a_thousand_ticked_boxes_are_not_too_many(service):
    make_order(order_no="A-1")
    data = {"numbers": "A-1", "order": list(range(1, 1001)), "action": "sync"}
    assert "A-1" in text(service.post(BATCH, data))


def test_what_was_pasted_into_a_row_does_not_go_on_record(service):
    make_order("paid", order_no="A-1")
    make_carrier("SF")
    rows = "A-1 SF SF1111111111 欧阳雪 13812347788 世纪大道 1 号\n13812347788 SF SF2222222222\nA-1 没有 SF3333333333"
    service.post(BATCH, {"ship_rows": rows, "action": "ship"})
    details = AuditEntry.objects.get(action="batch.shipped").details
    assert details == {"done": 0, "refused": 3, "order_nos": [], "refused_order_nos": ["A-1"]}
