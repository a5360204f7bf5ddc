"""Archived orders in the buyer's list and page, and the shop's: one list, one document, nobody else's."""

import datetime as dt

import pytest

from frozenshop.api.tests.client import code_of, log_in, shop
from frozenshop.kernel import clock
from logistics.archive.models import ArchivedOrder
from logistics.archive.tests.factories import archive, archived, finished
from orders.models import Order
from orders.tests.factories import make_customer, make_order

pytestmark = pytest.mark.django_db
DAY = dt.timedelta(days=1)


def own(customer, days, status="delivered", **changes):
    """Make an order of so many days ago: finished, or as `status` says."""
    placed = {"placed_at": (clock.now() - days * DAY).isoformat(), "buyer_openid": customer.openid}
    return finished(**placed, **changes) if status == "delivered" else make_order(status, **placed, **changes)


def numbers(answer):
    return [row["order_no"] for row in answer.json()["results"]]


@pytest.fixture
def mixed(customer):
    """Eight orders, of which every other is archived, the newest first."""
    orders = [own(customer, days, status) for days, status in enumerate(["paid", "delivered"] * 4, 1)]
    archive()
    return orders


def test_here_and_archived_are_one_list_newest_first(buyer, mixed):
    assert numbers(buyer.get("/api/orders")) == [order.order_no for order in mixed]
    assert ArchivedOrder.objects.count() == Order.objects.count() == 4


@pytest.mark.parametrize("limit", [1, 3, 4, 8])
def test_pages_of_both_follow_each_other_without_gap_or_repeat(buyer, mixed, limit):
    seen, cursor = [], ""
    while cursor is not None:
        answer = buyer.get(f"/api/orders?limit={limit}&cursor={cursor}")
        seen, cursor = seen + numbers(answer), answer.json()["next"]
    assert seen == [order.order_no for order in mixed]


def test_orders_of_one_instant_keep_their_order_across_both(buyer, customer):
    at = clock.now() - 3 * DAY
    orders = [own(customer, 3, status) for status in ("paid", "delivered", "paid", "delivered")]
    for model in (Order, ArchivedOrder):
        model.objects.update(placed_at=at)
    customer.accesses.update(placed_at=at)
    archive()
    seen, cursor = [], ""
    while cursor is not None:
        answer = buyer.get(f"/api/orders?limit=1&cursor={cursor}")
        seen, cursor = seen + numbers(answer), answer.json()["next"]
    assert seen == [order.order_no for order in reversed(orders)]


def test_filters_reach_into_the_archive(buyer, customer, mixed):
    away = mixed[1]
    number = ArchivedOrder.objects.get(pk=away.pk).waybills.get().waybill_no
    day = f"{clock.shanghai(away.placed_at):%Y-%m-%d}"
    assert numbers(buyer.get("/api/orders?status=delivered")) == [order.order_no for order in mixed[1::2]]
    assert numbers(buyer.get("/api/orders?status=paid")) == [order.order_no for order in mixed[::2]]
    assert numbers(buyer.get(f"/api/orders?q={number}")) == [away.order_no]
    assert numbers(buyer.get(f"/api/orders?q={away.order_no}")) == [away.order_no]
    assert away.order_no in numbers(buyer.get(f"/api/orders?from={day}&to={day}"))


def test_counts_and_statuses_know_the_archive(buyer, mixed):
    counted = buyer.get("/api/orders/counts").json()
    assert (counted["paid"], counted["delivered"]) == (4, 4)
    asked = buyer.post("/api/orders/statuses", {"order_nos": [mixed[1].order_no, "NOPE-1"]}).json()
    assert [row["status"] for row in asked["results"]] == ["delivered"]
    assert asked["missing"] == ["NOPE-1"]


def test_a_list_of_both_takes_few_queries(buyer, mixed, django_assert_max_num_queries):
    buyer.get("/api/orders")
    with django_assert_max_num_queries(8):
        buyer.get("/api/orders")


def test_the_summary_is_what_it_was(buyer, customer):
    order = own(customer, 2)
    before = buyer.get("/api/orders").json()["results"]
    archive()
    assert buyer.get("/api/orders").json()["results"] == before
    assert not Order.objects.filter(pk=order.pk).exists()


