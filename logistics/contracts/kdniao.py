"""快递鸟's messages."""

from typing import Any

from frozenshop.kernel import strict_json
from logistics.contracts.shapes import Contract
from logistics.providers import wire


def opened(body: bytes, kind: str) -> Any:
    if kind == "push":
        fields = wire.signed_fields(body, "RequestData", "DataSign")
        return strict_json.load(wire.decoded_once_more(fields["RequestData"]))[0]
    return strict_json.load(body.decode("utf-8-sig"))[0]


CONTRACT = Contract(
    opened,
    must={
        "push": ("Data", "Data[].LogisticCode", "Data[].Traces[].AcceptTime", "Data[].Traces[].AcceptStation"),
        "answer": ("LogisticCode", "Traces[].AcceptTime", "Traces[].AcceptStation"),
    },
    also={
        "answer": {
            "Reason": "text",
            "Location": "text",
            "StateEx": "text whole",
            "EstimatedDeliveryTime": "text",
            "Traces[].Action": "text whole",
            "Traces[].Location": "text",
            "Traces[].Remark": "text",
        },
    },
)
