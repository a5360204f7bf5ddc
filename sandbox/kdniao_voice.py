"""How 快递鸟 pushes: full traces each time, signed, one or several parcels in a message.

How often and how long the live service repeats is not published: 1, 5 and 30 minutes, compressed by the
parcel's speed, are invented here.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from sandbox.carriers import CODES
from sandbox.instants import wall_clock
from sandbox.kdniao import BASIC, sign, tell
from sandbox.pushing import Message, Push, Voice, answered_json, encode_form
from sandbox.shipments import Shipment
from sandbox.world import World

CALLBACK = "/callbacks/kdniao"


class KdniaoVoice(Voice):
    service = "kdniao"
    retry_after_seconds = (60.0, 300.0, 1800.0)
    least_retry_seconds = (2.0, 5.0, 15.0)
    patience_seconds = 10.0

    def message(self, world: World, shipments: Sequence[Shipment], push: Push) -> Message:
        basic = shipments[0].subscription in BASIC
        items = [item for s in shipments if (item := _item(world, s, push.as_of, basic=basic))]
        text = _request_data(world, items)
        key = "forged" if push.forged else world.config.kdniao_api_key
        fields = {"RequestData": text, "RequestType": "101" if basic else "102", "DataSign": sign(text, key)}
        body, headers = encode_form(fields, push.encoding)
        return Message(CALLBACK, fields, body, headers)

    def accepted(self, status: int, text: str) -> bool:
        """The merchant must answer 200 with Success true."""
        return answered_json(status, text).get("Success") is True

    def pushable(self, payload: Mapping[str, Any]) -> bool:
        return bool({"Traces", "Data"} & set(payload))


def _item(world: World, shipment: Shipment, as_of: float, *, basic: bool) -> Any:
    if shipment.payload is not None:
        return shipment.payload
    told = tell(
        world, CODES["kdniao"].get(shipment.carrier_code, ""), shipment.waybill_no, shipment.events(as_of), basic=basic
    )
    return {**told, "OrderCode": shipment.order_code, "CallBack": shipment.callback}


def _request_data(world: World, items: list[Any]) -> str:
    """A payload that is a whole push already (it has Data), or text, goes out as it is."""
    if len(items) == 1 and (isinstance(items[0], str) or "Data" in items[0]):
        return items[0] if isinstance(items[0], str) else json.dumps(items[0], ensure_ascii=False)
    said = {
        "EBusinessID": world.config.kdniao_business_id,
        "PushTime": wall_clock(world.clock()),
        "Count": str(len(items)),
        "Data": items,
    }
    return json.dumps(said, ensure_ascii=False)
