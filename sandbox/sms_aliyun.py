"""阿里云短信服务: SendSms and QuerySendDetails behind its gateway, signed by ACS3 or by RPC v1.

That 状态 of a message is kept for as long as the sandbox runs, and the order of refusals, are assumptions.
"""

import base64
import dataclasses
import datetime as dt
import hashlib
import hmac
import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote
from uuid import uuid4

from sandbox.instants import shanghai, wall_clock
from sandbox.pushing import answered_json
from sandbox.serving import Answered, Asked
from sandbox.sms import DAY, HOUR, LONGEST_VALUE, MINUTE, MOBILE, URL, PhoneBook, Sms, SmsTemplate
from sandbox.world import World

SERVICE = "aliyun_sms"
CALLBACK = "/callbacks/sms/aliyun/"
WINDOW_SECONDS = 900.0
MOST_PHONES = 1000
SIGNED = frozenset({"host", "x-acs-action", "x-acs-version", "x-acs-date", "x-acs-signature-nonce"}) | {
    "x-acs-content-sha256"
}
FLOW = ("触发分钟级流控Permits:1", "触发小时级流控Permits:5", "触发天级流控Permits:10", "触发号码天级流控Permits:40")
NOTICE_FLOW = ("触发天级流控Permits:50",)
GATEWAY_STATUS = {"InvalidAccessKeyId.NotFound": 404, "ServiceUnavailable": 503, "InternalError": 500}


@dataclasses.dataclass
class Manners:
    """`error`: what every SendSms answers; `undelivered`: the carrier's code with which every text fails."""

    error: str = ""
    undelivered: str = ""
    report_seconds: float = 3.0
    flow_control: bool = True


class Refused(Exception):
    """isv… and isp… are the service's own, with HTTP 200; the rest is the gateway's."""

    def __init__(self, code: str, message: str) -> None:
        self.code, self.message = code, message
        super().__init__(code)


def serves(asked: Asked) -> bool:
    headers = _lower(asked.headers)
    rpc = {**asked.query, **asked.form}
    return asked.path == "/" and ("x-acs-action" in headers or {"Action", "SignatureVersion"} <= rpc.keys())


def answer(world: World, asked: Asked) -> Any:
    """Answer a call; an HTTP error where the gateway refuses it."""
    request_id = str(uuid4()).upper()
    try:
        action, params = _authenticate(world, asked)
        if action == "SendSms":
            told = _send(world, params)
        elif action == "QuerySendDetails":
            told = _details(world, params)
        else:
            raise Refused("InvalidAction.NotFound", "Specified api is not found, please check your url and method.")
    except Refused as refusal:
        return _refusal(refusal, request_id)
    return {"Code": "OK", "Message": "OK", "RequestId": request_id, **told}


def _refusal(refusal: Refused, request_id: str) -> Any:
    told = {"RequestId": request_id, "Code": refusal.code, "Message": refusal.message}
    if refusal.code.startswith(("isv.", "isp.")):
        return told
    return Answered(GATEWAY_STATUS.get(refusal.code, 400), {**told, "HostId": "dysmsapi.aliyuncs.com"})


# --- who asks -------------------------------------------------------------------------------------


def _authenticate(world: World, asked: Asked) -> tuple[str, dict[str, str]]:
    """Return action and parameters of an authentic call."""
    headers = _lower(asked.headers)
    return _by_acs3(world, asked, headers) if "x-acs-action" in headers else _by_rpc(world, asked)


def _by_acs3(world: World, asked: Asked, headers: Mapping[str, str]) -> tuple[str, dict[str, str]]:
    scheme, _, rest = headers.get("authorization", "").partition(" ")
    given = dict(part.strip().partition("=")[::2] for part in rest.split(","))
    names = given.get("SignedHeaders", "").split(";")
    if scheme != "ACS3-HMAC-SHA256" or not set(names) >= SIGNED:
        raise Refused("IncompleteSignature", "The request signature does not conform to Aliyun standards.")
    _check_key(world, given.get("Credential", ""))
    hashed = headers.get("x-acs-content-sha256", "")
    lines = "".join(f"{name}:{headers.get(name, '').strip()}\n" for name in names)
    request = "\n".join([asked.method, asked.path, _query(asked.query), lines, ";".join(names), hashed])
    to_sign = f"ACS3-HMAC-SHA256\n{hashlib.sha256(request.encode()).hexdigest()}"
    right = hmac.new(world.config.aliyun_sms_access_key_secret.encode(), to_sign.encode(), hashlib.sha256).hexdigest()
    same_body = hashlib.sha256(asked.text.encode()).hexdigest() == hashed
    if names != sorted(names) or not same_body or not _same(right, given.get("Signature", "")):
        raise Refused("SignatureDoesNotMatch", f"Signature not matched, server string to sign is:{to_sign}")
    _check_fresh(world, headers["x-acs-date"], headers["x-acs-signature-nonce"])
    return headers["x-acs-action"], {**asked.query, **asked.form}


