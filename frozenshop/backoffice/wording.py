"""How the back office says things: coloured statuses, durations, money, masked people."""

import datetime as dt
from collections.abc import Iterable
from decimal import Decimal

from django.utils.html import format_html
from django.utils.safestring import SafeString

from frozenshop.kernel.clock import now, shanghai, short
from frozenshop.kernel.crypto import SealBroken
from frozenshop.kernel.errors import Problem
from logistics.cadence import is_over
from logistics.models import Shipment, ShipmentStatus
from orders.models import Alert, AlertKind, AlertSeverity, Order, OrderStatus

ORDER_TONES = {
    OrderStatus.PLACED: "quiet",
    OrderStatus.PAID: "warm",
    OrderStatus.SHIPPED: "cool",
    OrderStatus.IN_TRANSIT: "cool",
    OrderStatus.DELIVERED: "good",
    OrderStatus.CANCELLED: "quiet",
    OrderStatus.REFUNDED: "warm",
    OrderStatus.RETURNED: "bad",
}
SHIPMENT_TONES = {
    ShipmentStatus.DELIVERED: "good",
    ShipmentStatus.AWAITING_PICKUP: "warm",
    ShipmentStatus.DELIVERY_FAILED: "bad",
    ShipmentStatus.EXCEPTION: "bad",
    ShipmentStatus.RETURNING: "bad",
    ShipmentStatus.RETURNED: "bad",
    ShipmentStatus.NO_TRACE: "quiet",
    ShipmentStatus.UNKNOWN: "quiet",
    ShipmentStatus.CANCELLED: "quiet",
}
SEVERITY_TONES = {AlertSeverity.URGENT: "bad", AlertSeverity.HIGH: "warm", AlertSeverity.NORMAL: "quiet"}


def label(text: object, tone: str) -> SafeString:
    return format_html('<span class="tag tag-{}">{}</span>', tone, text)


def order_label(order: Order) -> SafeString:
    return label(order.get_status_display(), ORDER_TONES.get(OrderStatus(order.status), "quiet"))


def shipment_label(shipment: Shipment) -> SafeString:
    if shipment.voided_at:
        return label("已作废", "quiet")
    return label(shipment.get_status_display(), SHIPMENT_TONES.get(ShipmentStatus(shipment.status), "cool"))


def alert_label(alert: Alert) -> SafeString:
    return label(kind_name(alert.kind), SEVERITY_TONES.get(AlertSeverity(alert.severity), "quiet"))


def kind_name(kind: str) -> str:
    """Return an alert kind in words; one that the closed list no longer has keeps its code."""
    return dict(AlertKind.choices).get(kind, kind)


def duration(span: dt.timedelta) -> str:
    """Return a span as people say it: the two largest units."""
    minutes = max(int(span.total_seconds()) // 60, 0)
    days, hours, minutes = minutes // 1440, minutes % 1440 // 60, minutes % 60
    if days:
        return f"{days} 天 {hours} 小时" if hours else f"{days} 天"
    if hours:
        return f"{hours} 小时 {minutes} 分" if minutes else f"{hours} 小时"
    return f"{minutes} 分钟"


def silence(shipments: Iterable[Shipment]) -> str:
    """Return for how long the quietest parcel under way has said nothing; empty where none is under way."""
    quiet = [now() - (s.last_event_at or s.shipped_at) for s in shipments if not is_over(s)]
    return duration(max(quiet)) if quiet else ""


def clock(instant: dt.datetime | None, empty: str = "—") -> str:
    return f"{shanghai(instant):%Y-%m-%d %H:%M}" if instant else empty


def short_clock(instant: dt.datetime | None) -> str:
    return short(instant) if instant else "—"


def yuan(fen: int | Decimal | None) -> str:
    return "—" if fen is None else f"¥{fen / 100:,.2f}"


def masked_consignee(order: Order) -> dict[str, str]:
    """Return name, phone and address as they may be shown to anybody of the staff.

    A value that doesn't open (its key is lost) says so in its place: the rest of the list stays readable.
    """
    nothing = {"name": "", "phone": "", "address": ""}
    try:
        return order.open_consignee().masked() if order.consignee_sealed else nothing
    except SealBroken:
        return nothing | {"name": "（无法解密）"}


def problem_text(problem: Problem) -> str:
    """Return a refusal as one sentence, the places that are wrong included."""
    places = "；".join(text for text in problem.fields.values() if text != problem.message)
    return f"{problem.message}：{places}" if places else problem.message
