"""What can't be opened any more (its key is gone) holds up nobody else, and is told as far as it can be."""

import pytest

from frozenshop.kernel import clock
from logistics.tests.factories import make_shipment
from notifications import resending
from notifications.channels.base import ChannelError
from notifications.models import MessageTemplate, Notice
from notifications.tests.world import bought, fate, later, notices, parcel, tell
from orders import access
from orders.models import Customer, Order
from orders.tests.factories import make_order

WECHAT, SMS = "wechat_subscribe", "sms_aliyun"
GONE = "v1|gone|AAAA"
NO_CONSENT = ChannelError("没有授权", code="43101", permanent=True)
TIMEOUT = ChannelError("没有答复", code="timeout", unknown=True)


def lose_key(order: Order) -> None:
    Order.objects.filter(pk=order.pk).update(consignee_sealed=GONE)


@pytest.fixture
def with_name(post):
    MessageTemplate.objects.update(fields={"thing1": "{name}{order_no}"})


def test_a_message_without_a_name_is_better_than_none(post, with_name):
    shipment = parcel(order := bought())
    lose_key(order)
    tell(shipment, "out_for_delivery")
    assert fate("out_for_delivery") == ("told", "")
    assert post[WECHAT].letters[-1].fields == {"thing1": order.order_no}


def test_what_cannot_be_opened_holds_up_no_other_letter_of_its_lane(post, frozen):
    post[WECHAT].always = ChannelError("系统繁忙", code="-1")
    lost, well = parcel(bought("lost")), parcel(bought("well"))
    tell(lost, "out_for_delivery")
    tell(well, "out_for_delivery")
    lose_key(lost.orders.get())
    post[WECHAT].always = None
    later(frozen, minutes=10)
    assert {one.state for one in notices("out_for_delivery")} == {"told"}


def test_who_cannot_be_opened_gets_no_sms_and_the_reason_stands(post, frozen):
    shipment = parcel(order := bought())
    lose_key(order)
    post[WECHAT].always = NO_CONSENT
    tell(shipment, "out_for_delivery")
    assert fate("out_for_delivery") == ("not_told", "failed")
    assert not post[SMS].letters


def test_a_buyer_whose_phone_cannot_be_opened_is_told_by_wechat(post):
    order = bought(phone="13900001111")
    access.bind_phone(order.customer, "13800002222", clock.now())
    Customer.objects.filter(pk=order.customer_id).update(phone_sealed=GONE)
    tell(parcel(order), "out_for_delivery")
    assert [one.address for one in post[WECHAT].letters] == [order.customer.openid]
    assert [one.address for one in post[SMS].letters] == ["13900001111"]


def test_one_order_of_a_box_that_cannot_be_opened_does_not_silence_the_other(post):
    shipment = parcel(bought("mother"))
    lost = bought("father")
    access.bind_phone(lost.customer, "13800002222", clock.now())
    make_shipment(lost, waybill_no=shipment.waybill_no)
    lose_key(lost)
    tell(shipment, "out_for_delivery")
    assert {one.address for one in post[WECHAT].letters if one.title == "out_for_delivery"} == {"mother", "father"}


def test_an_order_without_a_buyer_that_cannot_be_opened_is_told_to_nobody_and_breaks_nothing(post):
    shipment = parcel(order := make_order("paid", phone="13900001111"))
    lose_key(order)
    tell(shipment, "awaiting_pickup")
    assert notices("locker_waiting") == []


def test_what_cannot_be_opened_holds_up_no_other_question(post, frozen):
    post[WECHAT].always, post[SMS].always = NO_CONSENT, TIMEOUT
    lost, well = parcel(bought("lost")), parcel(bought("well"))
    tell(lost, "out_for_delivery")
    tell(well, "out_for_delivery")
    lose_key(lost.orders.get())
    later(frozen, minutes=4)
    assert len(post[SMS].asked) == 1
    later(frozen, hours=7)
    assert {one.why for one in notices("out_for_delivery")} == {"unknown"}


def test_its_page_can_be_looked_at_and_it_can_be_sent_again(post):
    shipment = parcel(order := bought())
    tell(shipment, "out_for_delivery")
    lose_key(order)
    assert resending.obstacle(Notice.objects.get(milestone="out_for_delivery")) == ""


def test_a_letter_that_cannot_be_written_holds_up_no_other_and_expires(post, frozen):
    spoilt = MessageTemplate.objects.filter(milestone="delivered", channel=WECHAT)
    spoilt.update(fields={"thing1": 7})
    tell(parcel(bought("spoilt")), "delivered")
    tell(parcel(bought("well")), "out_for_delivery")
    assert fate("out_for_delivery") == ("told", "")
    assert fate("delivered")[0] == "waiting"
    later(frozen, hours=49)
    assert fate("delivered") == ("not_told", "expired")
