"""The page of what each phone received: from every channel, escaped, newest first, and never a whole number."""

import pytest
from werkzeug.test import Client

from sandbox import phones
from sandbox.sink import Sink
from sandbox.sms import PhoneBook, Sms
from sandbox.wechat_messages import Received

NUMBER = "13800001111"


def wechat(
    world, at: float = 1.0, openid: str = "oBuyer", title: str = "订单签收通知", channel: str = "subscribe"
) -> None:
    world.wechat.messages.received.append(Received(at, channel, openid, title, {"商品": "虾仁×2"}, "pages/x", 1))


def sms(world, at: float = 1.0, text: str = "【冻品】已签收", fails_with: str = "") -> None:
    one = Sms("aliyun_sms", NUMBER, text, "SMS_1", "n1", "biz", at, at + 3, fails_with)
    world.own(PhoneBook).take(one)


@pytest.fixture
def world(sandbox):
    return sandbox.world


@pytest.fixture
def page(sandbox):
    return lambda: Client(sandbox.application).get("/_sim/phones", base_url="http://127.0.0.1").get_data(as_text=True)


def test_nothing_received_yet_says_so(page):
    assert "还没有手机收到消息" in page()


def test_each_phone_has_its_messages_the_newest_phone_first(world):
    wechat(world, 1.0)
    wechat(world, 5.0, title="派送")
    sms(world, 3.0)
    wechat(world, 4.0, "oOther", channel="official")
    found = phones.by_phone(world)
    assert [(name, len(messages)) for name, messages in found] == [
        ("微信 oBuyer", 2), ("微信 oOther", 1), ("手机 138****1111", 1),
    ]  # fmt: skip
    assert [message.title for message in found[0][1]] == ["派送", "订单签收通知"]


def test_a_phone_shows_a_day_of_the_demo(world, page):
    for second in range(150):
        wechat(world, float(second), title=f"第 {second} 条")
    shown = page()
    assert "第 0 条" in shown
    assert "更早的还有" not in shown


def test_what_a_phone_shows_is_escaped_and_its_number_is_masked(world, page):
    wechat(world, title="<script>")
    sms(world, text="<b>&")
    shown = page()
    assert "&lt;script&gt;" in shown
    assert "&lt;b&gt;&amp;" in shown
    assert NUMBER not in shown


def test_an_sms_that_never_arrived_says_why(world, page):
    sms(world, fails_with="MOBILE_SEND_LIMIT")
    assert "没有送达：MOBILE_SEND_LIMIT" in page()


def test_consents_the_group_and_webhooks_stand_below(world, page):
    world.wechat.messages.consents["oBuyer", "T"] = 2
    world.own(Sink).group.append({"at": "now", "content": "【紧急】滞留"})
    world.own(Sink).events.append({"at": "now", "id": "msg_1", "verified": "ok", "repeated": True, "body": {"a": 1}})
    shown = page()
    for part in ("oBuyer", "【紧急】滞留", "msg_1", "重复", "{&quot;a&quot;: 1}"):
        assert part in shown
