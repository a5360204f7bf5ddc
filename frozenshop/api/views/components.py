"""What WeChat's own components in the mini-program need about an order."""

from typing import Any

from django.http import HttpResponse
from rest_framework.request import Request

from frozenshop.api import schema, visible
from frozenshop.api.describing import ORDER_NO, described
from frozenshop.api.replies import reply
from frozenshop.api.views.base import BuyerView
from frozenshop.kernel.errors import OrderNotFound
from notifications.settlement import components, payments
from orders.models import OrderAccess, OrderStatus

CONFIRMABLE = (OrderStatus.SHIPPED, OrderStatus.IN_TRANSIT, OrderStatus.DELIVERED)


class OrderWechatView(BuyerView):
    @described(
        "微信确认收货组件和物流组件所需的数据",
        gives=schema.WechatComponents,
        parameters=(ORDER_NO,),
        answer={
            "confirm": {
                "business_type": "weappOrderConfirm",
                "extra_data": {"transaction_id": "4200000000202601010000000001"},
            },
            "waybills": [{"waybill_no": "SF1234567890123", "waybill_token": "…"}],
        },
        refusals=(404,),
    )
    def get(self, request: Request, order_no: str) -> HttpResponse:
        try:
            access = visible.find(self.buyer, order_no)
        except OrderNotFound:
            visible.find_archived(self.buyer, order_no)
            return reply({"confirm": None, "waybills": []})
        # A waybill's token is bound to the openid that placed the order.
        own = access.via == OrderAccess.Via.OPENID
        return reply({"confirm": _confirm(access), "waybills": components.for_order(access.order) if own else []})


def _confirm(access: OrderAccess) -> dict[str, Any] | None:
    """Return the arguments of `wx.openBusinessView`: only for who paid, once there is something to confirm."""
    order = access.order
    if access.via != OrderAccess.Via.OPENID or order.status not in CONFIRMABLE:
        return None
    payment = order.transaction_id or payments.by_number(order)
    return {"business_type": "weappOrderConfirm", "extra_data": payments.asked(payment)} if payment else None
