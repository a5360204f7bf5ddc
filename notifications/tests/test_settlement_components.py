"""The logistics component's tokens: off by default, and never in the way of the order page."""

import pytest

from logistics.models import Carrier
from notifications.settlement import components, frozen, guard
from notifications.tests.settling import OPENID, Shop
from notifications.tests.wechat_sim import sim
from orders.tests.factories import line, make_order
from sandbox import controls

assert sim
pytestmark = pytest.mark.django_db


@pytest.fixture
def shop(sim, frozen, settings) -> Shop:
    settings.WECHAT_TRACE_COMPONENT = True
    return Shop(sim, frozen)


def parcel(shop, *, known=True):
    shipment = shop.ship()
    if known:
        controls.put_shipment(shop.sim.world, shipment.waybill_no, {"carrier_code": "SF", "scenario": "normal"})
    return shipment.orders.get()


def test_it_is_off_unless_it_is_switched_on(shop, settings):
    settings.WECHAT_TRACE_COMPONENT = False
    assert components.for_order(parcel(shop)) == []
    assert shop.asked(components.TRACE) == []


def test_a_token_is_asked_for_once(shop):
    order = parcel(shop)
    (found,) = components.for_order(order)
    assert components.for_order(order) == [found]
    (asked,) = shop.asked(components.TRACE)
    assert (asked["openid"], asked["receiver_phone"], asked["delivery_id"]) == (OPENID, "13812341234", "SF")
    assert found["waybill_no"] == asked["waybill_id"]


def test_a_waybill_that_wechat_does_not_know_yet_is_left_out_and_not_asked_for_again(shop):
    order = parcel(shop, known=False)
    assert [components.for_order(order) for _ in range(2)] == [[], []]
    assert len(shop.asked(components.TRACE)) == 1


@pytest.mark.parametrize("errcode", [9300559, 9300513, 48001, -1])
def test_a_refusal_leaves_the_page_as_it_is(shop, errcode):
    order = parcel(shop)
    shop.sim.force(errcode, components.TRACE)
    assert components.for_order(order) == []


def test_an_order_without_a_known_buyer_has_no_token(shop):
    assert components.for_order(shop.ship(make_order("paid")).orders.get()) == []


def test_wechat_is_given_no_number_for_the_shops_own_van(shop):
    order = parcel(shop)
    Carrier.objects.update(category="own")
    assert (components.for_order(order), shop.asked(components.TRACE)) == ([], [])


def test_wechat_may_tell_the_buyer_itself(shop, settings):
    settings.WECHAT_FOLLOW_WAYBILL = True
    assert components.for_order(parcel(shop))
    assert len(shop.asked(components.FOLLOW)[0]["goods_desc"]) <= 40


def test_goods_of_the_same_name_are_added_up(shop, settings):
    settings.WECHAT_FOLLOW_WAYBILL = True
    shipment = shop.ship(shop.pay(lines=[line(), line(sku="XR-2", quantity=3)]))
    controls.put_shipment(shop.sim.world, shipment.waybill_no, {"carrier_code": "SF", "scenario": "normal"})
    components.for_order(shipment.orders.get())
    assert shop.asked(components.FOLLOW)[0]["goods_desc"] == "虾仁*5"


def test_held_money_is_counted_by_reason(shop):
    shop.pay(1)
    for number in (2, 3):
        shop.ship(number=number)
    shop.work()
    shop.later()
    shop.ship(number=4)
    shop.work()
    assert [(one.reason.label, one.orders, one.fen) for one in frozen.by_reason()] == [
        ("待上报", 1, 10_000),
        ("还没有发货", 1, 10_000),
        ("等买家确认收货", 2, 20_000),
    ]
    assert frozen.by_reason(hours=48) == []
    assert guard.WARN_AFTER < guard.WECHATS_LIMIT
