"""What the page of one order shows, gathered in a bounded number of queries."""

import datetime as dt
import functools
import time
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any
from uuid import uuid4

from django.contrib.auth import get_user_model
from django.contrib.auth.models import AbstractBaseUser, AnonymousUser
from django.db.models import F, OuterRef, Subquery, Window
from django.db.models.functions import RowNumber

from frozenshop.backoffice import notifications_rows, order_actions, parcel_actions, wording
from frozenshop.backoffice.batches.models import BatchRow
from frozenshop.backoffice.batches.pages import OTHERS, batches_of
from frozenshop.backoffice.models import OrderNote
from frozenshop.backoffice.order_page.route import Route, route_of
from frozenshop.kernel.clock import now, shanghai
from frozenshop.kernel.models import AuditEntry
from logistics import problems
from logistics.cadence import is_over
from logistics.document import STEPS, WAYS_OUT
from logistics.models import Carrier, DriverLink, Shipment, ShipmentOrder, ShipmentStatus, TrackingEvent
from orders.models import Alert, Order, OrderEvent, OrderLine

VIEW_BATCH = "backoffice.view_batch"
EVENTS_SHOWN = 300
ROWS_SHOWN = 50
ACTS_READ = 300
CARRIERS_KEPT_SECONDS = 60
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


LOOKS = {
    "order.unmasked": "查看完整收件人",
    "driver.address_shown": "司机查看地址",
    "order.exported_unmasked": "导出完整收件人",
}
"""Acts by which somebody saw personal data of the order in full."""


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
    driver_until: dt.datetime | None = None
    route: Route | None = None

    @property
    def count(self) -> int:
        return sum(len(events) for _, events in self.days)

    @property
    def cut(self) -> bool:
        """Say whether there may be older scans than are shown."""
        return self.count >= EVENTS_SHOWN


@dataclass(frozen=True, slots=True)
class About:
    """An alert, its label, and when what was noted about it."""

    alert: Alert
    label: str
    notes: list[tuple[dt.datetime, str]] = field(default_factory=list)


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
    """Return the template's variables, by a number of questions that depends on nothing."""
    links = _links(order)
    lines, held = _lines(order, links)
    alerts = _alerts(order, links)
    history = list(order.events.order_by("-occurred_at", "-recorded_at", "-id")[:EVENTS_SHOWN])
    notes = list(OrderNote.objects.filter(order_no=order.order_no).order_by("-id")[:ROWS_SHOWN])
    acts = list(AuditEntry.objects.filter(subject=order.order_no).order_by("-id")[:ACTS_READ])
    names = _names([*(row.actor for row in history), *(note.author for note in notes), *(act.actor for act in acts)])
    offered = order_actions.offered(order, user, shipped=bool(links))
    waybills = {link.shipment_id: link.shipment.waybill_no for link in links}
    may_read = user.has_perm(notifications_rows.VIEW)  # type: ignore[union-attr]
    found = {
        "order": order,
        "status_label": wording.order_label(order),
        "steps": steps(order),
        "facts": facts(order),
        "timeline": [_moment(event, names) for event in history],
        "timeline_cut": len(history) == EVENTS_SHOWN,
        "parcels": _parcels(links, held),
        "lines": lines,
        "shippable": any(row.remaining for row in lines),
        "open_alerts": [about for about in alerts if about.alert.resolved_at is None],
        "past_alerts": [about for about in alerts if about.alert.resolved_at],
        "notes": [(note, names.get(note.author, note.author)) for note in notes],
        "acts": [_act(entry, names) for entry in acts[:ROWS_SHOWN]],
        "looks": [_act(entry, names) for entry in acts if entry.action in LOOKS],
        "acts_cut": len(acts) == ACTS_READ,
        "consignee": wording.masked_consignee(order),
        "offered": offered,
        "carriers": _carriers() if offered["change"] else [],
        "report_steps": parcel_actions.STEPS,
        "batches": _batches(order, user),
        "told": notifications_rows.of_order(order, waybills) if may_read else None,
        "page_mark": uuid4().hex,
        "now_local": f"{shanghai(now()):%Y-%m-%dT%H:%M}",
    }
    return found | {"sections": sections(found)}


