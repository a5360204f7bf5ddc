"""顺丰's messages: routes that were asked for, and those pushed as JSON or as attributes in XML."""

from typing import Any

from frozenshop.kernel import strict_json
from logistics.contracts.shapes import Contract
from logistics.providers import sf

_CODES = ("opCode", "reasonCode", "firstStatusCode", "secondaryStatusCode", "expressTypeId")
_NAMES = ("reasonName", "firstStatusName", "secondaryStatusName")
_ROUTE = dict.fromkeys(_CODES, "text whole") | dict.fromkeys(_NAMES, "text")


def opened(body: bytes, kind: str) -> Any:
    text = body.decode("utf-8-sig").strip()
    if text.startswith("{"):
        return strict_json.load(text)[0]
    return {"Body": {"WaybillRoute": [dict(route) for route in sf.routes_of(body)[0]]}}


CONTRACT = Contract(
    opened,
    must={
        "push": ("Body", "Body.WaybillRoute", *(f"Body.WaybillRoute[].{name}" for name in ("mailno", "acceptTime"))),
        "answer": ("routeResps", "routeResps[].mailNo", "routeResps[].routes[].acceptTime"),
    },
    also={
        "push": {
            "Body.WaybillRoute": "object",  # one alone, seen with older accounts
            **{f"Body.WaybillRoute.{name}": "text" for name in ("mailno", "acceptTime", "remark", "acceptAddress")},
            **{f"Body.WaybillRoute.{name}": types for name, types in _ROUTE.items()},
            **{f"Body.WaybillRoute[].{name}": types for name, types in _ROUTE.items()},
        },
        "answer": {f"routeResps[].routes[].{name}": types for name, types in _ROUTE.items()},
    },
)
