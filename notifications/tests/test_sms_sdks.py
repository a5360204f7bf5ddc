"""The services' own Python SDKs talk to the stand-ins: nothing is changed in them but address and protocol."""

import datetime as dt
import json
from urllib.parse import urlsplit

import pytest

from frozenshop.kernel import clock
from notifications.tests.sms_sim import PHONE, sms

__all__ = ["sms"]
VALUES = {"order_no": "A1", "carrier": "顺丰*冷运 ~+", "waybill_no": "SF0000000000001"}
TEXT = "【冻品到家】您的订单A1已由顺丰*冷运 ~+发出，单号SF0000000000001，请及时收货并冷冻保存。"


@pytest.fixture
def host(sms, settings):
    return urlsplit(settings.ALIYUN_SMS_BASE_URL).netloc


@pytest.fixture
def aliyun(host):
    from alibabacloud_dysmsapi20170525.client import Client
    from alibabacloud_tea_openapi.models import Config

    def client(secret="testsecret"):
        return Client(Config(access_key_id="testid", access_key_secret=secret, endpoint=host, protocol="HTTP"))

    return client


@pytest.fixture
def tencent(host):
    from tencentcloud.common.credential import Credential
    from tencentcloud.common.profile.client_profile import ClientProfile
    from tencentcloud.common.profile.http_profile import HttpProfile
    from tencentcloud.sms.v20210111.sms_client import SmsClient

    def client(secret="test-only-secret-key"):
        profile = ClientProfile(httpProfile=HttpProfile(protocol="http", endpoint=host))
        return SmsClient(Credential("AKIDtest", secret), "ap-guangzhou", profile)

    return client


def aliyun_letter(**changes):
    from alibabacloud_dysmsapi20170525.models import SendSmsRequest

    given = {
        "phone_numbers": PHONE, "sign_name": "冻品到家", "template_code": "SMS_100000002",
        "template_param": json.dumps(VALUES, ensure_ascii=False), "out_id": "n7-0a1b",
    }  # fmt: skip
    return SendSmsRequest(**given | changes)


def tencent_request(name, **content):
    from tencentcloud.sms.v20210111 import models

    request = getattr(models, f"{name}Request")()
    request.from_json_string(json.dumps({"SmsSdkAppId": "1400006666", **content}))
    return request


def tencent_letter(**changes):
    given = {
        "PhoneNumberSet": [f"+86{PHONE}"], "SignName": "冻品到家", "TemplateId": "1000002",
        "TemplateParamSet": list(VALUES.values()), "SessionContext": "n7-0a1b",
    }  # fmt: skip
    return tencent_request("SendSms", **given | changes)


def test_aliyun_sends(sms, aliyun):
    body = aliyun().send_sms(aliyun_letter()).body
    assert (body.code, body.biz_id) == ("OK", sms.sent[0].number)
    assert (sms.sent[0].text, sms.sent[0].reference) == (TEXT, "n7-0a1b")


def test_aliyun_tells_what_became_of_it(sms, aliyun):
    from alibabacloud_dysmsapi20170525.models import QuerySendDetailsRequest

    sms.aliyun(report_seconds=0.0)
    aliyun().send_sms(aliyun_letter())
    day = f"{clock.shanghai(clock.now()):%Y%m%d}"
    asked = QuerySendDetailsRequest(phone_number=PHONE, send_date=day, page_size=10, current_page=1)
    (row,) = aliyun().query_send_details(asked).body.sms_send_detail_dtos.sms_send_detail_dto
    assert (row.out_id, row.send_status, row.err_code, row.content) == ("n7-0a1b", 3, "DELIVERED", TEXT)


def test_aliyun_refuses_a_business_error_with_200(sms, aliyun):
    answer = aliyun().send_sms(aliyun_letter(template_code="SMS_0"))
    assert (answer.status_code, answer.body.code, answer.body.biz_id) == (200, "isv.SMS_TEMPLATE_ILLEGAL", None)


def test_aliyun_refuses_a_wrong_secret_at_its_gateway(sms, aliyun):
    from alibabacloud_tea_openapi.exceptions import ClientException

    with pytest.raises(ClientException) as refusal:
        aliyun("another").send_sms(aliyun_letter())
    assert (refusal.value.code, refusal.value.status_code) == ("SignatureDoesNotMatch", 400)


def test_tencent_sends(sms, tencent):
    (row,) = tencent().SendSms(tencent_letter()).SendStatusSet
    assert (row.Code, row.SerialNo, row.Fee) == ("Ok", sms.sent[0].number, 1)
    assert (sms.sent[0].text, sms.sent[0].reference) == (TEXT, "n7-0a1b")


def test_tencent_refuses_one_number(sms, tencent):
    (row,) = tencent().SendSms(tencent_letter(PhoneNumberSet=["+8611000000000"])).SendStatusSet
    assert (row.Code, row.SerialNo, row.Fee) == ("InvalidParameterValue.IncorrectPhoneNumber", "", 0)


def test_tencent_refuses_a_wrong_secret(sms, tencent):
    from tencentcloud.common.exception.tencent_cloud_sdk_exception import TencentCloudSDKException

    with pytest.raises(TencentCloudSDKException) as refusal:
        tencent("another").SendSms(tencent_letter())
    assert refusal.value.code == "AuthFailure.SignatureFailure"


def test_tencent_lets_statuses_be_pulled_once(sms, tencent):
    sms.tencent(report_seconds=0.0)
    tencent().SendSms(tencent_letter())
    pulled = [tencent().PullSmsSendStatus(tencent_request("PullSmsSendStatus", Limit=10)) for _ in range(2)]
    assert [len(answer.PullSmsSendStatusSet) for answer in pulled] == [1, 0]
    assert pulled[0].PullSmsSendStatusSet[0].ReportStatus == "SUCCESS"


def test_tencent_tells_the_statuses_of_a_number(sms, tencent):
    sms.tencent(report_seconds=0.0)
    tencent().SendSms(tencent_letter())
    now, hour = clock.now(), dt.timedelta(hours=1)
    asked = tencent_request(
        "PullSmsSendStatusByPhoneNumber", PhoneNumber=f"+86{PHONE}", Limit=10, Offset=0,
        BeginTime=int((now - hour).timestamp()), EndTime=int((now + hour).timestamp()),
    )  # fmt: skip
    (row,) = tencent().PullSmsSendStatusByPhoneNumber(asked).PullSmsSendStatusSet
    assert (row.SerialNo, row.SessionContext) == (sms.sent[0].number, "n7-0a1b")
