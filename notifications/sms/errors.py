"""What the SMS services' error codes mean for a letter, by class.

Read 2026-11-22: help.aliyun.com document_detail/101347, common gateway errors; cloud.tencent.com/document/api/382/52075
and the list of the service's own Python SDK 3.1.153. Messages are not matched on, but for 阿里云's flow control, which
has one code for all its windows.
"""

import datetime as dt
import json
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from types import MappingProxyType
from typing import Any

import structlog

from frozenshop.kernel.http import ServiceError
from frozenshop.kernel.scrubbing import scrub
from notifications.channels.base import ChannelError, Letter
from notifications.models import Channel
from notifications.wechat import templates

logger = structlog.get_logger(__name__)

MINUTE, HOUR, DAY = dt.timedelta(minutes=1), dt.timedelta(hours=1), dt.timedelta(days=1)


class Refused(Exception):
    """The service answered with an error. `said` is its message, where that holds nothing of the request.

    `in_trouble`: with an HTTP error that leaves open what became of the request.
    """

    def __init__(self, code: str, said: str, request_id: str, *, in_trouble: bool = False) -> None:
        self.code, self.said, self.request_id = code[:60], said, request_id
        self.in_trouble = in_trouble
        super().__init__(code)


class Kind(Enum):
    """What helps against an error."""

    WAIT = "the same letter a little later"
    LIMIT = "this number has had enough for long; another service counts for itself"
    NUMBER = "nothing: this number can't be reached this way"
    CONTENT = "another wording"
    BUG = "a programmer"
    TEMPLATE = "staff mend this template"
    ACCOUNT = "staff mend keys, signature, balance or rights; nothing goes before"
    BUSY = "the service itself recovers"
    DOUBTFUL = "asking back: the service doesn't know itself whether it was sent"


@dataclass(frozen=True, slots=True)
class Meaning:
    kind: Kind
    reason: str
    way_out: str = ""
    waits: dt.timedelta | None = None


_ALIYUN_KEYS = "核对 .env 里的 ALIYUN_SMS_ACCESS_KEY_ID 和 ALIYUN_SMS_ACCESS_KEY_SECRET，与阿里云控制台一致后重启"
_ALIYUN_SIGN = "在短信控制台查看签名是否审核通过并已报备，再核对 ALIYUN_SMS_SIGN_NAME"
_TEMPLATE = "在短信控制台查看模板是否审核通过，再核对“消息模板”里的编号和字段"
_RECHARGE = "给短信账户充值或购买套餐包"
_CONSOLE = "在短信控制台查看账户状态，按提示处理"
_PROGRAM = "程序有误，请联系维护人员"
_WORDS = "检查商品名称和模板里的文字"
_CLOCK = "校准服务器时间（与标准时间相差不能超过 5 分钟）"

ALIYUN_LIMIT = "isv.BUSINESS_LIMIT_CONTROL"
_WINDOWS = (("分钟级", Kind.WAIT, MINUTE), ("小时级", Kind.LIMIT, HOUR), ("天级", Kind.LIMIT, DAY))

_N, _C, _B, _T, _A = Kind.NUMBER, Kind.CONTENT, Kind.BUG, Kind.TEMPLATE, Kind.ACCOUNT

