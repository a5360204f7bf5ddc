import datetime as dt
import itertools

import pytest
from hypothesis import given
from hypothesis import settings as limits
from hypothesis import strategies as st

from frozenshop.kernel import clock
from frozenshop.kernel.errors import Invalid
from orders import alerting, facts
from orders.facts import STILL, Applied, Fact, FactType, record_fact
from orders.intake import parse_order
from orders.lifecycle import TRANSITIONS
from orders.models import Alert, AlertKind, OrderStatus
from orders.services import take_order
from orders.tests.factories import SHOP, line, make_order, order_payload

pytestmark = pytest.mark.django_db
CELLS = list(itertools.product(FactType, OrderStatus))


def tell(order, fact_type, reference="r1", **changes) -> Applied:
    return record_fact(
        order, Fact(FactType(fact_type), **{"occurred_at": clock.now(), **changes}, reference=reference), SHOP
    )


def kinds() -> list[str]:
    return sorted(Alert.objects.filter(resolved_at=None).values_list("kind", flat=True))


@pytest.mark.parametrize(("fact_type", "status"), CELLS)
def test_every_fact_at_every_status_is_in_exactly_one_table(fact_type, status):
    arrow = (status, OrderStatus(fact_type.value)) in TRANSITIONS
    # Arrows of the table that are a carrier's news and a voided waybill, not the shop's fact.
    others = {(FactType.RETURNED, OrderStatus.PAID), (FactType.PAID, OrderStatus.SHIPPED)}
    assert arrow != ((fact_type, status) in STILL) or (fact_type, status) in others


@pytest.mark.parametrize(("fact_type", "status"), [cell for cell in CELLS if cell not in STILL])
def test_a_fact_that_fits_moves_the_order(fact_type, status):
    order = make_order(status)
    assert tell(order, fact_type) == Applied(True)
    assert order.status == fact_type.value
    assert kinds() == []


@pytest.mark.parametrize(("fact_type", "status"), STILL)
def test_a_fact_that_does_not_fit_is_recorded_with_reason_and_alert(fact_type, status):
    order, still = make_order(status), STILL[fact_type, status]
    assert tell(order, fact_type) == Applied(False, still.reason)
    event = order.events.latest("id")
    assert (order.status, event.from_status, event.to_status) == (status, status, status)
    assert (event.kind, event.reason) == (fact_type.value, still.reason)
    assert kinds() == ([still.alert] if still.alert else [])


@pytest.mark.parametrize("fact_type", FactType)
def test_a_repeated_reference_counts_once(fact_type):
    order = make_order(OrderStatus.PAID)
    tell(order, fact_type)
    rows, version = order.events.count(), order.version
    assert tell(order, fact_type) == Applied(False, "repeated")
    assert (order.events.count(), order.version) == (rows, version)


def test_the_same_reference_may_name_a_payment_and_its_refund():
    order = make_order()
    assert tell(order, "paid", "wx-1").applied
    assert tell(order, "refunded", "wx-1").applied


def test_a_refund_below_the_total_is_recorded_and_alerted():
    order = make_order(OrderStatus.DELIVERED, total_fen=10_000)
    assert tell(order, "refunded", amount_fen=4_000) == Applied(False, "refund_partial")
    assert (order.status, kinds()) == (OrderStatus.DELIVERED, ["refund_partial"])
    assert order.events.latest("id").amount_fen == 4_000


def test_partial_refunds_that_sum_to_the_total_refund_the_order_and_settle_the_alert():
    order = make_order(OrderStatus.DELIVERED, total_fen=10_000)
    tell(order, "refunded", "a", amount_fen=4_000)
    assert tell(order, "refunded", "b", amount_fen=6_000).applied
    assert (order.status, kinds()) == (OrderStatus.REFUNDED, [])


def test_a_repeated_partial_refund_does_not_add_up():
    order = make_order(OrderStatus.DELIVERED, total_fen=10_000)
    for _ in range(3):
        tell(order, "refunded", "a", amount_fen=5_000)
    assert order.status == OrderStatus.DELIVERED


def test_a_refund_without_an_amount_is_of_the_whole():
    assert tell(make_order(OrderStatus.PAID), "refunded").applied


def test_a_refund_without_an_amount_after_one_in_part_is_of_the_rest():
    order = make_order(OrderStatus.PAID, total_fen=10_000)
    tell(order, "refunded", "a", amount_fen=4_000)
    assert tell(order, "refunded", "b").applied
    assert (facts.refunded_fen(order), kinds()) == (10_000, [])


def test_refunds_above_the_total_are_a_conflict():
    order = make_order(OrderStatus.PAID, total_fen=10_000)
    assert tell(order, "refunded", amount_fen=10_001).applied
    assert kinds() == ["money_conflict"]
    assert Alert.objects.get().detail == "累计退款 100.01 元，超过订单金额 100.00 元"


def test_without_a_total_the_lines_freight_and_discount_are_the_measure():
    lines = [line(quantity=2, unit_price_fen=3_000), line(quantity=1, unit_price_fen=1_000)]
    order = make_order(OrderStatus.PAID, total_fen=None, lines=lines, freight_fen=500, discount_fen=1_500)
    assert facts.expected_fen(order) == 6_000
    assert tell(order, "refunded", "a", amount_fen=5_999).reason == "refund_partial"
    assert tell(order, "refunded", "b", amount_fen=1).applied


def test_a_payment_that_is_not_the_total_moves_the_order_and_is_a_conflict():
    order = make_order(total_fen=10_000)
    assert tell(order, "paid", amount_fen=9_000).applied
    assert kinds() == ["money_conflict"]


