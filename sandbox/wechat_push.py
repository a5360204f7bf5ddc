"""WeChat tells the merchant of events: signed, in the chosen mode and form, three times until the answer is right."""

import base64
import dataclasses
import hashlib
import json
import secrets
import struct
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode, urljoin
from xml.sax.saxutils import escape

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.padding import PKCS7

from sandbox.faults import PUSH_FAULTS

if TYPE_CHECKING:
    from sandbox.world import World

CALLBACK = "/callbacks/wechat"
PATIENCE_SECONDS = 5.0
TRIES = 3
AGAIN_SECONDS = 1.0
LATE_SECONDS = 60.0
GH = "gh_0123456789ab"
BLOCK_BITS = 256
NAMES = {
    "subscribe_msg_popup_event": "SubscribeMsgPopupEvent",
    "subscribe_msg_change_event": "SubscribeMsgChangeEvent",
    "subscribe_msg_sent_event": "SubscribeMsgSentEvent",
}
Post = Callable[[str, bytes, Mapping[str, str], float], tuple[int, str]]


@dataclasses.dataclass(frozen=True)
class Event:
    """What happened at `at` to the account `appid`, to be told at `due`. `fields` has FromUserName, Event and more."""

    fields: Mapping[str, Any]
    items: Sequence[Mapping[str, Any]]
    appid: str
    at: int
    due: float
    attempt: int = 0
    forged: bool = False


def sign(*parts: str) -> str:
    return hashlib.sha1("".join(sorted(parts)).encode(), usedforsecurity=False).hexdigest()


def encrypt(text: str, aes_key: str, appid: str, random16: bytes) -> str:
    """AES-256-CBC over random ‖ length ‖ text ‖ appid, padded to 32 bytes."""
    key = base64.b64decode(aes_key + "=")
    padder = PKCS7(BLOCK_BITS).padder()
    content = text.encode()
    padded = padder.update(random16 + struct.pack(">I", len(content)) + content + appid.encode()) + padder.finalize()
    encryptor = Cipher(algorithms.AES(key), modes.CBC(key[:16])).encryptor()
    return base64.b64encode(encryptor.update(padded) + encryptor.finalize()).decode()


def as_fields(event: Event, shape: str, *, xml: bool) -> dict[str, Any]:
    """Return the event as it is written: in real traffic a single entry of a JSON list stands there bare."""
    head = {"ToUserName": GH, "CreateTime": event.at, "MsgType": "event", **event.fields}
    if not event.items:
        return head
    items = [dict(item) for item in event.items]
    name = NAMES[event.fields["Event"]]
    if xml:
        return head | {name: {"List": items}}
    if shape == "named":
        return head | {"CreateTime": str(event.at), name: items}
    return head | {"List": items[0] if len(items) == 1 else items}


def write(fields: Mapping[str, Any], *, xml: bool) -> str:
    return f"<xml>{_xml(fields)}</xml>" if xml else json.dumps(fields, ensure_ascii=False)


def _xml(fields: Mapping[str, Any]) -> str:
    parts = []
    for name, value in fields.items():
        for one in value if isinstance(value, list) else [value]:
            inner = _xml(one) if isinstance(one, Mapping) else escape(str(one)) if isinstance(one, int) else _cdata(one)
            parts.append(f"<{name}>{inner}</{name}>")
    return "".join(parts)


def _cdata(value: Any) -> str:
    return f"<![CDATA[{value}]]>"


class EventPusher:
    """`tick` sends what is due now, and never sleeps."""

    def __init__(self, world: "World", send: Post) -> None:
        self._world, self._send = world, send

    def tick(self) -> None:
        wechat, now = self._world.wechat, self._world.clock()
        with self._world.lock:
            due = [event for event in wechat.events if event.due <= now]
            wechat.events = [event for event in wechat.events if event.due > now]
            told = [again for event in due for again in self._suffer(event)]
        for event in told:
            if self._world.config.public_url and self._world.config.wechat_push_token:
                self._deliver(event)

    def _suffer(self, event: Event) -> list[Event]:
        """Return what the faults under way make of an event; a late one waits."""
        kinds = set() if event.attempt else {f.kind for f in self._world.faults.draw("wechat", PUSH_FAULTS)}
        if "late" in kinds:
            self._world.wechat.events.append(dataclasses.replace(event, due=event.due + LATE_SECONDS, attempt=0))
            return []
        forged = [dataclasses.replace(event, forged=True)] if "forged" in kinds else []
        return [*forged, event, *([event] if "duplicate" in kinds else [])]

    def _deliver(self, event: Event) -> None:
        manners = self._world.wechat.manners
        xml = manners.push_format == "xml"
        fields = as_fields(event, manners.push_shape, xml=xml)
        query, body = self._message(event, fields, manners.push_mode, xml=xml)
        url = urljoin(self._world.config.public_url, f"{CALLBACK}?{urlencode(query)}")
        headers = {"Content-Type": "text/xml" if xml else "application/json"}
        status, text = self._send(url, body.encode(), headers, PATIENCE_SECONDS)
        with self._world.lock:
            fault = "forged" if event.forged else ""
            self._world.calls.pushed("wechat", CALLBACK, fields, (status, text), fault=fault)
            if not event.forged and not (status == 200 and text in ("", "success")) and event.attempt + 1 < TRIES:
                due = self._world.clock() + AGAIN_SECONDS
                self._world.wechat.events.append(dataclasses.replace(event, due=due, attempt=event.attempt + 1))

    def _message(self, event: Event, fields: Mapping[str, Any], mode: str, *, xml: bool) -> tuple[dict[str, str], str]:
        config = self._world.config
        token = "forged" if event.forged else config.wechat_push_token
        stamp, nonce = str(int(self._world.clock())), str(secrets.randbelow(9 * 10**8) + 10**8)
        query = {"signature": sign(token, stamp, nonce), "timestamp": stamp, "nonce": nonce}
        query["openid"] = str(fields.get("FromUserName", ""))
        text = write(fields, xml=xml)
        if mode == "plain" or not config.wechat_push_aes_key:
            return query, text
        sealed = encrypt(text, config.wechat_push_aes_key, event.appid, secrets.token_bytes(16))
        query |= {"encrypt_type": "aes", "msg_signature": sign(token, stamp, nonce, sealed)}
        shown = fields if mode == "compatible" else {"ToUserName": GH}
        return query, write({**shown, "Encrypt": sealed}, xml=xml)
