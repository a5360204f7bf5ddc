"""Enough rows that an optimizer prefers an index where there is one."""

import datetime as dt

from django.db import connection

from frozenshop.kernel.clock import now
from frozenshop.kernel.models import AuditEntry, OutboxMessage
from logistics.models import ProviderCall, ProviderMessage, Shipment, ShipmentOrder
from logistics.tests.factories import make_carrier
from notifications.models import Consent, Delivery, Notice
from orders.models import Alert, AlertKind, Customer, Order, OrderLine, OrderStatus, Product, ProductCategory
from orders.tests.factories import make_order

SIZE = 4000
# Rows as wide as real ones: of narrow ones the optimizer reads the whole table.
PADDING = "x" * 900
BIG_TABLES = {
    model._meta.db_table
    for model in (
        Alert, AuditEntry, Consent, Customer, Delivery, Notice, Order, OrderLine, OutboxMessage, ProviderCall,
        ProviderMessage, Shipment, ShipmentOrder,
    )
}  # fmt: skip


def make_crowd() -> None:
    """Fill the big tables and let the database learn what is in them."""
    start, carrier, statuses = now() - dt.timedelta(days=200), make_carrier(), list(OrderStatus)
    ProductCategory.objects.get_or_create(code="seafood", defaults={"name": "海鲜"})
    make_order(order_no="C0000000", name="张三", phone="13800000003")
    Product.objects.create(
        sku="S7", name="虾仁", category=ProductCategory.objects.get(code="seafood"), temperature_class="frozen"
    )
    Customer.objects.bulk_create(Customer(openid=f"crowd-{n}") for n in range(SIZE))
    orders = Order.objects.bulk_create(
        Order(
            order_no=f"C{n:07}",
            status=statuses[n % 50] if n % 50 < len(statuses) else OrderStatus.DELIVERED,
            placed_at=start + dt.timedelta(minutes=n * 70),
            consignee_sealed=PADDING,
            phone_index=f"p{n}",
            name_index=f"n{n % 997}",
            tail_index=f"t{n % 1999}",
            city=f"城市{n % 97}",
            promised_by=start + dt.timedelta(minutes=n * 70, days=2),
            not_shipped_after=now() if n % 100 == 1 else None,
        )
        for n in range(1, SIZE)
    )
    OrderLine.objects.bulk_create(
        OrderLine(
            order=order, position=1, sku=f"S{n % 60}", name="虾仁", quantity=1, unit_price_fen=1, category="seafood"
        )
        for n, order in enumerate(orders)
    )
    shipments = Shipment.objects.bulk_create(
        Shipment(
            carrier=carrier,
            waybill_no=f"SF{n:010}",
            shipped_at=order.placed_at,
            status="awaiting_pickup" if n % 200 == 0 else "delivered",
            status_at=order.placed_at,
            eta_latest=order.placed_at + dt.timedelta(days=2),
        )
        for n, order in enumerate(orders)
    )
    ShipmentOrder.objects.bulk_create(
        ShipmentOrder(order=order, shipment=shipment) for order, shipment in zip(orders, shipments, strict=True)
    )
    kinds = list(AlertKind)
    Alert.objects.bulk_create(
        Alert(
            kind=kinds[n % len(kinds)],
            subject=order.order_no,
            order=order,
            severity="2high",
            due_at=start,
            resolved_at=None if n % 100 == 0 else now(),
        )
        for n, order in enumerate(orders)
    )
    AuditEntry.objects.bulk_create(
        AuditEntry(actor="staff:1", action="x", subject=f"s{n}", details={"x": PADDING}) for n in range(SIZE)
    )
    OutboxMessage.objects.bulk_create(
        OutboxMessage(topic="t", key=f"crowd-{n}", last_error=PADDING, status="dead" if n % 500 == 0 else "done")
        for n in range(SIZE)
    )
    ProviderCall.objects.bulk_create(
        ProviderCall(provider="kdniao", operation="query", outcome="ok", waybill_no=f"SF{n:010}", detail=PADDING[:300])
        for n in range(SIZE)
    )
    ProviderMessage.objects.bulk_create(
        ProviderMessage(
            provider="kdniao",
            kind="push",
            digest=f"d{n}",
            body_sealed=PADDING,
            outcome="held" if n % 500 == 0 else "applied",
        )
        for n in range(SIZE)
    )
    make_messages(orders)
    with connection.cursor() as cursor:
        for table in BIG_TABLES:
            cursor.execute(f"ANALYZE {'' if connection.vendor == 'sqlite' else 'TABLE '}{table}")


def make_messages(orders: list[Order]) -> None:
    """Give each order one notice with one delivery, over the last two hundred days."""
    milestones, whys = ("shipped", "delivered", "exception"), ("", "failed", "superseded")
    notices = Notice.objects.bulk_create(
        Notice(
            audience="buyer",
            recipient=f"customer:{n % 500}",
            subject=f"order:{order.order_no}",
            milestone=milestones[n % 3],
            order=order,
            facts={"x": PADDING[:300]},
            occurred_at=order.placed_at,
            due_at=order.placed_at,
            created_at=order.placed_at,
            state="waiting" if n % 200 == 0 else "not_told" if whys[n % 3] else "told",
            why=whys[n % 3] if n % 200 else "",
            channel="sms_aliyun" if n % 200 == 0 else "",
        )
        for n, order in enumerate(orders)
    )
    Delivery.objects.bulk_create(
        Delivery(
            notice=notice,
            channel="sms_aliyun" if n % 2 else "wechat_subscribe",
            reference=f"n{n}",
            provider_id=f"p{n}",
            state="failed" if n % 3 else "sent",
            said=PADDING[:300],
            started_at=notice.created_at,
        )
        for n, notice in enumerate(notices)
    )
    Consent.objects.bulk_create(Consent(openid=f"crowd-{n}", template_id="T", balance=1) for n in range(SIZE))
