"""WeChat's error codes, by what can be done about them. `errmsg` is never matched on: its wording changes."""

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

INVALID_CODE = frozenset({40029, 40163})  # unknown, expired, of another mini-program; used before
RISKY_USER = 40226
STALE_TOKEN = frozenset({40001, 40014, 42001})
TOO_OFTEN = 45011  # this minute; 45009 is the whole day
QUOTA_USED_UP = 45009
UNREADABLE = -1000  # ours: the answer was no JSON, so nobody knows what became of the call
# -1: WeChat itself is busy. Address confirmations and quotas pass with time, but not within a call.
TRANSIENT = frozenset({-1, UNREADABLE, TOO_OFTEN, QUOTA_USED_UP, 89503, 89506, 89507}) | STALE_TOKEN

NOT_ALLOWED = 43101
BANNED, SAME_USER, SENSITIVE, BROKEN_RULE = 43107, 43108, 45168, 47003
NO_OPENID, NO_TEMPLATE, NO_PAGE, NOT_FOLLOWING = 40003, 40037, 41030, 43004


class WechatError(Exception):
    """WeChat answered with an error. `permanent`: wrong settings or a bug, which asking again can't cure.

    `rid` is what WeChat's support asks for; `subject` the field or address that is meant, where the answer names it.
    Holds neither tokens nor codes.
    """

    def __init__(self, errcode: int, *, path: str, rid: str = "", subject: str = "") -> None:
        self.errcode, self.path, self.rid, self.subject = errcode, path, rid, subject
        super().__init__(f"{path}: errcode {errcode}" + (f" rid {rid}" if rid else ""))

    @property
    def permanent(self) -> bool:
        return self.errcode not in TRANSIENT


@dataclass(frozen=True, slots=True)
class Meaning:
    """What an errcode of a send means. `{subject}`: the field or address that the answer names.

    `waits` set: the same letter may be sent again after it; else never this way. `account`: nothing goes this way
    until a person acted; `template`: nothing with this template. `way_out` says how.
    """

    reason: str
    way_out: str = ""
    waits: dt.timedelta | None = None
    account: bool = False
    template: bool = False


_SECONDS, _HOUR = dt.timedelta(seconds=1), dt.timedelta(hours=1)
_KEYS = "核对 .env 里的 AppID 和 AppSecret，与公众平台一致后重启"
_APPEAL = "在公众平台查看处罚或冻结通知，按指引处理"

SENDING: Mapping[int, Meaning] = MappingProxyType(
    {
        UNREADABLE: Meaning("微信的应答无法读取", waits=5 * _SECONDS),
        -1: Meaning("微信系统繁忙", waits=5 * _SECONDS),
        40001: Meaning("access_token 失效", waits=5 * _SECONDS),
        40014: Meaning("access_token 无效", waits=5 * _SECONDS),
        42001: Meaning("access_token 过期", waits=5 * _SECONDS),
        40002: Meaning("grant_type 不正确", "程序有误，请联系维护人员", account=True),
        40003: Meaning("openid 无效，可能不属于这个账号"),
        40013: Meaning("AppID 不正确", _KEYS, account=True),
        40037: Meaning("模板编号不存在", "在公众平台选用模板，并把编号填到“消息模板”", template=True),
        40125: Meaning("AppSecret 不正确", _KEYS, account=True),
        40164: Meaning(
            "服务器地址 {subject} 不在白名单",
            "在公众平台“开发管理—IP 白名单”加入服务器的出口地址 {subject}",
            account=True,
        ),
        40243: Meaning("AppSecret 已冻结", "在公众平台解冻 AppSecret", account=True),
        41001: Meaning("缺少 access_token", "程序有误，请联系维护人员", account=True),
        41002: Meaning("缺少 AppID", _KEYS, account=True),
        41004: Meaning("缺少 AppSecret", _KEYS, account=True),
        41030: Meaning("点击打开的页面不存在", "把“点击打开”改为小程序已发布版本里的页面", template=True),
        43002: Meaning("要用 POST 请求", "程序有误，请联系维护人员"),
        43004: Meaning("没有关注公众号"),
        43101: Meaning("买家没有订阅，或授权次数已用完"),
        43107: Meaning("订阅消息能力或模板被封禁", _APPEAL, template=True),
        43108: Meaning("正在给同一买家发送", waits=2 * _SECONDS),
        44002: Meaning("请求没有内容", "程序有误，请联系维护人员"),
        45009: Meaning("今天的调用次数已用完", "次日零点自动恢复；急用时在公众平台清零一次", waits=_HOUR, account=True),
        45011: Meaning("这一分钟的调用次数已用完", waits=60 * _SECONDS),
        45109: Meaning("这个接口已下线", "程序有误，请联系维护人员", account=True),
        45168: Meaning("内容命中敏感词", "检查商品名称和模板里的文字"),
        47001: Meaning("数据格式不正确", "程序有误，请联系维护人员"),
        47003: Meaning("字段 {subject} 不符合规则", "在“消息模板”里核对字段，看预览指出的规则"),
        48001: Meaning("没有接口权限", "在公众平台开通订阅消息（或模板消息）", account=True),
        48004: Meaning("接口因违规被封禁", _APPEAL, account=True),
        50004: Meaning("获取 access_token 的权限被封禁", _APPEAL, account=True),
        50007: Meaning("账号已冻结", _APPEAL, account=True),
        89503: Meaning("服务器地址待管理员确认", "请管理员在微信里确认这次调用", waits=_HOUR, account=True),
        89506: Meaning(
            "服务器地址被管理员拒绝，24 小时内不能调用", "请管理员确认服务器的出口地址", waits=_HOUR, account=True
        ),
        89507: Meaning(
            "服务器地址被管理员拒绝，1 小时内不能调用", "请管理员确认服务器的出口地址", waits=_HOUR, account=True
        ),
    }
)
"""Of both kinds of messages. A code that does not stand here is taken for permanent: the next channel helps."""
