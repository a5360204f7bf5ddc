"""Both SMS channels against the sandbox: what is sent, how each error is understood, and asking back."""

import datetime as dt
import json
from pathlib import Path

import pytest

from frozenshop.kernel import clock, http
from frozenshop.kernel.http import ServiceError
from notifications.channels import sms_aliyun, sms_tencent
from notifications.channels.base import ChannelError, Fate, Letter
from notifications.models import MessageTemplate
from notifications.sms import errors, fields
from notifications.sms.errors import Kind, Refused
from notifications.tests.sms_sim import PHONE, sms
from sandbox.sms import PhoneBook

__all__ = ["sms"]
pytestmark = pytest.mark.django_db
FIXTURES = Path(__file__).parent / "fixtures"
SHIPPED = {"order_no": "A1", "carrier": "顺丰*冷运 ~+", "waybill_no": "SF0000000000001"}
CHANNELS = {"aliyun_sms": sms_aliyun, "tencent_sms": sms_tencent}


def letter(service="aliyun_sms", **changes):
    template, values = "SMS_100000002", SHIPPED
    if service == "tencent_sms":
        template, values = "1000002", {str(n): v for n, v in enumerate(SHIPPED.values(), 1)}
    given = {"address": PHONE, "reference": "n7-0a1b2c3d4e5f", "template_id": template, "fields": values}
    return Letter(**given | changes)


def failure(service, *args, **kwargs):
    with pytest.raises(ChannelError) as refusal:
        CHANNELS[service].send(letter(service, **kwargs), *args)
    return refusal.value


@pytest.mark.parametrize("service", CHANNELS)
def test_a_letter_arrives_with_our_reference(sms, service):
    taken = CHANNELS[service].send(letter(service))
    (sent,) = sms.sent
    assert (sent.phone, sent.reference, sent.number) == (PHONE, "n7-0a1b2c3d4e5f", taken.provider_id)
    assert sent.text == "【冻品到家】您的订单A1已由顺丰*冷运 ~+发出，单号SF0000000000001，请及时收货并冷冻保存。"


def test_old_accounts_sign_by_rpc(sms, settings):
    settings.ALIYUN_SMS_SIGNATURE = "rpc"
    assert sms_aliyun.send(letter()).provider_id == sms.sent[0].number


@pytest.mark.parametrize("key", ["ALIYUN_SMS_ACCESS_KEY_SECRET", "ALIYUN_SMS_SIGN_NAME"])
def test_without_a_key_aliyun_is_off(sms, settings, key):
    assert sms_aliyun.configured()
    setattr(settings, key, "")
    assert not sms_aliyun.configured()


def test_without_a_key_tencent_is_off(sms, settings):
    assert sms_tencent.configured()
    settings.TENCENT_SMS_SDK_APP_ID = ""
    assert not sms_tencent.configured()


# --- errors ---------------------------------------------------------------------------------------

CLASSES = [
    ("aliyun_sms", "isv.MOBILE_NUMBER_ILLEGAL", (True, False, False)),
    ("aliyun_sms", "isv.SMS_CONTENT_ILLEGAL", (True, False, False)),
    ("aliyun_sms", "isv.SMS_TEMPLATE_ILLEGAL", (True, False, True)),
    ("aliyun_sms", "isv.SMS_SIGNATURE_ILLEGAL", (False, False, True)),
    ("aliyun_sms", "isv.AMOUNT_NOT_ENOUGH", (False, False, True)),
    ("aliyun_sms", "isp.SYSTEM_ERROR", (False, False, False)),
    ("aliyun_sms", "Throttling.User", (False, False, False)),
    ("aliyun_sms", "InternalError", (False, True, False)),
    ("aliyun_sms", "isv.NEVER_SEEN_BEFORE", (True, False, False)),
    ("tencent_sms", "FailedOperation.PhoneNumberInBlacklist", (True, False, False)),
    ("tencent_sms", "FailedOperation.ContainSensitiveWord", (True, False, False)),
    ("tencent_sms", "FailedOperation.TemplateIncorrectOrUnapproved", (True, False, True)),
    ("tencent_sms", "FailedOperation.InsufficientBalanceInSmsPackage", (False, False, True)),
    ("tencent_sms", "UnauthorizedOperation.ServiceSuspendDueToArrears", (False, False, True)),
    ("tencent_sms", "LimitExceeded.PhoneNumberThirtySecondLimit", (False, False, False)),
    ("tencent_sms", "LimitExceeded.PhoneNumberDailyLimit", (True, False, False)),
    ("tencent_sms", "InternalError.OtherError", (False, False, False)),
    ("tencent_sms", "InternalError.Timeout", (False, True, False)),
    ("tencent_sms", "AuthFailure.SignatureFailure", (False, False, True)),
]


