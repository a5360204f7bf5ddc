import pytest

from notifications import checks

ROBOT = "https://qyapi.weixin.qq.com/cgi-bin/webhook/send?key=test-only"


@pytest.fixture(autouse=True)
def _production(settings):
    settings.ALLOW_LOOPBACK_INTEGRATIONS = False
    settings.EMAIL_HOST_PASSWORD, settings.EMAIL_USE_TLS, settings.EMAIL_USE_SSL = "x", False, True
    settings.EMAIL_URL, settings.DEFAULT_FROM_EMAIL = "smtp+ssl://x", "shop@example.com"


def ids(found) -> list[str]:
    return [message.id for message in found]


@pytest.mark.parametrize(
    ("url", "found"),
    [
        ("", ["wecom_bot.I001"]),
        (ROBOT, []),
        (ROBOT.replace("https", "http"), ["wecom_bot.E001"]),
        (ROBOT.partition("?")[0], ["wecom_bot.E001"]),
        ("https://127.0.0.1/cgi-bin/webhook/send?key=x", ["wecom_bot.E001"]),
    ],
)
def test_the_robots_address_is_whole_and_outside(settings, url, found):
    settings.WECOM_BOT_URL = url
    assert ids(checks.check_wecom_bot(None)) == found


@pytest.mark.parametrize(
    ("changes", "found"),
    [
        ({}, []),
        ({"EMAIL_URL": ""}, ["email.I001"]),
        ({"DEFAULT_FROM_EMAIL": "shop"}, ["email.E001"]),
        ({"EMAIL_USE_SSL": False}, ["email.E002"]),
        ({"EMAIL_USE_SSL": False, "EMAIL_USE_TLS": True}, []),
    ],
)
def test_mail_has_a_sender_and_sends_no_password_in_clear(settings, changes, found):
    for name, value in changes.items():
        setattr(settings, name, value)
    assert ids(checks.check_email(None)) == found
