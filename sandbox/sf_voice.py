"""How 顺丰 pushes: only what is new, unsigned, about four times each, in any order, as JSON or as a form of XML.

How long after a failure a batch is sent again is not published: 1, 5 and 30 minutes, compressed by the parcel's speed,
are invented here.
"""

import hashlib
import json
import random
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote_plus, urlencode
from xml.sax.saxutils import quoteattr

from sandbox.pushing import FORM, Message, Push, Voice, answered_json
from sandbox.scenarios import Event
from sandbox.sf import CODES, MOST, TROUBLE, Manners, route
from sandbox.shipments import Shipment
from sandbox.world import World

CALLBACK = "/callbacks/sf/"
JSON = "application/json;charset=UTF-8"
REPEATS = 4


class SfVoice(Voice):
    service = "sf"
    retry_after_seconds = (60.0, 300.0, 1800.0)
    least_retry_seconds = (2.0, 5.0, 15.0)
    patience_seconds = 10.0

    def message(self, world: World, shipments: Sequence[Shipment], push: Push) -> Message | None:
        secret = world.config.sf_callback_secret
        if not secret:
            return None
        path = CALLBACK + ("forged" if push.forged else secret)
        payload = shipments[0].payload
        routes = [route for shipment in shipments for route in _routes(shipment, push.as_of)][:MOST]
        if not routes and not isinstance(payload, str):
            return None
        if world.own(Manners).xml or isinstance(payload, str):
            return _form(path, payload if isinstance(payload, str) else _xml(routes), push.encoding)
        fields = {"Body": {"WaybillRoute": routes}}
        return Message(path, fields, json.dumps(fields, ensure_ascii=False).encode(), {"Content-Type": JSON})

    def accepted(self, status: int, text: str) -> bool:
        """0000 in JSON, OK in XML; on 1000 or ERR the whole batch is sent again."""
        return answered_json(status, text).get("return_code") == "0000" or (status == 200 and "<Head>OK</Head>" in text)

    def news(self, world: World, shipment: Shipment, now: float) -> list[float]:
        """Return each instant as often as it is told, mixed up; the newest comes last, for `pushed_until`."""
        instants = super().news(world, shipment, now)
        if not instants:
            return []
        told = [at for at in instants for _ in range(REPEATS)]
        told.remove(instants[-1])
        random.Random(f"{shipment.waybill_no}{now}").shuffle(told)  # noqa: S311 - a simulation
        return [*told, instants[-1]]

    def pushable(self, payload: Mapping[str, Any]) -> bool:
        return "Body" in payload


def _routes(shipment: Shipment, as_of: float) -> list[dict[str, str]]:
    """Return the newest route as of then, or of a payload all that it says."""
    if isinstance(shipment.payload, dict):
        return list(shipment.payload["Body"]["WaybillRoute"])
    return [_route(shipment, event) for event in shipment.events(as_of)[-1:]]


def _route(shipment: Shipment, event: Event) -> dict[str, str]:
    digest = hashlib.sha256(f"{shipment.waybill_no} {event.at} {event.code}".encode()).hexdigest()
    return {
        "mailno": shipment.waybill_no,
        "orderid": shipment.order_code,
        "reasonName": "",
        "reasonCode": CODES.get(event.code, TROUBLE)[1],
        "id": str(int(digest[:12], 16)),
        **route(event, first_status=False),
    }


def _xml(routes: Sequence[Mapping[str, str]]) -> str:
    rows = ("".join(f" {name}={quoteattr(value)}" for name, value in row.items()) for row in routes)
    body = "".join(f"<WaybillRoute{row}/>" for row in rows)
    return f"<?xml version='1.0' encoding='UTF-8'?><Request service=\"RoutePushService\"><Body>{body}</Body></Request>"


def _form(path: str, xml: str, encoding: str) -> Message:
    content = quote_plus(xml) if encoding == "twice_encoded" else xml
    return Message(path, {"content": xml}, urlencode({"content": content}).encode(), {"Content-Type": FORM})
