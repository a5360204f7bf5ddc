"""WeChat's logistics components: its list of express companies, and the tokens by which its plugin shows a parcel."""

import dataclasses
import secrets
from collections.abc import Callable, Mapping
from typing import Any

from sandbox.shipments import Shipment
from sandbox.wechat_base import ERRORS, Platform, Refused, Routes, ok

BASE = "/cgi-bin/express/delivery/open_msg/"
MOST_TOKENS = 5000
COMPANIES = {
    "SF": "顺丰速运", "STO": "申通快递", "ZTO": "中通快递", "YTO": "圆通速递", "YD": "韵达快递", "JTSD": "极兔速递",
    "JDL": "京东快递", "EMS": "EMS", "YZGN": "邮政快递包裹", "DBL": "德邦快递", "HTKY": "百世快递", "ZJS": "宅急送",
    "UC": "优速快递", "KYSY": "跨越速运", "ANE": "安能快递", "DHL": "DHL",
}  # fmt: skip
ERRORS.update(
    {
        931023: "waybill not exist detail: [运单不存在]",
        9300507: "invalid token, can't decryption or decryption result is different from the plaintext detail: "
        "[waybill_token参数错误]",
        9300534: "waybill token and openid mismatch",
    }
)
# by the beginning of 快递鸟's code of the last event
STATUSES = (("202", 3), ("3", 4), ("4", 5), ("1", 1), ("2", 2))


@dataclasses.dataclass
class Waybill:
    openid: str
    waybill_no: str
    delivery_id: str
    goods: Any


class Express:
    """`parcel` finds a parcel of the sandbox's world; callers hold its lock."""

    def __init__(self, platform: Platform) -> None:
        self._platform, self._tokens = platform, dict[str, Waybill]()
        self.parcel: Callable[[str], Shipment | None] = lambda waybill_no: None

    def routes(self) -> Routes:
        return {
            f"{BASE}get_delivery_list": ("POST", self._companies),
            f"{BASE}trace_waybill": ("POST", self._token),
            f"{BASE}follow_waybill": ("POST", self._token),
            f"{BASE}query_trace": ("POST", self._trace),
            f"{BASE}query_follow_trace": ("POST", self._trace),
            f"{BASE}update_waybill_goods": ("POST", self._goods),
            f"{BASE}update_follow_waybill_goods": ("POST", self._goods),
        }

    def _companies(self, query: Mapping[str, str], body: Any) -> dict[str, Any]:
        self._platform.check_token(query)
        listed = [{"delivery_id": code, "delivery_name": name} for code, name in COMPANIES.items()]
        return ok(count=len(listed), delivery_list=listed)

    def _token(self, query: Mapping[str, str], body: Any) -> dict[str, Any]:
        asked = self._asked(query, body)
        goods = (asked.get("goods_info") or {}).get("detail_list")
        if not asked.get("openid"):
            raise Refused(40003, "detail: [openid错误]")
        if not asked.get("receiver_phone") or not goods or not all(one.get("goods_img_url") for one in goods):
            raise Refused(47001)
        number = str(asked.get("waybill_id") or "")
        if self.parcel(number) is None:
            raise Refused(931023)
        while len(self._tokens) >= MOST_TOKENS:
            self._tokens.pop(next(iter(self._tokens)))
        token = secrets.token_urlsafe(48)
        self._tokens[token] = Waybill(str(asked["openid"]), number, str(asked.get("delivery_id") or ""), goods)
        return ok(waybill_token=token)

    def _trace(self, query: Mapping[str, str], body: Any) -> dict[str, Any]:
        asked = self._asked(query, body)
        known = self._known(asked)
        if asked.get("openid") and asked["openid"] != known.openid:
            raise Refused(9300534)
        return ok(
            waybill_info={"status": self._status(known.waybill_no), "waybill_id": known.waybill_no},
            shop_info={"goods_info": {"detail_list": known.goods}},
            delivery_info={"delivery_id": known.delivery_id, "delivery_name": COMPANIES.get(known.delivery_id, "")},
        )

    def _goods(self, query: Mapping[str, str], body: Any) -> dict[str, Any]:
        asked = self._asked(query, body)
        self._known(asked).goods = (asked.get("goods_info") or {}).get("detail_list")
        return ok()

    def _status(self, waybill_no: str) -> int:
        parcel = self.parcel(waybill_no)
        happened = parcel.events(self._platform.clock()) if parcel else []
        code = happened[-1].code if happened else ""
        return next((status for start, status in STATUSES if code.startswith(start)), 0)

    def _known(self, asked: Mapping[str, Any]) -> Waybill:
        known = self._tokens.get(str(asked.get("waybill_token") or ""))
        if known is None:
            raise Refused(9300507)
        return known

    def _asked(self, query: Mapping[str, str], body: Any) -> dict[str, Any]:
        self._platform.check_token(query)
        if not isinstance(body, dict):
            raise Refused(44002 if body is None else 47001)
        return body
