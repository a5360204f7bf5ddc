import datetime as dt

import pytest

from frozenshop.kernel import clock, crypto
from frozenshop.kernel.errors import Invalid, NotPossible
from notifications import webhooks
from notifications.models import WebhookEndpoint, WebhookMessage
from notifications.webhooks import endpoints, health
from orders.models import Alert

pytestmark = pytest.mark.django_db
URL = "https://shop.example.com/hooks"


def add(**options):
    return endpoints.add(URL, **options)


def state(endpoint: WebhookEndpoint) -> WebhookEndpoint:
    return WebhookEndpoint.objects.get(pk=endpoint.pk)


def test_a_secret_is_told_once_and_kept_sealed():
    endpoint, secret = add()
    assert endpoints.live_secrets(state(endpoint)) == [secret]
    assert secret not in state(endpoint).secrets_sealed


def test_two_secrets_sign_while_they_are_rotated(frozen):
    endpoint, former = add()
    newest = endpoints.rotate(endpoint)
    assert endpoints.live_secrets(state(endpoint)) == [newest, former]
    assert endpoints.rotating_until(state(endpoint)) == clock.now() + endpoints.OVERLAP
    frozen.shift(endpoints.OVERLAP)
    assert endpoints.live_secrets(state(endpoint)) == [newest]
    assert endpoints.rotating_until(state(endpoint)) is None


def test_a_second_rotation_ends_the_oldest_secret():
    endpoint, oldest = add()
    former, newest = endpoints.rotate(endpoint), endpoints.rotate(endpoint)
    assert endpoints.live_secrets(state(endpoint)) == [newest, former]
    assert oldest not in (newest, former)


def test_a_former_secret_can_be_ended_at_once():
    endpoint, _ = add()
    newest = endpoints.rotate(endpoint)
    endpoints.end_former(endpoint)
    assert endpoints.live_secrets(state(endpoint)) == [newest]


def test_the_secret_of_one_endpoint_does_not_open_for_another():
    first, _ = add()
    second, _ = add()
    second.secrets_sealed = state(first).secrets_sealed
    with pytest.raises(crypto.SealBroken):
        endpoints.live_secrets(second)
    second.save()
    newest = endpoints.rotate(second)  # the way out
    assert endpoints.live_secrets(state(second)) == [newest]


def test_unknown_events_and_bad_addresses_are_refused():
    with pytest.raises(Invalid) as error:
        add(events=["order.paid"])
    assert "order.status_changed" in error.value.fields["events"]
    with pytest.raises(Invalid):
        endpoints.add("http://10.0.0.1/")
    assert not WebhookEndpoint.objects.exists()


def test_there_is_room_for_so_many(monkeypatch):
    monkeypatch.setattr(endpoints, "MOST", 1)
    endpoint, _ = add()
    with pytest.raises(NotPossible):
        add()
    endpoints.switch_off(endpoint, "停用", alert=False)
    add()
    with pytest.raises(NotPossible):
        endpoints.switch_on(state(endpoint))


def test_what_waits_for_an_endpoint_that_is_switched_off_is_given_up():
    endpoint, _ = add()
    webhooks.publish("alert.opened", "1", {})
    endpoints.switch_off(endpoint, "搬迁", alert=False)
    row = WebhookMessage.objects.get()
    assert (row.state, row.last_error) == ("dead", "地址已停用：搬迁")
    assert not Alert.objects.exists()


def test_switching_on_forgets_the_failures_and_ends_the_alert(frozen):
    endpoint, _ = add()
    since = clock.now() - dt.timedelta(days=5)
    WebhookEndpoint.objects.update(failures=9, failing_since=since, open_until=clock.now())
    endpoints.switch_off(endpoint, "连续出错", alert=True)
    assert Alert.objects.get().resolved_at is None
    endpoints.switch_on(state(endpoint))
    now = state(endpoint)
    assert (now.enabled, now.failures, now.failing_since, now.disabled_reason) == (True, 0, None, "")
    assert Alert.objects.get().resolved_at


def test_doctor_names_an_endpoint_that_has_failed_for_long(frozen):
    endpoint, _ = add(description="商城")
    WebhookEndpoint.objects.update(failing_since=clock.now())
    assert list(health.failing()) == []
    frozen.shift(3600)
    (finding,) = health.failing()
    assert (finding.sentence, finding.page) == (
        "Webhook 地址 商城 自 11-22 12:00 起连续失败",
        "docs/runbooks/webhook.md",
    )
    endpoints.switch_off(endpoint, "停用", alert=False)
    assert list(health.failing()) == []