def sections(found: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    """Return the page's parts that are there: anchor, name and the key that leads to it."""
    there = [
        ("steps", "进度", True),
        ("alerts", "待处理预警", bool(found["open_alerts"])),
        ("parcels", "运单与路线", True),
        ("told", "买家收到的消息", found["told"] is not None),
        ("timeline", "时间线", True),
        ("consignee", "收件人", True),
        ("looks", "谁看过个人信息", True),
        ("acts", "审计", True),
        ("do", "操作", bool(found["offered"]["change"])),
        ("notes", "备注", True),
    ]
    shown = [(anchor, name) for anchor, name, present in there if present]
    return [(anchor, name, str(number % 10)) for number, (anchor, name) in enumerate(shown, 1)]


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


def _moment(event: OrderEvent, names: Mapping[str, str]) -> dict[str, Any]:
    """Return a row of the history, with both clocks."""
    return {
        "event": event,
        "who": names.get(event.actor, event.actor),
        "title": event_title(event),
        "amount": "" if event.amount_fen is None else wording.yuan(event.amount_fen),
    }


def event_title(event: OrderEvent) -> str:
    if event.from_status != event.to_status:
        return f"{event.get_from_status_display()} → {event.get_to_status_display()}"
    return f"{KINDS.get(event.kind, event.kind)}（状态不变：{event.get_to_status_display()}）"


def _act(entry: AuditEntry, names: Mapping[str, str]) -> tuple[AuditEntry, str, str]:
    """Return what a person did to the order: the entry, who, and what in words."""
    return entry, names.get(entry.actor, entry.actor), LOOKS.get(entry.action, ACTS.get(entry.action, entry.action))


def _batches(order: Order, user: AbstractBaseUser | AnonymousUser) -> list[tuple[BatchRow, bool]]:
    """Return the batches that the order was a row of, newest first, and whether this person may open each."""
    if not user.has_perm(VIEW_BATCH):  # type: ignore[union-attr]
        return []
    others = user.has_perm(OTHERS)  # type: ignore[union-attr]
    return [(row, others or row.batch.owner_id == user.pk) for row in batches_of(order.order_no)]


def _links(order: Order) -> list[ShipmentOrder]:
    """Return the order's boxes with their carriers and until when a driver's link is open."""
    opened = DriverLink.objects.filter(shipment=OuterRef("shipment"), revoked_at=None, expires_at__gt=now())
    links = order.shipment_links.select_related("shipment__carrier").order_by("shipment__shipped_at", "id")
    return list(links.annotate(driver_until=Subquery(opened.order_by("-expires_at").values("expires_at")[:1])))


def _lines(order: Order, links: Sequence[ShipmentOrder]) -> tuple[list[LineRow], dict[int, list[str]]]:
    """Return the lines with what remains of each, and what each box holds, under the id of its link."""
    live = {link.pk for link in links if _counts(link.shipment)}
    rows = OrderLine.objects.filter(order=order).order_by("position", "shipment_lines__id")
    shipped: dict[int, int] = defaultdict(int)
    lines: dict[int, OrderLine] = {}
    held: dict[int, list[str]] = defaultdict(list)
    for line in rows.annotate(box=F("shipment_lines__link_id"), packed=F("shipment_lines__quantity")):
        lines.setdefault(line.pk, line)
        if line.box is not None:
            held[line.box].append(f"{line.name} × {line.packed}")
            shipped[line.pk] += line.packed if line.box in live else 0
    return [LineRow(line, max(line.quantity - shipped[pk], 0)) for pk, line in lines.items()], held


def _counts(shipment: Shipment) -> bool:
    """Say whether what is in the box is not waiting to be shipped any more."""
    return shipment.voided_at is None and shipment.status != ShipmentStatus.CANCELLED


def _alerts(order: Order, links: Sequence[ShipmentOrder]) -> list[About]:
    """Return what needs or needed a person, newest first, with what was noted.

    A box's alert stands with the first order in it, so that all that travel along are asked.
    """
    boxes = [link.shipment_id for link in links]
    together = ShipmentOrder.objects.filter(shipment_id__in=boxes).values("order_id")
    told = Alert.objects.filter(order_id__in=together) if boxes else Alert.objects.filter(order=order)
    subjects = {problems.subject_of(box) for box in boxes}
    found: dict[int, About] = {}
    rows = told.select_related("owner").order_by("-opened_at", "-id", "notes__id")
    for alert in rows.annotate(noted_at=F("notes__written_at"), noted=F("notes__text"))[: 10 * ROWS_SHOWN]:
        if alert.order_id == order.pk or alert.subject in subjects:
            about = found.setdefault(alert.pk, About(alert, wording.alert_label(alert)))
            if alert.noted is not None:
                about.notes.append((alert.noted_at, alert.noted))
    return list(found.values())[:ROWS_SHOWN]


def _parcels(links: list[ShipmentOrder], held: Mapping[int, list[str]]) -> list[Parcel]:
    events: dict[int, list[TrackingEvent]] = defaultdict(list)
    ids = [link.shipment_id for link in links]
    scans = TrackingEvent.objects.filter(shipment_id__in=ids, overall=False, repeat=False)
    place = Window(RowNumber(), partition_by="shipment_id", order_by=("-occurred_at", "-id"))
    for event in scans.annotate(place=place).filter(place__lte=EVENTS_SHOWN).order_by("-occurred_at", "-id"):
        events[event.shipment_id].append(event)
    return [_parcel(link, events[link.shipment_id], held.get(link.pk, [])) for link in links]


def _parcel(link: ShipmentOrder, events: list[TrackingEvent], lines: list[str]) -> Parcel:
    days = [(day, list(rows)) for day, rows in groupby(events, key=lambda event: shanghai(event.occurred_at).date())]
    shipment = link.shipment
    return Parcel(
        shipment,
        days,
        lines,
        wording.silence([shipment]),
        wording.shipment_label(shipment),
        is_over(shipment),
        link.driver_until,  # type: ignore[attr-defined]
        route_of(shipment, events),
    )


def _carriers() -> list[tuple[str, str]]:
    """Return what is offered while a carrier is typed; read once a minute, since hardly ever a new one comes."""
    return _carriers_in(int(time.monotonic() // CARRIERS_KEPT_SECONDS))


@functools.lru_cache(maxsize=1)
def _carriers_in(_stretch: int) -> list[tuple[str, str]]:
    return list(Carrier.objects.filter(enabled=True).order_by("name").values_list("code", "name"))


def _names(actors: Iterable[str]) -> dict[str, str]:
    """Return how members of the staff are called, under how they stand in rows."""
    ids = {int(actor[6:]) for actor in actors if actor.startswith("staff:") and actor[6:].isdecimal()}
    users = get_user_model().objects.in_bulk(ids) if ids else {}
    return {f"staff:{pk}": user.get_full_name() or user.get_username() for pk, user in users.items()}
