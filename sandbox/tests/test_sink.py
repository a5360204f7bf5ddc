import base64
import hashlib
import hmac
import json

import pytest

from sandbox import sink
from sandbox.services import service_of
from sandbox.serving import Answered, Asked

SECRET = "whsec_" + base64.b64encode(bytes(range(32))).decode()


@pytest.fixture
def world(sandbox):
    object.__setattr__(sandbox.world.config, "webhook_secret", SECRET)
    object.__setattr__(sandbox.world.config, "wecom_bot_key", "k")
    yield sandbox.world
    object.__setattr__(sandbox.world.config, "webhook_secret", "")
    object.__setattr__(sandbox.world.config, "wecom_bot_key", "")


def asked(path, text="", *, query=None, headers=None) -> Asked:
    body = json.loads(text) if text else None
    return Asked("POST", path, query or {}, {}, body, text, headers or {})


def event(world, *, message_id="msg_1", age=0, text='{"type":"webhook.test"}', key=bytes(range(32))) -> Asked:
    stamp = str(int(world.clock()) - age)
    digest = hmac.new(key, f"{message_id}.{stamp}.{text}".encode(), hashlib.sha256).digest()
    signature = f"v1,AAAA v1,{base64.b64encode(digest).decode()}"
    headers = {"webhook-id": message_id, "webhook-timestamp": stamp, "webhook-signature": signature}
    return asked("/webhooks/demo", text, headers=headers)


def test_a_signed_event_is_taken_and_a_repeat_is_noted(world):
    for _ in range(2):
        assert sink.answer(world, event(world)) == {"received": True}
    assert [one["repeated"] for one in sink.received(world)["events"]] == [False, True]


@pytest.mark.parametrize(("changed", "verdict"), [({"key": b"x" * 32}, "signature"), ({"age": 301}, "timestamp")])
def test_a_forged_or_old_event_is_refused(world, changed, verdict):
    answer = sink.answer(world, event(world, **changed))
    assert isinstance(answer, Answered)
    assert (answer.status, answer.value) == (401, {"error": verdict})


def test_it_answers_as_it_is_told(http, sandbox):
    assert http("PUT", "/_sim/webhook", json={"status": 503, "retry_after": 60}).status_code == 200
    answer = http("POST", "/webhooks/x", json={})
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "60")
    assert http("GET", "/_sim/webhooks").json()["events"][0]["verified"] == "unchecked"


def test_the_robot_is_not_wechats():
    assert service_of(asked("/cgi-bin/webhook/send")) == "wecom_bot"
    assert service_of(asked("/cgi-bin/token")) == "wechat"


def say(world, *, key="k", **message):
    message = message or {"msgtype": "markdown", "markdown": {"content": "x"}}
    return sink.robot(world, asked("/cgi-bin/webhook/send", json.dumps(message), query={"key": key}))["errcode"]


def test_the_robot_takes_twenty_in_a_minute(world, clock):
    assert [say(world) for _ in range(21)] == [0] * 20 + [45009]
    clock.forward(61)
    assert say(world) == 0
    assert sink.received(world)["group"][0]["content"] == "x"


@pytest.mark.parametrize(
    ("message", "errcode"),
    [
        ({"key": "other"}, 93000),
        ({"msgtype": "poem"}, 40008),
        ({"msgtype": "markdown", "markdown": {}}, 44004),
        ({"msgtype": "markdown", "markdown": {"content": "冻" * 1400}}, 40058),
    ],
)
def test_the_robot_refuses_by_code(world, message, errcode):
    assert say(world, **message) == errcode
