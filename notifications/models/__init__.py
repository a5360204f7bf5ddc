"""What is told to whom, on which channel, with whose consent; and what WeChat was told of shipping."""

from notifications.models.channels import Channel, ChannelState
from notifications.models.notices import Addressee, Audience, Delivery, MessageTemplate, Milestone, Notice
from notifications.models.people import OptOut, StaffContact
from notifications.models.settlement import SettlementFigure, ShippingReport, WechatCompany
from notifications.models.sms import SmsBudget, SmsCode, SmsPush
from notifications.models.webhooks import WebhookEndpoint, WebhookMessage
from notifications.models.wechat import Consent, ConsentEntry, OfficialFollower, Unionid, WechatEvent

__all__ = [
    "Addressee",
    "Audience",
    "Channel",
    "ChannelState",
    "Consent",
    "ConsentEntry",
    "Delivery",
    "MessageTemplate",
    "Milestone",
    "Notice",
    "OfficialFollower",
    "OptOut",
    "SettlementFigure",
    "ShippingReport",
    "SmsBudget",
    "SmsCode",
    "SmsPush",
    "StaffContact",
    "Unionid",
    "WebhookEndpoint",
    "WebhookMessage",
    "WechatCompany",
    "WechatEvent",
]