@pytest.mark.parametrize(("service", "code", "expected"), CLASSES, ids=lambda value: str(value))
def test_an_error_says_how_to_go_on(sms, service, code, expected):
    (sms.aliyun if service == "aliyun_sms" else sms.tencent)(error=code)
    error = failure(service)
    assert (error.permanent, error.unknown, bool(error.trouble)) == expected
    assert error.code == code
    assert PHONE not in error.reason


@pytest.mark.parametrize(
    ("message", "wait", "permanent"),
    [
        ("触发分钟级流控Permits:1", 60, False),
        ("触发小时级流控Permits:5", 3600, True),
        ("触发天级流控Permits:10", 86400, True),
    ],
)
def test_flow_control_says_how_long_it_lasts(message, wait, permanent):
    error = errors.refused("sms_aliyun", letter(), Refused(errors.ALIYUN_LIMIT, message, ""))
    assert (error.retry_after.total_seconds(), error.permanent) == (wait, permanent)


def test_the_stand_in_counts_like_the_service(sms):
    coded = letter(template_id="SMS_100000001", fields={"code": "123456"})
    sms_aliyun.send(coded)
    with pytest.raises(ChannelError) as refusal:
        sms_aliyun.send(coded)
    assert "分钟级" in refusal.value.reason


def test_a_template_that_can_not_work_is_stopped_with_the_reason(sms):
    row = MessageTemplate.objects.create(channel="sms_aliyun", milestone="shipped", template_id="SMS_0", fields={})
    failure("aliyun_sms", template_id="SMS_0")
    row.refresh_from_db()
    assert "审核" in row.trouble


@pytest.mark.parametrize("kind", ["http_5xx", "cut", "timeout", "bad_json"])
@pytest.mark.parametrize("service", CHANNELS)
def test_no_usable_answer_leaves_it_unknown(sms, service, kind):
    sms.fault(service, kind)
    error = failure(service)
    assert error.unknown
    assert PHONE not in error.reason


@pytest.mark.parametrize("service", CHANNELS)
def test_what_was_never_sent_is_not_unknown(sms, settings, service):
    setattr(settings, f"{service.upper()}_BASE_URL", "http://127.0.0.1:9")
    error = failure(service)
    assert (error.unknown, error.permanent) == (False, False)


@pytest.mark.parametrize("service", CHANNELS)
def test_a_wrong_secret_is_trouble_that_names_the_setting(sms, settings, service):
    name = "ALIYUN_SMS_ACCESS_KEY_SECRET" if service == "aliyun_sms" else "TENCENT_SMS_SECRET_KEY"
    setattr(settings, name, "another")
    error = failure(service)
    assert name in error.trouble
    assert "another" not in error.reason


def test_a_wrong_address_is_trouble_that_names_the_setting():
    error = errors.unheard("sms_aliyun", ServiceError("aliyun_sms", "HTTP 404", transient=False, status=404))
    assert (error.unknown, "ALIYUN_SMS_BASE_URL" in error.trouble) == (False, True)


@pytest.mark.parametrize(("status", "unknown"), [(504, True), (500, True), (400, False)])
def test_a_new_code_with_a_server_error_leaves_it_unknown(monkeypatch, status, unknown):
    def fail(*args, **content):
        raise ServiceError(
            "aliyun_sms", f"HTTP {status}", transient=True, status=status, body=b'{"Code": "Gateway.New"}'
        )

    monkeypatch.setattr(http, "call", fail)
    assert failure("aliyun_sms").unknown is unknown


def test_captured_answers_are_understood(monkeypatch):
    captured = json.loads((FIXTURES / "sms_aliyun.json").read_text())
    for answer in captured["SendSms_limit"]:
        meaning = errors.meaning_of("sms_aliyun", Refused(answer["Code"], answer["Message"], ""))
        assert meaning.kind in (Kind.WAIT, Kind.LIMIT)
    gateway = captured["gateway_error"]
    failed = ServiceError("aliyun_sms", "", transient=False, status=400, body=json.dumps(gateway["body"]).encode())

    def fail(*args, **kwargs):
        raise failed

    monkeypatch.setattr(http, "call", fail)
    assert failure("aliyun_sms").code == "SignatureDoesNotMatch"


