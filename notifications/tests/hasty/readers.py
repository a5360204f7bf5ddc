"""Many buyers with a parcel each, written in batches: who allowed WeChat's messages, who didn't, who took it back."""

import datetime as dt

from frozenshop.kernel import clock
from frozenshop.kernel.models import OutboxMessage
from logistics.models import Carrier, Shipment, ShipmentLine, ShipmentOrder, ShipmentStatus
from notifications.models import Audience, Channel, Consent, MessageTemplate, Milestone, Notice
from orders.consignee import Consignee
from orders.models import Customer, Order, OrderLine, OrderStatus
from sandbox.wechat_templates import id_of

BATCH = 500
TEMPLATE = id_of("订单配送通知")
SMS_TEMPLATE = "SMS_100000003"
ALLOWED, TAKEN_BACK, NEVER_ALLOWED = "A", "B", "N"
"""How a buyer's openid begins. WeChat takes a message to the first alone, and knows better than we about the second."""


def kind_of(number: int) -> str:
    """Two of three are told by WeChat, the others by SMS."""
    return (ALLOWED, ALLOWED, ALLOWED, ALLOWED, TAKEN_BACK, NEVER_ALLOWED)[number % 6]


def openid(number: int) -> str:
    return f"{kind_of(number)}reader{number:020}"


def phone(number: int) -> str:
    return f"139{number:08}"


def waybill_no(number: int) -> str:
    return f"ZR{number:08}"


def prepare(count: int, *, told: bool, only_wechat: bool = False, first: int = 0, queued: bool = True) -> None:
    """Make so many buyers and parcels on the way; with `told` they are out for delivery, and the outbox says so.

    Unless `queued` is false.
    """
    carrier = Carrier.objects.get_or_create(code="ZTO", defaults={"name": "中通快递", "wechat_code": "ZTO"})[0]
    _templates()
    for begin in range(first, first + count, BATCH):
        _batch(
            range(begin, min(begin + BATCH, first + count)), carrier, told=told, only_wechat=only_wechat, queued=queued
        )


def _templates() -> None:
    fields = {"character_string1": "{order_no}", "thing2": "{lines}", "phrase3": "{status}", "thing4": "{hint}"}
    for channel, template_id, given in (
        (Channel.WECHAT_SUBSCRIBE, TEMPLATE, fields),
        (Channel.SMS_ALIYUN, SMS_TEMPLATE, {"order_no": "{order_no}"}),
    ):
        MessageTemplate.objects.get_or_create(
            channel=channel,
            milestone=Milestone.OUT_FOR_DELIVERY,
            defaults={"template_id": template_id, "title": "派送", "fields": given},
        )


def _batch(numbers: range, carrier: Carrier, *, told: bool, only_wechat: bool, queued: bool) -> None:
    now = clock.now()
    name = (lambda n: ALLOWED + openid(n)[1:]) if only_wechat else openid
    Customer.objects.bulk_create(Customer(openid=name(n)) for n in numbers)
    buyers = dict(Customer.objects.filter(openid__in=[name(n) for n in numbers]).values_list("openid", "pk"))
    Consent.objects.bulk_create(
        Consent(openid=openid, template_id=TEMPLATE, balance=1) for openid in buyers if openid[0] != NEVER_ALLOWED
    )
    status = OrderStatus.IN_TRANSIT if told else OrderStatus.SHIPPED
    Order.objects.bulk_create(
        Order(
            order_no=f"R{n:08}", customer_id=buyers[name(n)], status=status, placed_at=now, paid_at=now,
            shipped_at=now, total_fen=10_000, lines_summary="虾仁×2", consignee_sealed=_consignee(n).seal(f"R{n:08}"),
        )
        for n in numbers
    )  # fmt: skip
    orders = dict(Order.objects.filter(order_no__in=[f"R{n:08}" for n in numbers]).values_list("order_no", "pk"))
    OrderLine.objects.bulk_create(
        OrderLine(order_id=pk, position=1, sku="XR-1", name="虾仁", quantity=2, unit_price_fen=5000)
        for pk in orders.values()
    )
    parcel = {"status": ShipmentStatus.OUT_FOR_DELIVERY, "status_at": now} if told else {}
    shipped_at = now - dt.timedelta(hours=20)
    Shipment.objects.bulk_create(
        Shipment(carrier=carrier, waybill_no=waybill_no(n), shipped_at=shipped_at, **parcel) for n in numbers
    )
    boxes = dict(Shipment.objects.filter(waybill_no__in=map(waybill_no, numbers)).values_list("waybill_no", "pk"))
    ShipmentOrder.objects.bulk_create(
        ShipmentOrder(shipment_id=boxes[waybill_no(n)], order_id=orders[f"R{n:08}"], linked_at=shipped_at)
        for n in numbers
    )
    lines = dict(OrderLine.objects.filter(order__in=orders.values()).values_list("order_id", "pk"))
    links = ShipmentOrder.objects.filter(order__in=orders.values()).values_list("pk", "order_id")
    ShipmentLine.objects.bulk_create(
        ShipmentLine(link_id=pk, order_line_id=lines[order_id], quantity=2) for pk, order_id in links
    )
    if told and queued:
        OutboxMessage.objects.bulk_create(
            OutboxMessage(
                topic="notifications.shipment_changed",
                payload={"shipment_id": boxes[waybill_no(n)]},
                due_at=now,
                created_at=now,
            )
            for n in numbers
        )


def _consignee(number: int) -> Consignee:
    return Consignee("张三", phone(number), "上海市", "上海市", "浦东新区", "世纪大道 1 号")


def wait(first: int, count: int) -> None:
    """Make so many buyers whose notices have waited for WeChat in the last hour."""
    prepare(count, told=True, only_wechat=True, first=first, queued=False)
    now = clock.now()
    rows = ShipmentOrder.objects.filter(shipment__waybill_no__gte=waybill_no(first)).select_related("order")
    Notice.objects.bulk_create(
        (
            Notice(
                audience=Audience.BUYER,
                recipient=f"customer:{row.order.customer_id}",
                subject=f"shipment:{row.shipment_id}",
                milestone=Milestone.OUT_FOR_DELIVERY,
                order=row.order,
                occurred_at=now - dt.timedelta(hours=1) * (1 - place / count),
                due_at=now - dt.timedelta(hours=1) * (1 - place / count),
                expires_at=now + dt.timedelta(hours=12),
                channel=Channel.WECHAT_SUBSCRIBE,
                created_at=now,
            )
            for place, row in enumerate(rows)
        ),
        batch_size=BATCH,
    )