ALIYUN: Mapping[str, Meaning] = MappingProxyType(
    {
        "isv.DAY_LIMIT_CONTROL": Meaning(_A, "达到控制台设置的日发送上限", "在短信控制台调高日上限"),
        "isv.MONTH_LIMIT_CONTROL": Meaning(_A, "达到控制台设置的月发送上限", "在短信控制台调高月上限"),
        "isv.MOBILE_NUMBER_ILLEGAL": Meaning(_N, "手机号不正确"),
        "isv.MOBILE_COUNT_OVER_LIMIT": Meaning(_B, "一次发送的号码过多", _PROGRAM),
        "isv.TEMPLATE_MISSING_PARAMETERS": Meaning(_T, "模板变量没有填全", _TEMPLATE),
        "isv.TEMPLATE_PARAMS_ILLEGAL": Meaning(_C, "模板变量不符合规则", _WORDS),
        "isv.INVALID_JSON_PARAM": Meaning(_B, "模板变量不是有效的 JSON", _PROGRAM),
        "isv.PARAM_LENGTH_LIMIT": Meaning(_C, "模板变量过长", _WORDS),
        "isv.PARAM_NOT_SUPPORT_URL": Meaning(_C, "模板变量里有网址", _WORDS),
        "isv.SMS_TEMPLATE_ILLEGAL": Meaning(_T, "短信模板不存在或没有审核通过", _TEMPLATE),
        "isv.SMS_SIGNATURE_ILLEGAL": Meaning(_A, "短信签名不存在或没有审核通过", _ALIYUN_SIGN),
        "isv.SMS_SIGN_ILLEGAL": Meaning(_A, "短信签名不可用", _ALIYUN_SIGN),
        "isv.SMS_SIGNATURE_SCENE_ILLEGAL": Meaning(_T, "短信模板与签名的类型不匹配", _TEMPLATE),
        "isv.SMS_CONTENT_ILLEGAL": Meaning(_C, "短信内容含有违规文字", _WORDS),
        "isv.BLACK_KEY_CONTROL_LIMIT": Meaning(_C, "短信内容含有受管控的词", _WORDS),
        "isv.OUT_OF_SERVICE": Meaning(_A, "短信业务因欠费停机", _RECHARGE),
        "isv.AMOUNT_NOT_ENOUGH": Meaning(_A, "短信余额不足", _RECHARGE),
        "isv.PRODUCT_UN_SUBSCRIPT": Meaning(_A, "没有开通短信服务", _CONSOLE),
        "isv.PRODUCT_UNSUBSCRIBE": Meaning(_A, "没有开通短信服务", _CONSOLE),
        "isv.ACCOUNT_NOT_EXISTS": Meaning(_A, "短信账户不存在", _CONSOLE),
        "isv.ACCOUNT_ABNORMAL": Meaning(_A, "短信账户异常", _CONSOLE),
        "isp.RAM_PERMISSION_DENY": Meaning(_A, "RAM 用户没有短信权限", "给 RAM 用户授予 AliyunDysmsFullAccess"),
        "isv.DENY_IP_RANGE": Meaning(_A, "服务器地址不在中国大陆", "从中国大陆的服务器调用，或联系阿里云"),
        "isv.DOMESTIC_NUMBER_NOT_SUPPORTED": Meaning(_T, "国际短信模板不能发往国内号码", _TEMPLATE),
        "isv.EXTEND_CODE_ERROR": Meaning(_B, "扩展码重复使用", _PROGRAM),
        "isv.INVALID_PARAMETERS": Meaning(_B, "参数不正确", _PROGRAM),
        "isp.SYSTEM_ERROR": Meaning(Kind.BUSY, "阿里云短信系统繁忙"),
        "isp.GATEWAY_ERROR": Meaning(Kind.BUSY, "阿里云短信网关繁忙"),
        # The gateway in front of all services.
        "InvalidAccessKeyId.NotFound": Meaning(_A, "AccessKey 不存在", _ALIYUN_KEYS),
        "InvalidAccessKeyId.Inactive": Meaning(_A, "AccessKey 已禁用", _ALIYUN_KEYS),
        "InvalidAccessKeyId": Meaning(_A, "AccessKey 不正确", _ALIYUN_KEYS),
        "SignatureDoesNotMatch": Meaning(_A, "签名不一致，AccessKeySecret 可能填错", _ALIYUN_KEYS),
        "IncompleteSignature": Meaning(_A, "签名不完整", _ALIYUN_KEYS),
        "SignatureNonceUsed": Meaning(Kind.DOUBTFUL, "同一请求到达了两次"),
        "InvalidTimeStamp.Expired": Meaning(_A, "请求时间过期", _CLOCK),
        "InvalidTimeStamp.Format": Meaning(_B, "请求时间的格式不正确", _PROGRAM),
        "IllegalTimestamp": Meaning(_A, "请求时间不正确", _CLOCK),
        "Forbidden.RAM": Meaning(_A, "RAM 用户没有短信权限", "给 RAM 用户授予 AliyunDysmsFullAccess"),
        "NoPermission": Meaning(_A, "RAM 用户没有短信权限", "给 RAM 用户授予 AliyunDysmsFullAccess"),
        "Throttling": Meaning(Kind.BUSY, "调用过于频繁"),
        "Throttling.User": Meaning(Kind.BUSY, "调用过于频繁"),
        "Throttling.Api": Meaning(Kind.BUSY, "调用过于频繁"),
        "ServiceUnavailable": Meaning(Kind.BUSY, "阿里云暂时不可用"),
        "InternalError": Meaning(Kind.DOUBTFUL, "阿里云内部错误"),
    }
)

_TENCENT_KEYS = "核对 .env 里的 TENCENT_SMS_SECRET_ID 和 TENCENT_SMS_SECRET_KEY，与腾讯云控制台一致后重启"
_TENCENT_SIGN = "在短信控制台查看签名是否审核通过，再核对 TENCENT_SMS_SIGN_NAME"
_TENCENT_APP = "核对 TENCENT_SMS_SDK_APP_ID，并在短信控制台查看应用是否启用"
_QUOTA = "在短信控制台调高发送限制"

