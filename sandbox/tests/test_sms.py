"""The stand-ins of the SMS services: who is let in, what they count, what they report."""

import base64
import hashlib
import hmac
import json
from dataclasses import replace
from urllib.parse import quote

import pytest

from sandbox.instants import shanghai
from sandbox.server import Sandbox
from sandbox.sms import PhoneBook
from sandbox.sms_aliyun import Manners as AliyunManners
from sandbox.sms_tencent import Manners as TencentManners
from sandbox.tests.conftest import CONFIG, START

KEYS = {
    "aliyun_sms_access_key_id": "testid", "aliyun_sms_access_key_secret": "testsecret",
    "aliyun_sms_sign_name": "冻品到家", "aliyun_sms_callback_secret": "a" * 32,
    "tencent_sms_secret_id": "AKID", "tencent_sms_secret_key": "secret", "tencent_sms_sdk_app_id": "1400",
    "tencent_sms_sign_name": "冻品到家", "tencent_sms_callback_secret": "b" * 32,
}  # fmt: skip
PHONE = "13800138000"


@pytest.fixture
def sandbox(clock, merchant, slept):
    return Sandbox(replace(CONFIG, **KEYS), clock=clock, send=merchant, sleep=slept.append)


@pytest.fixture
def nonces():
    return iter(range(10_000))


def encoded(params):
    return "&".join(f"{quote(k, safe='~')}={quote(v, safe='~')}" for k, v in sorted(params.items()))


@pytest.fixture
def rpc(http, nonces, clock):
    """Ask 阿里云 by RPC v1, which is easily written by hand."""

    def ask(action="SendSms", *, secret="testsecret", method="POST", **changes):
        params = {
            "AccessKeyId": "testid", "Action": action, "Format": "JSON", "SignatureMethod": "HMAC-SHA1",
            "SignatureNonce": str(next(nonces)), "SignatureVersion": "1.0", "Version": "2017-05-25",
            "Timestamp": shanghai(clock() - 8 * 3600).strftime("%Y-%m-%dT%H:%M:%SZ"),
        }  # fmt: skip
        if action == "SendSms":
            coded = {"SignName": "冻品到家", "TemplateCode": "SMS_100000001", "TemplateParam": '{"code":"123456"}'}
            params |= {"PhoneNumbers": PHONE, **coded, "OutId": "n1"}
        params |= changes
        text = f"{method}&%2F&{quote(encoded(params), safe='~')}"
        signature = base64.b64encode(hmac.new(f"{secret}&".encode(), text.encode(), hashlib.sha1).digest()).decode()
        params["Signature"] = params.get("Signature", signature)
        return http(method, "/", **({"params": params} if method == "GET" else {"data": params}))

    return ask


@pytest.fixture
def tc3(http, clock):
    """Ask 腾讯云."""

    def ask(action="SendSms", *, key="secret", at=None, **changes):
        asked = {"SmsSdkAppId": "1400"}
        if action == "SendSms":
            asked |= {"PhoneNumberSet": [f"+86{PHONE}"], "SignName": "冻品到家", "TemplateId": "1000001"}
            asked |= {"TemplateParamSet": ["123456", "5"], "SessionContext": "n1"}
        body = json.dumps(asked | changes).encode()
        stamp = int(clock() if at is None else at)
        day = shanghai(stamp - 8 * 3600).strftime("%Y-%m-%d")
        headers = {"content-type": "application/json", "host": "sms.test"}
        lines = "".join(f"{name}:{value}\n" for name, value in headers.items())
        request = f"POST\n/\n\n{lines}\ncontent-type;host\n{hashlib.sha256(body).hexdigest()}"
        scope = f"{day}/sms/tc3_request"
        text = f"TC3-HMAC-SHA256\n{stamp}\n{scope}\n{hashlib.sha256(request.encode()).hexdigest()}"
        signing = f"TC3{key}".encode()
        for part in (day, "sms", "tc3_request", text):
            last = hmac.new(signing, part.encode(), hashlib.sha256)
            signing = last.digest()
        given = (
            f"TC3-HMAC-SHA256 Credential=AKID/{scope}, SignedHeaders=content-type;host, Signature={last.hexdigest()}"
        )
        headers |= {"X-TC-Action": action, "X-TC-Version": "2021-01-11", "X-TC-Timestamp": str(stamp)}
        return http("POST", "/", data=body, headers={**headers, "Authorization": given}).json()["Response"]

    return ask


