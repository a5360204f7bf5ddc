"""The group robot of WeCom (企业微信), for staff: what its group is told, everybody in it reads."""

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.conf import settings

from frozenshop.kernel import http, throttling
from frozenshop.kernel.http import ServiceError
from notifications.channels.base import ChannelError, Letter, Report, Taken

SERVICE = "wecom_bot"
MOST_BYTES = 4096
# WeCom takes 20 messages in a minute; so many at once and so many a second never make more.
BURST, A_SECOND = 5, 0.25
_MINUTE = dt.timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class _Meaning:
    """`waits`: it passes by itself. `robot`: nothing goes out until a person acted."""

    reason: str
    waits: dt.timedelta | None = None
    robot: bool = False


_REPLACE = "请在群里重新添加机器人，把新地址写入 WECOM_BOT_URL"
# The codes of developer.work.weixin.qq.com that a robot's call can meet; 40058 as seen, the others as documented.
ERRCODES: Mapping[int, _Meaning] = {
    -1: _Meaning("企业微信系统繁忙", waits=dt.timedelta(seconds=30)),
    45009: _Meaning("机器人发送过于频繁（每分钟 20 条）", waits=_MINUTE),
    45033: _Meaning("并发调用过多", waits=dt.timedelta(seconds=10)),
    40008: _Meaning("消息类型不合法"),
    40058: _Meaning("消息内容不合法"),
    44004: _Meaning("消息内容为空"),
    45002: _Meaning("消息内容过长"),
    60020: _Meaning("服务器的 IP 不在企业微信的白名单里，请添加", robot=True),
    93000: _Meaning(f"机器人地址无效，或机器人已被移出群；{_REPLACE}", robot=True),
    93004: _Meaning("机器人已被停用，请在群里重新启用", robot=True),
    93008: _Meaning(f"机器人不在群里；{_REPLACE}", robot=True),
}
_STRANGE = _Meaning("企业微信返回了没有见过的错误码，请查企业微信的全局错误码")


def configured() -> bool:
    return bool(settings.WECOM_BOT_URL)


def send(letter: Letter, *, timeout: float = 10.0) -> Taken:
    """Tell the group. Raises ChannelError."""
    if wait := throttling.hit(SERVICE, rate=A_SECOND, burst=BURST):
        raise ChannelError("等待机器人的发送频率", code="throttled", retry_after=wait, channel_is_well=True)
    message = {"msgtype": "markdown", "markdown": {"content": markdown(letter)}}
    try:
        answer = http.call(SERVICE, "POST", settings.WECOM_BOT_URL, json=message, timeout=timeout)
        said: Any = answer.json()
    except ServiceError as error:
        # An answer that is an error of HTTP came from in between: the robot's own are 200.
        doubtful = error.sent and (error.status is None or error.status >= 500)
        raise ChannelError(f"企业微信{error.detail}", code=str(error.status or ""), unknown=doubtful) from error
    except ValueError as error:
        raise ChannelError("企业微信的应答无法读取，结果未知", code="unreadable", unknown=True) from error
    if not isinstance(said, dict) or not isinstance(said.get("errcode"), int):
        raise ChannelError("企业微信的应答无法读取，结果未知", code="unreadable", unknown=True)
    if said["errcode"]:
        raise _refused(said["errcode"])
    return Taken()


def ask(letter: Letter, provider_id: str, sent_at: dt.datetime) -> Report | None:
    """The robot can't be asked."""
    return None


def markdown(letter: Letter) -> str:
    """Return the letter as the robot's markdown, cut to what it takes."""
    lines = [f"[打开]({line})" if line.startswith(("http://", "https://")) else _plain(line) for line in _lines(letter)]
    text = "\n".join([f"**{_plain(letter.title)}**", *lines])
    return text.encode()[:MOST_BYTES].decode("utf-8", "ignore")


def _lines(letter: Letter) -> list[str]:
    return [line.strip() for line in letter.text.splitlines() if line.strip()]


def _plain(text: str) -> str:
    """Keep a text from calling people (`<@all>`) or colouring itself."""
    return text.replace("<", "＜").replace(">", "＞")


def _refused(errcode: int) -> ChannelError:
    meaning = ERRCODES.get(errcode, _STRANGE)
    told = f"{meaning.reason}（{errcode}）"
    return ChannelError(
        told,
        code=str(errcode),
        permanent=meaning.waits is None and not meaning.robot,
        trouble=told if meaning.robot else "",
        retry_after=meaning.waits,
    )