TENCENT: Mapping[str, Meaning] = MappingProxyType(
    {
        "LimitExceeded.PhoneNumberThirtySecondLimit": Meaning(
            Kind.WAIT, "同一号码 30 秒内只能发一条", waits=dt.timedelta(seconds=30)
        ),
        "LimitExceeded.PhoneNumberOneHourLimit": Meaning(Kind.LIMIT, "同一号码一小时内的条数已满", waits=HOUR),
        "LimitExceeded.PhoneNumberDailyLimit": Meaning(Kind.LIMIT, "同一号码一天内的条数已满", waits=DAY),
        "LimitExceeded.PhoneNumberSameContentDailyLimit": Meaning(Kind.LIMIT, "同样内容今天已发够", waits=DAY),
        "LimitExceeded.DeliveryFrequencyLimit": Meaning(Kind.LIMIT, "命中频率限制", waits=HOUR),
        "LimitExceeded.AppDailyLimit": Meaning(_A, "应用的日发送上限已满", _QUOTA),
        "LimitExceeded.AppMainlandChinaDailyLimit": Meaning(_A, "应用的大陆日发送上限已满", _QUOTA),
        "LimitExceeded.DailyLimit": Meaning(_A, "账户的日发送上限已满", _QUOTA),
        "LimitExceeded.PhoneNumberCountLimit": Meaning(_B, "一次发送的号码过多", _PROGRAM),
        "RequestLimitExceeded": Meaning(Kind.BUSY, "调用过于频繁"),
        "InvalidParameterValue.IncorrectPhoneNumber": Meaning(_N, "手机号不正确"),
        "FailedOperation.PhoneNumberInBlacklist": Meaning(_N, "号码在黑名单里（例如回复过 T 退订）"),
        "FailedOperation.PhoneNumberParseFail": Meaning(_N, "号码无法识别"),
        "UnsupportedOperation.ChineseMainlandTemplateToGlobalPhone": Meaning(_N, "国内模板不能发往境外号码"),
        "UnsupportedOperation.GlobalTemplateToChineseMainlandPhone": Meaning(_T, "国际模板不能发往国内号码", _TEMPLATE),
        "UnsupportedOperation.ContainDomesticAndInternationalPhoneNumber": Meaning(_B, "号码混用", _PROGRAM),
        "FailedOperation.ContainSensitiveWord": Meaning(_C, "短信内容含有敏感词", _WORDS),
        "InvalidParameter.DirtyWordFound": Meaning(_C, "短信内容含有脏字", _WORDS),
        "InvalidParameterValue.ContentLengthLimit": Meaning(_C, "短信过长", _WORDS),
        "InvalidParameterValue.TemplateParameterFormatError": Meaning(_C, "模板变量的格式不正确", _TEMPLATE),
        "InvalidParameterValue.TemplateParameterLengthLimit": Meaning(_C, "模板变量过长", _WORDS),
        "InvalidParameterValue.ProhibitedUseUrlInTemplateParameter": Meaning(_C, "模板变量里有网址", _WORDS),
        "FailedOperation.MarketingSendTimeConstraint": Meaning(_T, "营销模板只能在 8 点到 22 点发送", "改用通知类模板"),
        "FailedOperation.TemplateIncorrectOrUnapproved": Meaning(_T, "短信模板没有审核通过", _TEMPLATE),
        "FailedOperation.TemplateUnapprovedOrNotExist": Meaning(_T, "短信模板不存在或没有审核通过", _TEMPLATE),
        "FailedOperation.TemplateParamSetNotMatchApprovedTemplate": Meaning(_T, "变量个数与模板不符", _TEMPLATE),
        "FailedOperation.SignatureIncorrectOrUnapproved": Meaning(_A, "短信签名没有审核通过", _TENCENT_SIGN),
        "InvalidParameterValue.SdkAppIdNotExist": Meaning(_A, "短信应用不存在", _TENCENT_APP),
        "UnauthorizedOperation.SmsSdkAppIdVerifyFail": Meaning(_A, "短信应用校验失败", _TENCENT_APP),
        "UnauthorizedOperation.SdkAppIdIsDisabled": Meaning(_A, "短信应用已停用", _TENCENT_APP),
        "UnauthorizedOperation.RequestIpNotInWhitelist": Meaning(
            _A, "服务器地址不在白名单", "在短信控制台的应用里加入服务器的出口地址"
        ),
        "UnauthorizedOperation.RequestPermissionDeny": Meaning(_A, "没有接口权限", _CONSOLE),
        "UnauthorizedOperation.ServiceSuspendDueToArrears": Meaning(_A, "短信业务因欠费停机", _RECHARGE),
        "UnauthorizedOperation": Meaning(_A, "子账号没有短信权限", "给子账号授予 QcloudSMSFullAccess"),
        "FailedOperation.InsufficientBalanceInSmsPackage": Meaning(_A, "短信套餐包余额不足", _RECHARGE),
        "MissingParameter.EmptyPhoneNumberSet": Meaning(_B, "没有号码", _PROGRAM),
        "MissingParameter": Meaning(_B, "缺少参数", _PROGRAM),
        "InvalidParameter": Meaning(_B, "参数不正确", _PROGRAM),
        "FailedOperation.FailResolvePacket": Meaning(Kind.BUSY, "腾讯云没有读懂请求"),
        "InternalError.RequestTimeException": Meaning(_A, "请求时间不正确", _CLOCK),
        "InternalError.Timeout": Meaning(Kind.DOUBTFUL, "腾讯云内部超时"),
        "InternalError.SendAndRecvFail": Meaning(Kind.DOUBTFUL, "腾讯云内部通信失败"),
        "InternalError": Meaning(Kind.BUSY, "腾讯云内部错误"),
        "AuthFailure.SignatureExpire": Meaning(_A, "请求时间过期", _CLOCK),
        "AuthFailure.UnauthorizedOperation": Meaning(_A, "没有接口权限", _CONSOLE),
        "AuthFailure": Meaning(_A, "密钥不正确", _TENCENT_KEYS),
    }
)
"""A code that doesn't stand here is read by its first part: `InternalError.OtherError` as `InternalError`."""

