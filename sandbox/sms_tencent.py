"""腾讯云短信: SendSms and the two ways to pull statuses, signed by TC3.

Its numbers of flow control are what its console shows for a new application; that they count all templates together,
and that a status which was pulled is not pulled again, are assumptions.
"""

import dataclasses
import datetime as dt
import hashlib
import hmac
import json
from collections.abc import Mapping
from typing import Any
from uuid import uuid4

from sandbox.instants import wall_clock
from sandbox.pushing import answered_json
from sandbox.serving import Asked
from sandbox.sms import DAY, HOUR, LONGEST_VALUE, MOBILE, URL, PhoneBook, Sms, SmsTemplate
from sandbox.world import World

SERVICE = "tencent_sms"
CALLBACK = "/callbacks/sms/tencent/"
WINDOW_SECONDS = 300.0
MOST_PHONES = 200
FLOW = ("PhoneNumberThirtySecondLimit", "PhoneNumberOneHourLimit", "PhoneNumberDailyLimit")


@dataclasses.dataclass
class Manners:
    """`error`: what every SendSms answers for its number, or as a whole (codes of AuthFailure, UnauthorizedOperation,
    RequestLimitExceeded, InternalError); `undelivered`: the carrier's code with which every text fails.
    `session_context`: whether statuses repeat it, which 腾讯云 opens on demand.
    """

    error: str = ""
    undelivered: str = ""
    report_seconds: float = 3.0
    flow_control: bool = True
    session_context: bool = True


@dataclasses.dataclass
class Pulled:
    """The statuses that were pulled already, by serial number."""

    numbers: set[str] = dataclasses.field(default_factory=set)


class Refused(Exception):
    """The whole call is refused."""

    def __init__(self, code: str, message: str) -> None:
        self.code, self.message = code, message
        super().__init__(code)


class NotSent(Refused):
    """One number is refused."""


def serves(asked: Asked) -> bool:
    return asked.path == "/" and any(name.lower() == "x-tc-action" for name in asked.headers)


def answer(world: World, asked: Asked) -> Any:
    """Answer a call, with HTTP 200 whatever is said."""
    headers = {name.lower(): value for name, value in asked.headers.items()}
    acts = {"SendSms": _send, "PullSmsSendStatus": _pull, "PullSmsSendStatusByPhoneNumber": _pull_by_phone}
    try:
        _authenticate(world, asked, headers)
        act = acts.get(headers["x-tc-action"])
        if act is None or headers.get("x-tc-version") != "2021-01-11":
            raise Refused("InvalidAction", "The action or its version does not exist.")
        told = act(world, _object(asked.text))
    except Refused as refusal:
        told = {"Error": {"Code": refusal.code, "Message": refusal.message}}
    return {"Response": {**told, "RequestId": str(uuid4())}}


# --- who asks -------------------------------------------------------------------------------------


def _authenticate(world: World, asked: Asked, headers: Mapping[str, str]) -> None:
    scheme, _, rest = headers.get("authorization", "").partition(" ")
    given = dict(part.strip().partition("=")[::2] for part in rest.split(","))
    secret_id, _, scope = given.get("Credential", "").partition("/")
    names = given.get("SignedHeaders", "").split(";")
    written = headers.get("x-tc-timestamp", "")
    if scheme != "TC3-HMAC-SHA256" or not {"content-type", "host"} <= set(names) or not written.isdigit():
        raise Refused("AuthFailure.SignatureFailure", "The request lacks a signature that can be read.")
    if not world.config.tencent_sms_secret_key or secret_id != world.config.tencent_sms_secret_id:
        raise Refused("AuthFailure.SecretIdNotFound", "The SecretId is not found.")
    if abs(world.clock() - int(written)) > WINDOW_SECONDS:
        raise Refused("AuthFailure.SignatureExpire", "Signature expired, please check your local time.")
    day = dt.datetime.fromtimestamp(int(written), dt.UTC).strftime("%Y-%m-%d")
    right = _sign(world, asked, headers, names, written, day)
    wrong_scope = scope != f"{day}/sms/tc3_request"
    if wrong_scope or not hmac.compare_digest(right, given.get("Signature", "").encode("utf-8", "replace")):
        raise Refused("AuthFailure.SignatureFailure", "The provided credentials could not be validated.")


