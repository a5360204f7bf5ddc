"""What our own messages reach: a shop's webhook endpoint that verifies signatures, and the staff's group robot."""

import base64
import dataclasses
import hashlib
import hmac
import json
from collections import deque
from collections.abc import Iterator, Mapping
from typing import Any

from sandbox.instants import isoformat
from sandbox.serving import Answered, Asked
from sandbox.world import World

PATH = "/webhooks/"
ROBOT = "/cgi-bin/webhook/send"
KEPT = 500
TOLERANCE_SECONDS = 300
ROBOT_A_MINUTE, ROBOT_BYTES = 20, 4096
_STATUS = {"least": 200, "most": 599}
_SECONDS = {"least": 0, "most": 86_400}


@dataclasses.dataclass
class Manners:
    """How the endpoint answers from now on; `retry_after` 0 says nothing of it."""

    status: int = dataclasses.field(default=200, metadata=_STATUS)
    retry_after: int = dataclasses.field(default=0, metadata=_SECONDS)


@dataclasses.dataclass
class Sink:
    """The newest of what came in: events with the result of verifying them, and what the group reads."""

    events: deque[dict[str, Any]] = dataclasses.field(default_factory=lambda: deque(maxlen=KEPT))
    group: deque[dict[str, Any]] = dataclasses.field(default_factory=lambda: deque(maxlen=KEPT))
    said_at: list[float] = dataclasses.field(default_factory=list)


def answer(world: World, asked: Asked) -> Any:
    """Take an event as a shop would: a bad signature is refused, a repeated id is acknowledged and noted."""
    manners, sink = world.own(Manners), world.own(Sink)
    headers = asked.headers
    verdict = verify(world.config.webhook_secret, headers, asked.text, world.clock())
    sink.events.append(
        {
            "at": isoformat(world.clock()),
            "id": headers.get("webhook-id", ""),
            "request_id": headers.get("x-request-id", ""),
            "verified": verdict,
            "repeated": any(event["id"] == headers.get("webhook-id") for event in sink.events),
            "body": asked.body,
        }
    )
    if verdict not in ("ok", "unchecked"):
        return Answered(401, {"error": verdict})
    if manners.status >= 300:
        said = {"Retry-After": str(manners.retry_after)} if manners.retry_after else {}
        return Answered(manners.status, {"error": "as told"}, said)
    return {"received": True}


def verify(secret: str, headers: Mapping[str, str], text: str, now: float) -> str:
    """Return "ok" or what is wrong, by the Standard Webhooks specification alone; "unchecked" without a secret."""
    if not secret:
        return "unchecked"
    stamp = headers.get("webhook-timestamp", "")
    if not stamp.isdecimal() or abs(now - int(stamp)) > TOLERANCE_SECONDS:
        return "timestamp"
    key = base64.b64decode(secret.removeprefix("whsec_"))
    signed = f"{headers.get('webhook-id', '')}.{stamp}.{text}".encode()
    good = "v1," + base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
    given = headers.get("webhook-signature", "").split()
    return "ok" if any(hmac.compare_digest(good, one) for one in given) else "signature"


def robot(world: World, asked: Asked) -> Any:
    """Answer as 企业微信 does: always 200, with an errcode."""
    refusal = next(_refusals(world, asked), None)
    if refusal:
        return {"errcode": refusal[0], "errmsg": refusal[1]}
    sink = world.own(Sink)
    sink.said_at.append(world.clock())
    sink.group.append({"at": isoformat(world.clock()), "content": _content(asked)})
    return {"errcode": 0, "errmsg": "ok"}


def received(world: World) -> dict[str, Any]:
    sink = world.own(Sink)
    return {"events": list(sink.events), "group": list(sink.group)}


def _refusals(world: World, asked: Asked) -> Iterator[tuple[int, str]]:
    sink, now = world.own(Sink), world.clock()
    if asked.query.get("key") != world.config.wecom_bot_key:
        yield 93000, "invalid webhook url"
    if not isinstance(asked.body, dict) or asked.body.get("msgtype") not in ("text", "markdown"):
        yield 40008, "invalid message type"
    if not _content(asked):
        yield 44004, "content size out of limit or empty"
    if len(_content(asked).encode()) > ROBOT_BYTES:
        yield 40058, f"markdown.content exceed max length {ROBOT_BYTES}. invalid Request Parameter"
    sink.said_at = [at for at in sink.said_at if at > now - 60]
    if len(sink.said_at) >= ROBOT_A_MINUTE:
        yield 45009, "api freq out of limit"


def _content(asked: Asked) -> str:
    try:
        message = json.loads(asked.text)
        return str(message[message["msgtype"]]["content"])
    except (ValueError, KeyError, TypeError):
        return ""
