"""What WeChat pushes: verified, kept, answered; and handled afterwards, each event by the function in the table."""

import datetime as dt
import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, cast

import structlog
from django.conf import settings
from django.db import IntegrityError, transaction
from django.utils.module_loading import import_string

from frozenshop.kernel import clock, crypto, outbox, purging
from frozenshop.kernel.models import Nonce
from notifications.models import WechatEvent
from notifications.wechat import push_crypto
from notifications.wechat.push_crypto import Forged, Unreadable

logger = structlog.get_logger(__name__)

FRESH = dt.timedelta(minutes=5)
KEEP = dt.timedelta(days=90)
UNHANDLED = "没有需要处理的内容"
LONGEST_OPENID = 64
NOBODY = f"FromUserName 超过 {LONGEST_OPENID} 个字符，不是 openid，不处理"
SAFE = "safe"
PUSH_MODES = ("plain", "compatible", SAFE)
"""As WeChat's console names them. What is encrypted is taken in each, what isn't is refused in the safe one alone."""

EVENT_HANDLERS: Mapping[str, str] = {
    "subscribe_msg_popup_event": "notifications.wechat.told.dialog_answered",
    "subscribe_msg_change_event": "notifications.wechat.told.template_switched",
    "subscribe_msg_sent_event": "notifications.wechat.told.message_ended",
    "TEMPLATESENDJOBFINISH": "notifications.wechat.told.official_message_ended",
    "subscribe": "notifications.wechat.told.followed",
    "unsubscribe": "notifications.wechat.told.unfollowed",
    "trade_manage_remind_access_api": "notifications.settlement.told.access_wanted",
    "trade_manage_remind_shipping": "notifications.settlement.told.shipping_wanted",
    "trade_manage_order_settlement": "notifications.settlement.told.settlement",
}
"""By event: which function takes it (`Handler`), inside the transaction that closes the row."""
Handler = Callable[[dict[str, Any], WechatEvent], str]
"""Takes the event's fields and its row, and returns a remark for staff; raising tries again later."""


@dataclass(frozen=True, slots=True)
class Signed:
    """What stands in a push's query."""

    signature: str
    timestamp: str
    nonce: str
    msg_signature: str = ""

    @classmethod
    def of(cls, query: Mapping[str, Any]) -> "Signed":
        names = ("signature", "timestamp", "nonce", "msg_signature")
        return cls(*(str(query.get(name, ""))[:200] for name in names))


def verify_address(query: Mapping[str, Any]) -> str:
    """Return what WeChat wants to be echoed when the address is entered in its console. Raises Forged."""
    signed = Signed.of(query)
    if not push_crypto.is_signed(signed.signature, settings.WECHAT_PUSH_TOKEN, signed.timestamp, signed.nonce):
        raise Forged("签名不符：Token 不一致")
    return str(query.get("echostr", ""))


def receive(query: Mapping[str, Any], body: bytes) -> WechatEvent | None:
    """Keep an authentic push and queue its handling, in one transaction; a repeat is the same row.

    None: no event (a message to the customer service, for instance), which is not kept. Raises Forged, Unreadable.
    """
    signed = Signed.of(query)
    text = _authentic(signed, body)
    fields = push_crypto.read(text)
    if not _is_event(fields):
        logger.info("wechat.push_ignored", type=str(fields.get("MsgType", ""))[:20])
        return None
    digest = hashlib.sha256(text.encode()).hexdigest()
    with transaction.atomic():
        _use_once(signed, digest)
        return _keep(digest, str(fields["Event"])[:60], text)


def open_event(event: WechatEvent) -> dict[str, Any]:
    """Return an event's fields as they came. Raises SealBroken, Unreadable."""
    return push_crypto.read(crypto.open_sealed(event.body_sealed, purpose=purpose_of(event.key)))


def handle(event: WechatEvent) -> None:
    """Take an event in, inside the caller's transaction. One that nobody handles is kept and ignored. Repeatable."""
    if event.handled_at is not None:
        return
    path = EVENT_HANDLERS.get(event.event)
    detail = _handled(cast(Handler, import_string(path)), event) if path else UNHANDLED
    WechatEvent.objects.filter(pk=event.pk).update(handled_at=clock.now(), detail=detail[:300])


def _handled(handler: Handler, event: WechatEvent) -> str:
    fields = open_event(event)
    return NOBODY if len(str(fields.get("FromUserName", ""))) > LONGEST_OPENID else handler(fields, event)


