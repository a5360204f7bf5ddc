import datetime as dt

import pytest

from frozenshop.backoffice.tests.pages import act, messages, page, text
from frozenshop.kernel.clock import now
from frozenshop.kernel.models import AuditEntry, OutboxMessage
from logistics.models import Shipment
from logistics.tests.factories import event, make_carrier, make_shipment, report
from orders.models import Order, OrderStatus
from orders.tests.factories import line, make_order

pytestmark = pytest.mark.django_db
WAYBILL = "SF1234567890"


def acts(order: Order) -> list[str]:
    return list(AuditEntry.objects.filter(subject=order.order_no).values_list("action", flat=True))


def test_the_page_shows_steps_history_parcels_and_both_clocks(lead):
    order = make_order("paid", order_no="A")
    shipment = make_shipment(order, waybill_no=WAYBILL)
    report(shipment, event("in_transit", text="离开上海转运中心"))
    shown = text(lead.get(page(order)))
    assert [step.label for step in lead.get(page(order)).context["steps"]] == [
        "已下单", "已付款", "已发货", "运输中", "已签收"
    ]  # fmt: skip
    assert WAYBILL in shown
    assert "离开上海转运中心" in shown
    assert "记录时间" in shown


def test_the_page_says_what_an_arrival_rests_on(lead):
    shipment = make_shipment(order := make_order("paid"))
    opinion = {"provider_eta_at": now(), "provider_eta_by": "kuaidi100"}
    Shipment.objects.filter(pk=shipment.pk).update(
        eta_explanation="杭州→上海 顺丰速运，214 件，近 60 天", late_probability=0.25, **opinion
    )
    shown = text(lead.get(page(order)))
    assert "杭州→上海 顺丰速运，214 件，近 60 天" in shown
    assert "误期概率 25%" in shown
    assert "快递100预计" in shown


def test_a_skipped_step_stays_without_an_instant(lead):
    order = make_order("paid")
    report(make_shipment(order), "delivered")
    steps = lead.get(page(order)).context["steps"]
    assert [step.at is None for step in steps] == [False, False, False, True, False]
    assert all(step.reached for step in steps)


def test_the_page_takes_a_constant_number_of_queries(lead, django_assert_max_num_queries):
    order = make_order("paid", lines=[line(sku=f"S{n}") for n in range(8)])
    for n in range(4):
        shipment = make_shipment(order, lines={f"S{n}": 2})
        report(shipment, *[event("in_transit", now() - dt.timedelta(minutes=n)) for n in range(5)])
    lead.get(page(order))  # the carriers to choose from are read once a minute
    with django_assert_max_num_queries(15):
        lead.get(page(order))


def test_the_consignee_is_masked_until_a_reason_is_given(service):
    order = make_order(name="欧阳雪", phone="13812347788", address="世纪大道 1 号")
    assert "欧阳雪" not in text(service.get(page(order)))
    shown = text(act(service, order, "unmask", reason="客户来电核对地址"))
    assert "欧阳雪" in shown
    assert "13812347788" in shown
    assert "世纪大道 1 号" in shown
    assert "欧阳雪" not in text(service.get(page(order)))


def test_unmasking_is_recorded_with_its_reason_and_without_what_was_seen(service):
    order = make_order(name="欧阳雪")
    act(service, order, "unmask", reason="客户来电")
    entry = AuditEntry.objects.get(action="order.unmasked")
    assert (entry.subject, entry.reason) == (order.order_no, "客户来电")
    assert "欧阳雪" not in str(entry.details)


def test_unmasking_without_a_reason_shows_nothing(service):
    order = make_order(name="欧阳雪")
    shown = act(service, order, "unmask", reason="  ")
    assert "理由" in messages(shown)
    assert "欧阳雪" not in text(shown)
    assert acts(order) == []


def test_unmasking_needs_its_own_right(viewer):
    assert act(viewer, make_order(), "unmask", reason="x").status_code == 403


def test_staff_ship_what_remains(service):
    make_carrier("SF")
    order = make_order("paid")
    done = act(service, order, "ship", carrier="顺丰速运", waybill_no=WAYBILL)
    assert WAYBILL in messages(done)
    order.refresh_from_db()
    assert order.status == OrderStatus.SHIPPED
    assert "order.shipped" in acts(order)


def test_staff_ship_some_of_the_lines(service):
    make_carrier("SF")
    order = make_order("paid", lines=[line(sku="A"), line(sku="B")])
    act(service, order, "ship", carrier="SF", waybill_no=WAYBILL, **{"qty:A": "1", "qty:B": ""})
    rows = service.get(page(order)).context["lines"]
    assert [row.remaining for row in rows] == [1, 2]


