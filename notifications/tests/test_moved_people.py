"""Phones change hands, consignees are corrected, index keys are renewed: who is told then, and who is not any more."""

import dataclasses
import datetime as dt

import pytest

from frozenshop.kernel import clock, crypto
from notifications import dispatch, planning, resending
from notifications.channels.base import ChannelError
from notifications.models import Notice
from notifications.tests.world import bought, later, notices, parcel, tell
from orders import access
from orders.consignee import indexes
from orders.models import Customer, Order
from orders.tests.factories import make_customer, make_order

WECHAT, SMS = "wechat_subscribe", "sms_aliyun"
BUSY = ChannelError("系统繁忙", code="-1")
PHONE, OTHER = "13900001111", "13700002222"


def correct_phone(order: Order, phone: str) -> None:
    """Let the order go to another phone, as the shop's correction would."""
    consignee = dataclasses.replace(order.open_consignee(), phone=phone)
    order.consignee_sealed = consignee.seal(order.order_no)
    for name, value in dataclasses.asdict(indexes(consignee, order.placed_at)).items():
        setattr(order, name, value)
    order.save()


def test_who_gave_the_phone_away_is_told_no_more(post, frozen):
    post[WECHAT].always = BUSY
    former = make_customer("former", phone=PHONE)
    shipment = tell(parcel(make_order("paid", phone=PHONE)), "out_for_delivery")
    access.bind_phone(make_customer("newer"), PHONE, clock.now())
    post[WECHAT].always = None
    later(frozen, minutes=10)
    assert post.told == []
    (notice,) = notices("out_for_delivery", recipient=f"customer:{former.pk}")
    assert (notice.state, notice.why) == ("not_told", "superseded")
    planning.shipment_changed(shipment.pk)
    later(frozen)
    assert [one.address for one in post[WECHAT].letters] == ["newer"]


def test_what_was_told_to_a_former_holder_is_not_sent_to_them_again(post, frozen):
    former = make_customer("former", phone=PHONE)
    tell(parcel(make_order("paid", phone=PHONE)), "out_for_delivery")
    access.bind_phone(make_customer("newer"), PHONE, clock.now())
    (notice,) = notices("out_for_delivery", recipient=f"customer:{former.pk}")
    assert "接收人" in resending.obstacle(notice)


@pytest.mark.parametrize("days", [181, 400])
def test_a_phone_verified_long_ago_names_no_buyer(post, frozen, days):
    long_ago = make_customer("long-ago", phone=PHONE)
    Customer.objects.filter(pk=long_ago.pk).update(phone_verified_at=clock.now() - dt.timedelta(days=days))
    tell(parcel(make_order("paid", phone=PHONE)), "awaiting_pickup")
    assert [one.address for one in post[SMS].letters] == [PHONE]
    assert not post[WECHAT].letters


def test_an_order_long_before_the_phone_was_verified_is_not_the_new_holders(post, frozen):
    order = make_order("paid", phone=PHONE, placed_at=(clock.now() - dt.timedelta(days=91)).isoformat())
    make_customer("new", phone=PHONE)
    tell(parcel(order), "awaiting_pickup")
    assert not post[WECHAT].letters


def test_who_bought_is_told_whatever_becomes_of_their_phone(post, frozen):
    post[WECHAT].always = BUSY
    order = bought("buyer", phone=PHONE)
    access.bind_phone(order.customer, PHONE, clock.now())
    tell(parcel(order), "out_for_delivery")
    access.bind_phone(make_customer("newer"), PHONE, clock.now())
    post[WECHAT].always = None
    later(frozen, minutes=10)
    assert "buyer" in [one.address for one in post[WECHAT].letters]


def test_a_corrected_consignee_is_told_once_and_the_former_one_not_at_all(post, frozen):
    frozen.move_to("2026-11-22T22:30:00+08:00")
    order = bought("buyer", phone=PHONE)
    access.bind_phone(order.customer, "13800003333", clock.now())
    shipment = tell(parcel(order), "out_for_delivery")
    correct_phone(order, OTHER)
    planning.shipment_changed(shipment.pk)
    frozen.move_to("2026-11-23T08:00:00+08:00")
    later(frozen)
    assert [one.address for one in post[SMS].letters if one.title == "out_for_delivery"] == [OTHER]


def test_a_new_index_key_makes_nobody_a_stranger(post, frozen, settings):
    order = bought("buyer", phone=PHONE)
    access.bind_phone(order.customer, "13800003333", clock.now())
    shipment = tell(parcel(order), "out_for_delivery")
    settings.BLIND_INDEX_KEYS = "new:" + "A" * 43 + "=," + settings.BLIND_INDEX_KEYS
    assert len(crypto.blind_indexes(PHONE, purpose="phone")) == 2
    planning.shipment_changed(shipment.pk)
    dispatch.send_due()
    assert [one.address for one in post[SMS].letters if one.title == "out_for_delivery"] == [PHONE]
    tell(shipment, "awaiting_pickup")
    assert [one.title for one in post[SMS].letters] == ["out_for_delivery", "locker_waiting"]


def test_in_the_middle_of_a_rotation_the_holder_of_a_phone_is_still_known(post, frozen, settings):
    make_customer("holder", phone=PHONE)
    order = make_order("paid", phone=PHONE)
    shipment = parcel(order)
    settings.BLIND_INDEX_KEYS = "new:" + "A" * 43 + "=," + settings.BLIND_INDEX_KEYS
    Order.objects.filter(pk=order.pk).update(phone_index=crypto.blind_index(PHONE, purpose="phone"))
    tell(shipment, "out_for_delivery")
    assert post.counted() == {WECHAT: 1}
    assert {one.audience for one in Notice.objects.filter(milestone="out_for_delivery")} == {"buyer"}


def test_a_consignee_who_turns_out_to_be_the_buyer_is_told_once(post, frozen):
    shipment = tell(parcel(make_order("paid", phone=PHONE)), "out_for_delivery")
    assert [one.address for one in post[SMS].letters] == [PHONE]
    make_customer("logged-in-since", phone=PHONE)
    planning.shipment_changed(shipment.pk)
    later(frozen)
    assert not post[WECHAT].letters
    tell(shipment, "delivered")
    assert post.titles(WECHAT) == ["delivered"]


def test_a_consignee_who_could_not_be_told_is_told_as_the_buyer(post, frozen):
    post[SMS].always = ChannelError("空号", code="MOBILE_NOT_EXIST", permanent=True)
    shipment = tell(parcel(make_order("paid", phone=PHONE)), "out_for_delivery")
    make_customer("logged-in-since", phone=PHONE)
    dispatch.send(planning.shipment_changed(shipment.pk))
    assert post.titles(WECHAT) == ["out_for_delivery"]
