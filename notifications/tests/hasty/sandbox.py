"""The stand-ins as a process that can be killed: `python -m notifications.tests.hasty.sandbox PORT FOLDER [OUR_URL]`.

What they answered to they never forget, as the real ones don't: each message is in a file before its answer goes out,
each event is told until our side has taken it.
"""

import os
import sys
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sandbox.config import Config
from sandbox.server import run
from sandbox.sms import PhoneBook, Sms
from sandbox.world import World

MESSAGES, HEARD = "messages.log", "heard.log"
WECHAT, SMS, HOOK = "wechat", "sms", "hook"
WILLING = "A"


@dataclass(frozen=True, slots=True)
class Message:
    """`to`: openid, phone or waybill. `number`: the provider's id; `reference`: ours, where it carries one."""

    kind: str
    at: float
    to: str
    number: str
    template_id: str
    reference: str = ""


def messages(folder: Path) -> list[Message]:
    """Return all that phones received, in order."""
    lines = _lines(folder / MESSAGES)
    return [Message(kind, float(at), *rest) for kind, at, *rest in lines]


def heard(folder: Path) -> set[str]:
    """Return the ids of the messages whose end our side has taken note of."""
    return {number for (number,) in _lines(folder / HEARD)}


def _lines(path: Path) -> list[list[str]]:
    return [line.split("\t") for line in path.read_text().splitlines()] if path.exists() else []


class _Log:
    """Lines that survive the death of their writer."""

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)

    def write(self, *parts: object) -> None:
        os.write(self._file, ("\t".join(str(part) for part in parts) + "\n").encode())


class _Consents(Counter[tuple[str, str]]):
    """Who is willing allows one message more, always: a second one must not be refused, but counted."""

    def __getitem__(self, key: tuple[str, str]) -> int:
        return int(key[0].startswith(WILLING))


class _Book(PhoneBook):
    log: _Log

    def take(self, sms: Sms) -> None:
        self.log.write(SMS, sms.at, sms.phone, sms.number, sms.template_id, sms.reference)
        self.sent.append(sms)

    def over(self, limits: Any, now: float) -> int | None:
        return None


def remember(world: World) -> Callable[[], None]:
    """Let the world begin with what stands in the files, and write there what follows."""
    assert world.config.state_dir is not None
    folder = world.config.state_dir
    known, log, ends = messages(folder), _Log(folder / MESSAGES), _Log(folder / HEARD)
    wechat = world.wechat
    wechat.manners.push_mode = "plain"
    wechat.messages.consents = _Consents()
    deliver, add = wechat.messages._deliver, world.calls.add

    def delivered(channel: str, openid: str, template: Any, *rest: Any) -> int:
        number = deliver(channel, openid, template, *rest)
        log.write(WECHAT, time.time(), openid, number, template.template_id)
        return number

    def added(service: str, direction: str, *rest: Any, **call: Any) -> None:
        add(service, direction, *rest, **call)
        if (service, direction, call["status"]) == ("wechat", "out", 200):
            item = call["request"].get("List", {})
            if "MsgID" in item:
                ends.write(item["MsgID"])
        elif (service, direction, call["status"]) == ("webhook", "in", 200):
            log.write(HOOK, time.time(), call["request"]["body"]["data"]["waybill_no"], "", "")

    wechat.messages._deliver, world.calls.add = delivered, added  # type: ignore[method-assign]
    book = world.own(PhoneBook)
    book.__class__, book.log = _Book, log  # type: ignore[attr-defined]
    told = heard(folder)
    for message in known:
        if message.kind == SMS:
            sent = message.to, "", message.template_id, message.reference, message.number
            book.sent.append(Sms("aliyun_sms", *sent, message.at, message.at))
        elif message.kind == WECHAT and message.number not in told:
            item = {"TemplateId": message.template_id, "MsgID": message.number, "ErrorCode": "0"}
            wechat.push({"FromUserName": message.to, "Event": "subscribe_msg_sent_event"}, [item])
    return lambda: None


if __name__ == "__main__":
    config = Config(
        "1", "key", "wx0123456789abcdef", "test-only-app-secret", port=int(sys.argv[1]), state_dir=Path(sys.argv[2]),
        public_url=sys.argv[3] if len(sys.argv) > 3 else "", wechat_push_token="frozenfood",
        aliyun_sms_access_key_id="test-key", aliyun_sms_access_key_secret="test-secret", aliyun_sms_sign_name="鲜冻",
    )  # fmt: skip
    run(config, remember)
