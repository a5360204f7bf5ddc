"""What an import did is taken back to the letter, until somebody else has a say in it."""

import datetime as dt
import json

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from frozenshop.backoffice.batches import moves
from frozenshop.backoffice.batches.models import Batch
from frozenshop.backoffice.batches.tests.doing import work
from frozenshop.backoffice.dashboard.models import Figure, FigureKind
from frozenshop.backoffice.dashboard.refreshing import refresh
from frozenshop.backoffice.exporting import columns
from frozenshop.backoffice.importing import sending, snapshots, taking, undoing
from frozenshop.backoffice.importing.rows import to_json
from frozenshop.backoffice.models import OrderNote
from frozenshop.kernel import clock
from frozenshop.kernel.actor import staff
from frozenshop.kernel.errors import NotPossible, Problem
from frozenshop.kernel.models import AuditEntry, AuditSubject, OutboxMessage
from logistics.models import Carrier, Shipment
from logistics.tests.factories import make_carrier, make_shipment, report
from notifications.models import ShippingReport
from notifications.tests.settling import Shop
from notifications.tests.settling import report as settled
from notifications.tests.wechat_sim import sim
from orders import alerting, holds
from orders.facts import Fact, FactType, record_fact
from orders.intake import parse_order
from orders.models import Alert, AlertKind, Order, OrderEvent, OrderLine
from orders.tests.factories import SHOP, line, make_order, order_payload

assert sim
pytestmark = pytest.mark.django_db
CLERK = staff(7)
ASIDE = {"version", "updated_at", "recorded_at"}


def exported() -> list:
    """Everything of the orders but history and audit: the export's cells, and each column of orders and lines."""
    rows = columns.order_rows(list(Order.objects.order_by("order_no")), masked=False)
    cells = columns.values(columns.order_columns(masked=False), rows, "")
    orders = [{k: v for k, v in row.items() if k not in ASIDE} for row in Order.objects.order_by("order_no").values()]
    lines = list(OrderLine.objects.order_by("order_id", "position").values("order_id", "position", "sku", "quantity"))
    live = list(Shipment.objects.filter(voided_at=None).order_by("pk").values("waybill_no", "carrier_id", "shipped_at"))
    return [cells, orders, lines, live]


def orders_given(*payloads, parcels=()):
    told = [{"order": to_json(parse_order(payload)), "parcels": []} for payload in payloads]
    for one, number in zip(told, parcels, strict=False):
        at = clock.now().isoformat()
        parcel = {"row": 1, "carrier": "SF", "waybill_no": number, "shipped_at": at, "lines": None}
        one["parcels"] = [parcel] if number else []
    return told


def do(perform, given):
    with transaction.atomic():
        return perform(given, CLERK)


def undo(number, end, user):
    with transaction.atomic():
        return undoing.undo(number, end[1], undoing.Who("撤销导入 #1", CLERK, user))


@pytest.fixture
def user(django_user_model):
    return django_user_model.objects.create_user("clerk")


kinds = st.sampled_from(["new", "new_paid", "new_shipped", "edited", "paid", "shipped", "same", "waybill"])


def one_by_one(ends, user):
    return [undo(number, end, user) for number, end in ends]


def together(ends, user):
    who = undoing.Who("撤销导入 #1", CLERK, user)
    return undoing.undo_many([(number, json.loads(json.dumps(end[1]))) for number, end in ends], who)


@pytest.mark.parametrize("way", [one_by_one, together])
@settings(max_examples=8, suppress_health_check=list(HealthCheck))
@given(plan=st.lists(kinds, min_size=1, max_size=5))
def test_an_undo_restores_the_export_of_random_imports(django_user_model, way, plan):
    with transaction.atomic():
        make_carrier("SF")
        user = django_user_model.objects.create_user("clerk")
        given_orders, given_waybills, numbers = [], [], []
        for n, kind in enumerate(plan):
            number = f"X{n}"
            old = order_payload(order_no=number)
            if kind in ("edited", "paid", "shipped", "same"):
                make_order("placed", **old)
            elif kind == "waybill":
                make_order("paid", **old)
                given_waybills.append({"order_no": number, "waybill_no": f"SF90000000000{n:02}"})
                continue
            new = (
                dict(old, lines=[line(quantity=9)], consignee={**old["consignee"], "name": "李四"})
                if kind == "edited"
                else old
            )
            if kind in ("new_paid", "new_shipped", "paid", "shipped"):
                new = {**new, "paid_at": clock.now().isoformat()}
            parcel = f"SF80000000000{n:02}" if kind in ("new_shipped", "shipped") else ""
            given_orders += orders_given(new, parcels=[parcel])
            numbers.append(number)
        before = exported()
        ends = list(zip(numbers, taking.perform(given_orders, CLERK), strict=True))
        ends += zip((one["order_no"] for one in given_waybills), sending.ship(given_waybills, CLERK), strict=True)
        assert not [end for _, end in ends if isinstance(end, Problem)]
        assert not [said for said in way(ends[::-1], user) if isinstance(said, Problem)]
        assert exported() == before
        transaction.set_rollback(True)