def received(http):
    return http("GET", f"/_sim/sms?phone={PHONE}").json()["messages"]


# --- who is let in --------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_code_by_rpc_can_be_read_on_the_phone(http, rpc, method):
    assert rpc(method=method).json()["Code"] == "OK"
    (message,) = received(http)
    assert message["text"] == "【冻品到家】您的验证码为123456，5 分钟内有效，请勿告诉他人。"
    assert (message["service"], message["reference"], message["status"]) == ("aliyun_sms", "n1", "underway")


@pytest.mark.parametrize(
    ("changes", "status", "code"),
    [
        ({"secret": "another"}, 400, "SignatureDoesNotMatch"),
        ({"AccessKeyId": "nobody"}, 404, "InvalidAccessKeyId.NotFound"),
        ({"SignatureMethod": "MD5"}, 400, "IncompleteSignature"),
        ({"Timestamp": "2025-12-31T23:44:59Z"}, 400, "InvalidTimeStamp.Expired"),
        ({"Timestamp": "now"}, 400, "InvalidTimeStamp.Format"),
        ({"action": "DeleteEverything"}, 400, "InvalidAction.NotFound"),
    ],
)
def test_the_gateway_refuses_with_an_http_error(rpc, changes, status, code):
    answer = rpc(**changes)
    assert (answer.status_code, answer.json()["Code"]) == (status, code)
    assert answer.json().keys() == {"RequestId", "HostId", "Code", "Message"}


def test_a_nonce_is_good_once(rpc):
    assert rpc(SignatureNonce="same").status_code == 200
    assert rpc(SignatureNonce="same").json()["Code"] == "SignatureNonceUsed"


def test_acs3_wants_its_own_headers_signed(http):
    headers = {
        "x-acs-action": "SendSms",
        "Authorization": "ACS3-HMAC-SHA256 Credential=testid,SignedHeaders=host,Signature=0",
    }
    assert http("POST", "/", headers=headers).json()["Code"] == "IncompleteSignature"


def test_a_code_by_tc3_can_be_read_on_the_phone(http, tc3):
    (row,) = tc3()["SendStatusSet"]
    assert (row["Code"], row["Fee"]) == ("Ok", 1)
    assert received(http)[0]["text"] == "【冻品到家】您的验证码为123456，5 分钟内有效，请勿告诉他人。"


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"key": "another"}, "AuthFailure.SignatureFailure"),
        ({"at": START - 301}, "AuthFailure.SignatureExpire"),
        ({"action": "DeleteEverything"}, "InvalidAction"),
        ({"PhoneNumberSet": []}, "MissingParameter.EmptyPhoneNumberSet"),
        ({"PhoneNumberSet": [PHONE] * 201}, "LimitExceeded.PhoneNumberCountLimit"),
        ({"SmsSdkAppId": "1"}, "UnauthorizedOperation.SmsSdkAppIdVerifyFail"),
    ],
)
def test_tencent_refuses_a_whole_call_with_200(tc3, changes, code):
    assert tc3(**changes)["Error"]["Code"] == code


