"""Waybills that are corrected, and put back, by the hundred end as those that are one by one."""

import datetime as dt
import re

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from frozenshop.backoffice.importing import sending, undoing
from frozenshop.backoffice.importing.tests.test_undo import CLERK, do, exported, one_by_one, together, user
from frozenshop.kernel import clock
from frozenshop.kernel.errors import NotPossible
from frozenshop.kernel.models import AuditEntry
from logistics import shipping
from logistics.archive.models import ArchivedWaybill
from logistics.models import Provider, Shipment, ShipmentOrder, Subscription
from logistics.tests.factories import make_carrier, make_shipment, report
from logistics.tests.test_many_at_once import last, state, topics
from orders import alerting
from orders.models import AlertKind, Order
from orders.tests.factories import line, make_order, order_payload

pytestmark = pytest.mark.django_db
assert user


def sent(*numbers, lines=2):
    """Return shipped orders, each alone in its parcel."""
    for number in numbers:
        told = {"payment": {"transaction_id": "420000"}, "lines": [line(sku=f"S{n}") for n in range(lines)]}
        make_order("paid", **order_payload(order_no=number, **told))
    given = [{"order_no": number, "waybill_no": f"SF{number[1:]:0>13}"} for number in numbers]
    assert not [end for end in do(sending.ship, given) if isinstance(end, Exception)]
    return [Order.objects.get(order_no=number) for number in numbers]


def right(number, **more):
    return {"order_no": number, "waybill_no": f"SF9{number[1:]:0>12}", **more}


def told_of(order):
    """Return all that is kept of an order, as the same for whichever order and number."""
    return re.sub(r"SF[0-9]{13}", "SF", repr(state(order)))


def test_many_corrections_end_as_one_by_one(frozen, monkeypatch):
    one, *others = sent("X1", "X2", "X3")
    start = last()
    with monkeypatch.context() as patched:
        patched.setattr(sending, "_plain_corrections", lambda asked: [])
        do(sending.correct, [right("X1", reason="写错了")])
    middle = last()
    alone = topics(after=start)
    ends = do(sending.correct, [right("X2", reason="写错了"), right("X3", reason="写错了")])
    assert ends[0][0].startswith("SF0000000000002 更正为")
    assert topics(after=middle) == sorted(alone * 2)
    assert told_of(others[0]) == told_of(one) == told_of(others[1])
    kept = ends[1][1]
    assert Shipment.objects.get(pk=kept["wrong"]).voided_at
    assert Shipment.objects.get(pk=kept["right"]).waybill_no == "SF9000000000003"


def test_each_correction_has_its_own_reason():
    sent("X1", "X2")
    do(sending.correct, [right("X1", reason="甲"), right("X2")])
    reasons = Shipment.objects.exclude(voided_at=None).order_by("pk").values_list("void_reason", flat=True)
    assert list(reasons) == ["甲", "按文件更正运单号"]


def test_what_is_not_plain_is_corrected_alone_or_refused(monkeypatch):
    orders = sent("X1", "X2", "X3", "X4", "X5", "X6")
    report(Shipment.objects.get(links__order=orders[1]), "picked_up")
    alerting.open_alert(AlertKind.MONEY_CONFLICT, subject="X3", order=orders[2])
    make_shipment(make_order("paid", order_no="Y1"), waybill_no="SF9000000000004")
    archived = {"carrier": make_carrier("SF"), "waybill_no": "SF9000000000005", "shipped_at": orders[0].placed_at}
    ArchivedWaybill.objects.create(order_id=99, shipment_id=99, **archived)
    together = []
    real = sending._correct_together
    monkeypatch.setattr(sending, "_correct_together", lambda plain, actor: together.extend(plain) or real(plain, actor))
    monkeypatch.setattr(sending, "_correct_alone", lambda one, actor: one.order.order_no)
    ends = do(sending.correct, [right(order.order_no) for order in orders])
    assert [one.order.order_no for one in together] == ["X1", "X6"]
    assert (type(ends[1]), ends[2:5]) == (NotPossible, ["X3", "X4", "X5"])


def test_queries_of_corrections_do_not_grow_with_the_rows():
    def count(first, size):
        numbers = [f"X{first + n}" for n in range(size)]
        sent(*numbers)
        with CaptureQueriesContext(connection) as captured, transaction.atomic():
            sending.correct([right(number) for number in numbers], CLERK)
        return len(captured)

    count(1, 1)
    assert count(10, 2) == count(20, 12)


