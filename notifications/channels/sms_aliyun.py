"""SMS by 阿里云短信服务."""

import datetime as dt
import json
from collections.abc import Iterator, Mapping
from typing import Any

from django.conf import settings

from frozenshop.kernel import clock
from frozenshop.kernel.http import ServiceError
from notifications.channels.base import ChannelError, Fate, Letter, Report, Taken
from notifications.models import Channel
from notifications.sms import aliyun, errors
from notifications.sms import fields as field_rules
from notifications.sms.errors import Refused

CHANNEL = Channel.SMS_ALIYUN
FATES: Mapping[str, Fate] = {"1": Fate.UNDERWAY, "2": Fate.FAILED, "3": Fate.DELIVERED}
SURE_AFTER = dt.timedelta(minutes=5)
"""A letter that is not in 阿里云's list so long after it was sent was never taken."""
PAGE = 50
MOST_PAGES = 4

configured = aliyun.configured


def send(letter: Letter, *, timeout: float = 10.0) -> Taken:
    """Send to one mainland mobile. `letter.fields`: the template's variables by name. Raises ChannelError."""
    letter = field_rules.fitting(letter)
    asked = {
        "PhoneNumbers": letter.address,
        "SignName": settings.ALIYUN_SMS_SIGN_NAME,
        "TemplateCode": letter.template_id,
        "OutId": letter.reference,
    }
    if letter.fields:
        asked["TemplateParam"] = json.dumps(dict(letter.fields), ensure_ascii=False)
    found = _call("SendSms", asked, letter, timeout)
    return Taken(str(found.get("BizId", "")))


def ask(letter: Letter, provider_id: str, sent_at: dt.datetime) -> Report | None:
    """Look the letter up by our reference in the list of its day. Raises ChannelError while it may still appear."""
    for row in _listed(letter, provider_id, sent_at):
        if row.get("OutId") == letter.reference:
            fate = FATES.get(str(row.get("SendStatus")), Fate.UNDERWAY)
            code = str(row.get("ErrCode") or "")
            return Report(fate, code=code, said=code, reference=letter.reference)
    if clock.now() - sent_at < SURE_AFTER:
        raise ChannelError("阿里云还没有列出这条短信", code="not_listed_yet")
    return Report(Fate.NEVER_TAKEN, code="not_listed", said="阿里云没有收到这条短信", reference=letter.reference)


def _listed(letter: Letter, provider_id: str, sent_at: dt.datetime) -> Iterator[dict[str, Any]]:
    # What was sent just before midnight may stand under either day.
    for day in sorted({f"{clock.shanghai(sent_at + late):%Y%m%d}" for late in (dt.timedelta(0), SURE_AFTER)}):
        for page in range(1, MOST_PAGES + 1):
            rows = _page(letter, provider_id, day, page)
            yield from rows
            if len(rows) < PAGE:
                break


def _page(letter: Letter, provider_id: str, day: str, page: int) -> list[dict[str, Any]]:
    asked = {"PhoneNumber": letter.address, "SendDate": day, "PageSize": str(PAGE), "CurrentPage": str(page)}
    if provider_id:
        asked["BizId"] = provider_id
    found = _call("QuerySendDetails", asked, letter, 10.0).get("SmsSendDetailDTOs")
    rows = found.get("SmsSendDetailDTO") if isinstance(found, dict) else None
    return [row for row in rows if isinstance(row, dict)] if isinstance(rows, list) else []


def _call(action: str, asked: Mapping[str, str], letter: Letter, timeout: float) -> dict[str, Any]:
    try:
        return aliyun.call(action, asked, timeout=timeout)
    except Refused as refusal:
        raise errors.refused(CHANNEL, letter, refusal) from refusal
    except ServiceError as error:
        raise errors.unheard(CHANNEL, error) from error