NEW_TROUBLE = Meaning(Kind.DOUBTFUL, "短信服务自己出错，错误码没有见过")
NEW_CODE = Meaning(Kind.CONTENT, "短信服务返回了没有见过的错误码", "按错误码查服务商的文档")


def meaning_of(channel: str, refusal: Refused) -> Meaning:
    """Return what a code means, the unknown ones included."""
    if refusal.code == ALIYUN_LIMIT:
        _, kind, waits = next((one for one in _WINDOWS if one[0] in refusal.said), _WINDOWS[-1])
        return Meaning(kind, scrub(refusal.said)[:60] or "触发流控", waits=waits)
    table = ALIYUN if channel == Channel.SMS_ALIYUN else TENCENT
    found = table.get(refusal.code) or table.get(refusal.code.partition(".")[0])
    if found is None:
        logger.error("sms.new_code", channel=channel, code=refusal.code, said=refusal.said[:100])
    return found or (NEW_TROUBLE if refusal.in_trouble else NEW_CODE)


def refused(channel: str, letter: Letter, refusal: Refused) -> ChannelError:
    """Return how to go on after a refusal; a template that can't work is stopped."""
    meaning = meaning_of(channel, refusal)
    told = f"{meaning.reason}（{refusal.code}）" + (f"：{meaning.way_out}" if meaning.way_out else "")
    kind = meaning.kind
    if kind is Kind.TEMPLATE:
        templates.stop(channel, letter.template_id, told)
    return ChannelError(
        f"{told} RequestId {refusal.request_id}" if refusal.request_id else told,
        code=refusal.code,
        permanent=kind not in (Kind.WAIT, Kind.ACCOUNT, Kind.BUSY, Kind.DOUBTFUL),
        unknown=kind is Kind.DOUBTFUL,
        trouble=told if kind in (Kind.ACCOUNT, Kind.TEMPLATE) else "",
        retry_after=meaning.waits,
        channel_is_well=kind is Kind.WAIT,
    )


def unheard(channel: str, error: ServiceError) -> ChannelError:
    """Return how to go on where no usable answer came: unless nothing was sent, nobody knows whether it was taken."""
    label = Channel(channel).label
    if error.status is not None and error.status < 500:
        told = f"{label}地址不正确或被拦截（HTTP {error.status}）：核对 {error.service.upper()}_BASE_URL 和网络代理"
        return ChannelError(told, code=str(error.status), trouble=told)
    return ChannelError(f"{label}{error.detail}", code=str(error.status or ""), unknown=error.sent)


def read_object(service: str, body: bytes) -> dict[str, Any]:
    """Return the JSON object of an answer. Raises ServiceError: nobody knows what became of the call."""
    try:
        found = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise ServiceError(service, "回答无法读取", transient=True) from error
    if not isinstance(found, dict):
        raise ServiceError(service, "回答无法读取", transient=True)
    return found
