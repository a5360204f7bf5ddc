"""What both SMS services have in common: templates, the phones that received something, flow control, late reports.

How soon a report comes, and that 腾讯云 sends one again like 阿里云, are assumptions.
"""

import dataclasses
import itertools
import json
import re
from collections.abc import Mapping, Sequence
from typing import Any, Protocol
from urllib.parse import urljoin

from sandbox.faults import PUSH_FAULTS
from sandbox.instants import isoformat
from sandbox.pushing import Post
from sandbox.world import World

KEPT = 2000
NONCE_SECONDS = 1800.0
RETRY_AFTER = (60.0, 300.0, 600.0)
PATIENCE_SECONDS = 5.0
LATE_SECONDS = 60.0
LONGEST_VALUE = 35
MOBILE = re.compile(r"(?:\+?86|0086)?(1[3-9][0-9]{9})")
URL = re.compile(r"(?i)https?:|www\.")

MINUTE, HOUR, DAY = 60.0, 3600.0, 86_400.0


@dataclasses.dataclass(frozen=True)
class SmsTemplate:
    """`content` has `{name}` for each variable. `is_code`: one that carries a code, with its own flow control."""

    template_id: str
    content: str
    is_code: bool = False

    @property
    def names(self) -> list[str]:
        return list(dict.fromkeys(re.findall(r"\{(\w+)\}", self.content)))

    def text(self, values: Mapping[str, str]) -> str:
        return re.sub(r"\{(\w+)\}", lambda match: values[match[1]], self.content)


@dataclasses.dataclass
class Sms:
    """A text that a service took. `fails_with`: the carrier's code where it never arrives; "" where it does."""

    service: str
    phone: str
    text: str
    template_id: str
    reference: str
    number: str
    at: float
    reported_at: float
    fails_with: str = ""

    @property
    def delivered(self) -> bool:
        return not self.fails_with

    def as_json(self, now: float) -> dict[str, Any]:
        status = "underway" if now < self.reported_at else "delivered" if self.delivered else "failed"
        shown = {"service": self.service, "phone": self.phone, "text": self.text, "template_id": self.template_id}
        return {**shown, "reference": self.reference, "at": isoformat(self.at), "status": status}


@dataclasses.dataclass
class PhoneBook:
    """All that was sent, the templates that exist, and the reports that are still to come."""

    sent: list[Sms] = dataclasses.field(default_factory=list)
    templates: dict[tuple[str, str], SmsTemplate] = dataclasses.field(default_factory=dict)
    coming: list["Coming"] = dataclasses.field(default_factory=list)
    submitted: list[tuple[str, float]] = dataclasses.field(default_factory=list)
    nonces: dict[str, float] = dataclasses.field(default_factory=dict)
    serial: "itertools.count[int]" = dataclasses.field(default_factory=lambda: itertools.count(1))

    def __post_init__(self) -> None:
        for service, template in DEFAULTS:
            self.templates[service, template.template_id] = template

    def take(self, sms: Sms) -> None:
        self.sent = [*self.sent, sms][-KEPT:]
        self.coming.append(Coming(sms, sms.reported_at))

    def over(self, limits: Sequence[tuple[str, int, float]], now: float) -> int | None:
        """Count one more under each (key, most, seconds); the place of the first that is full, and then count none."""
        self.submitted = [one for one in self.submitted if one[1] > now - DAY]
        for place, (key, most, seconds) in enumerate(limits):
            if sum(1 for known, at in self.submitted if known == key and at > now - seconds) >= most:
                return place
        self.submitted += [(key, now) for key in dict.fromkeys(key for key, _, _ in limits)]
        return None

    def used(self, nonce: str, now: float) -> bool:
        """Say whether a nonce was used in the last half hour; it is now."""
        self.nonces = {known: at for known, at in self.nonces.items() if at > now - NONCE_SECONDS}
        if nonce in self.nonces:
            return True
        self.nonces[nonce] = now
        return False


@dataclasses.dataclass(frozen=True)
class Coming:
    """A report that is due. `forged`: sent to a guessed path."""

    sms: Sms
    due: float
    attempt: int = 0
    forged: bool = False


