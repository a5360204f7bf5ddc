"""What channels are given, what they say to it, and what waits for them."""

import datetime as dt

import pytest
from prometheus_client import REGISTRY

from frozenshop.kernel import clock, metrics
from notifications.channels.base import ChannelError
from notifications.models import Notice, WebhookEndpoint, WebhookMessage
from notifications.tests.world import bought, parcel, tell

MINUTE = dt.timedelta(minutes=1)


def letters(outcome: str) -> float:
    labels = {"channel": "wechat_subscribe", "outcome": outcome}
    return REGISTRY.get_sample_value("frozenshop_channel_letters_total", labels) or 0


def seconds() -> float:
    return REGISTRY.get_sample_value("frozenshop_channel_seconds_count", {"channel": "wechat_subscribe"}) or 0


@pytest.mark.parametrize(("answer", "outcome"), [
    (None, "taken"),
    (ChannelError("没有授权", code="43101", permanent=True), "refused"),
    (ChannelError("没有答复", code="timeout", unknown=True), "unknown"),
])  # fmt: skip
def test_a_letter_is_counted_by_what_its_channel_said(post, answer, outcome):
    post["wechat_subscribe"].always = answer
    before, calls = letters(outcome), seconds()
    tell(parcel(bought()), "out_for_delivery")
    assert letters(outcome) == before + 1
    assert seconds() == calls + 1
    assert REGISTRY.get_sample_value("frozenshop_channel_letters_in_flight", {"channel": "wechat_subscribe"}) == 0


def waiting(channel: str, minutes: float) -> Notice:
    return Notice.objects.create(
        audience="staff",
        recipient=f"{channel}:{minutes}",
        subject="s",
        milestone="digest",
        channel=channel,
        occurred_at=clock.now(),
        due_at=clock.now() - minutes * MINUTE,
    )


@pytest.mark.django_db
@pytest.mark.usefixtures("frozen")
def test_what_is_due_and_not_sent_is_told_by_channel():
    waiting("email", 3), waiting("email", 1), waiting("email", -1), waiting("wecom_bot", -1)
    told = metrics.render().decode()
    assert 'frozenshop_notices_due{channel="email"} 2.0' in told
    assert 'frozenshop_notices_due_lag_seconds{channel="email"} 180.0' in told
    assert 'frozenshop_notices_due{channel="wecom_bot"} 0.0' in told


@pytest.mark.django_db
@pytest.mark.usefixtures("frozen")
def test_webhooks_of_an_endpoint_that_is_switched_off_are_not_waited_for():
    for name, enabled in (("on", True), ("off", False)):
        endpoint = WebhookEndpoint.objects.create(url=f"https://{name}.example", enabled=enabled)
        due_at = clock.now() - MINUTE
        WebhookMessage.objects.create(endpoint=endpoint, message_id=name, event="alert.opened", body={}, due_at=due_at)
    told = metrics.render().decode()
    assert 'frozenshop_notices_due{channel="webhook"} 1.0' in told
    assert 'frozenshop_notices_due_lag_seconds{channel="webhook"} 60.0' in told