@pytest.mark.django_db(transaction=True)
def test_the_document_is_what_it_was_but_for_the_mark(buyer, customer):
    order = own(customer, 2)
    before = buyer.get(f"/api/orders/{order.order_no}").json()
    archive()
    after = buyer.get(f"/api/orders/{order.order_no}").json()
    assert after == before | {"archived": True}


def test_nobody_else_sees_it(customer):
    order = own(customer, 2)
    archive()
    stranger = log_in(make_customer())
    assert code_of(stranger.get(f"/api/orders/{order.order_no}")) == (404, "order_not_found")
    assert code_of(stranger.post(f"/api/orders/{order.order_no}/confirm")) == (404, "order_not_found")
    assert code_of(stranger.post(f"/api/orders/{order.order_no}/refresh")) == (404, "order_not_found")
    assert numbers(stranger.get(f"/api/orders?q={order.order_no}")) == []
    assert stranger.post("/api/orders/statuses", {"order_nos": [order.order_no]}).json()["results"] == []


def test_who_sees_it_by_phone_sees_no_prices():
    holder = make_customer(phone="13812341234")
    order = finished(buyer_openid="giver", phone="13812341234")
    archive()
    buyer = log_in(holder)
    assert buyer.get(f"/api/orders/{order.order_no}").json()["total_fen"] is None
    assert buyer.get("/api/orders").json()["results"][0]["total_fen"] is None


def test_a_phone_that_moves_takes_its_archived_orders_along():
    former = make_customer(phone="13812341234")
    order = archived(phone="13812341234")
    assert numbers(log_in(former).get("/api/orders")) == [order.order_no]
    make_customer(phone="13812341234")
    former.refresh_from_db()
    assert numbers(log_in(former).get("/api/orders")) == []


def test_confirming_and_refreshing_leave_it_where_it_is(buyer, customer):
    order = own(customer, 2)
    archive()
    assert buyer.post(f"/api/orders/{order.order_no}/confirm").json()["archived"] is True
    assert buyer.post(f"/api/orders/{order.order_no}/refresh").json()["refreshed"] is False
    assert buyer.get(f"/api/orders/{order.order_no}/wechat").json() == {"confirm": None, "waybills": []}
    assert not Order.objects.exists()


def test_a_cancelled_one_cannot_be_confirmed(buyer, customer):
    order = own(customer, 2, "cancelled")
    archive()
    assert code_of(buyer.post(f"/api/orders/{order.order_no}/confirm")) == (409, "not_possible")


def test_a_damaged_one_cannot_be_shown_now_and_stays_in_the_list(buyer, customer):
    order = own(customer, 2)
    archive()
    ArchivedOrder.objects.update(body=b"\x01damaged")
    assert code_of(buyer.get(f"/api/orders/{order.order_no}")) == (503, "unavailable")
    assert numbers(buyer.get("/api/orders")) == [order.order_no]


# --- the shop -------------------------------------------------------------------------------------


def test_the_shop_reads_it_where_it_is_masked_or_not():
    order = archived()
    url = f"/merchant/orders/{order.order_no}"
    assert shop("orders:read").get(url).json()["consignee"]["name"] == "张*"
    assert shop("orders:read", "orders:read_unmasked").get(url).json()["consignee"]["name"] == "张三"
    assert not Order.objects.exists()


def test_a_fact_of_the_shop_brings_it_back():
    order = archived()
    fact = {"type": "refunded", "occurred_at": clock.now().isoformat(), "reference": "r-1"}
    answer = shop("events:write").post(f"/merchant/orders/{order.order_no}/events", fact)
    assert answer.json() == {"applied": True}
    assert Order.objects.get().status == "refunded"


def test_a_fact_about_a_damaged_one_is_refused_and_named():
    order = archived()
    ArchivedOrder.objects.update(body=b"\x01damaged")
    fact = {"type": "refunded", "occurred_at": clock.now().isoformat(), "reference": "r-1"}
    answer = shop("events:write").post(f"/merchant/orders/{order.order_no}/events", fact)
    assert code_of(answer) == (409, "not_possible")
    assert order.order_no in str(answer.json())
    assert (ArchivedOrder.objects.count(), Order.objects.count()) == (1, 0)
