"""Short makers of test data: say only what matters to the rule under test."""

import datetime as dt
import itertools
from typing import Any

from frozenshop.kernel import clock
from frozenshop.kernel.actor import Actor, Source
from orders import access, lifecycle, services
from orders.intake import parse_order
from orders.models import Customer, Order, OrderStatus

SHOP = Actor(Source.SHOP, "key:test")
_numbers = itertools.count(1)

_PATH = {
    OrderStatus.PLACED: (),
    OrderStatus.PAID: (OrderStatus.PAID,),
    OrderStatus.SHIPPED: (OrderStatus.PAID, OrderStatus.SHIPPED),
    OrderStatus.IN_TRANSIT: (OrderStatus.PAID, OrderStatus.SHIPPED, OrderStatus.IN_TRANSIT),
    OrderStatus.DELIVERED: (OrderStatus.PAID, OrderStatus.SHIPPED, OrderStatus.IN_TRANSIT, OrderStatus.DELIVERED),
    OrderStatus.RETURNED: (OrderStatus.PAID, OrderStatus.SHIPPED, OrderStatus.RETURNED),
    OrderStatus.CANCELLED: (OrderStatus.CANCELLED,),
    OrderStatus.REFUNDED: (OrderStatus.PAID, OrderStatus.REFUNDED),
}


def line(**changes: Any) -> dict[str, Any]:
    return {"sku": "XR-1", "name": "虾仁", "quantity": 2, "unit_price_fen": 5000, **changes}


def order_payload(**changes: Any) -> dict[str, Any]:
    """An order as the shop sends it: two bags of shrimps at 50 yuan, placed an hour ago."""
    consignee = {
        "name": "张三", "phone": "13812341234", "province": "上海市", "city": "上海市", "district": "浦东新区",
        "address": "世纪大道 1 号",
    }  # fmt: skip
    consignee |= changes.pop("consignee", {})
    consignee |= {name: changes.pop(name) for name in list(changes) if name in consignee}
    return {
        "order_no": f"T{next(_numbers):06}",
        "placed_at": (clock.now() - dt.timedelta(hours=1)).isoformat(),
        "total_fen": 10_000,
        "consignee": consignee,
        "lines": [line()],
        **changes,
    }


def make_order(status: str = OrderStatus.PLACED, **changes: Any) -> Order:
    """Take in an order (payload fields or consignee fields as keywords) and walk it to `status`."""
    order = services.take_order(parse_order(order_payload(**changes)), SHOP).order
    for step in _PATH[OrderStatus(status)]:
        lifecycle.move(order, step, kind=step.value, occurred_at=order.placed_at, actor=SHOP)
    return order


def make_customer(openid: str | None = None, phone: str = "") -> Customer:
    """Make a buyer, with a phone verified just now if one is given."""
    customer = Customer.objects.create(openid=openid or f"openid-{next(_numbers)}")
    if phone:
        access.bind_phone(customer, phone, clock.now())
    return customer
