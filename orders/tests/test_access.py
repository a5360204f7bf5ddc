import datetime as dt

import pytest
import time_machine
from django.test import override_settings

from frozenshop.kernel import clock
from frozenshop.kernel.errors import Invalid
from frozenshop.kernel.models import OutboxMessage
from orders import access, tasks
from orders.intake import parse_order
from orders.models import OrderAccess
from orders.services import take_order
from orders.tests.factories import SHOP, make_customer, make_order, order_payload

pytestmark = pytest.mark.django_db
PHONE = "13812341234"
DAY = dt.timedelta(days=1)


def ago(days: float) -> str:
    return (clock.now() - days * DAY).isoformat()


def seen(customer) -> list[str]:
    customer.refresh_from_db()
    return sorted(access.accesses(customer).values_list("order__order_no", flat=True))


def row(customer, order) -> OrderAccess:
    return access.accesses(customer).select_related("order").get(order=order)


def test_a_buyer_sees_what_their_openid_placed_however_long_ago():
    order = make_order(buyer_openid="me", placed_at=ago(1000), phone="13900000000")
    assert seen(order.customer) == [order.order_no]


def test_a_buyer_does_not_see_what_others_placed():
    make_order(buyer_openid="you")
    assert seen(make_customer("me")) == []


@pytest.mark.parametrize(("days", "visible"), [(0, True), (89.9, True), (90.1, False)])
def test_a_verified_phone_shows_orders_of_the_ninety_days_before(days, visible):
    order = make_order(placed_at=ago(days), phone=PHONE)
    assert (seen(make_customer(phone=PHONE)) == [order.order_no]) == visible


def test_a_verified_phone_shows_orders_placed_later():
    customer = make_customer(phone=PHONE)
    order = make_order(phone=PHONE)
    assert seen(customer) == [order.order_no]


def test_a_verified_phone_does_not_show_old_orders_that_are_taken_in_later():
    customer = make_customer(phone=PHONE)
    make_order(phone=PHONE, placed_at=ago(91))
    assert seen(customer) == []


def test_another_phone_shows_nothing():
    make_order(phone="13900000000")
    assert seen(make_customer(phone=PHONE)) == []


def test_after_180_days_the_phone_shows_nothing_and_the_openid_all():
    customer = make_customer("me", phone=PHONE)
    make_order(phone=PHONE)
    own = make_order(buyer_openid="me", phone=PHONE)
    with time_machine.travel(clock.now() + 181 * DAY):
        assert seen(customer) == [own.order_no]


def test_verifying_again_in_time_keeps_what_was_seen():
    customer = make_customer(phone=PHONE)
    order = make_order(phone=PHONE)
    with time_machine.travel(clock.now() + 150 * DAY):
        access.bind_phone(customer, PHONE, clock.now())
        assert seen(customer) == [order.order_no]


def test_verifying_again_too_late_counts_as_new():
    customer = make_customer(phone=PHONE)
    make_order(phone=PHONE)
    with time_machine.travel(clock.now() + 200 * DAY):
        access.bind_phone(customer, PHONE, clock.now())
        assert seen(customer) == []


def test_binding_a_phone_elsewhere_moves_it_and_ends_what_the_former_holder_saw():
    former = make_customer(phone=PHONE)
    order = make_order(phone=PHONE)
    new = make_customer(phone="+86 138-1234-1234")
    assert (seen(former), seen(new)) == ([], [order.order_no])
    assert (former.phone_index, former.open_phone(), new.open_phone()) == (None, None, PHONE)


def test_the_former_holder_keeps_what_the_openid_placed():
    former = make_customer("me", phone=PHONE)
    own = make_order(buyer_openid="me", phone=PHONE)
    make_customer(phone=PHONE)
    assert seen(former) == [own.order_no]


def test_a_buyer_who_binds_another_phone_no_longer_sees_by_the_former():
    customer = make_customer(phone=PHONE)
    make_order(phone=PHONE)
    access.bind_phone(customer, "13900000000", clock.now())
    assert seen(customer) == []


def test_prices_are_hidden_when_another_openid_placed_the_order():
    gift = make_order(buyer_openid="giver", phone=PHONE)
    nobodys = make_order(phone=PHONE)
    customer = make_customer("me", phone=PHONE)
    own = make_order(buyer_openid="me", phone=PHONE)
    shown = {order.order_no: access.sees_prices(row(customer, order)) for order in (gift, nobodys, own)}
    assert list(shown.values()) == [False, True, True]


def test_an_order_that_is_the_buyers_by_both_stands_once():
    customer = make_customer("me", phone=PHONE)
    order = make_order(buyer_openid="me", phone=PHONE)
    assert row(customer, order).via == "openid"


def test_access_follows_a_corrected_phone():
    old, new = make_customer(phone=PHONE), make_customer(phone="13900000000")
    order = make_order(phone=PHONE)
    take_order(parse_order(order_payload(order_no=order.order_no, phone="13900000000")), SHOP)
    assert (seen(old), seen(new)) == ([], [order.order_no])


def test_access_follows_a_corrected_buyer_and_order_time():
    order = make_order(buyer_openid="wrong")
    payload = order_payload(order_no=order.order_no, buyer_openid="right", placed_at="2026-01-01T00:00:00Z")
    order = take_order(parse_order(payload), SHOP).order
    assert list(order.accesses.values_list("customer__openid", "placed_at")) == [("right", order.placed_at)]


def test_granting_again_changes_nothing():
    make_customer(phone=PHONE)
    order = make_order(buyer_openid="me", phone=PHONE)
    before = list(order.accesses.order_by("pk").values())
    access.grant(order)
    assert list(order.accesses.order_by("pk").values()) == before


def test_what_was_being_taken_in_while_the_phone_was_bound_is_found_by_the_second_look():
    customer = make_customer(phone=PHONE)
    order = make_order(phone=PHONE)
    order.accesses.all().delete()  # as if its transaction had not seen the binding
    message = OutboxMessage.objects.get(topic="orders.grant_by_phone")
    assert message.due_at > clock.now() + dt.timedelta(minutes=1)
    tasks.grant_by_phone(**message.payload)
    assert seen(customer) == [order.order_no]


def test_a_phone_bound_under_an_older_index_key_is_found_and_moved(settings):
    former = make_customer(phone=PHONE)
    order = make_order(phone=PHONE)
    with override_settings(BLIND_INDEX_KEYS="t2:" + "Q0ND" * 10 + "Q0M=," + settings.BLIND_INDEX_KEYS):
        new = make_customer(phone=PHONE)
        assert (seen(former), seen(new)) == ([], [order.order_no])


def test_a_phone_shows_more_orders_than_fit_in_one_batch(monkeypatch):
    monkeypatch.setattr(access, "BATCH", 2)
    orders = [make_order(phone=PHONE) for _ in range(5)]
    assert len(seen(make_customer(phone=PHONE))) == len(orders)


def test_what_is_no_phone_is_not_bound():
    with pytest.raises(Invalid):
        make_customer(phone="12345")
