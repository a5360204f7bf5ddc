"""Why a notice was told by this channel and not by that one, or by none, as far as it can be seen now."""

from collections.abc import Mapping
from dataclasses import dataclass

from frozenshop.backoffice.notifications_rows import said
from notifications import breaker, situation
from notifications.models import Audience, Channel, Delivery, MessageTemplate, Milestone, Notice
from notifications.occasions import OCCASIONS, SMS, daily_cap
from notifications.reach import NEEDS_TEMPLATE, Reach
from notifications.situation import SMS_TOPIC, Situation

Why, Sent = Notice.Why, Delivery.State

WHY: Mapping[str, str] = {
    Why.SUPERSEDED: "发送之前事情已有新进展（例如已签收），旧消息不再发出。",
    Why.OPTED_OUT: "对方退订了这类消息。",
    Why.CAPPED: (
        f"当天已达每人上限（买家 {daily_cap(Audience.BUYER)} 条，"
        f"收件人 {daily_cap(Audience.CONSIGNEE)} 条），不再打扰。"
    ),
    Why.BUDGET: "当天的短信预算已用完。可提高 SMS_DAILY_BUDGET，再重发这一条。",
    Why.NO_CHANNEL: "计划的渠道都用不上，原因见下表。",
    Why.FAILED: "每个渠道都明确拒绝了，答复见下表。",
    Why.UNKNOWN: "发出后没有回音，也问不到结果；为免重复，没有再发。",
    Why.EXPIRED: "轮到它时已过时效，再发没有意义。",
}


@dataclass(frozen=True, slots=True)
class Way:
    """One planned channel and what stands in its way. `tone` as in `wording.label`."""

    channel: str
    verdict: str
    tone: str
    template: MessageTemplate | None = None


def ways(notice: Notice) -> list[Way]:
    """Return each planned channel, the first choice first, in a handful of queries."""
    about = situation.load([notice])[notice.pk]
    reach, lanes = Reach.of([notice], [about]), breaker.lanes()
    planned = OCCASIONS[Milestone(notice.milestone)].told.get(Audience(notice.audience), ())
    tried = {row.channel: row for row in notice.deliveries.order_by("id")}
    rows = MessageTemplate.objects.filter(channel__in=planned, milestone=notice.milestone)
    templates = {row.channel: row for row in rows}
    found, told = [], False
    for channel in planned:
        template = templates.get(channel)
        if channel in tried:
            found.append(_tried(tried[channel], template))
            told = told or tried[channel].state in (Sent.SENT, Sent.DELIVERED)
        elif refusal := _refusal(channel, notice, about, reach, template):
            found.append(Way(channel.label, refusal, "warm", template))
        elif told:
            found.append(Way(channel.label, "前面的渠道已告知，不需要", "quiet", template))
        elif channel in lanes.closed:
            found.append(Way(channel.label, "可用，但渠道正在熔断，稍后再试", "warm", template))
        else:
            found.append(Way(channel.label, "现在可用", "cool", template))
    return found


def _tried(delivery: Delivery, template: MessageTemplate | None) -> Way:
    tones = {Sent.SENT: "good", Sent.DELIVERED: "good", Sent.FAILED: "bad"}
    words = delivery.get_state_display() + (f"：{answer}" if (answer := said(delivery)) else "")
    return Way(
        delivery.get_channel_display(),
        f"第 {delivery.attempt} 次，{words}",
        tones.get(Sent(delivery.state), "warm"),
        template,
    )


def _refusal(channel: Channel, notice: Notice, about: Situation, reach: Reach, template: MessageTemplate | None) -> str:
    """Return why a channel can't be used; "" where it can."""
    if channel not in reach.configured:
        return "没有配置密钥"
    if channel in NEEDS_TEMPLATE:
        if template is None:
            return "这项内容还没有模板"
        if template.trouble:
            return f"模板有问题：{template.trouble}"
        if not template.enabled:
            return "模板已停用"
    return "" if reach.address(channel, notice, about) is not None else _nowhere(channel, about)


def _nowhere(channel: Channel, about: Situation) -> str:
    if channel in SMS:
        return "对方退订了短信" if SMS_TOPIC in about.unwanted else "没有可发短信的大陆手机号"
    if channel == Channel.WECHAT_SUBSCRIBE:
        return "没有在小程序里登录过"
    if channel == Channel.WECHAT_OFFICIAL:
        return "没有关注公众号"
    return "没有填写邮箱（员工通知设置）" if channel == Channel.EMAIL else "这位接收人不用这个渠道"
