"""What 快递鸟 pushes is kept and acknowledged at once; nothing else comes in."""

import base64
import hashlib
import json
from urllib.parse import urlencode

import pytest
from django.conf import settings
from django.test import Client

from frozenshop.kernel.models import OutboxMessage
from logistics.models import ProviderMessage

pytestmark = pytest.mark.django_db
URL = "/callbacks/kdniao"


def push(data, key=None):
    text = json.dumps(data, ensure_ascii=False)
    digest = hashlib.md5((text + (key or settings.KDNIAO_API_KEY)).encode()).hexdigest()
    signature = base64.b64encode(digest.encode()).decode()
    form = urlencode({"RequestData": text, "RequestType": "102", "DataSign": signature})
    return Client().post(URL, form, content_type="application/x-www-form-urlencoded")


@pytest.fixture
def news():
    item = {"ShipperCode": "SF", "LogisticCode": "SF1234567890", "Success": True, "State": "2", "Traces": []}
    business_id = settings.KDNIAO_BUSINESS_ID
    return {"EBusinessID": business_id, "PushTime": "2026-11-23 00:00:00", "Count": "1", "Data": [item]}


def test_a_push_is_acknowledged_in_its_senders_words(news):
    answer = push(news)
    assert answer.status_code == 200
    assert answer.json() | {"UpdateTime": ""} == {
        "EBusinessID": settings.KDNIAO_BUSINESS_ID, "UpdateTime": "", "Success": True, "Reason": "",
    }  # fmt: skip


def test_a_push_is_kept_once_with_one_job_and_no_broker(news, monkeypatch):
    monkeypatch.setattr("celery.Celery.send_task", lambda *a, **k: pytest.fail("the web process published"))
    push(news)
    push(news)
    assert ProviderMessage.objects.count() == OutboxMessage.objects.count() == 1


def test_a_forged_push_is_refused_and_not_kept(news):
    answer = push(news, key="another")
    assert (answer.status_code, answer.json()["Success"]) == (401, False)
    assert not ProviderMessage.objects.exists()


@pytest.mark.parametrize("body", [b"", b"{", b"\xff\xfe", b"RequestData=%zz", b"[" * 5000, b"\0" * 100])
def test_an_unreadable_push_is_refused(client, body):
    answer = client.generic("POST", URL, body, content_type="application/x-www-form-urlencoded")
    assert answer.status_code in (400, 401)
    assert answer.json()["Success"] is False


def test_a_push_over_a_megabyte_is_refused(client):
    assert client.generic("POST", URL, b"x" * (1024 * 1024 + 1)).status_code == 413


def test_only_posts_come_in(client):
    assert client.get(URL).status_code == 405