@pytest.mark.parametrize("name", ["SendSms_partial_fail", "auth_error", "SendSms_ok"])
def test_captured_answers_of_tencent_are_understood(sms, monkeypatch, name):
    captured = json.loads((FIXTURES / "sms_tencent.json").read_text())[name]
    monkeypatch.setattr(http, "call", lambda *args, **kwargs: type("A", (), {"content": json.dumps(captured).encode()}))
    if name == "SendSms_ok":
        assert sms_tencent.send(letter("tencent_sms")).provider_id == "5000:1045710669157053657849499619"
    else:
        assert failure("tencent_sms").code in (
            "LimitExceeded.PhoneNumberThirtySecondLimit",
            "AuthFailure.SignatureFailure",
        )


def test_neither_phone_nor_variables_reach_the_log(sms, capsys, caplog):
    caplog.set_level("DEBUG")
    sms_aliyun.send(letter(template_id="SMS_100000001", fields={"code": "482913"}))
    sms_tencent.send(letter("tencent_sms", template_id="1000001", fields={"1": "482913", "2": "5"}))
    told = capsys.readouterr().err
    assert "TemplateParam=" in told
    assert not [word for word in (PHONE, "482913", "testsecret", "test-only-secret-key") if word in told]


# --- fields ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("虾仁\n×2", "虾仁 ×2"),
        ("  ", "无"),
        ("虾" * 36, "虾" * 34 + "…"),
        ("A" * 30 + "1234567890", "…" + "A" * 24 + "1234567890"),
    ],
)
def test_a_value_is_made_to_fit(value, expected):
    assert fields.fitted(value) == expected


@pytest.mark.parametrize("value", ["https://a.example", "见 www.shop.example", "到 shop.com 看看"])
def test_an_address_of_the_web_is_refused_before_it_is_sent(sms, value):
    error = failure("aliyun_sms", fields=SHIPPED | {"carrier": value})
    assert (error.permanent, error.code, sms.asked("aliyun_sms")) == (True, "field_rule", [])


def test_fields_of_tencent_are_numbers(sms):
    assert failure("tencent_sms", fields={"order_no": "A1"}).code == "field_names"


# --- asking back ----------------------------------------------------------------------------------


def ask(service, sent_at=None, provider_id=""):
    return CHANNELS[service].ask(Letter(PHONE, "n7-0a1b2c3d4e5f"), provider_id, sent_at or clock.now())


@pytest.mark.parametrize("service", CHANNELS)
@pytest.mark.parametrize(("undelivered", "fate"), [("", Fate.DELIVERED), ("IS_CLOSED", Fate.FAILED)])
def test_a_letter_without_an_answer_is_found_by_our_reference(sms, service, undelivered, fate):
    (sms.aliyun if service == "aliyun_sms" else sms.tencent)(report_seconds=0.0, undelivered=undelivered)
    sms.fault(service, "cut")
    assert failure(service).unknown
    sms.world.faults.clear()
    report = ask(service)
    assert (report.fate, report.reference) == (fate, "n7-0a1b2c3d4e5f")


def test_aliyun_knows_of_what_is_under_way(sms):
    sms_aliyun.send(letter())
    assert ask("aliyun_sms").fate == Fate.UNDERWAY


def test_what_aliyun_does_not_list_after_a_while_was_never_taken(sms):
    with pytest.raises(ChannelError, match="还没有列出"):
        ask("aliyun_sms")
    assert ask("aliyun_sms", clock.now() - dt.timedelta(minutes=6)).fate == Fate.NEVER_TAKEN


def test_what_tencent_has_no_report_of_may_still_come(sms):
    with pytest.raises(ChannelError, match="还没有"):
        ask("tencent_sms", clock.now() - dt.timedelta(hours=1))


def test_tencent_is_found_by_its_own_number_where_it_repeats_no_context(sms):
    sms.tencent(report_seconds=0.0, session_context=False)
    taken = sms_tencent.send(letter("tencent_sms"))
    assert ask("tencent_sms", provider_id=taken.provider_id).fate == Fate.DELIVERED


def test_a_list_of_many_pages_is_read(sms):
    sms.aliyun(flow_control=False, report_seconds=3600.0)
    for number in range(60):
        sms_aliyun.send(letter(reference="n7-0a1b2c3d4e5f" if not number else f"n{number}-x"))
    assert ask("aliyun_sms").fate == Fate.UNDERWAY


def test_a_service_that_does_not_answer_when_asked_is_asked_later(sms):
    sms.fault("aliyun_sms", "http_5xx")
    with pytest.raises(ChannelError):
        ask("aliyun_sms")


def test_the_phone_book_forgets(sms):
    book = PhoneBook()
    assert len(book.templates) > 10