def _by_rpc(world: World, asked: Asked) -> tuple[str, dict[str, str]]:
    params = {**asked.query, **asked.form}
    given = params.pop("Signature", "")
    if params.get("SignatureMethod") != "HMAC-SHA1" or params["SignatureVersion"] != "1.0":
        raise Refused("IncompleteSignature", "The request signature does not conform to Aliyun standards.")
    _check_key(world, params.get("AccessKeyId", ""))
    to_sign = f"{asked.method}&%2F&{quote(_query(params), safe='~')}"
    key = f"{world.config.aliyun_sms_access_key_secret}&".encode()
    right = base64.b64encode(hmac.new(key, to_sign.encode(), hashlib.sha1).digest()).decode()
    if not _same(right, given):
        raise Refused("SignatureDoesNotMatch", f"Signature not matched, server string to sign is:{to_sign}")
    _check_fresh(world, params.get("Timestamp", ""), params.get("SignatureNonce", ""))
    return params["Action"], params


def _check_key(world: World, key_id: str) -> None:
    if not world.config.aliyun_sms_access_key_secret or key_id != world.config.aliyun_sms_access_key_id:
        raise Refused("InvalidAccessKeyId.NotFound", "Specified access key is not found.")


def _check_fresh(world: World, written: str, nonce: str) -> None:
    try:
        at = dt.datetime.strptime(written, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=dt.UTC).timestamp()
    except ValueError:
        raise Refused("InvalidTimeStamp.Format", "Specified time stamp or date value is not well formatted.") from None
    if abs(world.clock() - at) > WINDOW_SECONDS:
        raise Refused("InvalidTimeStamp.Expired", "Specified time stamp or date value is expired.")
    if not nonce or world.own(PhoneBook).used(f"aliyun:{nonce}", world.clock()):
        raise Refused("SignatureNonceUsed", "Specified signature nonce was used already.")


def _query(params: Mapping[str, str]) -> str:
    return "&".join(f"{quote(name, safe='~')}={quote(value, safe='~')}" for name, value in sorted(params.items()))


def _same(right: str, given: str) -> bool:
    return hmac.compare_digest(right.encode(), given.encode("utf-8", "replace"))


def _lower(headers: Mapping[str, str]) -> dict[str, str]:
    return {name.lower(): value for name, value in headers.items()}


# --- what is asked --------------------------------------------------------------------------------


def _send(world: World, params: Mapping[str, str]) -> dict[str, str]:
    manners, book, now = world.own(Manners), world.own(PhoneBook), world.clock()
    if manners.error:
        raise Refused(manners.error, "按要求出错")
    phones = [_phone(written) for written in params.get("PhoneNumbers", "").split(",")]
    if len(phones) > MOST_PHONES:
        raise Refused("isv.MOBILE_COUNT_OVER_LIMIT", "手机号码数量超过限制")
    if params.get("SignName", "") != world.config.aliyun_sms_sign_name:
        raise Refused("isv.SMS_SIGNATURE_ILLEGAL", "短信签名不合法")
    template = book.templates.get((SERVICE, params.get("TemplateCode", "")))
    if template is None:
        raise Refused("isv.SMS_TEMPLATE_ILLEGAL", "模板不合法(不存在或被拉黑)")
    text = f"【{params['SignName']}】{template.text(_values(params.get('TemplateParam', ''), template))}"
    number = f"{int(now * 1000)}{next(book.serial):05}^0"
    for phone in phones:
        if manners.flow_control:
            _flow(book, params["SignName"], phone, template, now)
        reported_at = now + manners.report_seconds
        reference = params.get("OutId", "")
        sent = (phone, text, template.template_id, reference, number, now, reported_at, manners.undelivered)
        book.take(Sms(SERVICE, *sent))
    return {"BizId": number}


