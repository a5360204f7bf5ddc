"""SMS by 腾讯云短信."""

import datetime as dt
from collections.abc import Mapping
from typing import Any

from django.conf import settings

from frozenshop.kernel.http import ServiceError
from notifications.channels.base import ChannelError, Fate, Letter, Report, Taken
from notifications.models import Channel
from notifications.sms import errors, tencent
from notifications.sms import fields as field_rules
from notifications.sms.errors import Refused

CHANNEL = Channel.SMS_TENCENT
FATES: Mapping[str, Fate] = {"SUCCESS": Fate.DELIVERED, "FAIL": Fate.FAILED}
BEFORE, AFTER = dt.timedelta(minutes=2), dt.timedelta(days=1)
PAGE = 100

configured = tencent.configured


def send(letter: Letter, *, timeout: float = 10.0) -> Taken:
    """Send to one mainland mobile. `letter.fields`: named 1, 2, 3… as the template counts. Raises ChannelError."""
    letter = field_rules.fitting(letter)
    asked = {
        "PhoneNumberSet": [_number(letter)],
        "SmsSdkAppId": settings.TENCENT_SMS_SDK_APP_ID,
        "SignName": settings.TENCENT_SMS_SIGN_NAME,
        "TemplateId": letter.template_id,
        "TemplateParamSet": field_rules.in_order(letter.fields),
        "SessionContext": letter.reference,
    }
    rows = _call("SendSms", asked, letter, timeout).get("SendStatusSet")
    if not isinstance(rows, list) or len(rows) != 1 or not isinstance(rows[0], dict):
        raise ChannelError("腾讯云短信的回答无法读取，结果未知", code="unreadable", unknown=True)
    if rows[0].get("Code") != "Ok":
        refusal = Refused(str(rows[0].get("Code", "")), str(rows[0].get("Message", "")), "")
        raise errors.refused(CHANNEL, letter, refusal)
    return Taken(str(rows[0].get("SerialNo", "")))


def ask(letter: Letter, provider_id: str, sent_at: dt.datetime) -> Report | None:
    """Look for the report of the letter by the phone's number; the account must be allowed to
    (腾讯云 opens it on demand).

    What has no report yet may still be under way, so its absence proves nothing. Raises ChannelError.
    """
    asked = {
        "BeginTime": int((sent_at - BEFORE).timestamp()),
        "EndTime": int((sent_at + AFTER).timestamp()),
        "Offset": 0,
        "Limit": PAGE,
        "PhoneNumber": _number(letter),
        "SmsSdkAppId": settings.TENCENT_SMS_SDK_APP_ID,
    }
    rows = _call("PullSmsSendStatusByPhoneNumber", asked, letter, 10.0).get("PullSmsSendStatusSet")
    for row in rows if isinstance(rows, list) else []:
        if isinstance(row, dict) and _is_about(row, letter.reference, provider_id):
            said = str(row.get("Description") or "")
            serial = str(row.get("SerialNo") or "")
            fate = FATES.get(str(row.get("ReportStatus")), Fate.UNDERWAY)
            return Report(fate, code=said[:60], said=said, reference=letter.reference, provider_id=serial)
    raise ChannelError("腾讯云还没有这条短信的回执", code="no_report_yet")


def _is_about(row: Mapping[str, Any], reference: str, provider_id: str) -> bool:
    return row.get("SessionContext") == reference or bool(provider_id and row.get("SerialNo") == provider_id)


def _number(letter: Letter) -> str:
    return letter.address if letter.address.startswith("+") else f"+86{letter.address}"


def _call(action: str, asked: Mapping[str, Any], letter: Letter, timeout: float) -> dict[str, Any]:
    try:
        return tencent.call(action, asked, timeout=timeout)
    except Refused as refusal:
        raise errors.refused(CHANNEL, letter, refusal) from refusal
    except ServiceError as error:
        raise errors.unheard(CHANNEL, error) from error
