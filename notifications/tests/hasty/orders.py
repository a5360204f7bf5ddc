"""Many shipped orders at once, written in batches as the program would have written them one by one."""

import datetime as dt

from frozenshop.kernel import clock
from frozenshop.kernel.models import OutboxMessage
from logistics.models import Carrier, Shipment, ShipmentLine, ShipmentOrder
from orders.models import Customer, Order, OrderLine, OrderStatus

BATCH = 1000
OPENID = "oPayer00000000000000000001"


def transaction(number: int) -> str:
    return f"4200{number:024}"


def prepare(count: int) -> None:
    """Make so many paid orders that left in one parcel each."""
    carrier = Carrier.objects.create(code="ZTO", name="中通快递", wechat_code="ZTO")
    customer = Customer.objects.create(openid=OPENID)
    for first in range(0, count, BATCH):
        _batch(range(first, min(first + BATCH, count)), carrier, customer)


def _batch(numbers: range, carrier: Carrier, customer: Customer) -> None:
    now = clock.now()
    orders = Order.objects.bulk_create(
        Order(
            order_no=f"K{n:07}", customer=customer, status=OrderStatus.SHIPPED, placed_at=now, paid_at=now,
            shipped_at=now, total_fen=10_000, transaction_id=transaction(n),
        )
        for n in numbers
    )  # fmt: skip
    orders = list(Order.objects.filter(order_no__in=[order.order_no for order in orders]).order_by("order_no"))
    numbers_of = {order.pk: f"ZT{order.order_no}" for order in orders}
    OrderLine.objects.bulk_create(
        OrderLine(order=order, position=1, sku="XR-1", name="虾仁", quantity=2, unit_price_fen=5000) for order in orders
    )
    Shipment.objects.bulk_create(
        Shipment(carrier=carrier, waybill_no=number, shipped_at=now) for number in numbers_of.values()
    )
    boxes = dict(Shipment.objects.filter(waybill_no__in=numbers_of.values()).values_list("waybill_no", "pk"))
    ShipmentOrder.objects.bulk_create(
        ShipmentOrder(shipment_id=boxes[number], order_id=pk, linked_at=now - dt.timedelta(seconds=1))
        for pk, number in numbers_of.items()
    )
    lines = dict(OrderLine.objects.filter(order__in=orders).values_list("order_id", "pk"))
    links = ShipmentOrder.objects.filter(order__in=orders).values_list("pk", "order_id")
    ShipmentLine.objects.bulk_create(
        ShipmentLine(link_id=pk, order_line_id=lines[order_id], quantity=2) for pk, order_id in links
    )
    OutboxMessage.objects.bulk_create(
        OutboxMessage(topic="notifications.parcels_changed", payload={"order_id": order.pk}, due_at=now, created_at=now)
        for order in orders
    )
