"""快递100's messages."""

from typing import Any

from frozenshop.kernel import strict_json
from logistics.contracts.shapes import Contract
from logistics.providers import wire

# As the documentation of 订阅 lists them, 2026-10.
_PUSHED = frozenset({"polling", "shutdown", "abort", "updateall"})
_YES_OR_NO = frozenset({"0", "1"})
_RESULT = {
    **dict.fromkeys(("message", "nu", "ischeck", "com", "status", "condition"), "text whole"),
    "data": "list",
    "data[]": "object",
    **{f"data[].{name}": "text" for name in ("time", "ftime", "context")},
    **dict.fromkeys(("routeInfo", "routeInfo.cur", "routeInfo.from", "routeInfo.to"), "object"),
    **{f"routeInfo.{place}.{part}": "text" for place in ("cur", "from", "to") for part in ("name", "number")},
    **dict.fromkeys(("arrivalTime", "totalTime", "remainTime", "isLoop"), "text boolean"),
    "state": "text whole",
    **dict.fromkeys(
        ("data[].statusCode", "data[].areaCode", "data[].areaName", "data[].areaCenter", "data[].areaPinYin"), "text"
    ),
    **dict.fromkeys(("data[].location", "data[].status"), "text"),
}


def opened(body: bytes, kind: str) -> Any:
    if kind == "push":
        return strict_json.load(wire.signed_fields(body, "param", "sign", or_json=False)["param"])[0]
    return strict_json.load(body.decode("utf-8-sig"))[0]


CONTRACT = Contract(
    opened,
    must={
        "push": ("status", "lastResult", "lastResult.nu", "lastResult.data[].time", "lastResult.data[].context"),
        "answer": ("nu", "data[].time", "data[].context"),
    },
    codes={
        "push": {"status": _PUSHED, "autoCheck": _YES_OR_NO, "lastResult.ischeck": _YES_OR_NO},
        "answer": {"ischeck": _YES_OR_NO},
    },
    also={
        "push": {"destResult": "object"}
        | {f"{result}.{path}": types for result in ("lastResult", "destResult") for path, types in _RESULT.items()},
        "answer": _RESULT,
    },
)
