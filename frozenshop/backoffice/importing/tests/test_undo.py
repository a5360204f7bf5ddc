"""What an import did is taken back to the letter, until somebody else has a say in it."""

import pytest
from django.db import transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from frozenshop.backoffice.batches.models import Batch
from frozenshop.backoffice.export import _cells
from frozenshop.backoffice.importing import sending, snapshots, taking, undoing
from frozenshop.backoffice.importing.rows import to_json
from frozenshop.backoffice.models import OrderNote
from frozenshop.backoffice.order_rows import Row, attach
from frozenshop.kernel import clock
from frozenshop.kernel.actor import staff
from frozenshop.kernel.errors import NotPossible, Problem
from logistics.models import Shipment
from logistics.tests.factories import make_carrier, make_shipment, report
from notifications.models import ShippingReport
from orders.facts import Fact, FactType, record_fact
from orders.intake import parse_order
from orders.models import Order, OrderLine
from orders.tests.factories import line, make_order, order_payload

pytestmark = pytest.mark.django_db
CLERK = staff(7)
ASIDE = {"version", "updated_at", "recorded_at"}


def exported() -> list:
    """Everything of the orders but history and audit: the export's cells, and each column of orders and lines."""
    orders = list(Order.objects.order_by("order_no"))
    attach(orders)
    columns = [{k: v for k, v in row.items() if k not in ASIDE} for row in Order.objects.order_by("order_no").values()]
    lines = list(OrderLine.objects.order_by("order_id", "position").values("order_id", "position", "sku", "quantity"))
    live = list(Shipment.objects.filter(voided_at=None).order_by("pk").values("waybill_no", "carrier_id", "shipped_at"))
    return [[list(_cells(Row(order))) for order in orders], columns, lines, live]


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
        return undoing.undo(number, end[1], "撤销导入 #1", CLERK, user)


@pytest.fixture
def user(django_user_model):
    return django_user_model.objects.create_user("clerk")


kinds = st.sampled_from(["new", "new_paid", "new_shipped", "edited", "paid", "shipped", "same", "waybill"])


@settings(max_examples=8, suppress_health_check=list(HealthCheck))
@given(st.lists(kinds, min_size=1, max_size=5))
def test_an_undo_restores_the_export_of_random_imports(django_user_model, plan):
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
        for number, end in reversed(ends):
            undo(number, end, user)
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


def test_a_new_order_is_removed_with_its_parcel(user):
    make_carrier("SF")
    payload = order_payload(order_no="A1", paid_at=clock.now().isoformat())
    [end] = do(taking.perform, orders_given(payload, parcels=["SF0000000000001"]))
    assert Order.objects.get().status == "shipped"
    undo("A1", end, user)
    assert (Order.objects.count(), Shipment.objects.count()) == (0, 0)


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


def test_a_correction_taken_back_uses_the_one_correction_of_wechat(user, monkeypatch):
    make_carrier("SF")
    order = make_order("paid", order_no="A1")
    make_shipment(order, waybill_no="SF0000000000001")
    [end] = do(sending.correct, [{"order_no": "A1", "waybill_no": "SF0000000000002"}])
    ShippingReport.objects.create(order=order, state="uploaded", complete=True, content={"shipping_list": []})
    used = []
    monkeypatch.setattr(undoing.correction, "preview", lambda report: type("P", (), {"correction": True})())
    monkeypatch.setattr(undoing.correction, "correct", lambda report, user: used.append(report.order_id))
    assert "一次更正" in undo("A1", end, user)
    assert (used, order.shipments.get(voided_at=None).waybill_no) == ([order.pk], "SF0000000000001")


def test_undone_twice_is_undone_once(shipping):
    make_order("paid", order_no="A1")
    shipping.upload([["订单号", "快递单号"], ["A1", "SF0000000000001"]]).check().run()
    assert shipping.undo().pk == shipping.undo().pk
    assert Batch.objects.exclude(undo_of=None).count() == 1


def test_a_snapshot_costs_the_same_for_many(django_assert_num_queries):
    orders = [make_order("paid") for _ in range(12)]
    with django_assert_num_queries(3):
        snapshots.take(orders)