def _phone(written: str) -> str:
    match = MOBILE.fullmatch(written.strip())
    if match is None:
        raise Refused("isv.MOBILE_NUMBER_ILLEGAL", f"{written}invalid mobile number")
    return match[1]


def _values(written: str, template: SmsTemplate) -> dict[str, str]:
    try:
        values = json.loads(written) if written else {}
    except ValueError:
        values = None
    if not isinstance(values, dict):
        raise Refused("isv.INVALID_JSON_PARAM", "JSON参数不合法，只接受字符串值")
    if not all(isinstance(value, str) for value in values.values()):
        raise Refused("isv.INVALID_JSON_PARAM", "JSON参数不合法，只接受字符串值")
    if any(name not in values for name in template.names):
        raise Refused("isv.TEMPLATE_MISSING_PARAMETERS", "模板缺少变量")
    for name in template.names:
        _check_value(values[name])
    return {name: values[name] for name in template.names}


def _check_value(value: str) -> None:
    if URL.search(value):
        raise Refused("isv.PARAM_NOT_SUPPORT_URL", "不支持URL")
    if len(value) > LONGEST_VALUE:
        raise Refused("isv.PARAM_LENGTH_LIMIT", "参数超出长度限制")
    if not value or "\n" in value:
        raise Refused("isv.TEMPLATE_PARAMS_ILLEGAL", "模板变量中存在不合规内容")


def _flow(book: PhoneBook, sign: str, phone: str, template: SmsTemplate, now: float) -> None:
    """Codes: so many for a signature and a number, and for the number in all. Notices: by template."""
    if template.is_code:
        key = f"{SERVICE} code {sign} {phone}"
        limits = [(key, 1, MINUTE), (key, 5, HOUR), (key, 10, DAY), (f"{SERVICE} codes {phone}", 40, DAY)]
    else:
        limits = [(f"{SERVICE} {template.template_id} {sign} {phone}", 50, DAY)]
    if (full := book.over(limits, now)) is not None:
        raise Refused("isv.BUSINESS_LIMIT_CONTROL", (FLOW if template.is_code else NOTICE_FLOW)[full])


def _details(world: World, params: Mapping[str, str]) -> dict[str, Any]:
    try:
        size, page = int(params["PageSize"]), int(params["CurrentPage"])
        phone, day = _phone(params["PhoneNumber"]), params["SendDate"]
    except (KeyError, ValueError):
        raise Refused("isv.INVALID_PARAMETERS", "参数异常") from None
    if not (1 <= size <= 50 and page >= 1):
        raise Refused("isv.INVALID_PARAMETERS", "参数异常")
    found = [
        sms
        for sms in reversed(world.own(PhoneBook).sent)
        if (sms.service, sms.phone) == (SERVICE, phone)
        and shanghai(sms.at).strftime("%Y%m%d") == day
        and params.get("BizId", sms.number) == sms.number
    ]
    rows = [_detail(sms, world.clock()) for sms in found[(page - 1) * size : page * size]]
    return {"TotalCount": str(len(found)), "SmsSendDetailDTOs": {"SmsSendDetailDTO": rows}}


def _detail(sms: Sms, now: float) -> dict[str, Any]:
    told = {
        "PhoneNum": sms.phone,
        "SendDate": wall_clock(sms.at),
        "Content": sms.text,
        "TemplateCode": sms.template_id,
        "OutId": sms.reference,
    }
    if now < sms.reported_at:
        return {**told, "SendStatus": 1}
    ended = {"ReceiveDate": wall_clock(sms.reported_at), "ErrCode": sms.fails_with or "DELIVERED"}
    return {**told, **ended, "SendStatus": 3 if sms.delivered else 2}


class AliyunReports:
    """SmsReport over HTTP: again after 1, 5 and 10 minutes unless `code` is 0."""

    callback = CALLBACK

    def secret(self, world: World) -> str:
        return world.config.aliyun_sms_callback_secret

    def report(self, sms: Sms) -> Any:
        return [
            {
                "phone_number": sms.phone,
                "send_time": wall_clock(sms.at),
                "report_time": wall_clock(sms.reported_at),
                "success": sms.delivered,
                "err_code": sms.fails_with or "DELIVERED",
                "err_msg": "用户接收成功" if sms.delivered else "用户接收失败",
                "sms_size": "1",
                "biz_id": sms.number,
                "out_id": sms.reference,
            }
        ]

    def accepted(self, status: int, text: str) -> bool:
        return answered_json(status, text).get("code") == 0
