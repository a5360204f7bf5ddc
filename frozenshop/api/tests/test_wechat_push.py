import json
import time

import pytest
from django.db import OperationalError
from django.test import Client

from notifications.models import WechatEvent
from notifications.wechat import events, push_crypto

URL = "/callbacks/wechat"
EVENT = {"MsgType": "event", "Event": "wxa_nothing", "FromUserName": "oBuyer", "CreateTime": 1}
BODY = json.dumps(EVENT)
pytestmark = pytest.mark.django_db


@pytest.fixture
def query(settings):
    stamp = str(int(time.time()))
    return {"signature": push_crypto.sign(settings.WECHAT_PUSH_TOKEN, stamp, "n"), "timestamp": stamp, "nonce": "n"}


def address(query, **more):
    return f"{URL}?" + "&".join(f"{name}={value}" for name, value in (query | more).items())


@pytest.fixture
def push(client, query):
    return lambda body=BODY, **more: client.post(address(query, **more), body, content_type="application/json")


def test_the_address_is_echoed_as_it_is(client, query):
    answer = client.get(address(query, echostr="4375120948345356249"))
    assert (answer.status_code, answer.content) == (200, b"4375120948345356249")
    assert answer["Content-Type"].startswith("text/plain")
    assert client.get(address(query | {"nonce": "x"}, echostr="1")).status_code == 401


def test_an_event_is_kept_and_answered_with_success(push):
    answer = push()
    assert (answer.status_code, answer.content) == (200, b"success")
    assert WechatEvent.objects.get().event == "wxa_nothing"


@pytest.mark.parametrize(
    ("body", "more", "status"), [("x", {}, 400), ("{}", {"signature": "0"}, 401), ("\xff", {}, 400)]
)
def test_what_is_not_wechats_is_refused_without_a_trace(push, body, more, status):
    assert push(body.encode("latin-1"), **more).status_code == status
    assert not WechatEvent.objects.exists()


def test_what_can_not_be_kept_is_to_be_said_again(push, monkeypatch):
    def down(*args):
        raise OperationalError

    monkeypatch.setattr(events, "_use_once", down)
    assert push().status_code == 503


def test_other_verbs_and_large_bodies_are_refused(client, query, push):
    assert client.put(address(query)).status_code == 405
    assert push("x" * (1024 * 1024 + 1)).status_code == 413


def test_without_a_token_there_is_no_such_address(settings, push):
    settings.WECHAT_PUSH_TOKEN = ""
    assert push().status_code == 404


def test_no_cookie_or_csrf_token_is_asked_for(query):
    strict = Client(enforce_csrf_checks=True)
    assert strict.post(address(query), BODY, content_type="application/json").status_code == 200


@pytest.mark.parametrize("body", [b"\x00", b"[" * 500, b'{"MsgType": "event", "Event": 3}', b"<xml>&#0;</xml>"])
def test_nothing_makes_a_500(push, body):
    assert push(body).status_code in (200, 400)
