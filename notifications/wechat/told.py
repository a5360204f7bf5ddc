"""What WeChat's events about messages and followers mean for us; each may be told again."""

import datetime as dt
from dataclasses import replace
from typing import Any

from frozenshop.kernel import clock, outbox
from notifications import reports
from notifications.channels.base import Fate, Report
from notifications.models import Channel, Delivery, MessageTemplate, Notice, WechatEvent
from notifications.wechat import consents, events, official
from orders.models import Customer

PATIENCE = dt.timedelta(minutes=2)
"""How long the end of a message may be known before the answer to it was written down."""
LOOK_AGAIN = dt.timedelta(seconds=20)
UNDERWAY = (Delivery.State.SENDING, Delivery.State.UNKNOWN)


def dialog_answered(fields: dict[str, Any], event: WechatEvent) -> str:
    openid = str(fields.get("FromUserName", ""))
    told = events.items(fields, "SubscribeMsgPopupEvent")
    for item in told:
        template_id, result = str(item.get("TemplateId", ""))[:80], str(item.get("SubscribeStatusString", ""))
        key = consents.event_key(openid, str(fields.get("CreateTime")), event.event, template_id)
        consents.answered(
            openid, template_id, result, cause=consents.POPUP, key=key, at=events.created_at(fields, event)
        )
    return "、".join(str(item.get("SubscribeStatusString", ""))[:20] for item in told)


def template_switched(fields: dict[str, Any], event: WechatEvent) -> str:
    """Only refusals are pushed; what was allowed after it stays."""
    openid = str(fields.get("FromUserName", ""))
    refused = [
        str(item.get("TemplateId", ""))[:80]
        for item in events.items(fields, "SubscribeMsgChangeEvent")
        if item.get("SubscribeStatusString") == "reject"
    ]
    for template_id in refused:
        key = consents.event_key(openid, str(fields.get("CreateTime")), event.event, template_id)
        as_of = events.created_at(fields, event)
        consents.withdrawn(openid, template_id, cause="switched_off", key=key, as_of=as_of)
    return f"关闭了 {len(refused)} 个模板" if refused else ""


def message_ended(fields: dict[str, Any], event: WechatEvent) -> str:
    told = events.items(fields, "SubscribeMsgSentEvent")
    return "；".join(dict.fromkeys(_ended(item, fields, event) for item in told))


def official_message_ended(fields: dict[str, Any], event: WechatEvent) -> str:
    status = str(fields.get("Status", ""))
    fate = Fate.DELIVERED if status == "success" else Fate.FAILED
    report = Report(fate, code="" if fate == Fate.DELIVERED else status[:60], provider_id=str(fields.get("MsgID", "")))
    return _settle(report, Channel.WECHAT_OFFICIAL, event)


def followed(fields: dict[str, Any], event: WechatEvent) -> str:
    """Who follows must be asked of WeChat, which no transaction may wait for."""
    outbox.enqueue("notifications.learn_follower", {"openid": str(fields.get("FromUserName", ""))})
    return ""


def unfollowed(fields: dict[str, Any], event: WechatEvent) -> str:
    official.unfollowed(str(fields.get("FromUserName", "")))
    return ""


def _ended(item: dict[str, Any], fields: dict[str, Any], event: WechatEvent) -> str:
    code, provider_id = str(item.get("ErrorCode", "")), str(item.get("MsgID", ""))
    fate = Fate.DELIVERED if code == "0" else Fate.FAILED
    said = str(item.get("ErrorStatus", ""))[:200]
    report = Report(fate, code="" if code == "0" else code, said=said, provider_id=provider_id)
    if provider_id and reports.settle(report, Channel.WECHAT_SUBSCRIBE):
        return ""
    reference = _unanswered(str(fields.get("FromUserName", "")), str(item.get("TemplateId", "")), fields, event)
    if reference and fate == Fate.DELIVERED:
        consents.consumed(str(fields["FromUserName"]), str(item["TemplateId"])[:80], reference)
    return _settle(replace(report, reference=reference), Channel.WECHAT_SUBSCRIBE, event)


def _settle(report: Report, channel: str, event: WechatEvent) -> str:
    """Close the delivery that is meant. Its row may not know WeChat's id yet: then look again a little later."""
    if reports.settle(report, channel):
        return ""
    if clock.now() - event.received_at < PATIENCE:
        raise NotYet
    return "不是本系统发出的消息"


class NotYet(Exception):
    """The delivery that an event is about isn't known yet."""


def _unanswered(openid: str, template_id: str, fields: dict[str, Any], event: WechatEvent) -> str:
    """Return our reference of the message to this buyer with this template whose answer was never heard."""
    customer = Customer.objects.filter(openid=openid).first()
    milestones = MessageTemplate.objects.filter(channel=Channel.WECHAT_SUBSCRIBE, template_id=template_id)
    if customer is None:
        return ""
    ended = events.created_at(fields, event) + dt.timedelta(seconds=2)
    notices = Notice.objects.filter(recipient=f"customer:{customer.pk}", milestone__in=milestones.values("milestone"))
    found = Delivery.objects.filter(
        channel=Channel.WECHAT_SUBSCRIBE,
        notice__in=notices,
        provider_id="",
        state__in=UNDERWAY,
        started_at__lte=ended,
        started_at__gte=ended - PATIENCE * 5,
    )
    return found.order_by("started_at", "id").values_list("reference", flat=True).first() or ""