def _numbered(content: str) -> str:
    """Return the content as 腾讯云 writes it, with its variables counted."""
    names = list(dict.fromkeys(re.findall(r"\{(\w+)\}", content)))
    return re.sub(r"\{(\w+)\}", lambda match: f"{{{names.index(match[1]) + 1}}}", content)


TEXTS: Mapping[int, str] = {
    2: "您的订单{order_no}已由{carrier}发出，单号{waybill_no}，请及时收货并冷冻保存。",
    3: "您的订单{order_no}正在派送，请保持电话畅通，收到后尽快冷冻。",
    4: "您的订单{order_no}已到{location}，冻品不宜久放，请尽快取件。",
    5: "您的订单{order_no}预计{eta}送达，比原计划晚，我们正在跟进。",
    6: "您的订单{order_no}派送遇到问题：{reason}。客服电话{shop_phone}。",
    7: "您的订单{order_no}已签收，请尽快放入冰箱冷冻保存。",
    8: "您的订单{order_no}的包裹已退回，客服会与您联系。",
    9: "您的订单{order_no}已退款，请留意到账。",
}
"""The demo's templates by the last digits of their numbers: SMS_10000000N at 阿里云, 100000N at 腾讯云."""

DEFAULTS: Sequence[tuple[str, SmsTemplate]] = (
    ("aliyun_sms", SmsTemplate("SMS_100000001", "您的验证码为{code}，5 分钟内有效，请勿告诉他人。", is_code=True)),
    ("tencent_sms", SmsTemplate("1000001", "您的验证码为{1}，{2} 分钟内有效，请勿告诉他人。", is_code=True)),
    *(("aliyun_sms", SmsTemplate(f"SMS_10000000{number}", content)) for number, content in TEXTS.items()),
    *(("tencent_sms", SmsTemplate(f"100000{number}", _numbered(content))) for number, content in TEXTS.items()),
)


class ReportVoice(Protocol):
    """How one service reports."""

    callback: str

    def secret(self, world: World) -> str:
        """Return the last part of the callback's path; nothing is reported without one."""

    def report(self, sms: Sms) -> Any:
        """Return the JSON that is pushed."""

    def accepted(self, status: int, text: str) -> bool:
        """Say whether the answer is the right one."""


class ReportPusher:
    """`tick` sends the reports that are due now, and never sleeps."""

    def __init__(self, world: World, voices: Mapping[str, ReportVoice], send: Post) -> None:
        self._world, self._voices, self._send = world, voices, send

    def tick(self) -> None:
        book, now = self._world.own(PhoneBook), self._world.clock()
        with self._world.lock:
            due = [coming for coming in book.coming if coming.due <= now]
            book.coming = [coming for coming in book.coming if coming.due > now]
            told = [again for coming in due for again in self._suffer(coming)]
        for coming in told:
            if self._world.config.public_url and self._voices[coming.sms.service].secret(self._world):
                self._deliver(coming)

    def _suffer(self, coming: Coming) -> list[Coming]:
        service = coming.sms.service
        kinds = set() if coming.attempt else {f.kind for f in self._world.faults.draw(service, PUSH_FAULTS)}
        if "late" in kinds:
            late = dataclasses.replace(coming, due=coming.due + LATE_SECONDS)
            self._world.own(PhoneBook).coming.append(late)
            return []
        forged = [dataclasses.replace(coming, forged=True)] if "forged" in kinds else []
        return [*forged, coming, *([coming] if "duplicate" in kinds else [])]

    def _deliver(self, coming: Coming) -> None:
        voice = self._voices[coming.sms.service]
        content = voice.report(coming.sms)
        path = voice.callback + ("0" * 32 if coming.forged else voice.secret(self._world))
        url = urljoin(self._world.config.public_url, path)
        headers = {"Content-Type": "application/json;charset=utf-8"}
        body = json.dumps(content, ensure_ascii=False).encode()
        status, text = self._send(url, body, headers, PATIENCE_SECONDS)
        with self._world.lock:
            fault = "forged" if coming.forged else ""
            self._world.calls.pushed(coming.sms.service, path, content, (status, text), fault=fault)
            if not coming.forged and not voice.accepted(status, text) and coming.attempt < len(RETRY_AFTER):
                due = self._world.clock() + RETRY_AFTER[coming.attempt]
                again = dataclasses.replace(coming, due=due, attempt=coming.attempt + 1)
                self._world.own(PhoneBook).coming.append(again)
