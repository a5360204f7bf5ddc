"""What doctor and `/readyz` say of settlement and of the messages' channels."""

import datetime as dt
from collections.abc import Iterator

from django.conf import settings

from frozenshop.kernel import clock
from frozenshop.kernel.health import Finding
from notifications import metrics
from notifications.models import Channel, ChannelState, SettlementFigure
from notifications.settlement import figures, frozen, guard

LOW_SMS = 0.1
LOW_CONSENTS, ENOUGH_TO_SAY = 0.8, 50
MANY_IN_DOUBT = 20


def settlement() -> Iterator[Finding]:
    """Name what a person must mend before the money comes, and what WeChat wasn't told in its 48 hours."""
    rows = list(SettlementFigure.objects.all())
    for reason in (one for one in frozen.REASONS if one.act and one != frozen.IN_DOUBT):
        ours = [row for row in rows if row.reason == reason.name]
        if orders := sum(row.orders for row in ours):
            money = sum(row.fen for row in ours) / 100
            yield Finding("settlement", f"微信结算：{orders} 个订单{reason.label}，冻结 ¥{money:,.2f}")
    oldest = figures.oldest_untold(rows)
    if oldest and (late := clock.now() - oldest) > guard.WECHATS_LIMIT:
        hours = late // dt.timedelta(hours=1)
        yield Finding("settlement", f"有已发货的订单付款 {hours} 小时后还没有全部报给微信（限 48 小时）")
    if failing := sum(row.failing for row in rows):
        yield Finding("settlement", f"{failing} 个订单的发货信息多次没有报成")


def channels() -> Iterator[Finding]:
    """Name the channels that need a person, and what is about to run out."""
    for state in ChannelState.objects.exclude(trouble="").order_by("channel"):
        told = f"{Channel(state.channel).label}须人工处理：{state.trouble}"
        yield Finding("wechat", told) if state.channel in metrics.WECHAT else Finding("messages", told)
    if metrics.trouble() and not ChannelState.objects.filter(channel__in=metrics.WECHAT).exclude(trouble="").exists():
        yield Finding("wechat", "微信账号异常，发货信息报不上去：见“微信结算异常”预警")
    left = metrics.sms_left()
    if settings.SMS_DAILY_BUDGET and left <= settings.SMS_DAILY_BUDGET * LOW_SMS:
        yield Finding("messages", f"今天的短信预算只剩 {left} 条（共 {settings.SMS_DAILY_BUDGET} 条）")
    missing, tried = metrics.consents_missing()
    if tried >= ENOUGH_TO_SAY and missing >= tried * LOW_CONSENTS:
        yield Finding("messages", f"最近 {tried} 条订阅消息中 {missing} 条没有授权：检查小程序是否在请求订阅")
    if (unknown := metrics.in_doubt().total()) >= MANY_IN_DOUBT:
        yield Finding("messages", f"{unknown if unknown < metrics.MOST else '1000+'} 条消息结果未知，正在核实")


def webhooks() -> Iterator[Finding]:
    """Name the endpoints in use for which messages were given up."""
    for name, dead in metrics.dead_webhooks().items():
        if dead:
            shown = dead if dead < metrics.MOST else "1000+"
            yield Finding("webhook", f"Webhook 地址 {name} 有 {shown} 条消息已放弃，等待重发")