def test_one_click_takes_an_import_back_by_the_job(shipping):
    order = make_order("paid", order_no="A1")
    before = exported()
    shipping.upload([["订单号", "快递单号"], ["A1", "SF0000000000001"]]).check().run()
    undoing_batch = shipping.undo()
    assert (undoing_batch.state, undoing_batch.done) == ("done", 1)
    assert exported() == before
    assert order.events.filter(kind="undone").exists()


def test_after_the_first_scan_a_row_stays_and_says_why(user):
    make_carrier("SF")
    order = make_order("paid", order_no="A1")
    [end] = do(sending.ship, [{"order_no": "A1", "waybill_no": "SF0000000000001"}])
    report(order.shipments.get(), "picked_up")
    with pytest.raises(NotPossible, match="SF0000000000001"):
        undo("A1", end, user)


def test_what_was_paid_meanwhile_stays(user):
    [end] = do(taking.perform, orders_given(order_payload(order_no="A1")))
    record_fact(Order.objects.get(), Fact(FactType.PAID, clock.now(), "r1"), CLERK)
    with pytest.raises(NotPossible, match="已付款"):
        undo("A1", end, user)


def test_what_somebody_changed_since_stays(user):
    [end] = do(taking.perform, orders_given(order_payload(order_no="A1")))
    Order.objects.update(note="先别发")
    with pytest.raises(NotPossible, match="备注"):
        undo("A1", end, user)


def test_an_order_that_somebody_wrote_a_note_about_is_not_removed(user):
    [end] = do(taking.perform, orders_given(order_payload(order_no="A1")))
    OrderNote.objects.create(order_no="A1", author="staff:1", text="打过电话")
    with pytest.raises(NotPossible, match="备注"):
        undo("A1", end, user)


def test_who_changed_an_order_since_is_named_and_never_the_import_itself(user):
    [end] = do(taking.perform, orders_given(order_payload(order_no="A1")))
    Order.objects.update(note="先别发")
    with pytest.raises(NotPossible, match="又有变化：备注"):
        undo("A1", end, user)
    record_fact(Order.objects.get(), Fact(FactType.CANCELLED, clock.now(), "r1"), SHOP)
    with pytest.raises(NotPossible, match=f"{SHOP.name}"):
        undo("A1", end, user)


def test_an_order_that_a_legal_hold_covers_is_not_removed(user):
    [end] = do(taking.perform, orders_given(order_payload(order_no="A1")))
    holds.on_order("A1", "诉讼", CLERK)
    with pytest.raises(NotPossible, match="法律保留"):
        undo("A1", end, user)


def test_an_order_of_which_money_came_back_since_is_not_removed(user):
    paid = order_payload(order_no="A1", paid_at=clock.now().isoformat())
    [end] = do(taking.perform, orders_given(paid))
    record_fact(Order.objects.get(), Fact(FactType.REFUNDED, clock.now(), "r1", 100), SHOP)
    with pytest.raises(NotPossible, match="又有记录"):
        undo("A1", end, user)
    assert Order.objects.get().events.filter(kind="refunded").exists()


def test_what_others_did_about_alerts_since_stays(user):
    make_carrier("SF")
    order = make_order("paid", order_no="A1")
    worked_on = alerting.open_alert(AlertKind.MONEY_CONFLICT, subject="A1", order=order)
    [end] = do(sending.ship, [{"order_no": "A1", "waybill_no": "SF0000000000001"}])
    alerting.resolve(worked_on, "打过电话", user)
    alerting.open_alert(AlertKind.SETTLEMENT, subject="A1", order=order)
    undo("A1", end, user)
    assert list(Alert.objects.filter(resolved_at=None).values_list("kind", flat=True)) == [AlertKind.SETTLEMENT]
    assert Alert.objects.get(pk=worked_on.pk).resolution == "打过电话"


def test_a_number_that_another_buyers_parcel_has_now_is_not_taken_back(user):
    make_carrier("SF")
    make_shipment(make_order("paid", order_no="A1"), waybill_no="SF0000000000001")
    [end] = do(sending.correct, [{"order_no": "A1", "waybill_no": "SF0000000000002"}])
    consignee = {**order_payload()["consignee"], "phone": "13900000000"}
    make_shipment(make_order("paid", order_no="B2", consignee=consignee), waybill_no="SF0000000000001")
    with pytest.raises(NotPossible, match="B2"):
        undo("A1", end, user)


