"""What the document tells the shop's developers can be run, and agrees with the code."""

import base64
import re
from pathlib import Path
from typing import Any

import pytest
import time_machine

from frozenshop.kernel import clock
from notifications.models import WebhookMessage
from notifications.webhooks import endpoints, outcomes, publishing, retrying, signing

TEXT = (Path(__file__).resolve().parent.parent / "docs/webhooks.md").read_text()
HEADERS = dict(re.findall(r"^    (webhook-[a-z]+): (.*)$", TEXT, re.M))
BODY = re.search(r"^    (\{.*\})$", TEXT, re.M)[1].encode()
SECRET = re.search(r"`(whsec_[^`…]+)`", TEXT)[1]
OTHER = "whsec_" + base64.b64encode(b"x" * 32).decode()


@pytest.fixture
def verify():
    found: dict[str, Any] = {}
    exec(re.search(r"```python\n(.*?)```", TEXT, re.S)[1], found)
    with time_machine.travel(int(HEADERS["webhook-timestamp"]) + 60, tick=False):
        yield found["verify"]


def test_the_example_verifies(verify):
    assert verify(SECRET, HEADERS, BODY)


def test_what_we_send_is_what_the_document_shows():
    stamp = int(HEADERS["webhook-timestamp"])
    assert signing.headers(HEADERS["webhook-id"], stamp, BODY, [SECRET]) == HEADERS


@pytest.mark.parametrize(
    "changed",
    [
        {"webhook-id": "msg_x"},
        {"webhook-timestamp": "1795401485"},
        {"webhook-timestamp": "x"},
        {"webhook-signature": ""},
    ],
)
def test_the_example_refuses_what_was_changed(verify, changed):
    assert not verify(SECRET, HEADERS | changed, BODY)
    assert not verify(SECRET, HEADERS, BODY + b" ")
    assert not verify(OTHER, HEADERS, BODY)


def test_the_example_refuses_what_is_old(verify):
    with time_machine.travel(int(HEADERS["webhook-timestamp"]) + 301, tick=False):
        assert not verify(SECRET, HEADERS, BODY)


def test_during_a_rotation_either_secret_verifies(verify):
    stamp = int(HEADERS["webhook-timestamp"])
    both = dict(signing.headers("msg_1", stamp, BODY, [OTHER, SECRET]))
    assert verify(SECRET, both, BODY)
    assert verify(OTHER, both, BODY)


@pytest.mark.django_db
def test_a_real_message_verifies(verify):
    endpoint, secret = endpoints.add("https://shop.example.com/hooks")
    publishing.publish_test(endpoint)
    row = WebhookMessage.objects.get()
    body = publishing.serialise(row.body)
    sent = signing.headers(row.message_id, int(clock.now().timestamp()), body, endpoints.live_secrets(endpoint))
    assert verify(secret, dict(sent), body)


def test_the_document_names_every_event():
    for event in (*publishing.EVENTS, publishing.TEST):
        assert f"`{event}`" in TEXT


def test_the_document_tells_the_figures_of_the_code():
    assert f"{retrying.ATTEMPTS} attempts" in TEXT
    assert f"{outcomes.OFF_AFTER.days} days without" in TEXT
    assert f"After {outcomes.THRESHOLD} failures" in TEXT
    assert f"{endpoints.OVERLAP.total_seconds() / 3600:.0f} hours each message carries two" in TEXT