def _sign(world: World, asked: Asked, headers: Mapping[str, str], names: list[str], written: str, day: str) -> bytes:
    lines = "".join(f"{name}:{_signed_value(name, headers.get(name, ''))}\n" for name in names)
    hashed = hashlib.sha256(asked.text.encode()).hexdigest()
    request = "\n".join([asked.method, "/", "", lines, ";".join(names), hashed])
    hashed = hashlib.sha256(request.encode()).hexdigest()
    key = f"TC3{world.config.tencent_sms_secret_key}".encode()
    for part in (day, "sms", "tc3_request"):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    to_sign = "\n".join(["TC3-HMAC-SHA256", written, f"{day}/sms/tc3_request", hashed])
    return hmac.new(key, to_sign.encode(), hashlib.sha256).hexdigest().encode()


def _signed_value(name: str, value: str) -> str:
    """A content type is signed as it is sent; the action in lower case."""
    return value.strip().lower() if name.startswith("x-tc-") else value.strip()


def _object(text: str) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise Refused("InvalidParameter", "The body is not a JSON object.")
    return found


# --- what is asked --------------------------------------------------------------------------------


def _send(world: World, asked: Mapping[str, Any]) -> dict[str, Any]:
    phones = asked.get("PhoneNumberSet")
    if not isinstance(phones, list) or not phones:
        raise Refused("MissingParameter.EmptyPhoneNumberSet", "The phone number set is empty.")
    if len(phones) > MOST_PHONES:
        raise Refused("LimitExceeded.PhoneNumberCountLimit", "Too many phone numbers.")
    forced = world.own(Manners).error
    if forced.startswith(("AuthFailure", "UnauthorizedOperation", "RequestLimitExceeded", "InternalError")):
        raise Refused(forced, "按要求出错")
    _check_app(world, asked)
    return {"SendStatusSet": [_send_one(world, asked, str(phone)) for phone in phones]}


def _check_app(world: World, asked: Mapping[str, Any]) -> None:
    if asked.get("SmsSdkAppId") != world.config.tencent_sms_sdk_app_id:
        raise Refused("UnauthorizedOperation.SmsSdkAppIdVerifyFail", "The SmsSdkAppId could not be verified.")


def _send_one(world: World, asked: Mapping[str, Any], phone: str) -> dict[str, Any]:
    match = MOBILE.fullmatch(phone)
    session = str(asked.get("SessionContext", ""))
    told = {"SerialNo": "", "PhoneNumber": f"+86{match[1]}" if match else phone, "Fee": 0, "SessionContext": session}
    try:
        if match is None:
            raise NotSent("InvalidParameterValue.IncorrectPhoneNumber", "the phone number is not valid")
        number = _take(world, asked, match[1], session)
    except NotSent as refusal:
        return {**told, "Code": refusal.code, "Message": refusal.message, "IsoCode": "CN"}
    return {**told, "SerialNo": number, "Fee": 1, "Code": "Ok", "Message": "send success", "IsoCode": "CN"}


def _take(world: World, asked: Mapping[str, Any], phone: str, session: str) -> str:
    manners, book, now = world.own(Manners), world.own(PhoneBook), world.clock()
    if manners.error:
        raise NotSent(manners.error, "按要求出错")
    if asked.get("SignName") != world.config.tencent_sms_sign_name:
        raise NotSent("FailedOperation.SignatureIncorrectOrUnapproved", "the signature is not approved")
    template = book.templates.get((SERVICE, str(asked.get("TemplateId", ""))))
    if template is None:
        raise NotSent("FailedOperation.TemplateIncorrectOrUnapproved", "the template is not approved")
    text = f"【{asked['SignName']}】{template.text(_values(asked.get('TemplateParamSet', []), template))}"
    if manners.flow_control:
        key = f"{SERVICE} {phone}"
        full = book.over([(key, 1, 30.0), (key, 5, HOUR), (key, 10, DAY)], now)
        if full is not None:
            raise NotSent(f"LimitExceeded.{FLOW[full]}", "the number of sms messages exceeds the upper limit")
    number = f"5000:{int(now * 1000)}{next(book.serial):09}"
    reported_at = now + manners.report_seconds
    book.take(Sms(SERVICE, phone, text, template.template_id, session, number, now, reported_at, manners.undelivered))
    return number


