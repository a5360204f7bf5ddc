"""What WeChat knows of a payment: its answer to get_order, read."""

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from notifications.settlement import payments
from notifications.settlement.content import is_complete
from notifications.wechat import client

PATH = "/wxa/sec/order/get_order"
TO_SHIP, SHIPPED, CONFIRMED, SETTLED, REFUNDED, SETTLING = 1, 2, 3, 4, 5, 6
STATES = {
    TO_SHIP: "待发货",
    SHIPPED: "已发货",
    CONFIRMED: "确认收货",
    SETTLED: "交易完成",
    REFUNDED: "已退款",
    SETTLING: "资金待结算",
}


@dataclass(frozen=True, slots=True)
class Known:
    """`shipping` has the words of an upload; empty where nothing was told. `finished`: how often shipping was ended."""

    state: int
    shipping: dict[str, Any] = field(default_factory=dict)
    finished: int = 0
    openid: str = ""
    in_complaint: bool = False
    told: Mapping[str, Any] = field(default_factory=dict)

    @property
    def complete(self) -> bool:
        return is_complete(self.shipping)


def ask(payment: str) -> Known:
    """Ask WeChat what it knows. Raises WechatError, ServiceError, Unreadable."""
    return read(client.authorised(PATH, payments.asked(payment)).get("order"))


class Unreadable(Exception):
    """WeChat's answer isn't of the known shape."""


def read(order: object) -> Known:
    """Read one order of get_order or get_order_list. Raises Unreadable."""
    if not isinstance(order, dict):
        raise Unreadable("没有 order")
    try:
        shipping = order.get("shipping") or {}
        return Known(
            state=int(order["order_state"]),
            shipping=_shipping(shipping) if shipping else {},
            finished=int(shipping.get("finish_shipping_count") or 0),
            openid=str(order.get("openid") or ""),
            in_complaint=order.get("in_complaint") is True,
            told=order,
        )
    except (KeyError, ValueError, TypeError, AttributeError) as error:
        raise Unreadable(type(error).__name__) from error


def instant(seconds: object) -> dt.datetime | None:
    """Return WeChat's Unix seconds as an instant; None where there are none."""
    try:
        found = int(str(seconds))
        return dt.datetime.fromtimestamp(found, dt.UTC) if found > 0 else None
    except (ValueError, OverflowError, OSError):
        return None


def _shipping(told: Mapping[str, Any]) -> dict[str, Any]:
    listed = told.get("shipping_list") or []
    return {
        "logistics_type": int(told["logistics_type"]),
        "delivery_mode": int(told["delivery_mode"]),
        "finish_shipping": told.get("finish_shipping") is True,
        "shipping_list": [
            {
                "tracking_no": str(entry.get("tracking_no", ""))[:128],
                "express_company": str(entry.get("express_company", ""))[:128],
                "item_desc": str(entry.get("goods_desc") or told.get("goods_desc") or "")[:130],
            }
            for entry in listed
        ],
    }
