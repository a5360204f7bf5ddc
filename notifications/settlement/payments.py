"""Which payment of WeChat's an order was paid by, in the three ways that WeChat asks for it."""

from collections.abc import Mapping
from typing import Any

from django.conf import settings
from django.db.models import QuerySet

from notifications.models import ShippingReport
from orders.models import Order


def of(order: Order) -> str:
    """Return the name of an order's payment; empty where it wasn't paid by WeChat, as far as the shop says.

    `4200…` is WeChat's own number, `1900000109/FD1` the merchant's. Orders that were paid together have one name.
    """
    if order.transaction_id:
        return order.transaction_id
    mchid = order.mchid or settings.WECHAT_MCHID
    return f"{mchid}/{order.out_trade_no}" if mchid and order.out_trade_no else ""


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