def _values(given: Any, template: SmsTemplate) -> dict[str, str]:
    if not isinstance(given, list) or len(given) != len(template.names):
        sentence = "the parameters do not match the approved template"
        raise NotSent("FailedOperation.TemplateParamSetNotMatchApprovedTemplate", sentence)
    for value in given:
        _check_value(str(value), template)
    return {str(place): str(value) for place, value in enumerate(given, start=1)}


def _check_value(value: str, template: SmsTemplate) -> None:
    if template.is_code and not (value.isdigit() and len(value) <= 6):
        raise NotSent("InvalidParameterValue.TemplateParameterFormatError", "a code has at most 6 digits")
    if URL.search(value):
        raise NotSent("InvalidParameterValue.ProhibitedUseUrlInTemplateParameter", "no URL in a parameter")
    if len(value) > LONGEST_VALUE:
        raise NotSent("InvalidParameterValue.TemplateParameterLengthLimit", "a parameter is too long")


def _pull(world: World, asked: Mapping[str, Any]) -> dict[str, Any]:
    """Each status once."""
    _check_app(world, asked)
    pulled = world.own(Pulled)
    found = [sms for sms in _reported(world) if sms.number not in pulled.numbers][: _limit(asked)]
    pulled.numbers |= {sms.number for sms in found}
    return {"PullSmsSendStatusSet": [_status(world, sms) for sms in found]}


def _pull_by_phone(world: World, asked: Mapping[str, Any]) -> dict[str, Any]:
    _check_app(world, asked)
    match = MOBILE.fullmatch(str(asked.get("PhoneNumber", "")))
    begin, end, offset = asked.get("BeginTime"), asked.get("EndTime"), asked.get("Offset", 0)
    if match is None or not all(isinstance(number, int) for number in (begin, end, offset)):
        raise Refused("InvalidParameterValue.BeginTimeVerifyFail", "BeginTime, EndTime, Offset or PhoneNumber")
    found = [sms for sms in _reported(world) if sms.phone == match[1] and int(begin or 0) <= sms.at <= int(end or 0)]
    return {"PullSmsSendStatusSet": [_status(world, sms) for sms in found[offset : offset + _limit(asked)]]}


def _reported(world: World) -> list[Sms]:
    now = world.clock()
    return [sms for sms in world.own(PhoneBook).sent if sms.service == SERVICE and sms.reported_at <= now]


def _limit(asked: Mapping[str, Any]) -> int:
    limit = asked.get("Limit")
    if not isinstance(limit, int) or not 1 <= limit <= 100:
        raise Refused("InvalidParameterValue.LimitVerifyFail", "Limit is from 1 to 100.")
    return limit


def _status(world: World, sms: Sms) -> dict[str, Any]:
    return {
        "UserReceiveTime": int(sms.reported_at),
        "CountryCode": "86",
        "SubscriberNumber": sms.phone,
        "PhoneNumber": f"+86{sms.phone}",
        "SerialNo": sms.number,
        "ReportStatus": "SUCCESS" if sms.delivered else "FAIL",
        "Description": sms.fails_with or "DELIVRD",
        "SessionContext": sms.reference if world.own(Manners).session_context else "",
    }


class TencentReports:
    """Status callbacks; `sid` alone names the text."""

    callback = CALLBACK

    def secret(self, world: World) -> str:
        return world.config.tencent_sms_callback_secret

    def report(self, sms: Sms) -> Any:
        return [
            {
                "user_receive_time": wall_clock(sms.reported_at),
                "nationcode": "86",
                "mobile": sms.phone,
                "report_status": "SUCCESS" if sms.delivered else "FAIL",
                "errmsg": sms.fails_with or "DELIVRD",
                "description": "用户短信送达成功" if sms.delivered else "用户短信送达失败",
                "sid": sms.number,
            }
        ]

    def accepted(self, status: int, text: str) -> bool:
        return answered_json(status, text).get("result") == 0
