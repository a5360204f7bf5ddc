"""Our sender and the sandbox, which knows the specifications alone, understand each other over the wire."""

import dataclasses
import random
import threading
from collections.abc import Iterator

import pytest

from notifications import webhooks
from notifications.channels import wecom_bot
from notifications.channels.base import ChannelError, Letter, Taken
from notifications.models import WebhookEndpoint, WebhookMessage
from notifications.webhooks import endpoints, sending
from sandbox import sink
from sandbox.server import Sandbox
from sandbox.tests.conftest import CONFIG

pytestmark = pytest.mark.django_db


@pytest.fixture
def sandbox(settings) -> Iterator[Sandbox]:
    settings.ALLOW_LOOPBACK_INTEGRATIONS = True
    found = Sandbox(dataclasses.replace(CONFIG, wecom_bot_key="k"), rng=random.Random(7))
    server = found.bind()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    found.url = f"http://127.0.0.1:{server.server_port}"
    settings.WECOM_BOT_URL = f"{found.url}{sink.ROBOT}?key=k"
    yield found
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def endpoint(sandbox) -> WebhookEndpoint:
    endpoint, secret = endpoints.add(f"{sandbox.url}/webhooks/demo")
    know(sandbox, secret)
    return endpoint


def know(sandbox: Sandbox, secret: str) -> None:
    sandbox.world.config = dataclasses.replace(sandbox.world.config, webhook_secret=secret)


def send(sandbox: Sandbox, key: str = "1") -> tuple[str, str]:
    """Return the sandbox's verdict on the newest event, and what became of our message."""
    webhooks.publish("order.status_changed", key, {"order_no": "A1", "to": "shipped"})
    sending.send_due()
    return sink.received(sandbox.world)["events"][-1]["verified"], WebhookMessage.objects.latest("pk").state


def test_what_we_sign_verifies(sandbox, endpoint):
    assert send(sandbox) == ("ok", "done")
    (event,) = sink.received(sandbox.world)["events"]
    assert (event["body"]["type"], event["body"]["data"]["order_no"]) == ("order.status_changed", "A1")


def test_either_secret_verifies_while_they_are_rotated(sandbox, endpoint):
    newest = endpoints.rotate(endpoint)
    assert send(sandbox, "former") == ("ok", "done")
    know(sandbox, newest)
    assert send(sandbox, "newest") == ("ok", "done")


def test_a_wrong_secret_is_seen(sandbox, endpoint):
    endpoints.rotate(endpoint)
    endpoints.end_former(endpoint)
    assert send(sandbox) == ("signature", "waiting")
    assert "401" in WebhookMessage.objects.get().last_error


def test_the_endpoint_may_say_that_it_is_gone(sandbox, endpoint):
    sandbox.world.own(sink.Manners).status = 410
    assert send(sandbox) == ("ok", "dead")
    endpoint.refresh_from_db()
    assert not endpoint.enabled


def test_the_robots_group_reads_what_staff_are_told(sandbox):
    assert wecom_bot.send(Letter("", "n1", title="【紧急】停滞", text="订单 A1")) == Taken()
    assert sink.received(sandbox.world)["group"][0]["content"] == "**【紧急】停滞**\n订单 A1"


def test_a_robot_that_was_removed_is_told_apart(sandbox, settings):
    settings.WECOM_BOT_URL = f"{sandbox.url}{sink.ROBOT}?key=other"
    with pytest.raises(ChannelError) as error:
        wecom_bot.send(Letter("", "n1", title="x", text="x"))
    assert "93000" in error.value.trouble
