"""WeChat's answers to an upload, by what can be done about them. Source: 发货信息管理服务, error codes, 2026-11."""

import datetime as dt
import enum
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from frozenshop.kernel.http import ServiceError
from notifications.wechat.errors import SENDING, STALE_TOKEN, UNREADABLE, WechatError


class Does(enum.Enum):
    """What follows an error."""

    DONE = "WeChat has it already"
    WAIT = "nothing took effect; again after a while"
    ASK = "nobody knows what WeChat has now; it is asked before anything is repeated"
    PAYER = "the payment is somebody else's; WeChat says whose"
    ACCOUNT = "nothing goes until a person has mended the account; again after a while"
    STOP = "this can't be told as it is; a person must act"


@dataclass(frozen=True, slots=True)
class Verdict:
    does: Does
    reason: str
    way_out: str = ""
    least_wait: dt.timedelta = dt.timedelta(seconds=10)

    @property
    def told(self) -> str:
        return f"{self.reason}：{self.way_out}" if self.way_out else self.reason


NOT_FOUND, NOT_SHIPPABLE, UNCHANGED = 10060001, 10060004, 10060023
_D = Does
_BUG = "程序有误，请把错误码告诉维护人员"
_CONSOLE = "到微信公众平台“发货管理”核对"
_GOODS = "检查商品名称后重试"
_MINUTE, _HOUR = dt.timedelta(minutes=1), dt.timedelta(hours=1)

VERDICTS: Mapping[int, Verdict] = MappingProxyType(
    {
        NOT_FOUND: Verdict(
            _D.WAIT,
            "微信还查不到这笔支付",
            "核对微信支付单号、商户号和商户订单号，以及商户号是否已授权给小程序；"
            "单号有误时，发货后只有先作废运单，商城才能改正，再重新发货",
        ),
        10060002: Verdict(_D.ASK, "这笔支付已完成发货", _CONSOLE),
        10060003: Verdict(_D.ASK, "重新发货的机会已用完", _CONSOLE),
        NOT_SHIPPABLE: Verdict(_D.ASK, "这笔支付现在不能发货", "可能已退款或在投诉中，" + _CONSOLE),
        10060005: Verdict(_D.STOP, "物流类型有误", _BUG),
        10060006: Verdict(_D.STOP, "非快递不能分拆发货", _BUG),
        10060007: Verdict(_D.STOP, "没有说明是否全部发货", _BUG),
        10060008: Verdict(_D.STOP, "没有商品描述", _GOODS),
        10060009: Verdict(_D.STOP, "商品描述太长", _GOODS),
        10060012: Verdict(_D.ASK, "微信系统错误"),
        10060013: Verdict(_D.STOP, "子单重复", _BUG),
        10060014: Verdict(_D.STOP, "参数错误", _BUG),
        10060019: Verdict(_D.ASK, "微信系统错误"),
        10060020: Verdict(_D.STOP, "没有商品描述，不能完成发货", _GOODS),
        UNCHANGED: Verdict(_D.DONE, "微信已有相同的发货信息"),
        10060024: Verdict(_D.STOP, "包裹超过 15 个", _BUG),
        10060025: Verdict(_D.STOP, "快递公司编码太长", "在“承运商”里更正微信编码"),
        10060026: Verdict(_D.STOP, "运单号太长", "更正运单号"),
        10060031: Verdict(_D.PAYER, "这笔支付不属于订单的买家", "核对订单的买家 openid 和支付单号"),
        268485194: Verdict(_D.STOP, "单号类型有误", _BUG),
        268485195: Verdict(_D.STOP, "没有微信支付单号", _BUG),
        268485196: Verdict(_D.STOP, "没有商户号", "填写 WECHAT_MCHID，或由商城传来商户号"),
        268485197: Verdict(_D.STOP, "没有商户订单号", _BUG),
        268485216: Verdict(_D.ASK, "上报时间没有递增"),
        268485224: Verdict(_D.STOP, "发货模式有误", _BUG),
        268485226: Verdict(_D.STOP, "没有运单号", _BUG),
        268485227: Verdict(_D.STOP, "没有快递公司编码", "在“承运商”里填写微信编码"),
        268485228: Verdict(_D.STOP, "统一发货只能有一个包裹", _BUG),
        268485253: Verdict(_D.STOP, "主单和子单的单号类型不同", _BUG),
        -1: Verdict(_D.ASK, "微信系统繁忙"),
        UNREADABLE: Verdict(_D.ASK, "微信的应答无法读取"),
        45011: Verdict(_D.WAIT, "这一分钟的调用次数已用完", least_wait=_MINUTE),
        45009: Verdict(_D.ACCOUNT, "今天的调用次数已用完", "次日零点自动恢复", least_wait=_HOUR),
        48001: Verdict(_D.ACCOUNT, "没有接口权限", "在公众平台开通发货信息管理", least_wait=_HOUR),
    }
)


def verdict(error: WechatError | ServiceError) -> Verdict:
    """Return what a failed call means. A code that nobody has seen stops, and a person looks."""
    if isinstance(error, ServiceError):
        return Verdict(_D.ASK if error.sent else _D.WAIT, f"微信{error.detail}")
    if error.errcode in VERDICTS:
        return VERDICTS[error.errcode]
    if error.errcode in STALE_TOKEN:
        return Verdict(_D.WAIT, "access_token 失效")
    if (known := SENDING.get(error.errcode)) and known.account:
        reason, way_out = (text.replace("{subject}", error.subject) for text in (known.reason, known.way_out))
        return Verdict(_D.ACCOUNT, reason, way_out, least_wait=known.waits or 10 * _MINUTE)
    return Verdict(_D.STOP, "微信拒绝了发货信息", "按错误码查微信文档，必要时带 rid 联系微信客服")


def code_of(error: WechatError | ServiceError) -> str:
    """Return what is kept of an error to be counted and searched."""
    return str(error.errcode) if isinstance(error, WechatError) else ("no_answer" if error.sent else "unreachable")


def said_of(error: WechatError | ServiceError) -> str:
    """Return an error in words for staff, with the number that WeChat's support asks for."""
    found = verdict(error)
    if isinstance(error, ServiceError):
        return found.told
    return f"{found.told}（{error.errcode}）" + (f" rid {error.rid}" if error.rid else "")


def table() -> str:
    """Return the table for the documentation."""
    does = {
        _D.DONE: "视为成功",
        _D.WAIT: "等一等再报",
        _D.ASK: "先查 get_order，再决定",
        _D.PAYER: "按微信所说的付款人重报",
        _D.ACCOUNT: "告诉员工，隔一段时间再试",
        _D.STOP: "停下，告诉员工",
    }
    rows = [f"| {code} | {one.reason} | {does[one.does]} | {one.way_out or '—'} |" for code, one in VERDICTS.items()]
    return "\n".join(["| errcode | 含义 | 怎样做 | 员工怎样解决 |", "|---|---|---|---|", *rows])