def corrected(*numbers):
    """Return what an import of corrections kept of each order."""
    return list(zip(numbers, do(sending.correct, [right(number) for number in numbers]), strict=True))


def test_many_corrections_are_taken_back_as_one_by_one(frozen, user):
    orders = sent("X1", "X2", "X3")
    Subscription.objects.bulk_create(
        [Subscription(shipment=order.shipments.get(), provider=Provider.KDNIAO) for order in orders]
    )
    Order.objects.update(promised_by=clock.now() + dt.timedelta(days=1))
    before, linked = exported(), list(ShipmentOrder.objects.order_by("pk").values_list("linked_at", flat=True))
    one, *others = corrected("X1", "X2", "X3")
    start = last()
    frozen.shift(dt.timedelta(minutes=20))
    assert one_by_one([one], user) == ["已改回 SF0000000000001"]
    middle = last()
    alone = topics(after=start)
    with transaction.atomic():
        assert together(others[::-1], user) == ["已改回 SF0000000000003", "已改回 SF0000000000002"]
    assert topics(after=middle) == sorted(alone * 2)
    told = [told_of(order) for order in orders]
    assert told[1] == told[0] == told[2]
    assert len(set(Shipment.objects.filter(voided_at=None).values_list("next_poll_at", flat=True))) == 1
    live = ShipmentOrder.objects.filter(shipment__voided_at=None).order_by("shipment_id")
    assert list(live.values_list("linked_at", flat=True)) == linked
    frozen.shift(dt.timedelta(minutes=-20))  # the export tells how long a parcel has been silent
    assert exported() == before


@pytest.fixture
def alone(monkeypatch):
    """The orders that an undo takes by themselves."""
    taken = []
    real = undoing.undo
    monkeypatch.setattr(undoing, "undo", lambda number, kept, who: taken.append(number) or real(number, kept, who))
    return taken


def test_what_goes_back_together_is_locked_and_what_is_not_plain_goes_alone(user, alone):
    orders = sent(*(f"X{n}" for n in range(1, 9)))
    ends = corrected(*(order.order_no for order in orders))
    rights = [Shipment.objects.get(pk=end["right"]) for _, (_, end) in ends]
    wrongs = [Shipment.objects.get(pk=end["wrong"]) for _, (_, end) in ends]
    report(rights[1], "picked_up")
    alerting.open_alert(AlertKind.MONEY_CONFLICT, subject="X3", order=orders[2])
    alerting.open_alert(AlertKind.SETTLEMENT, subject="X4", order=orders[3])
    report(wrongs[4], "picked_up")
    make_shipment(make_order("paid", order_no="Y1"), waybill_no=wrongs[5].waybill_no, carrier=make_carrier("ZTO"))
    shipping.void(rights[6], order=orders[6], reason="又错了", actor=CLERK)
    with transaction.atomic():
        said = together(ends, user)
    assert alone == ["X2", "X3", "X5", "X6", "X7"]
    assert [isinstance(one, NotPossible) for one in said] == [at in (1, 6) for at in range(8)]
    live = Shipment.objects.filter(voided_at=None, pk__in=[one.pk for one in wrongs])
    assert {one.pk for one in live} == {wrongs[at].pk for at in (0, 2, 3, 4, 5, 7)}


def test_an_undo_of_corrections_by_the_job_is_on_record_by_order(correcting, alone):
    sent("X1", "X2")
    before = exported()
    rows = [[number, right(number)["waybill_no"]] for number in ("X1", "X2")]
    correcting.upload([["订单号", "运单号"], *rows]).check().run()
    undone = correcting.undo()
    assert (undone.state, undone.done, alone, exported()) == ("done", 2, [], before)
    assert list(undone.rows.values_list("message", flat=True)) == ["已改回 SF0000000000001", "已改回 SF0000000000002"]
    assert AuditEntry.objects.get(action="import.undone").details["count"] == 2


def test_queries_of_taking_corrections_back_do_not_grow_with_the_rows(user):
    def count(first, size):
        numbers = [f"X{first + n}" for n in range(size)]
        sent(*numbers)
        ends = corrected(*numbers)
        with CaptureQueriesContext(connection) as captured, transaction.atomic():
            together(ends[::-1], user)
        return len(captured)

    count(1, 1)
    assert count(10, 2) == count(20, 12)
    assert not Shipment.objects.filter(voided_at=None, waybill_no__startswith="SF9").exists()