@pytest.mark.parametrize(
    "data",
    [
        {"carrier": "没有这家", "waybill_no": WAYBILL},
        {"carrier": "SF", "waybill_no": "7.31E+13"},
        {"carrier": "SF", "waybill_no": ""},
        {"carrier": "SF", "waybill_no": WAYBILL, "shipped_at": "2999-01-01T00:00"},
        {"carrier": "SF", "waybill_no": WAYBILL, "shipped_at": "不是时间"},
        {"carrier": "SF", "waybill_no": WAYBILL, "qty:XR-1": "很多"},
        {"carrier": "SF", "waybill_no": WAYBILL, "qty:XR-1": "99"},
        {"carrier": "SF", "waybill_no": WAYBILL, "qty:没有": "1"},
    ],
)
def test_a_refusal_is_a_sentence_and_ships_nothing(service, data):
    make_carrier("SF")
    order = make_order("paid")
    assert messages(act(service, order, "ship", **data))
    assert not Shipment.objects.exists()
    assert acts(order) == []


def test_a_waybill_is_corrected(service):
    shipment = make_shipment(order := make_order("paid"), waybill_no=WAYBILL)
    act(service, order, "correct", shipment=shipment.pk, reason="抄错", carrier="SF", waybill_no="SF9999999999")
    assert set(order.shipments.filter(voided_at=None).values_list("waybill_no", flat=True)) == {"SF9999999999"}
    assert "order.waybill_corrected" in acts(order)


def test_a_waybill_is_voided_before_its_first_scan(service):
    shipment = make_shipment(order := make_order("paid"))
    act(service, order, "void", shipment=shipment.pk, reason="重复打单")
    order.refresh_from_db()
    assert order.status == OrderStatus.PAID


def test_a_scanned_waybill_is_not_voided(service):
    shipment = make_shipment(order := make_order("paid"))
    report(shipment, "picked_up")
    act(service, order, "void", shipment=shipment.pk, reason="重复打单")
    shipment.refresh_from_db()
    assert shipment.voided_at is None


def test_another_orders_waybill_is_refused(service):
    foreign = make_shipment()
    order = make_order("paid")
    assert "不属于" in messages(act(service, order, "void", shipment=foreign.pk, reason="x"))


def test_sync_leaves_a_row_and_asks_nobody(service):
    shipment = make_shipment(order := make_order("paid"))
    OutboxMessage.objects.all().delete()
    act(service, order, "sync")
    assert OutboxMessage.objects.get(topic="logistics.sync_shipment").payload == {"shipment_id": shipment.pk}


@pytest.mark.parametrize(
    ("status", "offered"),
    [
        ("placed", {"paid", "cancelled"}),
        ("paid", {"cancelled", "refunded"}),
        ("delivered", {"refunded", "returned"}),
        ("refunded", set()),
    ],
)
def test_the_facts_on_offer_are_the_tables_arrows(service, status, offered):
    order = make_order(status)
    assert {fact for fact, _ in service.get(page(order)).context["offered"]["facts"]} == offered


def test_a_fact_moves_the_order_and_names_its_person(service):
    order = make_order()
    act(service, order, "mark", fact="paid")
    order.refresh_from_db()
    assert order.status == OrderStatus.PAID
    assert order.events.get(kind="paid").actor.startswith("staff:")


def test_marking_twice_counts_once(service):
    order = make_order()
    act(service, order, "mark", fact="paid")
    assert "已经记录过" in messages(act(service, order, "mark", fact="paid"))
    assert order.events.filter(kind="paid").count() == 1
    assert not order.alerts.exists()


def test_a_note_is_kept_with_its_author(service):
    order = make_order()
    act(service, order, "note", text="客户要求周末送")
    assert "客户要求周末送" in text(service.get(page(order)))
    assert acts(order) == ["order.noted"]


def test_what_was_typed_is_shown_as_text(service):
    order = make_order()
    act(service, order, "note", text="<script>alert(1)</script>")
    assert "<script>alert(1)" not in text(service.get(page(order)))


def test_nothing_is_saved_by_posting_to_the_page(lead):
    order = make_order()
    assert lead.post(page(order), {"status": "delivered"}).status_code == 403


def test_an_unknown_order_or_action_is_not_found(lead):
    order = make_order()
    assert act(lead, order, "explode").status_code == 404
    assert lead.get("/admin/orders/order/99999999/change/", follow=True).status_code == 404
