"""What the page of one order shows, gathered in a bounded number of queries."""

import datetime as dt
from collections import defaultdict
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any
from uuid import uuid4

from django.contrib.auth import get_user_model
from django.contrib.auth.models import AbstractBaseUser, AnonymousUser

from frozenshop.backoffice import notifications_rows, order_actions, parcel_actions, wording
from frozenshop.backoffice.models import OrderNote
from frozenshop.backoffice.order_rows import alerts_about, is_about
from frozenshop.kernel.clock import now, shanghai
from frozenshop.kernel.models import AuditEntry
from logistics.cadence import is_over
from logistics.document import STEPS, WAYS_OUT
from logistics.models import Carrier, DriverLink, Shipment, ShipmentLine, ShipmentOrder, TrackingEvent
from logistics.progress import remaining
from orders.models import Order, OrderEvent, OrderLine

EVENTS_SHOWN = 300
ROWS_SHOWN = 50
KINDS = {
    "placed": "下单",
    "paid": "付款",
    "shipped": "发货",
    "in_transit": "运输",
    "delivered": "签收",
    "cancelled": "取消",
    "refunded": "退款",
    "returned": "退回",
    "confirmed": "买家确认收货",
    "updated": "修改订单",
    "voided": "作废运单",
}

ACTS = {
    "order.added": "手工登记",
    "order.shipped": "发货",
    "order.waybill_corrected": "更正运单",
    "order.waybill_voided": "作废运单",
    "order.synced": "同步物流",
    "order.marked": "记录事实",
    "order.noted": "添加备注",
    "order.unmasked": "查看完整收件人",
    "notice.resent": "重发通知",
    "shipment.reported": "报告物流进展",
    "driver_link.created": "生成司机链接",
    "driver_link.ended": "作废司机链接",
    "alert.taken": "认领预警",
    "alert.assigned": "指派预警",
    "alert.noted": "预警记录",
    "alert.snoozed": "暂缓预警",
    "alert.resolved": "解决预警",
}


@dataclass(frozen=True, slots=True)
class Step:
    label: str
    at: dt.datetime | None
    reached: bool
    way_out: bool = False


@dataclass(frozen=True, slots=True)
class Parcel:
    shipment: Shipment
    days: list[tuple[dt.date, list[TrackingEvent]]]
    lines: list[str]
    silent_for: str
    label: str = field(default="")
    over: bool = False
    driver_link: DriverLink | None = None


@dataclass(frozen=True, slots=True)
class LineRow:
    line: OrderLine
    remaining: int

    @property
    def shipped(self) -> int:
        return self.line.quantity - self.remaining

    @property
    def price(self) -> str:
        return wording.yuan(self.line.unit_price_fen)


def context(order: Order, user: AbstractBaseUser | AnonymousUser) -> dict[str, Any]:
    """Return the template's variables."""
    links = list(order.shipment_links.select_related("shipment__carrier").order_by("shipment__shipped_at", "id"))
    left = remaining(order)
    lines = [LineRow(line, left.get(line, 0)) for line in order.lines.order_by("position")]
    told = alerts_about([order]).select_related("owner").prefetch_related("notes").order_by("-opened_at")
    alerts = [alert for alert in told[: 2 * ROWS_SHOWN] if is_about(alert, order)][:ROWS_SHOWN]
    return {
        "order": order,
        "status_label": wording.order_label(order),
        "steps": steps(order),
        "facts": facts(order),
        "timeline": timeline(order),
        "parcels": _parcels(links),
        "lines": lines,
        "shippable": bool(left),
        "open_alerts": [(alert, wording.alert_label(alert)) for alert in alerts if alert.resolved_at is None],
        "past_alerts": [(alert, wording.alert_label(alert)) for alert in alerts if alert.resolved_at],
        "notes": _with_names(OrderNote.objects.filter(order_no=order.order_no).order_by("-id")[:ROWS_SHOWN], "author"),
        "acts": _acts(order),
        "consignee": wording.masked_consignee(order),
        "offered": order_actions.offered(order, user, shipped=bool(links)),
        "carriers": Carrier.objects.filter(enabled=True).order_by("name").values_list("code", "name"),
        "report_steps": parcel_actions.STEPS,
        "told": notifications_rows.of_order(order) if user.has_perm(notifications_rows.VIEW) else None,  # type: ignore[union-attr]
        "page_mark": uuid4().hex,
        "now_local": f"{shanghai(now()):%Y-%m-%dT%H:%M}",
    }


