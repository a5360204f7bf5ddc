"""The page at `/_sim/phones`: what each phone shows, what the group of staff reads, and what the shop's system got."""

import dataclasses
import json
from collections import defaultdict
from collections.abc import Iterable, Mapping
from html import escape

from sandbox.instants import wall_clock
from sandbox.page import STYLE, table
from sandbox.sink import Sink
from sandbox.sms import PhoneBook, Sms
from sandbox.wechat_messages import Received
from sandbox.world import World

PHONES_SHOWN, MESSAGES_SHOWN, ROWS_SHOWN = 24, 200, 20
CHANNELS = {"subscribe": "订阅消息", "official": "公众号", "aliyun_sms": "阿里云短信", "tencent_sms": "腾讯云短信"}
CARDS = (
    ".phones{display:grid;grid-template-columns:repeat(auto-fill,minmax(300px,1fr));gap:1rem;align-items:start}"
    ".phone{border:1px solid #c6d0d8;border-radius:22px;padding:14px 14px 18px;background:#eef2f5;"
    "max-height:46rem;overflow-y:auto}"
    ".phone h3{font-size:14px;margin:0 0 10px;text-align:center;color:#47545f;word-break:break-all}"
    ".message{background:#fff;border-radius:10px;padding:8px 12px;margin-bottom:8px;font-size:13px}"
    ".message p{margin:0 0 4px}.message b{font-size:14px}.quiet{color:#6a7681;font-size:12px}"
    ".message dl{display:grid;grid-template-columns:max-content 1fr;gap:0 10px;margin:4px 0}.message dt{color:#6a7681}"
    ".message dd{margin:0;word-break:break-all}.sms{border-left:4px solid #3aa76d}.failed{opacity:.6}"
)


@dataclasses.dataclass(frozen=True)
class Message:
    """One message as its phone shows it. `fields`: by label, for WeChat; `text`: for SMS."""

    at: float
    channel: str
    title: str = ""
    fields: Mapping[str, str] = dataclasses.field(default_factory=dict)
    page: str = ""
    text: str = ""
    state: str = ""

    @classmethod
    def of_wechat(cls, one: Received) -> "Message":
        return cls(one.at, one.channel, one.title, one.fields, one.page)

    @classmethod
    def of_sms(cls, one: Sms, now: float) -> "Message":
        state = "发送中" if now < one.reported_at else "" if one.delivered else f"没有送达：{one.fails_with}"
        return cls(one.at, one.service, text=one.text, state=state)


def render(world: World) -> str:
    """Return the page; the caller holds the world's lock."""
    phones = by_phone(world)
    cards = "".join(_phone(name, messages) for name, messages in phones[:PHONES_SHOWN])
    nothing = "<p>还没有手机收到消息。</p>"
    more = f"<p>还有 {len(phones) - PHONES_SHOWN} 部手机没有列出。</p>" if len(phones) > PHONES_SHOWN else ""
    return (
        '<!doctype html><html lang="zh-CN"><meta charset="utf-8"><meta http-equiv="refresh" content="5">'
        f"<title>手机收到的消息</title><style>{STYLE}{CARDS}</style><h1>手机收到的消息</h1>"
        f"<p>现在 {wall_clock(world.clock())}（北京时间），最近收到的在前；页面每 5 秒刷新。"
        '<a href="/_sim/">回到沙箱</a></p>'
        f'<div class="phones">{cards or nothing}</div>{more}{_consents(world)}{_group(world)}{_webhooks(world)}</html>'
    )


def by_phone(world: World) -> list[tuple[str, list[Message]]]:
    """Return each phone's messages, newest first; the phone that got the newest stands first."""
    found: dict[str, list[Message]] = defaultdict(list)
    for received in world.wechat.messages.received:
        found[f"微信 {received.openid}"].append(Message.of_wechat(received))
    for sms in world.own(PhoneBook).sent:
        found[f"手机 {masked(sms.phone)}"].append(Message.of_sms(sms, world.clock()))
    for messages in found.values():
        messages.sort(key=lambda message: message.at, reverse=True)
    return sorted(found.items(), key=lambda phone: phone[1][0].at, reverse=True)


def masked(phone: str) -> str:
    return f"{phone[:3]}****{phone[-4:]}"


def _phone(name: str, messages: list[Message]) -> str:
    shown = "".join(map(_message, messages[:MESSAGES_SHOWN]))
    more = (
        f'<p class="quiet">更早的还有 {len(messages) - MESSAGES_SHOWN} 条</p>' if len(messages) > MESSAGES_SHOWN else ""
    )
    return f'<section class="phone"><h3>{escape(name)}（{len(messages)} 条）</h3>{shown}{more}</section>'


def _message(message: Message) -> str:
    kind = " sms" if message.text else ""
    head = f'<p class="quiet">{wall_clock(message.at)} {escape(CHANNELS.get(message.channel, message.channel))}</p>'
    failed = " failed" if message.state.startswith("没有") else ""
    state = f'<p class="quiet">{escape(message.state)}</p>' if message.state else ""
    rows = "".join(f"<dt>{escape(name)}</dt><dd>{escape(text)}</dd>" for name, text in message.fields.items())
    body = f"<p>{escape(message.text)}</p>" if message.text else f"<b>{escape(message.title)}</b><dl>{rows}</dl>"
    page = f'<p class="quiet">点开 {escape(message.page)}</p>' if message.page else ""
    return f'<div class="message{kind}{failed}">{head}{body}{page}{state}</div>'


def _consents(world: World) -> str:
    messages = world.wechat.messages
    rows = [
        (openid, messages.templates[template_id].title if template_id in messages.templates else template_id, left)
        for (openid, template_id), left in messages.consents.items()
        if left
    ]
    return table("还允许的订阅消息", ("openid", "模板", "次数"), rows[-ROWS_SHOWN:])


def _group(world: World) -> str:
    rows = [(one["at"], one["content"]) for one in _newest(world.own(Sink).group)]
    return table("员工群", ("时间", "内容"), rows)


def _webhooks(world: World) -> str:
    rows = [
        (
            one["at"],
            one["id"],
            one["verified"],
            "重复" if one["repeated"] else "",
            json.dumps(one["body"], ensure_ascii=False),
        )
        for one in _newest(world.own(Sink).events)
    ]
    return table("商家系统收到的 Webhook", ("时间", "编号", "签名", "", "内容"), rows)


def _newest(rows: Iterable[dict[str, object]]) -> list[dict[str, object]]:
    return list(rows)[: -ROWS_SHOWN - 1 : -1]
