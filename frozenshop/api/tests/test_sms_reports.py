"""Delivery reports of the SMS services: who is believed, how each is answered, and what they settle."""

import datetime as dt
import json
from pathlib import Path

import pytest
from django.db import DatabaseError
from django.test import Client

from frozenshop.kernel import clock, crypto, outbox
from frozenshop.kernel.models import OutboxMessage
from notifications import tasks  # noqa: F401 - registers the consumers
from notifications.models import Delivery, Notice, SmsPush
from notifications.sms import pushes, reports
from notifications.tests.sms_sim import ALIYUN_SECRET, TENCENT_SECRET, settings_of
from orders.tests.test_races import at_once

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
    answer = Client(raise_request_exception=False).generic("POST", path, content, headers=headers)
    work()
    return answer


def work():
    """Apply what was kept, as the worker would."""
    for pk in OutboxMessage.objects.filter(topic="notifications.sms_push", status="pending").values_list(
        "pk", flat=True
    ):
        outbox.deliver(pk)
        assert OutboxMessage.objects.get(pk=pk).status == "done", OutboxMessage.objects.get(pk=pk).last_error


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
    def fail(*args, **kwargs):
        raise DatabaseError

    monkeypatch.setattr(pushes.outbox, "enqueue", fail)
    answer = push(service)
    assert answer.status_code == 503
    assert answer.json() != ANSWERS[service]
    assert not SmsPush.objects.exists()


# --- what is kept ---------------------------------------------------------------------------------


@SERVICES
def test_a_report_is_kept_sealed_as_it_came(service):
    delivery(service)
    body = json.dumps(BODIES[service], ensure_ascii=False, indent=1).encode()
    push(service, body)
    kept = SmsPush.objects.get()
    assert (kept.service, kept.outcome, kept.detail) == (service, "applied", "1 条回执，1 条是本系统的短信")
    assert pushes.open_body(kept) == body
    assert "13800138000" not in kept.body_sealed
    assert crypto.open_sealed(kept.body_sealed, purpose=f"sms_push:{kept.digest}") == body.decode("latin-1")


@SERVICES
def test_the_service_is_answered_before_its_report_is_applied(service, monkeypatch):
    def fail(*args):
        raise AssertionError("applied while the service waits")

    monkeypatch.setattr(reports, "take", fail)
    path = f"/callbacks/sms/{service}/{SECRETS[service]}"
    assert Client().generic("POST", path, json.dumps(BODIES[service])).json() == ANSWERS[service]
    assert SmsPush.objects.get().outcome == "received"
    assert OutboxMessage.objects.filter(topic="notifications.sms_push", status="pending").count() == 1


@SERVICES
def test_the_same_body_again_is_the_same_row_and_one_task(service):
    delivery(service)
    for _ in range(3):
        push(service)
    assert SmsPush.objects.count() == OutboxMessage.objects.filter(topic="notifications.sms_push").count() == 1


def test_the_same_body_of_another_service_is_another_row():
    push("aliyun", [{}])
    push("tencent", [{}])
    assert SmsPush.objects.count() == 2


@SERVICES
def test_what_was_applied_is_not_applied_again(service, monkeypatch):
    delivery(service)
    push(service)
    taken = []
    monkeypatch.setattr(reports, "take", lambda *given, **more: taken.append(given))
    pushes.apply(SmsPush.objects.get())
    assert taken == []


@SERVICES
@pytest.mark.parametrize("body", [b"", b"{}", b"\xff\x00", b"[1]"])
def test_what_can_not_be_read_is_kept_and_asks_for_nothing(service, body):
    assert push(service, body).status_code == push(service, body).status_code == 400
    kept = SmsPush.objects.get()
    assert (kept.outcome, pushes.open_body(kept)) == ("unreadable", body)
    assert kept.detail
    assert not OutboxMessage.objects.exists()


@SERVICES
def test_nothing_is_kept_of_who_has_another_secret(service):
    push(service, secret="guessed")
    assert not SmsPush.objects.exists()


@SERVICES
def test_raw_reports_are_kept_for_35_days(service):
    push(service)
    SmsPush.objects.update(received_at=clock.now() - dt.timedelta(days=34))
    assert pushes.purge() == 0
    SmsPush.objects.update(received_at=clock.now() - dt.timedelta(days=36))
    outbox.enqueue("notifications.purge_sms_pushes", {"slot": "x"})
    outbox.deliver(OutboxMessage.objects.get(topic="notifications.purge_sms_pushes").pk)
    assert not SmsPush.objects.exists()


# --- what makes no sense --------------------------------------------------------------------------


@pytest.mark.parametrize("said", [{"success": "maybe"}, {"success": None}, {"success": []}, {"success": 1}])
def test_a_report_in_no_words_that_aliyun_has_fails_nothing(said):
    row = delivery("aliyun")
    assert push("aliyun", [BODIES["aliyun"][0] | said]).status_code == 200
    assert state(row) == "sent"


@pytest.mark.parametrize("status", ["", "UNKNOWN", None, 0])
def test_a_report_in_no_words_that_tencent_has_fails_nothing(status):
    row = delivery("tencent")
    assert push("tencent", [BODIES["tencent"][0] | {"report_status": status}]).status_code == 200
    assert state(row) == "sent"


@pytest.mark.parametrize(("said", "fate"), [("true", "delivered"), ("false", "failed")])
def test_a_truth_written_as_text_is_read(said, fate):
    row = delivery("aliyun")
    push("aliyun", [BODIES["aliyun"][0] | {"success": said}])
    assert state(row) == fate


@pytest.mark.parametrize("ext", ["01", "x" * 300, 7])
def test_an_extension_that_is_no_reference_of_ours_hides_no_number(ext):
    row = delivery("tencent")
    push("tencent", [BODIES["tencent"][0] | {"ext": ext}])
    assert state(row) == "delivered"


@SERVICES
def test_nothing_of_a_report_that_is_kept_holds_a_phone(service):
    row = delivery(service, provider_id="")
    phone = "13800138000"
    strange = {
        "err_code": phone,
        "errmsg": phone,
        "description": phone,
        "err_msg": phone,
        "biz_id": phone,
        "sid": phone,
    }
    push(service, [BODIES[service][0] | strange | {"out_id": row.reference, "session_context": row.reference}])
    row.refresh_from_db()
    assert row.state != "sent"
    assert phone not in f"{row.code}{row.said}{row.provider_id}"
    assert phone not in json.dumps(list(OutboxMessage.objects.values_list("payload", flat=True)))


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("body", [None, b"[1]"], ids=["readable", "unreadable"])
def test_one_report_pushed_by_many_connections_at_once_is_one_row(body):
    content = body or json.dumps(BODIES["aliyun"]).encode()

    def arrive():
        path = f"/callbacks/sms/aliyun/{SECRETS['aliyun']}"
        return Client(raise_request_exception=False).generic("POST", path, content).status_code

    assert set(at_once(*[arrive] * 6)) == {400 if body else 200}
    assert SmsPush.objects.count() == 1
    assert OutboxMessage.objects.filter(topic="notifications.sms_push").count() == (0 if body else 1)