def purge() -> int:
    """Delete events older than 90 days; return how many."""
    return purging.delete(WechatEvent.objects.filter(received_at__lt=clock.now() - KEEP).order_by("received_at", "id"))


def items(fields: Mapping[str, Any], name: str) -> list[dict[str, Any]]:
    """Return the entries of an event's list in any of its shapes.

    JSON in real traffic: `List`, an object where there is one entry. Older pages: a list under the event's own name.
    XML: `List` elements inside an element of that name.
    """
    found = fields.get("List", fields.get(name))
    if isinstance(found, dict) and "List" in found:
        found = found["List"]
    return [entry for entry in (found if isinstance(found, list) else [found]) if isinstance(entry, dict)]


def created_at(fields: Mapping[str, Any], event: WechatEvent) -> dt.datetime:
    """Return when it happened by WeChat's clock, which a text or a number may say; else when it came."""
    try:
        return dt.datetime.fromtimestamp(int(fields.get("CreateTime", "")), dt.UTC)
    except (ValueError, TypeError, OverflowError, OSError):
        return event.received_at


def _authentic(signed: Signed, body: bytes) -> str:
    """Return the message of a push in the plain, compatible or safe mode. Raises Forged, Unreadable."""
    token = settings.WECHAT_PUSH_TOKEN
    _check_fresh(signed.timestamp)
    try:
        text = body.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise Unreadable("不是 UTF-8") from error
    if signed.msg_signature and settings.WECHAT_PUSH_AES_KEY:
        sealed = push_crypto.read(text).get("Encrypt")
        if not isinstance(sealed, str) or not sealed:
            raise Forged("有 msg_signature 却没有 Encrypt")
        if not push_crypto.is_signed(signed.msg_signature, token, signed.timestamp, signed.nonce, sealed):
            raise Forged("签名不符：Token 不一致")
        return _opened(sealed)
    if settings.WECHAT_PUSH_MODE == SAFE:
        raise Forged("没有加密：WECHAT_PUSH_MODE 是 safe，公众平台要选安全模式")
    if not push_crypto.is_signed(signed.signature, token, signed.timestamp, signed.nonce):
        raise Forged("签名不符：Token 不一致")
    return text


def _opened(sealed: str) -> str:
    message, appid = push_crypto.decrypt(sealed, settings.WECHAT_PUSH_AES_KEY)
    if appid not in {settings.WECHAT_APPID, settings.WECHAT_OFFICIAL_APPID} - {""}:
        raise Forged("是另一个账号的推送：AppID 不一致")
    return message


def _check_fresh(timestamp: str) -> None:
    try:
        said = dt.datetime.fromtimestamp(int(timestamp), dt.UTC)
    except (ValueError, OverflowError, OSError) as error:
        raise Forged("没有时间戳") from error
    if abs(clock.now() - said) > FRESH:
        raise Forged("时间相差 5 分钟以上：请核对服务器时间")


def _use_once(signed: Signed, digest: str) -> None:
    """A signature is good for one message: WeChat may say it again, but nobody may say another thing with it."""
    scope, expires_at = "wechat-push", clock.now() + 3 * FRESH
    nonce = hashlib.sha256(f"{signed.timestamp}\0{signed.nonce}".encode("utf-8", "surrogatepass")).hexdigest()
    try:
        with transaction.atomic():
            Nonce.objects.create(scope=scope, nonce=nonce, expires_at=expires_at)
    except IntegrityError as error:
        if not WechatEvent.objects.filter(key=digest).exists():
            raise Forged("重放的签名") from error


def _keep(digest: str, name: str, text: str) -> WechatEvent:
    event, new = WechatEvent.objects.get_or_create(
        key=digest,
        defaults={
            "event": name,
            "body_sealed": crypto.seal(text, purpose=purpose_of(digest)),
            "received_at": clock.now(),
        },
    )
    if new:
        outbox.enqueue("notifications.wechat_event", {"event_id": event.pk})
    return event


def _is_event(fields: Mapping[str, Any]) -> bool:
    if "MsgType" not in fields:
        raise Unreadable("没有 MsgType；安全模式需要填写 WECHAT_PUSH_AES_KEY")
    return fields["MsgType"] == "event" and isinstance(fields.get("Event"), str) and bool(fields["Event"])


def purpose_of(key: str) -> str:
    return f"wechat_event:{key}"
