"""E-mail to members of staff, by the mail server of `EMAIL_URL`."""

import datetime as dt
import smtplib
from email.utils import parseaddr

from django.conf import settings
from django.core.mail import EmailMessage, get_connection

from notifications.channels.base import ChannelError, Letter, Report, Taken

LONGEST_SUBJECT = 120
_LOGIN = "邮件服务器不接受账号，请检查 EMAIL_URL 的账号、密码（许多邮箱要用授权码）"
_SENDER = "邮件服务器不接受发件人，请检查 EMAIL_FROM"


def configured() -> bool:
    return bool(settings.EMAIL_URL)


def send(letter: Letter, *, timeout: float = 10.0) -> Taken:
    """Send a plain text. `letter.address`: the e-mail address. Raises ChannelError."""
    domain = parseaddr(settings.DEFAULT_FROM_EMAIL)[1].rpartition("@")[2] or "localhost"
    message = EmailMessage(
        " ".join(letter.title.split())[:LONGEST_SUBJECT],
        letter.text,
        to=[letter.address],
        headers={"Message-ID": f"<{letter.reference}@{domain}>"},
    )
    connection = get_connection(timeout=timeout)
    try:
        connection.open()
    except (OSError, smtplib.SMTPException) as error:
        raise _unsent(error) from error
    try:
        connection.send_messages([message])
    except (OSError, smtplib.SMTPException, ValueError) as error:
        raise _refused(error) from error
    finally:
        _close(connection)
    return Taken()


def ask(letter: Letter, provider_id: str, sent_at: dt.datetime) -> Report | None:
    """A mail server can't be asked."""
    return None


def _close(connection: object) -> None:
    """What was taken was taken, however the farewell goes."""
    try:
        connection.close()  # type: ignore[attr-defined]
    except (OSError, smtplib.SMTPException):
        return


def _unsent(error: Exception) -> ChannelError:
    """Nothing was said yet but who we are. The server's words may quote addresses: only its code is kept."""
    if isinstance(error, smtplib.SMTPAuthenticationError):
        return ChannelError(_LOGIN, code=str(error.smtp_code), trouble=_LOGIN)
    return ChannelError("无法连接邮件服务器", code=type(error).__name__)


def _refused(error: Exception) -> ChannelError:
    """A refusal is the server's answer; a connection that broke tells nothing."""
    if isinstance(error, smtplib.SMTPSenderRefused):
        return ChannelError(_SENDER, code=str(error.smtp_code), trouble=_SENDER)
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        codes = [code for code, _ in error.recipients.values()]
        code = codes[0] if codes else 0
        return ChannelError("邮件服务器不接受这个收件地址", code=str(code), permanent=code >= 500)
    if isinstance(error, smtplib.SMTPResponseException):
        refused = "邮件服务器没有接受邮件"
        return ChannelError(refused, code=str(error.smtp_code), permanent=error.smtp_code >= 500)
    if isinstance(error, ValueError):
        return ChannelError("收件地址无法识别", code="address", permanent=True)
    return ChannelError("邮件发出后没有答复", code=type(error).__name__, unknown=True)
