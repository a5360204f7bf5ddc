import datetime as dt
import itertools

import pytest

from frozenshop.kernel import calendar, clock
from frozenshop.kernel.errors import NotPossible
from orders import lifecycle
from orders.lifecycle import TRANSITIONS, move, record_still, set_milestones
from orders.models import OrderStatus
from orders.tests.factories import SHOP, make_order

pytestmark = pytest.mark.django_db
PAIRS = list(itertools.product(OrderStatus, OrderStatus))
REFUSED = [pair for pair in PAIRS if pair not in TRANSITIONS]


def step(order, to, **changes):
    return move(order, to, **{"kind": "test", "occurred_at": clock.now(), "actor": SHOP, **changes})


@pytest.fixture
def order():
    return make_order(OrderStatus.PAID)


@pytest.mark.parametrize(("origin", "to"), TRANSITIONS)
def test_every_arrow_of_the_table_moves_the_order_and_writes_one_row(origin, to):
    order = make_order(origin)
    rows, version = order.events.count(), order.version
    assert step(order, to)
    order.refresh_from_db()
    assert (order.status, order.version, order.events.count()) == (to, version + 1, rows + 1)


@pytest.mark.parametrize(("origin", "to"), REFUSED)
def test_every_other_pair_is_refused_and_leaves_no_trace(origin, to):
    order = make_order(origin)
    rows, version = order.events.count(), order.version
    with pytest.raises(NotPossible):
        step(order, to)
    order.refresh_from_db()
    assert (order.status, order.version, order.events.count()) == (origin, version, rows)


def test_every_arrow_says_why():
    assert all(reason.strip() for reason in TRANSITIONS.values())


def test_nothing_leaves_cancelled_or_refunded():
    assert lifecycle.exits("cancelled") == lifecycle.exits("refunded") == []


def test_exits_follow_the_table():
    assert lifecycle.exits("placed") == ["paid", "cancelled"]


def test_the_diagram_is_made_from_the_table():
    lines = lifecycle.diagram().splitlines()
    assert "    shipped --> paid: 运单在首次扫描前作废" in lines
    assert len([line for line in lines if " --> " in line]) == len(TRANSITIONS) + 3


def test_a_move_keeps_both_clocks_actor_and_reason(order):
    occurred_at = clock.now() - dt.timedelta(hours=3)
    step(order, OrderStatus.SHIPPED, occurred_at=occurred_at, reason="登记", amount_fen=5)
    event = order.events.latest("id")
    assert (event.from_status, event.to_status) == ("paid", "shipped")
    assert event.occurred_at == occurred_at
    assert event.recorded_at > occurred_at
    assert (event.source, event.actor, event.reason, event.amount_fen) == ("shop", "key:test", "登记", 5)


def test_a_move_sets_its_milestone_and_leaves_the_skipped_ones_empty(order):
    step(order, OrderStatus.DELIVERED)
    order.refresh_from_db()
    assert order.delivered_at is not None
    assert order.shipped_at is order.in_transit_at is None


def test_the_order_in_hand_is_what_the_database_says(order):
    step(order, OrderStatus.SHIPPED)
    in_hand = {name: getattr(order, name) for name in ("status", "version", "shipped_at", "not_shipped_after")}
    order.refresh_from_db()
    assert in_hand == {name: getattr(order, name) for name in in_hand}


def test_payment_starts_the_time_to_ship_and_shipping_ends_it():
    order = make_order(OrderStatus.PAID)
    assert order.not_shipped_after == calendar.ship_by(order.paid_at)
    step(order, OrderStatus.SHIPPED)
    assert order.not_shipped_after is None


def test_a_voided_waybill_takes_the_shipping_milestone_back_and_starts_the_time_anew():
    order = make_order(OrderStatus.SHIPPED)
    paid_at, now = order.paid_at, clock.now()
    step(order, OrderStatus.PAID, occurred_at=now)
    order.refresh_from_db()
    assert (order.shipped_at, order.paid_at, order.not_shipped_after) == (None, paid_at, calendar.ship_by(now))


def test_a_reference_moves_an_order_once(order):
    assert step(order, OrderStatus.SHIPPED, reference="a")
    assert not step(order, OrderStatus.SHIPPED, reference="a")
    assert order.events.filter(reference="a").count() == 1


def test_a_reference_belongs_to_one_order(order):
    other = make_order(OrderStatus.PAID)
    assert step(order, OrderStatus.SHIPPED, reference="a")
    assert step(other, OrderStatus.SHIPPED, reference="a")


def test_an_order_that_somebody_else_moved_is_read_again_and_left_alone(order):
    stale = type(order).objects.get(pk=order.pk)
    step(order, OrderStatus.CANCELLED)
    assert not step(stale, OrderStatus.SHIPPED)
    assert stale.status == OrderStatus.CANCELLED
    assert not order.events.filter(to_status="shipped").exists()


def test_a_fact_that_does_not_move_the_order_is_a_row_from_the_status_to_itself(order):
    version = order.version
    assert record_still(order, kind="test", occurred_at=clock.now(), actor=SHOP, reference="a")
    event = order.events.latest("id")
    assert (event.from_status, event.to_status, order.version) == ("paid", "paid", version + 1)


def test_a_fact_that_does_not_move_the_order_is_recorded_once(order):
    for expected in (True, False):
        assert record_still(order, kind="test", occurred_at=clock.now(), actor=SHOP, reference="a") is expected
    assert order.events.filter(reference="a").count() == 1


def test_a_still_fact_stands_at_the_status_of_the_row_not_of_the_copy_in_hand(order):
    stale = type(order).objects.get(pk=order.pk)
    step(order, OrderStatus.SHIPPED)
    record_still(stale, kind="test", occurred_at=clock.now(), actor=SHOP)
    assert order.events.latest("id").from_status == OrderStatus.SHIPPED


def test_a_corrected_milestone_moves_the_version(order):
    earlier, version = order.paid_at - dt.timedelta(hours=1), order.version
    assert set_milestones(order, {OrderStatus.PAID: earlier})
    order.refresh_from_db()
    assert (order.paid_at, order.version) == (earlier, version + 1)


def test_a_milestone_that_is_known_changes_nothing(order):
    version = order.version
    assert not set_milestones(order, {OrderStatus.PAID: order.paid_at, OrderStatus.SHIPPED: None})
    order.refresh_from_db()
    assert order.version == version


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(("hours", "promise"), [(1, "kept"), (-1, "broken"), (None, "none")])
def test_a_delivery_is_counted_by_what_became_of_our_promise(hours, promise):
    order, now = make_order(OrderStatus.SHIPPED), clock.now()
    order.promised_by = None if hours is None else now + dt.timedelta(hours=hours)
    before = {one: lifecycle.DELIVERED.labels(one)._value.get() for one in ("kept", "broken", "none")}
    step(order, OrderStatus.DELIVERED, occurred_at=now)
    after = {one: lifecycle.DELIVERED.labels(one)._value.get() for one in ("kept", "broken", "none")}
    assert after == before | {promise: before[promise] + 1}
