"""What the system checks say of half a set of keys and of weak secrets."""

import pytest

from notifications import checks
from notifications.tests.sms_sim import settings_of


def ids(check):
    return {message.id for message in check(None)}


@pytest.fixture(autouse=True)
def _configured(settings):
    settings_of(settings, "https://sms.example")


def test_a_whole_set_of_keys_is_fine():
    assert ids(checks.check_aliyun_sms) == ids(checks.check_tencent_sms) == set()


@pytest.mark.parametrize(
    ("setting", "value", "expected"),
    [
        ("ALIYUN_SMS_SIGN_NAME", "", "aliyun_sms.E001"),
        ("ALIYUN_SMS_BASE_URL", "http://dysmsapi.example", "aliyun_sms.E002"),
        ("ALIYUN_SMS_BASE_URL", "https://127.0.0.1", "aliyun_sms.E002"),
        ("ALIYUN_SMS_CALLBACK_SECRETS", "short", "aliyun_sms.E003"),
        ("ALIYUN_SMS_SIGNATURE", "md5", "aliyun_sms.E005"),
        ("ALIYUN_SMS_CALLBACK_SECRETS", "", "aliyun_sms.I002"),
        ("ALIYUN_SMS_CODE_TEMPLATE", "", "aliyun_sms.I003"),
        ("TENCENT_SMS_SDK_APP_ID", "", "tencent_sms.E001"),
        ("TENCENT_SMS_BASE_URL", "http://sms.example", "tencent_sms.E002"),
        ("TENCENT_SMS_CALLBACK_SECRETS", "a,b,c", "tencent_sms.E004"),
        ("TENCENT_SMS_CODE_FIELDS", "minutes", "tencent_sms.E005"),
        ("TENCENT_SMS_CODE_FIELDS", "code,name", "tencent_sms.E005"),
    ],
)
def test_what_is_wrong_is_said(settings, setting, value, expected):
    setattr(settings, setting, value)
    assert expected in ids(checks.check_aliyun_sms) | ids(checks.check_tencent_sms)


def test_without_keys_both_are_off_and_say_so(settings):
    for name in ("ALIYUN_SMS_ACCESS_KEY_ID", "ALIYUN_SMS_ACCESS_KEY_SECRET", "ALIYUN_SMS_SIGN_NAME"):
        setattr(settings, name, "")
    assert ids(checks.check_aliyun_sms) == {"aliyun_sms.I001"}