# --- what they check and count --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"PhoneNumbers": "110"}, "isv.MOBILE_NUMBER_ILLEGAL"),
        ({"SignName": "别家"}, "isv.SMS_SIGNATURE_ILLEGAL"),
        ({"TemplateCode": "SMS_0"}, "isv.SMS_TEMPLATE_ILLEGAL"),
        ({"TemplateParam": "{"}, "isv.INVALID_JSON_PARAM"),
        ({"TemplateParam": '{"code":1}'}, "isv.INVALID_JSON_PARAM"),
        ({"TemplateParam": "{}"}, "isv.TEMPLATE_MISSING_PARAMETERS"),
        ({"TemplateParam": '{"code":"http://a"}'}, "isv.PARAM_NOT_SUPPORT_URL"),
        ({"TemplateParam": json.dumps({"code": "1" * 36})}, "isv.PARAM_LENGTH_LIMIT"),
        ({"TemplateParam": '{"code":"1\\n2"}'}, "isv.TEMPLATE_PARAMS_ILLEGAL"),
    ],
)
def test_aliyun_refuses_what_it_would_refuse(http, rpc, changes, code):
    answer = rpc(**changes)
    assert (answer.status_code, answer.json()["Code"]) == (200, code)
    assert "BizId" not in answer.json()
    assert received(http) == []


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"PhoneNumberSet": ["110"]}, "InvalidParameterValue.IncorrectPhoneNumber"),
        ({"SignName": "别家"}, "FailedOperation.SignatureIncorrectOrUnapproved"),
        ({"TemplateId": "0"}, "FailedOperation.TemplateIncorrectOrUnapproved"),
        ({"TemplateParamSet": ["1"]}, "FailedOperation.TemplateParamSetNotMatchApprovedTemplate"),
        ({"TemplateParamSet": ["1234567", "5"]}, "InvalidParameterValue.TemplateParameterFormatError"),
    ],
)
def test_tencent_refuses_what_it_would_refuse(tc3, changes, code):
    (row,) = tc3(**changes)["SendStatusSet"]
    assert (row["Code"], row["SerialNo"], row["Fee"]) == (code, "", 0)


def test_aliyun_counts_codes_by_minute_hour_and_day(rpc, clock):
    told = []
    for _ in range(12):
        told += [rpc().json()["Message"], rpc().json()["Message"]]
        clock.forward(61 if len(told) % 10 else 3600)
    assert told.count("OK") == 10
    assert set(told) == {"OK", "触发分钟级流控Permits:1", "触发天级流控Permits:10"}


def test_aliyun_counts_five_an_hour(rpc, clock):
    told = []
    for _ in range(6):
        told.append(rpc().json()["Message"])
        clock.forward(61)
    assert told == ["OK"] * 5 + ["触发小时级流控Permits:5"]


def test_aliyun_counts_notices_by_template(rpc):
    notice = {"TemplateCode": "SMS_100000007", "TemplateParam": '{"order_no":"A1"}'}
    told = [rpc(**notice).json()["Message"] for _ in range(51)]
    assert (told.count("OK"), told[-1]) == (50, "触发天级流控Permits:50")


def test_tencent_counts_thirty_seconds_and_an_hour(tc3, clock):
    told = []
    for wait in (29, 2, 31, 31, 31, 31, 31):
        told.append(tc3()["SendStatusSet"][0]["Code"].rpartition(".")[2])
        clock.forward(wait)
    assert told == ["Ok", "PhoneNumberThirtySecondLimit", "Ok", "Ok", "Ok", "Ok", "PhoneNumberOneHourLimit"]


@pytest.mark.parametrize("code", ["isv.OUT_OF_SERVICE", "isp.SYSTEM_ERROR"])
def test_an_error_can_be_asked_for(http, rpc, code):
    assert http("PUT", "/_sim/aliyun_sms", json={"error": code}).json()["error"] == code
    assert rpc().json()["Code"] == code


def test_a_template_can_be_added(http, rpc):
    made = {"service": "aliyun_sms", "template_id": "SMS_9", "content": "到{place}了"}
    assert http("POST", "/_sim/sms/templates", json=made).status_code == 200
    assert {"SMS_9"} <= {row["template_id"] for row in http("GET", "/_sim/sms/templates").json()["templates"]}
    rpc(TemplateCode="SMS_9", TemplateParam='{"place":"上海"}')
    assert received(http)[0]["text"] == "【冻品到家】到上海了"


