import csv
import io

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test.utils import CaptureQueriesContext

from frozenshop.backoffice import batch
from frozenshop.backoffice.batches import files
from frozenshop.backoffice.batches.models import Batch
from frozenshop.backoffice.batches.moves import run_again, undo
from frozenshop.backoffice.batches.tests.doing import work
from frozenshop.backoffice.export import safe_cell
from frozenshop.backoffice.tests.pages import BATCH, messages
from frozenshop.kernel import clock
from frozenshop.kernel.models import AuditEntry, OutboxMessage
from logistics.problems import Trouble, open_about
from logistics.services import record_shop_fact
from logistics.shipping import join
from logistics.tests.factories import STAFF, make_carrier, make_shipment, report
from orders import alerting
from orders.facts import Fact, FactType
from orders.models import Alert, AlertKind, Order, OrderStatus
from orders.tests.factories import make_order
from orders.tests.test_importing import as_xlsx

pytestmark = pytest.mark.django_db


def found(response) -> list[str]:
    return [row.order.order_no for row in response.context["rows"]]


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


def test_numbers_in_a_workbook_may_be_written_as_formulas(viewer):
    make_order(order_no="A-1")
    upload = SimpleUploadedFile("orders.xlsx", as_xlsx([["订单号"], ['="A-1"']]))
    assert found(viewer.post(BATCH, {"file": upload})) == ["A-1"]


def test_more_than_the_limit_are_cut_and_said(viewer, monkeypatch):
    monkeypatch.setattr(batch, "MAX_NUMBERS", 10)
    shown = viewer.post(BATCH, {"numbers": " ".join(f"N{n}" for n in range(15))})
    assert len(shown.context["missing"]) == 10
    assert "15" in messages(shown)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030"])
def test_a_file_with_a_header_gives_its_number_column(viewer, encoding):
    make_order(order_no="A-1")
    upload = SimpleUploadedFile("orders.csv", "收件人,订单号\n张三,A-1\n李四,B-2\n".encode(encoding))
    shown = viewer.post(BATCH, {"file": upload})
    assert (found(shown), shown.context["missing"]) == (["A-1"], ["B-2"])


@pytest.mark.parametrize(
    "body", [b"\xff\xfe\x00\x01\x81", b"\x00" * 100, b'"unclosed\nA,B', b"x" * 2_000_001, b"PK\x03\x04junk"]
)
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


def asked(client, action, *orders, run=False, **data):
    """Ask for an action on orders by their numbers: its preview, or (`run`) its job, which is worked off."""
    numbers = " ".join(order.order_no for order in orders)
    told = {"numbers": numbers, "action": action, **data}
    answer = client.post(BATCH, told)
    return confirmed(client, told, answer.context["token"]) if run else answer


def confirmed(client, told, token):
    answer = client.post(BATCH, {**told, "step": "run", "token": token}, follow=True)
    work()
    return answer


def job():
    return Batch.objects.order_by("-pk").first()


def ends(found=None):
    return {row.about: (row.state == "done", row.message) for row in (found or job()).rows.all()}


def test_a_preview_tells_each_row_and_changes_nothing(service):
    placed, gone = make_order(order_no="A-1"), make_order("cancelled", order_no="B-2")
    shown = asked(service, "mark", placed, gone, **{"mark-fact": "paid"})
    assert shown.context["preview"] == [
        ("A-1", True, "已下单 → 已付款"),
        ("B-2", True, "状态不变（已取消），只记录付款"),
    ]
    placed.refresh_from_db()
    assert (placed.status, Batch.objects.count()) == (OrderStatus.PLACED, 0)


def test_marking_tells_each_row_what_became_of_it(service):
    placed, gone = make_order(order_no="A-1"), make_order("cancelled", order_no="B-2")
    asked(service, "mark", placed, gone, run=True, **{"mark-fact": "paid"})
    placed.refresh_from_db()
    assert placed.status == OrderStatus.PAID
    assert "没有改变" in ends()["B-2"][1]


def test_sync_queues_a_question_for_each_live_parcel(service):
    order, without = make_order("paid", order_no="A-1"), make_order(order_no="B-2")
    make_shipment(order)
    OutboxMessage.objects.all().delete()
    asked(service, "sync", order, without, run=True)
    assert list(ends()) == ["A-1"]
    assert OutboxMessage.objects.filter(topic="logistics.sync_shipment").count() == 1


def test_a_step_is_reported_once_however_often_its_row_is_done(service):
    order = make_order("paid", order_no="A-1")
    shipment = make_shipment(order, carrier=make_carrier("OWN", kdniao_code=""))
    asked(service, "report", order, run=True, **{"report-status": "picked_up"})
    job().rows.update(state="waiting")
    again = job()
    type(again).objects.filter(pk=again.pk).update(state="failed", done=0)
    again.refresh_from_db()
    run_again(again)
    work()
    assert shipment.events.count() == 1
    assert "已经记录过" in ends()["A-1"][1]


