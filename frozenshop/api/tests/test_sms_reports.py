"""Delivery reports of the SMS services: who is believed, how each is answered, and what they settle."""

import json
from pathlib import Path

import pytest
from django.db import DatabaseError
from django.test import Client

from frozenshop.kernel import clock, outbox
from frozenshop.kernel.models import OutboxMessage
from notifications import tasks  # noqa: F401 - registers the consumers
from notifications.models import Delivery, Notice
from notifications.sms import reports
from notifications.tests.sms_sim import ALIYUN_SECRET, TENCENT_SECRET, settings_of

pytestmark = pytest.mark.django_db
FIXTURES = Path(reports.__file__).parents[1] / "tests" / "fixtures"
ALIYUN = json.loads((FIXTURES / "sms_aliyun.json").read_text())
TENCENT = json.loads((FIXTURES / "sms_tencent.json").read_text())
SECRETS = {"aliyun": ALIYUN_SECRET, "tencent": TENCENT_SECRET}
BODIES = {"aliyun": ALIYUN["SmsReport_push"], "tencent": TENCENT["status_callback"]}
ANSWERS = {"aliyun": ALIYUN["SmsReport_answer"], "tencent": TENCENT["status_callback_answer"]}
NUMBERS = {"aliyun": BODIES["aliyun"][0]["biz_id"], "tencent": BODIES["tencent"][0]["sid"]}
SERVICES = pytest.mark.parametrize("service", SECRETS)


@pytest.fixture(autouse=True)
def _secrets(settings):
    settings_of(settings, "http://sandbox.invalid")


def push(service, body=None, secret=None, **headers):
    content = body if isinstance(body, bytes) else json.dumps(BODIES[service] if body is None else body).encode()
    path = f"/callbacks/sms/{service}/{SECRETS[service] if secret is None else secret}"
    return Client(raise_request_exception=False).generic("POST", path, content, headers=headers)


def delivery(service, **changes):
    notice = Notice.objects.create(
        audience="buyer", recipient="customer:1", subject="order:1", milestone="shipped", state="told",
        occurred_at=clock.now(), due_at=clock.now(),
    )  # fmt: skip
    given = {"channel": f"sms_{service}", "reference": "order-20260101-0001", "state": "sent"}
    return Delivery.objects.create(notice=notice, **{"provider_id": NUMBERS[service], **given, **changes})


def state(row):
    row.refresh_from_db()
    return row.state


@SERVICES
def test_a_report_closes_the_delivery_and_is_answered_as_expected(service):
    row = delivery(service)
    answer = push(service)
    assert (answer.status_code, answer.json()) == (200, ANSWERS[service])
    assert state(row) == "delivered"


@SERVICES
def test_a_report_may_come_again_and_again(service):
    row = delivery(service)
    for _ in range(3):
        assert push(service, BODIES[service] * 2).json() == ANSWERS[service]
    assert state(row) == "delivered"
    assert not OutboxMessage.objects.filter(topic="notifications.sms_report").exists()


def test_aliyun_is_found_by_our_reference_before_its_number_is_known():
    row = delivery("aliyun", provider_id="", state="unknown")
    push("aliyun")
    assert state(row) == "delivered"
    assert row.provider_id == NUMBERS["aliyun"]


def test_a_failure_is_kept_with_the_carriers_words():
    row = delivery("aliyun")
    push("aliyun", [BODIES["aliyun"][0] | {"success": False, "err_code": "IS_CLOSED", "err_msg": "关机 13800138000"}])
    assert (state(row), row.code, row.said) == ("failed", "IS_CLOSED", "关机 138****8000")


def test_a_report_before_our_own_record_is_tried_once_more():
    push("tencent")
    message = OutboxMessage.objects.get(topic="notifications.sms_report")
    assert "13800138000" not in json.dumps(message.payload)
    row = delivery("tencent")
    outbox.deliver(message.pk)
    assert state(row) == "delivered"


@SERVICES
def test_a_report_of_what_we_never_sent_is_accepted_and_changes_nothing(service):
    row = delivery(service, reference="n1-x", provider_id="another")
    assert push(service).status_code == 200
    outbox.deliver(OutboxMessage.objects.get(topic="notifications.sms_report").pk)
    assert state(row) == "sent"


def test_our_reference_under_another_number_is_not_believed():
    row = delivery("aliyun", provider_id="another^0")
    assert push("aliyun").status_code == 200
    assert state(row) == "sent"


def test_a_report_of_a_code_asks_for_nothing():
    push("aliyun", [BODIES["aliyun"][0] | {"out_id": "c-0011223344556677"}])
    assert not OutboxMessage.objects.filter(topic="notifications.sms_report").exists()


# --- who is believed ------------------------------------------------------------------------------


@SERVICES
@pytest.mark.parametrize("secret", ["guessed", "0" * 32, "é"])
def test_another_secret_is_refused(service, secret):
    row = delivery(service)
    answer = push(service, secret=secret)
    assert answer.status_code == 401
    assert answer.json().get("code", answer.json().get("result")) == 401
    assert state(row) == "sent"


@SERVICES
def test_two_secrets_are_live_while_one_is_changed(service, settings):
    name = f"{service.upper()}_SMS_CALLBACK_SECRETS"
    setattr(settings, name, f"2f1e2d3c4b5a69788796a5b4c3d2e19c,{SECRETS[service]}")
    assert push(service).status_code == push(service, secret="2f1e2d3c4b5a69788796a5b4c3d2e19c").status_code == 200


@SERVICES
def test_without_a_secret_nobody_is_believed(service, settings):
    setattr(settings, f"{service.upper()}_SMS_CALLBACK_SECRETS", "")
    assert push(service).status_code == 401


@SERVICES
@pytest.mark.parametrize("body", [b"", b"{}", b"null", b"[1]", b"\xff", b"[" * 200, b'[{"biz_id":', b"[[]]"])
def test_what_can_not_be_read_is_400(service, body):
    answer = push(service, body)
    assert answer.status_code == 400
    assert answer.json().get("code", answer.json().get("result")) == 400


@SERVICES
@pytest.mark.parametrize("row", [{}, {"biz_id": None, "sid": []}, {"biz_id": {"a": 1}, "out_id": True, "sid": "\0"}])
def test_a_report_without_a_number_is_nobodys(service, row):
    assert push(service, [row]).json() == ANSWERS[service]


@SERVICES
def test_too_much_is_413(service):
    answer = push(service, b" " * (1024 * 1024 + 1))
    assert answer.status_code == 413


@SERVICES
def test_only_post_is_served(service):
    answer = Client().get(f"/callbacks/sms/{service}/{SECRETS[service]}")
    assert (answer.status_code, answer["Allow"]) == (405, "POST")


@SERVICES
def test_what_could_not_be_kept_is_asked_for_again(service, monkeypatch):
    def fail(*args):
        raise DatabaseError

    monkeypatch.setattr(reports.reports, "settle", fail)
    answer = push(service)
    assert answer.status_code == 503
    assert answer.json() != ANSWERS[service]
