import smtplib

import pytest
from django.core import mail
from django.core.mail.backends.locmem import EmailBackend

from notifications.channels import email
from notifications.channels.base import ChannelError, Letter

LETTER = Letter("staff@example.com", "n7-abc", title="【紧急】停滞\nBcc: x@example.com", text="订单 A1\n请处理")


@pytest.fixture(autouse=True)
def _server(settings):
    settings.EMAIL_URL, settings.DEFAULT_FROM_EMAIL = "smtp+ssl://x", "冻品小店 <shop@example.com>"


def failing(monkeypatch, where: str, error: Exception) -> ChannelError:
    def fail(self, *args):
        raise error

    monkeypatch.setattr(EmailBackend, where, fail)
    with pytest.raises(ChannelError) as raised:
        email.send(LETTER)
    return raised.value


def test_a_letter_is_a_plain_text_with_an_id_of_ours():
    email.send(LETTER)
    (message,) = mail.outbox
    assert (message.to, message.body) == (["staff@example.com"], "订单 A1\n请处理")
    assert message.extra_headers["Message-ID"] == "<n7-abc@example.com>"


def test_a_title_adds_no_header():
    email.send(LETTER)
    assert mail.outbox[0].subject == "【紧急】停滞 Bcc: x@example.com"
    assert mail.outbox[0].recipients() == ["staff@example.com"]


@pytest.mark.parametrize("error", [ConnectionRefusedError(), TimeoutError(), smtplib.SMTPServerDisconnected()])
def test_a_server_that_is_away_is_tried_again(monkeypatch, error):
    refused = failing(monkeypatch, "open", error)
    assert (refused.permanent, refused.unknown, refused.trouble) == (False, False, "")


def test_a_refused_login_needs_a_person(monkeypatch):
    refused = failing(monkeypatch, "open", smtplib.SMTPAuthenticationError(535, b"bad for staff@example.com"))
    assert "EMAIL_URL" in refused.trouble
    assert "example.com" not in refused.reason


@pytest.mark.parametrize(("code", "permanent"), [(550, True), (450, False)])
def test_a_refused_address_is_refused_for_good_or_for_now(monkeypatch, code, permanent):
    error = smtplib.SMTPRecipientsRefused({"staff@example.com": (code, b"no staff@example.com")})
    refused = failing(monkeypatch, "send_messages", error)
    assert (refused.permanent, refused.code, refused.unknown) == (permanent, str(code), False)
    assert "example.com" not in refused.reason


def test_a_refused_sender_needs_a_person(monkeypatch):
    refused = failing(monkeypatch, "send_messages", smtplib.SMTPSenderRefused(553, b"", "shop@example.com"))
    assert "EMAIL_FROM" in refused.trouble


@pytest.mark.parametrize(("code", "permanent"), [(554, True), (451, False)])
def test_a_refused_content_is_an_answer(monkeypatch, code, permanent):
    refused = failing(monkeypatch, "send_messages", smtplib.SMTPDataError(code, b""))
    assert (refused.permanent, refused.unknown) == (permanent, False)


@pytest.mark.parametrize("error", [TimeoutError(), smtplib.SMTPServerDisconnected(), ConnectionResetError()])
def test_a_broken_connection_leaves_it_unknown(monkeypatch, error):
    assert failing(monkeypatch, "send_messages", error).unknown


def test_without_a_server_mail_is_off(settings):
    settings.EMAIL_URL = ""
    assert not email.configured()