def test_a_new_order_is_removed_with_its_parcel(user):
    make_carrier("SF")
    payload = order_payload(order_no="A1", paid_at=clock.now().isoformat())
    [end] = do(taking.perform, orders_given(payload, parcels=["SF0000000000001"]))
    assert Order.objects.get().status == "shipped"
    undo("A1", end, user)
    assert (Order.objects.count(), Shipment.objects.count()) == (0, 0)


def test_no_figure_counts_a_new_order_that_was_removed(user):
    placed_at = (clock.now() - dt.timedelta(days=90)).isoformat()
    [end] = do(taking.perform, orders_given(order_payload(order_no="A1", placed_at=placed_at)))
    refresh(FigureKind.STEPS)
    assert Figure.objects.get().count == 1
    undo("A1", end, user)
    refresh(FigureKind.STEPS)
    assert not Figure.objects.exists()


def test_a_payment_that_was_taken_back_may_come_again(user):
    payload = order_payload(order_no="A1")
    make_order(**payload)
    paid = orders_given({**payload, "paid_at": clock.now().isoformat()})
    [end] = do(taking.perform, paid)
    undo("A1", end, user)
    do(taking.perform, paid)
    assert Order.objects.get().status == "paid"


def test_an_undone_parcel_may_be_sent_again(user):
    make_carrier("SF")
    make_order("paid", order_no="A1")
    given_ = [{"order_no": "A1", "waybill_no": "SF0000000000001"}]
    [end] = do(sending.ship, given_)
    undo("A1", end, user)
    do(sending.ship, given_)
    assert Order.objects.get().status == "shipped"


def test_where_wechat_was_told_the_undo_says_so(user):
    make_carrier("SF")
    order = make_order("paid", order_no="A1")
    [end] = do(sending.ship, [{"order_no": "A1", "waybill_no": "SF0000000000001"}])
    ShippingReport.objects.create(order=order, state="uploaded", complete=True, content={"shipping_list": []})
    assert "微信已收到" in undo("A1", end, user)


@pytest.fixture
def shop(sim, frozen, sf):
    Carrier.objects.filter(pk=sf.pk).update(wechat_code="SF")
    return Shop(sim, frozen)


@pytest.mark.parametrize("way", [one_by_one, together])
def test_a_correction_taken_back_uses_the_one_correction_of_wechat(user, shop, way):
    order = shop.pay(order_no="A1")
    shop.ship(order, waybill_no="SF0000000000001")
    shop.later(5)
    [end] = do(sending.correct, [{"order_no": "A1", "waybill_no": "SF0000000000002"}])
    shop.later()
    with transaction.atomic():
        [said] = way([("A1", end)], user)
    assert said == "已改回 SF0000000000001。微信已收到 SF0000000000002，已用一次更正的机会"
    shop.later()
    told = [body["shipping_list"][0]["tracking_no"] for body in shop.asked()]
    assert (told, settled(order).corrections) == (["SF0000000000002", "SF0000000000001"], 1)


@pytest.mark.parametrize("way", [one_by_one, together])
def test_what_wechat_was_told_before_a_correction_needs_none_when_that_is_taken_back(user, shop, way):
    order = shop.pay(order_no="A1")
    shop.ship(order, waybill_no="SF0000000000001")
    shop.later()
    [end] = do(sending.correct, [{"order_no": "A1", "waybill_no": "SF0000000000002"}])
    shop.later()
    with transaction.atomic():
        assert way([("A1", end)], user) == ["已改回 SF0000000000001"]
    shop.later()
    assert (len(shop.asked()), settled(order).corrections) == (1, 0)


def test_a_row_whose_person_was_erased_stays_and_says_so(shipping):
    for number in ("A1", "B2"):
        make_order("paid", order_no=number)
    shipping.upload([["订单号", "快递单号"], ["A1", "SF0000000000001"], ["B2", "SF0000000000002"]]).check().run()
    shipping.batch.rows.filter(about="A1").update(given_sealed="", before_sealed="")
    undone = shipping.undo()
    assert (undone.state, undone.done, undone.refused) == ("done", 1, 1)
    assert "已删除" in undone.rows.get(about="A1").message


def test_undone_twice_is_undone_once(shipping):
    make_order("paid", order_no="A1")
    shipping.upload([["订单号", "快递单号"], ["A1", "SF0000000000001"]]).check().run()
    assert shipping.undo().pk == shipping.undo().pk
    assert Batch.objects.exclude(undo_of=None).count() == 1


def test_an_undo_that_was_cancelled_before_it_began_can_still_be_done(shipping):
    make_order("paid", order_no="A1")
    before = exported()
    shipping.upload([["订单号", "快递单号"], ["A1", "SF0000000000001"]]).check().run()
    with transaction.atomic():
        undone = moves.undo(shipping.batch, shipping.batch.owner)
        moves.cancel(undone)
    work()
    shipping.client.post(f"/admin/backoffice/batch/{undone.pk}/do/again/")
    work()
    undone.refresh_from_db()
    assert (undone.state, undone.done, exported()) == ("done", 1, before)


