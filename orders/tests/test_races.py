"""Two connections at once: one wins, nothing is doubled, nothing is lost."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connection, connections

from frozenshop.kernel import clock
from orders import access, alerting, lifecycle
from orders.facts import Fact, FactType, record_fact
from orders.intake import parse_order
from orders.models import Alert, AlertKind, Customer, Order, OrderAccess, OrderEvent, OrderStatus
from orders.services import take_order
from orders.tests.factories import SHOP, make_customer, make_order, order_payload

pytestmark = pytest.mark.django_db(transaction=True)
PHONE = "13812341234"


def at_once(*functions):
    """Run the functions together, each on a connection of its own; return what they returned."""
    barrier = threading.Barrier(len(functions))

    def run(function):
        try:
            connection.ensure_connection()
            barrier.wait(timeout=20)
            return function()
        finally:
            connections.close_all()

    with ThreadPoolExecutor(len(functions)) as pool:
        return [future.result(timeout=60) for future in [pool.submit(run, function) for function in functions]]


def mover(order, to):
    copy = Order.objects.get(pk=order.pk)
    return lambda: lifecycle.move(copy, to, kind="test", occurred_at=clock.now(), actor=SHOP)


@pytest.mark.parametrize("rivals", [("shipped", "shipped"), ("shipped", "cancelled")])
def test_two_connections_race_on_a_transition_and_one_wins(rivals):
    order = make_order(OrderStatus.PAID)
    results = at_once(*(mover(order, OrderStatus(to)) for to in rivals))
    assert sorted(results) == [False, True]
    assert OrderEvent.objects.filter(order=order, from_status="paid").count() == 1


def test_a_fact_told_eight_times_at_once_counts_once():
    order = make_order()
    fact = Fact(FactType.PAID, clock.now(), "wx-1")
    results = at_once(*[lambda: record_fact(order_of(order), fact, SHOP)] * 8)
    assert sorted(result.applied for result in results) == [False] * 7 + [True]
    assert {result.reason for result in results} == {None, "repeated"}
    assert order.events.filter(kind="paid").count() == 1


def order_of(order):
    return Order.objects.get(pk=order.pk)


def test_two_halves_of_a_refund_told_at_once_refund_the_order():
    order = make_order(OrderStatus.PAID, total_fen=10_000)
    halves = [Fact(FactType.REFUNDED, clock.now(), reference, 5_000) for reference in "ab"]
    at_once(*[lambda half=half: record_fact(order_of(order), half, SHOP) for half in halves])
    assert order_of(order).status == OrderStatus.REFUNDED


def test_the_same_new_order_from_eight_processes_is_one_order():
    data = parse_order(order_payload(buyer_openid="me", paid_at=clock.now().isoformat()))
    results = at_once(*[lambda: take_order(data, SHOP).result] * 8)
    assert sorted(results) == ["created"] + ["unchanged"] * 7
    order = Order.objects.get()
    assert (order.lines.count(), order.accesses.count(), Customer.objects.count()) == (1, 1, 1)
    assert order.events.filter(kind="paid").count() == 1


def test_different_new_orders_of_one_new_buyer_make_one_customer():
    orders = [parse_order(order_payload(buyer_openid="me")) for _ in range(6)]
    at_once(*[lambda data=data: take_order(data, SHOP) for data in orders])
    assert (Order.objects.count(), Customer.objects.count(), OrderAccess.objects.count()) == (6, 1, 6)


def test_an_alert_opened_by_eight_processes_is_one_alert():
    order = make_order()
    opened = at_once(*[lambda: alerting.open_alert(AlertKind.STALE, subject="x", order=order)] * 8)
    assert len([alert for alert in opened if alert]) == Alert.objects.count() == 1


def test_a_phone_that_four_buyers_bind_at_once_has_one_holder():
    order = make_order(phone=PHONE)
    buyers = [make_customer() for _ in range(4)]
    at_once(*[lambda buyer=buyer: access.bind_phone(buyer, PHONE, clock.now()) for buyer in buyers])
    holder = Customer.objects.get(phone_index__isnull=False)
    assert [row.customer for row in OrderAccess.objects.filter(order=order)] == [holder]


def test_orders_taken_in_while_their_phone_moves_are_never_left_with_the_former_holder():
    former, new = make_customer(phone=PHONE), make_customer()
    orders = [parse_order(order_payload(phone=PHONE)) for _ in range(5)]
    takers = [lambda data=data: take_order(data, SHOP) for data in orders]
    at_once(lambda: access.bind_phone(new, PHONE, clock.now()), *takers)
    access.grant_by_phone(new)  # the second look
    assert OrderAccess.objects.filter(customer=former).count() == 0
    assert OrderAccess.objects.filter(customer=new).count() == 5
