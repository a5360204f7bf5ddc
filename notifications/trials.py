"""Test messages: one template with made-up words, to the address that a member of staff names for themself."""

import re
import secrets
from dataclasses import dataclass

from frozenshop.kernel import crypto, throttling
from frozenshop.kernel.errors import Invalid, NotPossible, RateLimited
from notifications import budgets, words
from notifications.channels import base
from notifications.channels.base import ChannelError, Letter, Taken
from notifications.models import Channel, MessageTemplate, OfficialFollower, Unionid
from notifications.occasions import SMS
from orders import phones
from orders.consignee import mask_phone
from orders.models import Customer

PER_SECOND, AT_ONCE = 1 / 60, 5
_ASK_FIRST = "：请先在小程序里允许这条订阅消息，每允许一次可收一条"
WAYS_OUT = {"no_consent": _ASK_FIRST, "43101": _ASK_FIRST}
"""What the tester can do about a refusal that has no way out of its own, by its code."""


@dataclass(frozen=True, slots=True)
class Trial:
    """What is about to be sent. `shown`: the address as it may be shown and kept."""

    letter: Letter
    channel: str
    shown: str


def prepare(template: MessageTemplate, address: str, *, by: str) -> Trial:
    """Check an address, the person's rate and the day's budget. Raises Invalid, NotPossible, RateLimited."""
    channel, sms = template.channel, template.channel in SMS
    if channel not in base.configured_channels():
        raise NotPossible(f"{template.get_channel_display()}还没有配置密钥，见 .env.example")
    address = _mobile(address) if sms else _openid(address, channel)
    if wait := throttling.hit(f"trial:{by}", rate=PER_SECOND, burst=AT_ONCE):
        raise RateLimited(f"测试发送太频繁，请 {int(wait.total_seconds()) + 1} 秒后再试")
    if sms and not budgets.take(1):
        raise NotPossible("今天的短信预算已用完，可提高 SMS_DAILY_BUDGET")
    facts = words.sample(template.milestone)
    letter = Letter(
        address,
        f"trial-{secrets.token_hex(8)}",
        template.template_id,
        {name: words.fill(str(text), facts) for name, text in template.fields.items()},
        words.fill(template.page, facts),
        title=template.title,
    )
    return Trial(letter, channel, mask_phone(address) if sms else mask_openid(address))


def send(trial: Trial) -> Taken:
    """Send it. Never call it inside a transaction. Raises NotPossible with what the channel said."""
    try:
        return base.get_channel(trial.channel).send(trial.letter)
    except ChannelError as error:
        said = f"{error.reason}（{error.code}）" if error.code and error.code not in error.reason else error.reason
        said += WAYS_OUT.get(error.code, "")
        raise NotPossible(f"结果未知：{said}" if error.unknown else f"没有发出：{said}") from error


def mask_openid(openid: str) -> str:
    """Show both ends: enough to tell two apart, too little to write to anybody."""
    return f"{openid[:3]}…{openid[-3:]}" if len(openid) >= 12 else f"…{openid[-2:]}"


def _mobile(text: str) -> str:
    phone = phones.normalise(text)
    if len(phone) != 11 or not phone.startswith("1"):
        raise Invalid(fields={"address": "测试短信只能发到大陆手机号"})
    return phone


def _openid(text: str, channel: str) -> str:
    """Return the openid that was typed, or that of whoever verified the phone that was typed."""
    try:
        phone = phones.normalise(text)
    except Invalid:
        openid = text.strip()
        if re.fullmatch(r"[A-Za-z0-9_-]{6,64}", openid):
            return openid
        raise Invalid(fields={"address": "请填写您自己的 openid，或您在小程序里验证过的手机号"}) from None
    buyers = Customer.objects.filter(phone_index__in=crypto.blind_indexes(phone, purpose="phone"))
    if channel == Channel.WECHAT_OFFICIAL:
        unionids = Unionid.objects.filter(customer__in=buyers).values("unionid")
        followers = OfficialFollower.objects.filter(unionid__in=unionids, following=True)
        found = followers.values_list("openid", flat=True).first()
        missing = "这个手机号的买家没有关注公众号，请先关注，或直接填写公众号的 openid"
    else:
        found = buyers.values_list("openid", flat=True).first()
        missing = "这个手机号还没有在小程序里验证过，请先验证，或直接填写 openid"
    if not found:
        raise Invalid(fields={"address": missing})
    return found
