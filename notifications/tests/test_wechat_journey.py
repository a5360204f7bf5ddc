"""A parcel's news by WeChat, from the scan to the phone and back, against the sandbox; SMS is a fake."""

import pytest

from frozenshop.kernel.outbox import consuming
from notifications.channels import base
from notifications.models import Delivery, MessageTemplate, OfficialFollower, Unionid
from notifications.tests.fake_channel import FakeChannel, make_templates
from notifications.tests.wechat_sim import Sim, sim
from notifications.tests.world import bought, fate, later, parcel, tell, work
from notifications.wechat import consents, templates, tokens
from sandbox.controls import add_fault
from sandbox.wechat_templates import id_of

__all__ = ["sim"]
WAY = id_of("订单配送通知")
pytestmark = pytest.mark.django_db


@pytest.fixture
def sms(sim: Sim, frozen, monkeypatch):
    """WeChat's two channels are the real ones, with templates as they were taken over from it."""
    fake, real = FakeChannel("sms_aliyun"), base.get_channel
    channels = {name: base.CHANNELS[name] for name in ("wechat_subscribe", "wechat_official")} | {"sms_aliyun": "fake"}
    monkeypatch.setattr(base, "CHANNELS", channels)
    monkeypatch.setattr(base, "get_channel", lambda name: fake if name == "sms_aliyun" else real(name))
    make_templates("sms_aliyun")
    templates.adopt()
    return fake


@pytest.fixture
def shipment(sms):
    return parcel(bought("oBuyer"))


def allow(sim, template_id=WAY, *, ours=True, wechats=True):
    if ours:
        consents.grant("oBuyer", {template_id: "accept"}, f"g-{template_id}")
    if wechats:
        sim.messages.popup("oBuyer", {template_id: "accept"}, pushed=False)


def deliveries():
    return list(Delivery.objects.filter(notice__milestone="out_for_delivery").values_list("channel", "state", "code"))


def test_an_allowed_message_reaches_the_phone_and_its_end_closes_the_delivery(sim: Sim, sms, shipment):
    allow(sim)
    tell(shipment, "out_for_delivery")
    [received] = sim.messages.received
    assert (received.openid, received.title, received.fields["配送状态"]) == ("oBuyer", "订单配送通知", "派送中")
    assert deliveries() == [("wechat_subscribe", "sent", "")]
    sim.push()
    work()
    assert (deliveries(), sms.letters) == ([("wechat_subscribe", "delivered", "")], [])


@pytest.mark.parametrize(("ours", "code"), [(True, "43101"), (False, "no_consent")])
def test_without_a_consent_the_sms_goes_at_once_and_once(sim: Sim, sms, shipment, ours, code):
    allow(sim, ours=ours, wechats=False)
    tell(shipment, "out_for_delivery")
    assert deliveries() == [("wechat_subscribe", "failed", code), ("sms_aliyun", "sent", "")]
    assert (len(sms.letters), fate("out_for_delivery")) == (1, ("told", ""))


def test_a_follower_is_told_by_the_official_account_before_any_sms(sim: Sim, sms, shipment):
    order = shipment.orders.get()
    Unionid.objects.create(customer=order.customer, unionid="oUnion")
    OfficialFollower.objects.create(openid="oFan", unionid="oUnion")
    sim.messages.follow("oFan", "oUnion", following=True)
    tell(shipment, "out_for_delivery")
    sim.push()
    work()
    assert deliveries() == [("wechat_subscribe", "failed", "no_consent"), ("wechat_official", "delivered", "")]
    assert not sms.letters


def test_an_answer_that_got_lost_is_settled_by_the_event_and_nothing_is_sent_twice(sim: Sim, sms, shipment, frozen):
    allow(sim)
    consents_before = consents.balances("oBuyer", [WAY])[WAY]
    tokens.access_token()
    add_fault(sim.world, {"service": "wechat", "kind": "cut", "seconds": 30})
    tell(shipment, "out_for_delivery")
    assert deliveries() == [("wechat_subscribe", "unknown", "")]
    frozen.shift(31)
    sim.push()
    work()
    assert deliveries() == [("wechat_subscribe", "delivered", "")]
    later(frozen, minutes=30)
    assert (len(sim.messages.received), sms.letters, fate("out_for_delivery")) == (1, [], ("told", ""))
    assert (consents_before, consents.balances("oBuyer", [WAY])[WAY]) == (1, 0)


def test_a_busy_wechat_delays_the_message_but_sends_it_once(sim: Sim, sms, shipment, frozen):
    allow(sim)
    sim.force(-1, times=2)
    tell(shipment, "out_for_delivery")
    for _ in range(4):
        later(frozen, minutes=1)
    assert (len(sim.messages.received), sms.letters, fate("out_for_delivery")) == (1, [], ("told", ""))


def test_a_template_that_is_gone_never_loops_and_the_sms_goes(sim: Sim, sms, shipment, frozen):
    allow(sim)
    sim.messages.templates.pop(WAY)
    tell(shipment, "out_for_delivery")
    assert [channel for channel, _, _ in deliveries()] == ["wechat_subscribe", "sms_aliyun"]
    assert "40037" in MessageTemplate.objects.get(channel="wechat_subscribe", milestone="out_for_delivery").trouble
    for _ in range(3):
        later(frozen, minutes=2)
    assert len(sim.asked_for("/cgi-bin/message/subscribe/send")) == 1


def test_an_address_off_the_list_sends_what_can_not_wait_by_sms(sim: Sim, sms, shipment):
    allow(sim)
    sim.wechat.ip_allowed = False
    sim.wechat.revoke_tokens()
    tell(shipment, "out_for_delivery")
    assert ("sms_aliyun", "sent", "") in deliveries()


def test_the_consent_of_a_tap_comes_by_the_push_alone(sim: Sim, sms, shipment):
    sim.messages.popup("oBuyer", {WAY: "accept"})
    sim.push()
    work()
    tell(shipment, "out_for_delivery")
    assert len(sim.messages.received) == 1


def test_the_consumers_are_registered():
    assert {"notifications.wechat_event", "notifications.check_templates"} <= set(consuming._consumers)
