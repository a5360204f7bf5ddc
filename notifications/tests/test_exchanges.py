"""What channels said is told to the log: under the order's number, without what was sent and to whom."""

import pytest

from frozenshop.kernel import logstore
from frozenshop.kernel.logstore import Kind
from frozenshop.kernel.tests import logs
from notifications import exchanges, reports
from notifications.channels.base import ChannelError, Fate, Report
from notifications.models import Channel, Delivery, WebhookEndpoint, WebhookMessage
from notifications.tests.world import bought, parcel, tell
from notifications.webhooks import outcomes as webhook_outcomes
from notifications.webhooks.posting import Answer

WECHAT, SMS = "wechat_subscribe", "sms_aliyun"


@pytest.fixture
def log(monkeypatch, settings, tmp_path, django_capture_on_commit_callbacks):
    """Do something and return what the log holds of exchanges since, oldest first."""
    writer = logs.use(monkeypatch, settings, var_dir=tmp_path)

    def after(act):
        with django_capture_on_commit_callbacks(execute=True):
            act()
        writer.flush()
        return sorted(logstore.find(logstore.Query(kinds=(Kind.EXCHANGE,))), key=lambda entry: entry.service)

    yield after
    logs.close()


def test_each_answer_is_logged_with_its_order_and_its_code(post, log):
    order = bought()
    post[WECHAT].always = ChannelError("没有授权", code="43101", permanent=True)
    sms, wechat = log(lambda: tell(parcel(order), "out_for_delivery"))
    assert (wechat.service, wechat.outcome, wechat.failed) == (WECHAT, "43101", True)
    assert (sms.service, sms.outcome, sms.failed) == (SMS, "ok", False)
    assert {sms.subject, wechat.subject} == {order.order_no}
    assert sms.what == "send out_for_delivery"
    assert sms.reference == Delivery.objects.get(channel=SMS).reference
    assert "没有授权" in wechat.detail


def test_neither_the_address_nor_the_words_are_logged(post, log):
    order = bought(name="欧阳金丝雀", phone="19876503917")
    post[WECHAT].always = ChannelError("欧阳金丝雀 19876503917 没有授权", code="43101", permanent=True)
    written = repr(log(lambda: tell(parcel(order), "out_for_delivery")))
    (letter,) = post[SMS].letters
    assert letter.address == "19876503917"
    for secret in ("欧阳金丝雀", "19876503917", *filter(lambda text: len(text) > 3, letter.fields.values())):
        assert secret == order.order_no or secret not in written


def test_a_report_that_comes_later_is_logged_too(post, log):
    tell(parcel(bought()), "out_for_delivery")
    delivery = Delivery.objects.get()
    report = Report(Fate.FAILED, "MOBILE_OFF", "关机", reference=delivery.reference)
    entry = log(lambda: reports.settle(report, delivery.channel))[-1]
    assert (entry.what, entry.outcome, entry.failed) == ("report out_for_delivery", "MOBILE_OFF", True)
    assert (entry.reference, entry.detail) == (delivery.reference, "关机")


@pytest.mark.django_db
def test_each_attempt_at_a_webhook_is_logged(log):
    endpoint = WebhookEndpoint.objects.create(url="https://shop.invalid/secret-path")
    message = WebhookMessage.objects.create(
        endpoint=endpoint, message_id="msg_1", event="order.status_changed", body={"data": {"order_no": "D1"}}
    )
    (entry,) = log(lambda: webhook_outcomes.settle(message, Answer(500, "HTTP 500")))
    assert (entry.service, entry.outcome, entry.failed) == (Channel.WEBHOOK, "500", True)
    assert (entry.subject, entry.who, entry.reference) == ("D1", f"endpoint:{endpoint.pk}", "msg_1")
    assert "secret-path" not in repr(entry)


def test_a_log_that_fails_undoes_no_answer(post, log, monkeypatch):
    monkeypatch.setattr(exchanges, "_orders", lambda notices: 1 / 0)
    log(lambda: tell(parcel(bought()), "out_for_delivery"))
    assert Delivery.objects.get().state == "sent"