def steps(order: Order) -> list[Step]:
    """Return the five steps and the ways out that were taken; a skipped step stays without an instant."""
    reached = {step: getattr(order, f"{step.value}_at") for step in (*STEPS, *WAYS_OUT)}
    furthest = max((index for index, step in enumerate(STEPS) if reached[step]), default=0)
    shown = [Step(step.label, reached[step], index <= furthest) for index, step in enumerate(STEPS)]
    return shown + [Step(way.label, reached[way], True, way_out=True) for way in WAYS_OUT if reached[way]]


def facts(order: Order) -> list[tuple[str, str]]:
    """Return what else is known about the order, in words."""
    return [
        ("总金额", wording.yuan(order.total_fen)),
        ("运费", wording.yuan(order.freight_fen)),
        ("优惠", wording.yuan(order.discount_fen)),
        ("承诺时效", wording.clock(order.promised_by)),
        ("应发货时间", wording.clock(order.not_shipped_after)),
        ("微信支付单号", order.transaction_id or "—"),
        ("商户订单号", order.out_trade_no or "—"),
        ("买家备注", order.note or "—"),
        ("记录时间", wording.clock(order.recorded_at)),
        ("更新时间", wording.clock(order.updated_at)),
    ]


def timeline(order: Order) -> list[dict[str, Any]]:
    """Return the history, newest first, with both clocks."""
    events = order.events.order_by("-occurred_at", "-recorded_at", "-id")[:EVENTS_SHOWN]
    named = _with_names(events, "actor")
    return [
        {
            "event": event,
            "who": who,
            "title": event_title(event),
            "amount": "" if event.amount_fen is None else wording.yuan(event.amount_fen),
        }
        for event, who in named
    ]


def event_title(event: OrderEvent) -> str:
    if event.from_status != event.to_status:
        return f"{event.get_from_status_display()} → {event.get_to_status_display()}"
    return f"{KINDS.get(event.kind, event.kind)}（状态不变：{event.get_to_status_display()}）"


def _acts(order: Order) -> list[tuple[AuditEntry, str, str]]:
    """Return what people did to the order: the entry, who, and what in words."""
    entries = AuditEntry.objects.filter(subject=order.order_no).order_by("-id")[:ROWS_SHOWN]
    return [(entry, who, ACTS.get(entry.action, entry.action)) for entry, who in _with_names(entries, "actor")]


def _parcels(links: list[ShipmentOrder]) -> list[Parcel]:
    events: dict[int, list[TrackingEvent]] = defaultdict(list)
    ids = [link.shipment_id for link in links]
    for event in TrackingEvent.objects.filter(shipment_id__in=ids, overall=False, repeat=False).order_by(
        "-occurred_at", "-id"
    )[:EVENTS_SHOWN]:
        events[event.shipment_id].append(event)
    held: dict[int, list[str]] = defaultdict(list)
    for line in ShipmentLine.objects.filter(link__in=links).select_related("order_line"):
        held[line.link_id].append(f"{line.order_line.name} × {line.quantity}")
    drivers = parcel_actions.live_links(ids)
    return [_parcel(link, events[link.shipment_id], held[link.pk], drivers.get(link.shipment_id)) for link in links]


def _parcel(
    link: ShipmentOrder, events: list[TrackingEvent], lines: list[str], driver_link: DriverLink | None
) -> Parcel:
    days = [(day, list(rows)) for day, rows in groupby(events, key=lambda event: shanghai(event.occurred_at).date())]
    shipment = link.shipment
    silent_for, label = wording.silence([shipment]), wording.shipment_label(shipment)
    return Parcel(shipment, days, lines, silent_for, label, is_over(shipment), driver_link)


def _with_names(rows: Any, attribute: str) -> list[tuple[Any, str]]:
    """Pair each row with its actor, a member of staff by name."""
    rows = list(rows)
    actors = {getattr(row, attribute) for row in rows}
    ids = [int(actor[6:]) for actor in actors if actor.startswith("staff:") and actor[6:].isdecimal()]
    users = get_user_model().objects.in_bulk(ids) if ids else {}
    names = {f"staff:{pk}": user.get_full_name() or user.get_username() for pk, user in users.items()}
    return [(row, names.get(getattr(row, attribute), getattr(row, attribute))) for row in rows]
