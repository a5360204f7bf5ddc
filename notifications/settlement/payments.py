"""Which payment of WeChat's an order was paid by, in the three ways that WeChat asks for it."""

from collections.abc import Mapping
from typing import Any

from django.conf import settings
from django.db.models import QuerySet

from notifications.models import ShippingReport
from orders.models import Order


def of(order: Order) -> str:
    """Return the name of an order's payment; empty where it wasn't paid by WeChat, as far as the shop says.

    `4200…` is WeChat's own number, `1900000109/FD1` the merchant's. Orders that were paid together have one name. Below
    a combined payment it is the merchant's: there both must be called by numbers of one kind.
    """
    return order.transaction_id if order.transaction_id and not combined(order) else by_number(order)


def by_number(order: Order) -> str:
    """Return the merchant's own name of an order's payment; empty where the shop told no number."""
    mchid = order.mchid or settings.WECHAT_MCHID
    return f"{mchid}/{order.out_trade_no}" if mchid and order.out_trade_no else ""


def combined(order: Order) -> str:
    """Return the name of the payment above an order's own (合单支付); empty where it was paid alone."""
    mchid = order.combine_mchid or order.mchid or settings.WECHAT_MCHID
    return f"{mchid}/{order.combine_out_trade_no}" if order.combine_out_trade_no and by_number(order) else ""


def order_key(payment: str) -> dict[str, Any]:
    """Return what an upload calls the payment."""
    mchid, slash, out_trade_no = payment.partition("/")
    if not slash:
        return {"order_number_type": 2, "transaction_id": payment}
    return {"order_number_type": 1, "mchid": mchid, "out_trade_no": out_trade_no}


def asked(payment: str) -> dict[str, str]:
    """Return what a question calls it: other words for the same."""
    mchid, slash, out_trade_no = payment.partition("/")
    return {"merchant_id": mchid, "merchant_trade_no": out_trade_no} if slash else {"transaction_id": payment}


def names(told: Mapping[str, Any]) -> list[str]:
    """Return the names by which we may know a payment that WeChat speaks of."""
    found = [str(told.get("transaction_id") or "")]
    if told.get("merchant_trade_no"):
        found.append(f"{told.get('merchant_id') or settings.WECHAT_MCHID}/{told['merchant_trade_no']}")
    return [name[:110] for name in found if name]


def reports(told: Mapping[str, Any]) -> QuerySet[ShippingReport]:
    """Return the reports of a payment that WeChat speaks of."""
    return ShippingReport.objects.filter(payment__in=names(told))