@pytest.mark.parametrize("asked", [{}, {"service": "x"}, {"service": "aliyun_sms", "template_id": 1, "content": "x"}])
def test_a_wrong_template_is_refused(http, asked):
    assert http("POST", "/_sim/sms/templates", json=asked).status_code == 400


def test_the_log_of_calls_hides_signature_and_secret(http, rpc, sandbox, clock, merchant):
    rpc()
    clock.forward(4)
    sandbox.work()
    told = http("GET", "/_sim/calls").text
    assert "a" * 32 not in told
    (call,) = [one for one in sandbox.world.calls.find("aliyun_sms") if one.direction == "in"]
    assert call.request["body"]["Signature"] == "***"


# --- reports --------------------------------------------------------------------------------------


def test_a_report_is_pushed_and_the_query_agrees(rpc, sandbox, clock, merchant):
    number = rpc().json()["BizId"]
    sandbox.work()
    assert not merchant.pushed
    clock.forward(3)
    merchant.answers = [(200, '{"code":0,"msg":"接收成功"}')]
    sandbox.work()
    (push,) = merchant.pushed
    assert push.url == f"http://merchant.test/callbacks/sms/aliyun/{'a' * 32}"
    (row,) = json.loads(push.body)
    assert (row["biz_id"], row["out_id"], row["success"], row["sms_size"]) == (number, "n1", True, "1")
    asked = {"PhoneNumber": PHONE, "SendDate": "20260101", "PageSize": "10", "CurrentPage": "1"}
    (detail,) = rpc("QuerySendDetails", **asked).json()["SmsSendDetailDTOs"]["SmsSendDetailDTO"]
    assert (detail["SendStatus"], detail["OutId"]) == (3, "n1")


def test_a_report_that_is_not_taken_comes_again_after_1_5_and_10_minutes(rpc, sandbox, clock, merchant):
    merchant.answers = [(500, ""), (200, '{"code":1}'), (0, "Timeout"), (500, "")]
    rpc()
    clock.forward(3)
    counts = []
    for seconds in (0, 60, 300, 600, 6000):
        clock.forward(seconds)
        sandbox.work()
        counts.append(len(merchant.pushed))
    assert counts == [1, 2, 3, 4, 4]


def test_tencent_reports_by_its_serial_number(tc3, sandbox, clock, merchant):
    sandbox.world.own(TencentManners).undelivered = "MK:0001"
    number = tc3()["SendStatusSet"][0]["SerialNo"]
    clock.forward(3)
    merchant.answers = [(200, '{"result":0,"errmsg":"OK"}')]
    sandbox.work()
    (row,) = json.loads(merchant.pushed[0].body)
    assert (row["sid"], row["report_status"], row["errmsg"]) == (number, "FAIL", "MK:0001")
    assert not sandbox.world.own(PhoneBook).coming


@pytest.mark.parametrize(("kind", "pushes"), [("duplicate", 2), ("forged", 2), ("late", 0)])
def test_reports_suffer_the_faults_of_pushes(http, rpc, sandbox, clock, merchant, kind, pushes):
    http("POST", "/_sim/faults", json={"service": "aliyun_sms", "kind": kind, "seconds": 30})
    merchant.answers = [(200, '{"code":0}')] * 3
    rpc()
    clock.forward(3)
    sandbox.work()
    assert len(merchant.pushed) == pushes
    forged = [push for push in merchant.pushed if push.url.endswith("0" * 32)]
    assert len(forged) == (1 if kind == "forged" else 0)
    clock.forward(61)
    sandbox.work()
    assert len(merchant.pushed) - pushes == (1 if kind == "late" else 0)


def test_without_callback_secret_nothing_is_pushed(clock, merchant):
    sandbox = Sandbox(CONFIG, clock=clock, send=merchant)
    assert sandbox.world.own(AliyunManners).report_seconds == 3
    sandbox.work()
    assert not merchant.pushed