def shipped_by_file(*numbers):
    """Return what an import of waybills kept of each order."""
    make_carrier("SF")
    for number in numbers:
        payment = {"transaction_id": f"42{number}"}
        make_order("paid", **order_payload(order_no=number, payment=payment))
    given_ = [{"order_no": number, "waybill_no": f"SF70000000000{at:02}"} for at, number in enumerate(numbers)]
    return list(zip(numbers, do(sending.ship, given_), strict=True))


def told_of(order_no):
    """Return what is kept of an order and its parcel that an undo may change, as the same for whichever order."""
    order = Order.objects.values().get(order_no=order_no)
    parcel = Shipment.objects.values().get(links__order__order_no=order_no)
    history = OrderEvent.objects.filter(order__order_no=order_no).order_by("pk")
    own = {"id", "order_no", "waybill_no", "waybill_reversed", "transaction_id", "consignee_sealed", "recorded_at"}
    return [
        {name: value for name, value in row.items() if name not in own | {"order_id", "occurred_at", "updated_at"}}
        for row in (order, parcel, *history.values())
    ]


def test_orders_sent_together_come_back_as_one_by_one(user, frozen):
    one, *others = shipped_by_file("X1", "X2", "X3")
    start = OutboxMessage.objects.count()
    one_by_one([one], user)
    alone = sorted(OutboxMessage.objects.order_by("pk").values_list("topic", flat=True)[start:])
    start = OutboxMessage.objects.count()
    assert together(others, user) == ["已恢复原状"] * 2
    assert sorted(OutboxMessage.objects.order_by("pk").values_list("topic", flat=True)[start:]) == sorted(alone * 2)
    told = [
        [{**row, "reason": row.get("reason", "").replace(f"SF70000000000{at:02}", "")} for row in told_of(f"X{at + 1}")]
        for at in range(3)
    ]
    assert told[1] == told[0] == told[2]


def test_what_can_not_go_together_stays_alone(user):
    ends = shipped_by_file("X1", "X2", "X3")
    report(Shipment.objects.get(links__order__order_no="X2"), "picked_up")
    Order.objects.filter(order_no="X3").update(note="先别发")
    said = together(ends[::-1], user)
    assert [type(one) for one in said] == [NotPossible, NotPossible, str]
    assert list(Order.objects.order_by("order_no").values_list("status", flat=True)) == [
        "paid",
        "in_transit",
        "shipped",
    ]


def test_where_many_can_not_be_put_back_together_each_is_alone(shipping, monkeypatch):
    def broken(*told):
        raise ValueError

    orders = [make_order("paid", order_no=f"A{n}") for n in range(3)]
    before = exported()
    rows = [[order.order_no, f"SF000000000000{n}"] for n, order in enumerate(orders)]
    shipping.upload([["订单号", "快递单号"], *rows]).check().run()
    monkeypatch.setattr(undoing.shipping_many, "void_all", broken)
    assert (shipping.undo().done, exported()) == (3, before)


def test_an_undo_is_on_record_by_order(shipping):
    for n in range(2):
        make_order("paid", order_no=f"A{n}")
    shipping.upload([["订单号", "快递单号"], ["A0", "SF0000000000001"], ["A1", "SF0000000000002"]]).check().run()
    undoing_batch = shipping.undo()
    entry = AuditEntry.objects.get(action="import.undone")
    assert (entry.subject, entry.details) == (f"batch:{undoing_batch.pk}", {"batch": shipping.batch.pk, "count": 2})
    assert set(AuditSubject.objects.filter(audit_id=entry.pk).values_list("subject", flat=True)) == {"A0", "A1"}


def test_queries_of_an_undo_do_not_grow_with_the_rows(user):
    make_carrier("SF")

    def count(first, size):
        numbers = [f"Q{first + n}" for n in range(size)]
        payloads = [order_payload(order_no=number, paid_at=clock.now().isoformat()) for number in numbers]
        parcels = [f"SF60000000{first + n:05}" for n in range(size)]
        ends = list(zip(numbers, do(taking.perform, orders_given(*payloads, parcels=parcels)), strict=True))
        with CaptureQueriesContext(connection) as captured, transaction.atomic():
            together(ends[::-1], user)
        return len(captured)

    count(0, 1)  # the day's mark is made once
    assert count(5, 2) == count(10, 12)
    assert (Order.objects.count(), Shipment.objects.count()) == (0, 0)


def test_a_snapshot_costs_the_same_for_many(django_assert_num_queries):
    orders = [make_order("paid") for _ in range(12)]
    with django_assert_num_queries(4):
        snapshots.take(orders)