def test_a_waybill_is_voided_before_its_first_scan_only(service):
    early, late = make_order("paid", order_no="A-1"), make_order("paid", order_no="B-2")
    make_shipment(early)
    report(make_shipment(late), "picked_up")
    shown = asked(service, "void", early, late, **{"void-reason": "写错了"})
    assert [ok for _, ok, _ in shown.context["preview"]] == [True, False]
    asked(service, "void", early, late, run=True, **{"void-reason": "写错了"})
    early.refresh_from_db()
    assert early.status == OrderStatus.PAID


def test_alerts_are_resolved_with_a_note(service):
    order = make_order("paid", order_no="A-1")
    alerting.open_alert(AlertKind.NOT_SHIPPED, subject="A-1", order=order)
    asked(service, "resolve", order, run=True, **{"resolve-note": "已联系", "resolve-outcome": "buyer"})
    assert Alert.objects.get().resolution == "已联系"


def test_telling_again_says_where_nothing_was_told(service):
    asked(service, "tell", make_order(order_no="A-1"), run=True, **{"tell-reason": "没收到"})
    assert ends() == {"A-1": (False, "没有给买家发过消息")}


def test_shipping_rows_go_on_past_a_bad_one_and_can_be_undone(lead):
    make_carrier("SF")
    order = make_order("paid", order_no="A-1")
    make_order("paid", order_no="B-2")
    rows = "A-1 顺丰速运 SF1111111111\nNOPE SF SF2222222222\nB-2 没有 SF3333333333\n只有两项 x\nB-2\tSF\tSF4444444444"
    shown = lead.post(BATCH, {"ship_rows": rows, "action": "ship"})
    assert [ok for _, ok, _ in shown.context["preview"]] == [True, False, False, False, True]
    confirmed(lead, {"ship_rows": rows, "action": "ship"}, shown.context["token"])
    shipped = job()
    assert {about: ok for about, (ok, _) in ends().items()} == {"A-1": True, "B-2": True}
    undo(shipped, shipped.owner)
    work()
    order.refresh_from_db()
    assert order.status == OrderStatus.PAID


def test_a_group_is_acted_on_or_what_was_ticked_of_it(service):
    paid, placed = make_order("paid", order_no="A-1"), make_order(order_no="B-2")
    shown = asked(service, "mark", paid, placed, group="status:placed", **{"mark-fact": "paid"})
    assert [about for about, _, _ in shown.context["preview"]] == ["B-2"]
    shown = asked(service, "mark", paid, placed, scope="ticked", order=[paid.pk], **{"mark-fact": "refunded"})
    assert [about for about, _, _ in shown.context["preview"]] == ["A-1"]


def test_what_joins_a_group_after_its_preview_is_not_acted_on(service):
    shown_one, late_one = make_order("paid", order_no="A-1"), make_order(order_no="B-2")
    told = {"numbers": "A-1 B-2", "group": "status:paid", "action": "mark", "mark-fact": "refunded"}
    preview = service.post(BATCH, told)
    assert f'name="previewed" value="{shown_one.pk}"' in preview.content.decode()
    record_shop_fact(late_one, Fact(FactType.PAID, clock.now(), "r1"), STAFF)
    confirmed(service, {**told, "previewed": f"{shown_one.pk}"}, preview.context["token"])
    assert [Order.objects.get(pk=one.pk).status for one in (shown_one, late_one)] == ["refunded", "paid"]


def test_only_what_was_looked_up_is_acted_on(service):
    order, other = make_order(order_no="A-1"), make_order(order_no="B-2")
    asked(service, "mark", order, run=True, scope="ticked", order=[order.pk, other.pk], **{"mark-fact": "paid"})
    other.refresh_from_db()
    assert other.status == OrderStatus.PLACED


def test_a_confirmation_pressed_twice_starts_one_job(service):
    order = make_order(order_no="A-1")
    told = {"numbers": "A-1", "action": "mark", "mark-fact": "paid"}
    token = service.post(BATCH, told).context["token"]
    one, other = (confirmed(service, told, token) for _ in range(2))
    assert one.redirect_chain == other.redirect_chain == [(f"/admin/backoffice/batch/{job().pk}/change/", 302)]
    assert (Batch.objects.count(), order.events.filter(kind="paid").count()) == (1, 1)


def test_rows_to_ship_that_are_confirmed_twice_are_one_job(lead):
    make_carrier("SF")
    make_order("paid", order_no="A-1")
    told = {"ship_rows": "A-1 SF SF1111111111", "action": "ship"}
    token = lead.post(BATCH, told).context["token"]
    assert confirmed(lead, told, token).redirect_chain == confirmed(lead, told, token).redirect_chain
    assert Batch.objects.count() == 1