def test_a_payment_of_the_total_is_no_conflict():
    tell(make_order(total_fen=10_000), "paid", amount_fen=10_000)
    assert kinds() == []


def test_a_second_payment_is_a_conflict():
    order = make_order()
    tell(order, "paid", "a")
    assert tell(order, "paid", "b") == Applied(False, "already_paid")
    assert kinds() == ["money_conflict"]


def test_the_event_of_a_payment_that_the_order_told_already_is_no_conflict():
    order = make_order(paid_at=clock.now().isoformat())
    assert tell(order, "paid", "wx-1") == Applied(False, "already_paid")
    assert kinds() == []


def test_refunding_what_was_paid_after_cancelling_settles_that_alert():
    order = make_order(OrderStatus.CANCELLED)
    tell(order, "paid", "a")
    assert kinds() == ["paid_after_cancelled"]
    tell(order, "refunded", "b")
    assert kinds() == []


def test_a_partial_refund_settles_nothing():
    order = make_order(OrderStatus.CANCELLED, total_fen=10_000)
    tell(order, "paid", "a")
    tell(order, "refunded", "b", amount_fen=1)
    assert kinds() == ["paid_after_cancelled"]


def test_payment_settles_that_goods_left_unpaid():
    order = make_order()
    alerting.open_alert(AlertKind.SHIPPED_UNPAID, subject=order.order_no, order=order)
    tell(order, "paid")
    assert kinds() == []


def test_an_order_that_was_shipped_unpaid_is_not_cancelled():
    order = make_order()
    type(order).objects.update(shipped_at=clock.now())
    assert tell(order, "cancelled") == Applied(False, "already_shipped")
    assert kinds() == ["money_conflict"]


def test_a_second_refund_of_the_whole_is_a_conflict():
    order = make_order(OrderStatus.PAID)
    tell(order, "refunded", "a")
    assert tell(order, "refunded", "b") == Applied(False, "already_refunded")
    assert kinds() == ["money_conflict"]


def test_a_fact_keeps_when_it_happened_and_who_said_it():
    occurred_at = clock.now() - dt.timedelta(minutes=5)
    order = make_order()
    tell(order, "paid", occurred_at=occurred_at)
    event = order.events.latest("id")
    assert (order.paid_at, event.occurred_at, event.actor) == (occurred_at, occurred_at, "key:test")


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"occurred_at": dt.timedelta(minutes=61)}, "occurred_at"),
        ({"occurred_at": dt.timedelta(days=-1, hours=-2)}, "occurred_at"),
        ({"reference": ""}, "reference"),
        ({"reference": "r" * 101}, "reference"),
        ({"reference": "a\x00b"}, "reference"),
        ({"amount_fen": -1}, "amount_fen"),
        ({"amount_fen": 10**12 + 1}, "amount_fen"),
    ],
)
def test_a_fact_that_cannot_be_is_refused_by_field(changes, field):
    order = make_order()
    if "occurred_at" in changes:
        changes = {"occurred_at": clock.now() + changes["occurred_at"]}
    with pytest.raises(Invalid) as refused:
        tell(order, "paid", **changes)
    assert list(refused.value.fields) == [field]
    assert order.events.count() == 1


def test_clocks_that_differ_by_less_than_an_hour_are_borne():
    assert tell(make_order(), "paid", occurred_at=clock.now() + dt.timedelta(minutes=59)).applied


def test_a_fact_is_judged_by_the_row_not_by_the_copy_in_hand():
    order = make_order()
    stale = type(order).objects.get(pk=order.pk)
    tell(order, "cancelled")
    assert tell(stale, "paid") == Applied(False, "already_cancelled")
    assert stale.status == OrderStatus.CANCELLED


TOLD = st.tuples(st.sampled_from(FactType), st.sampled_from("abc"), st.sampled_from([None, 0, 4_000, 10_000]))


@limits(max_examples=40)
@given(st.sampled_from(OrderStatus), st.lists(TOLD, max_size=6))
def test_whatever_is_told_the_history_is_one_chain_along_the_table_and_nothing_is_dropped(status, told):
    order = make_order(status, total_fen=10_000)
    for fact_type, reference, amount_fen in told:
        tell(order, fact_type, reference, amount_fen=amount_fen)
    rows = list(order.events.order_by("id").values_list("from_status", "to_status", "reference"))
    assert all(before[1] == after[0] for before, after in itertools.pairwise(rows))
    assert all(origin == to or (origin, to) in TRANSITIONS for origin, to, _ in rows)
    assert order.status == rows[-1][1]
    references = {reference for _, _, reference in rows if reference}
    assert references == {f"{fact_type.value}:{reference}" for fact_type, reference, _ in told}


def test_the_largest_order_that_is_taken_in_can_be_paid():
    lines = [line(sku=f"S{number}", quantity=100_000, unit_price_fen=10**12) for number in range(100)]
    order = make_order(lines=lines, total_fen=None)
    assert facts.expected_fen(order) == 10**19
    assert tell(order, "paid", amount_fen=100) == Applied(True)
    assert kinds() == ["money_conflict"]


@pytest.mark.parametrize(("total_fen", "told"), [(20_000, ["money_conflict"]), (10_000, [])])
def test_an_order_that_no_longer_costs_what_was_paid_is_told(total_fen, told):
    payload = order_payload()
    order = take_order(parse_order(payload), SHOP).order
    tell(order, "paid", amount_fen=10_000)
    take_order(parse_order(payload | {"total_fen": total_fen, "lines": [line(quantity=3)]}), SHOP)
    assert kinds() == told
