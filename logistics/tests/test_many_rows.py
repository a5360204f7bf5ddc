"""What is written many rows at once is what Django writes."""

import datetime as dt

import pytest
from django.db import IntegrityError, connection, transaction

from frozenshop.kernel import clock, many_rows
from frozenshop.kernel.models import AuditSubject, OutboxMessage
from logistics.models import Shipment
from logistics.tests.factories import make_carrier
from orders.models import Order, OrderEvent, OrderStatus
from orders.tests.factories import make_order

pytestmark = pytest.mark.django_db
AT = dt.datetime(2026, 11, 1, 20, 30, 0, 123456, dt.timezone(dt.timedelta(hours=8)))


def messages():
    payloads = [{"名": "李四"}, {}, {"list": [1, None, "%s"]}]
    return [OutboxMessage(topic="t", payload=payload, due_at=AT, created_at=AT) for payload in payloads]


def shipments():
    sf = make_carrier("SF")
    told = {"carrier": sf, "shipped_at": AT, "recorded_at": AT, "updated_at": AT, "eta_confidence": 0.25}
    return [Shipment(waybill_no=f"SF000000000{n}", location="100% '上海'", **told) for n in range(3)]


def events():
    order = make_order()
    told = {"order": order, "from_status": OrderStatus.PLACED, "to_status": OrderStatus.PAID, "recorded_at": AT}
    return [OrderEvent(kind="paid", occurred_at=AT, source="staff", reference=f"r{n}", **told) for n in range(3)]


@pytest.mark.parametrize("make", [messages, shipments, events])
def test_rows_are_the_same_as_those_of_bulk_create(make):
    objects = make()
    model = type(objects[0])
    model.objects.all().delete()
    many_rows.insert(objects)
    quick = list(model.objects.order_by("pk").values())
    model.objects.all().delete()
    for one in objects:
        one.pk = None
    model.objects.bulk_create(objects)
    slow = list(model.objects.order_by("pk").values())
    assert [{**row, "id": 0} for row in quick] == [{**row, "id": 0} for row in slow]


def test_each_object_gets_its_own_key():
    objects = events()
    many_rows.insert(objects)
    if connection.features.can_return_rows_from_bulk_insert:
        assert [OrderEvent.objects.get(pk=one.pk).reference for one in objects] == ["r0", "r1", "r2"]


def test_more_than_one_statement_holds(django_assert_num_queries):
    many_rows.insert([AuditSubject(subject=f"S-{n}", at=clock.now(), audit_id=n) for n in range(3000)])
    assert AuditSubject.objects.count() == 3000
    with django_assert_num_queries(0):
        many_rows.insert([])


def test_a_key_that_is_taken_undoes_all():
    make_order(order_no="A-1")
    with pytest.raises(IntegrityError), transaction.atomic():
        many_rows.insert([Order(order_no=number, placed_at=AT) for number in ("B-2", "A-1")])
    assert Order.objects.count() == 1


def test_each_row_gets_the_value_of_its_key():
    orders = [make_order(order_no=f"A-{n}") for n in range(3)]
    wanted = {order.pk: (AT + dt.timedelta(hours=n) if n else None) for n, order in enumerate(orders)}
    changed = Order.objects.filter(pk__in=wanted).update(
        promised_by=many_rows.by_key(Order, "promised_by", wanted),
        note=many_rows.by_key(Order, "note", {order.pk: f"100% {order.order_no}" for order in orders}),
    )
    assert changed == 3
    assert dict(Order.objects.values_list("pk", "promised_by")) == wanted
    assert sorted(Order.objects.values_list("note", flat=True)) == ["100% A-0", "100% A-1", "100% A-2"]