def test_a_refused_confirmation_does_not_use_its_preview_up(service):
    make_order(order_no="A-1")
    told = {"numbers": "A-1", "action": "mark", "mark-fact": "paid"}
    token = service.post(BATCH, told).context["token"]
    assert "没有可以处理" in messages(confirmed(service, {**told, "action": "sync"}, token))
    confirmed(service, told, token)
    assert Batch.objects.count() == 1


def test_only_what_oneself_has_previewed_is_confirmed(lead, service):
    make_order(order_no="A-1")
    told = {"numbers": "A-1", "action": "mark", "mark-fact": "paid"}
    for token in (lead.post(BATCH, told).context["token"], "", "x:y:z"):
        assert "预览已经过期" in messages(confirmed(service, told, token))
    assert Batch.objects.count() == 0


def test_the_matrix_counts_each_order_once(viewer):
    make_order(order_no="A-1")
    report(make_shipment(make_order("paid", order_no="B-2")), "in_transit")
    make_shipment(make_order("paid", order_no="C-3"))
    shown = viewer.post(BATCH, {"numbers": "A-1 B-2 C-3"}).context["matrix"]
    assert [(label, total) for _, label, _, total in shown.down] == [("已下单", 1), ("已发货", 1), ("运输中", 1)]
    assert [value for value, _ in shown.across] == ["none", "no_trace", "in_transit"]


def test_problems_are_groups(viewer):
    order = make_order("paid", order_no="A-1")
    alerting.open_alert(AlertKind.MONEY_CONFLICT, subject="A-1", order=order)
    make_order(order_no="B-2")
    groups = {group.key: group.count for group in viewer.post(BATCH, {"numbers": "A-1 B-2"}).context["groups"]}
    assert groups == {"": 2, "alert:money_conflict": 1, "fine:": 1}


def test_an_alert_about_a_shared_box_is_about_each_order_in_it(viewer):
    first, second = make_order("paid", order_no="A-1"), make_order("paid", order_no="B-2")
    shipment = make_shipment(first)
    join(shipment, second, actor=STAFF)
    open_about(shipment, AlertKind.STALE, [first], Trouble("静默"))
    rows = viewer.post(BATCH, {"numbers": "A-1 B-2"}).context["rows"]
    assert [len(row.open_alerts) for row in rows] == [1, 1]


def test_who_did_this_is_on_record_and_in_the_history(service):
    order = make_order(order_no="A-1")
    asked(service, "mark", order, run=True, **{"mark-fact": "paid"})
    assert AuditEntry.objects.get(action="batch.started").details == {"action": "mark", "count": 1}
    assert AuditEntry.objects.get(action="batch.acted").subject == "A-1"
    assert order.events.get(kind="paid").actor == f"staff:{job().owner_id}"


def test_the_export_is_masked_and_recorded(lead):
    order = make_order(order_no="A-1", name="欧阳雪", phone="13812347788")
    lead.post(BATCH, {"numbers": "A-1", "order": [order.pk], "action": "export"})
    work()
    made = job().files.get(kind="result")
    rows = list(csv.DictReader(io.StringIO(b"".join(files.read(made)).decode("utf-8-sig"))))
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


@pytest.mark.parametrize("action", ["sync", "mark", "report", "void", "tell", "resolve", "ship", "correct"])
def test_acting_needs_the_right_to_change(viewer, action):
    make_order(order_no="A-1")
    assert viewer.post(BATCH, {"numbers": "A-1", "action": action}).status_code == 403


def test_exporting_needs_its_own_right(service):
    make_order(order_no="A-1")
    assert service.post(BATCH, {"numbers": "A-1", "action": "export"}).status_code == 403


def test_what_is_typed_is_kept_sealed(service):
    order = make_order("paid", order_no="A-1")
    make_shipment(order)
    asked(service, "void", order, run=True, **{"void-reason": "欧阳雪 13812347788"})
    assert "欧阳雪" not in str(list(Batch.objects.values())) + str(list(job().rows.values()))


def test_what_was_pasted_into_a_row_does_not_go_on_record(service):
    make_order("paid", order_no="A-1")
    make_carrier("SF")
    rows = "A-1 SF SF1111111111 欧阳雪 13812347788 世纪大道 1 号\n13812347788 SF SF2222222222\nA-1 没有 SF3333333333"
    told = {"ship_rows": rows, "action": "ship"}
    confirmed(service, told, service.post(BATCH, told).context["token"])
    told = str(list(AuditEntry.objects.values())) + str(list(Batch.objects.values()))
    assert "13812347788" not in told
