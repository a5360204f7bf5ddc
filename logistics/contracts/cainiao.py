"""菜鸟's messages: LINK in its shapes, and the array of 智能物流."""

from typing import Any

from frozenshop.kernel import strict_json
from logistics.contracts.shapes import Contract
from logistics.providers import wire

_TEXTS = ("result", "data")


def opened(body: bytes, kind: str) -> Any:
    if kind == "push" and not body.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"["):
        fields = wire.signed_fields(body, "logistics_interface", "data_digest")
        return strict_json.load(wire.decoded_once_more(fields["logistics_interface"]))[0]
    return _unfolded(strict_json.load(body.decode("utf-8-sig"))[0])


def _unfolded(value: Any) -> Any:
    """Open what some shapes write as a JSON text once more, twice at most."""
    if not isinstance(value, dict):
        return value
    texts = {name: part for name in _TEXTS if isinstance(part := value.get(name), str) and part[:1] in "{["}
    parts = {name: strict_json.load(part)[0] for name, part in texts.items()}
    whole = value | parts
    return whole | {name: _unfolded(whole[name]) for name in _TEXTS if isinstance(whole.get(name), dict)}


CONTRACT = Contract(
    opened,
    must={"push": ("mailNo", "[].mailNo"), "answer": ("fullTraceDetail[].time", "data.logisticsDetails[].time")},
    also={
        "push": {"logisticsStatusEx": "text", "[].logisticsStatusEx": "text", "[].subPhone": "text"},
        "answer": {
            "errorCode": "text",
            "errorMsg": "text",
            "city": "text",
            **{
                f"{scans}[].{name}": "text whole"
                for scans in ("fullTraceDetail", "result.data.detail")
                for name in ("opTime", "opMessage", "opDesc")
            },
        },
    },
)
