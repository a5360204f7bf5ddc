"""One demo order into tables, saying what the program itself would say.

A shipment's status, milestones, limits and arrival come from the same functions that a carrier's report goes through,
so that a seeded order can't be told from one that lived through it.
"""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass

from django.db import transaction
from django.db.models import Model

from frozenshop.backoffice.demo.journeys import Journey
from frozenshop.backoffice.demo.writing import BATCH, TableWriter, unchecked
from frozenshop.kernel import calendar
from frozenshop.kernel.actor import Source
from logistics import anomalies, lateness, problems, tracking
from logistics.derivation import Derived, derive
from logistics.models import Carrier, Provider, Shipment, ShipmentLine, ShipmentOrder, ShipmentStatus, TrackingEvent
from logistics.providers.base import ProviderEvent
from orders import alerting
from orders.consignee import Consignee, indexes
from orders.models import (
    Alert,
    AlertKind,
    AlertOutcome,
    Customer,
    Order,
    OrderAccess,
    OrderEvent,
    OrderLine,
    OrderStatus,
)

S = OrderStatus
TABLES: tuple[type[Model], ...] = (
    *(Customer, Order, OrderLine, OrderEvent, OrderAccess),
    *(Shipment, ShipmentOrder, ShipmentLine, TrackingEvent, Alert),
)


@dataclass(slots=True)
class Scan:
    """What 快递鸟's report of a scan would have made: as much of a TrackingEvent as is written and derived from."""

    occurred_at: dt.datetime
    status: str
    code: str
    text: str
    location: str
    provider: str = Provider.KDNIAO.value
    overall: bool = False
    weak: bool = False
    repeat: bool = False
    reason: str = ""
    key: str = ""


def scan_of(event: ProviderEvent) -> Scan:
    scan = Scan(event.occurred_at, event.status.value, event.code, event.text, event.location)
    scan.key = tracking.event_key(scan)
    return scan


class Seeder:
    """Writes orders table by table. Call `add` for each, `flush` at the end."""

    def __init__(self, now: dt.datetime, tables: dict[type[Model], TableWriter] | None = None) -> None:
        self.now = now
        self.tables = tables or {model: TableWriter(model) for model in TABLES}
        self.carriers = {carrier.code: carrier for carrier in Carrier.objects.all()}
        self.shipment_columns = [f.attname for f in Shipment._meta.concrete_fields if not f.primary_key]

    def add(self, order_no: str, journey: Journey, customer_id: int | None, *, light: bool = False) -> None:
        """Buffer one order with all that belongs to it; a light one has no scans, and of its history only the ends."""
        consignee = Consignee(
            name=journey.name,
            phone=journey.phone,
            province=journey.place.province,
            city=journey.place.city,
            district=journey.place.district,
            address=f"{journey.place.street}{journey.house}号",
        )
        if customer_id is None:
            customer_id = self._customer(order_no, journey)
        shipment, events, derived = self._shipment(journey)
        status, milestones = standing(journey, derived)
        order_id = self._order(order_no, journey, consignee, customer_id, status, milestones)
        self.tables[OrderAccess].add(
            customer_id=customer_id, order_id=order_id, via=OrderAccess.Via.OPENID, placed_at=journey.placed_at
        )
        lines = self._lines(order_id, journey)
        self._history(order_id, milestones, light)
        if shipment is not None:
            self._parcel(order_id, lines, shipment, () if light else events)
            self._alerts(order_id, shipment, journey)
        elif status == S.PAID:
            self._alert_if_late(order_no, order_id, milestones[S.PAID])

    @property
    def full(self) -> bool:
        return len(self.tables[Order].rows) >= BATCH

    def flush(self) -> None:
        with unchecked(), transaction.atomic():
            for table in self.tables.values():
                table.flush()

    def _customer(self, order_no: str, journey: Journey) -> int:
        return self.tables[Customer].add(openid=f"oDemo{order_no}", created_at=journey.placed_at)

    def _order(
        self,
        order_no: str,
        journey: Journey,
        consignee: Consignee,
        customer_id: int,
        status: OrderStatus,
        milestones: dict[OrderStatus, dt.datetime],
    ) -> int:
        changed_at = max([journey.placed_at, *milestones.values()])
        index = indexes(consignee, journey.placed_at)
        return self.tables[Order].add(
            order_no=order_no,
            customer_id=customer_id,
            status=status.value,
            placed_at=journey.placed_at,
            total_fen=journey.total_fen,
            freight_fen=0,
            discount_fen=0,
            consignee_sealed=consignee.seal(order_no),
            province=consignee.province,
            city=consignee.city,
            district=consignee.district,
            lines_summary="、".join(f"{goods.name}×{quantity}" for goods, quantity in journey.goods)[:200],
            promised_by=journey.promised_by,
            not_shipped_after=calendar.ship_by(milestones[S.PAID]) if status == S.PAID else None,
            recorded_at=journey.placed_at,
            updated_at=changed_at,
            phone_index=index.phone_index,
            name_index=index.name_index,
            tail_index=index.tail_index,
            **{f"{step.value}_at": instant for step, instant in milestones.items()},
        )

    def _lines(self, order_id: int, journey: Journey) -> dict[int, int]:
        """Return the quantity of each line by its key."""
        return {
            self.tables[OrderLine].add(
                order_id=order_id,
                position=position,
                sku=goods.sku,
                name=goods.name,
                quantity=quantity,
                unit_price_fen=goods.price_fen,
                category=goods.category,
                temperature_class=goods.temperature_class,
            ): quantity
            for position, (goods, quantity) in enumerate(journey.goods, 1)
        }

    def _history(self, order_id: int, milestones: dict[OrderStatus, dt.datetime], light: bool) -> None:
        steps = sorted(milestones.items(), key=lambda step: step[1])
        before = S.PLACED
        for step, instant in [*steps[:1], *steps[1:][-1:]] if light else steps:
            carried = step in (S.IN_TRANSIT, S.DELIVERED, S.RETURNED)
            self.tables[OrderEvent].add(
                order_id=order_id,
                kind=step.value,
                from_status=before.value,
                to_status=step.value,
                occurred_at=instant,
                recorded_at=instant,
                source=(Source.CARRIER if carried else Source.SHOP).value,
                actor="kdniao" if carried else "key:demo",
            )
            before = step

    def _shipment(self, journey: Journey) -> tuple[Shipment | None, Sequence[Scan], Derived]:
        if journey.shipped_at is None:
            return None, (), Derived()
        events = [scan_of(event) for event in journey.events]
        derived = derive(events, shipped_at=journey.shipped_at, now=self.now)
        shipment = Shipment(
            carrier=self.carriers[journey.carrier_code],
            waybill_no=journey.waybill_no,
            shipped_at=journey.shipped_at,
            recorded_at=journey.shipped_at,
        )
        origin = events[0].location if events else ""
        tracking.bring_up_to_date(shipment, derived, origin, [towards(journey)], self.now, heard=True)
        shipment.checked_at = derived.last_event_at
        shipment.updated_at = derived.last_event_at or journey.shipped_at
        if shipment.stale_after and shipment.stale_after <= self.now:
            shipment.stale_since = shipment.stale_after
        return shipment, events, derived

    def _parcel(self, order_id: int, lines: dict[int, int], shipment: Shipment, events: Sequence[Scan]) -> None:
        shipment.pk = self.tables[Shipment].add(**{name: getattr(shipment, name) for name in self.shipment_columns})
        link_id = self.tables[ShipmentOrder].add(
            shipment_id=shipment.pk, order_id=order_id, linked_at=shipment.shipped_at
        )
        for line_id, quantity in lines.items():
            self.tables[ShipmentLine].add(link_id=link_id, order_line_id=line_id, quantity=quantity)
        for event in events:
            self.tables[TrackingEvent].add(
                shipment_id=shipment.pk,
                key=event.key,
                provider=event.provider,
                status=event.status,
                code=event.code,
                occurred_at=event.occurred_at,
                recorded_at=event.occurred_at,
                text=event.text,
                location=event.location,
            )

    def _alerts(self, order_id: int, shipment: Shipment, journey: Journey) -> None:
        subject = problems.subject(shipment)
        if kind := anomalies.kind_of(shipment.status, shipment.reason):
            detail = f"运单 {shipment.waybill_no}：{ShipmentStatus(shipment.status).label} {shipment.location}".rstrip()
            self._alert(kind, subject, order_id, shipment.status_at or shipment.shipped_at, detail)
        if shipment.stale_since:
            detail = f"运单 {shipment.waybill_no}：没有新轨迹"
            kind = anomalies.SILENCE[shipment.status].kind
            self._alert(kind, subject, order_id, shipment.stale_since, detail, anomalies.silent_since(shipment))
        if late := lateness.find(shipment, [towards(journey)], self.now):
            detail = f"运单 {shipment.waybill_no}：{late.detail}"
            self._alert(late.kind, subject, order_id, late.since, detail)

    def _alert_if_late(self, order_no: str, order_id: int, paid_at: dt.datetime) -> None:
        limit = calendar.ship_by(paid_at)
        if limit <= self.now:
            self._alert(AlertKind.NOT_SHIPPED, order_no, order_id, limit, "付款后没有按时发货")

    def _alert(
        self,
        kind: AlertKind,
        subject: str,
        order_id: int,
        opened_at: dt.datetime,
        detail: str,
        occurred_at: dt.datetime | None = None,
    ) -> None:
        """Only what is recent is still open: a shop works its queue."""
        rule = alerting.KINDS[kind]
        resolved = opened_at < self.now - dt.timedelta(days=3)
        self.tables[Alert].add(
            kind=kind.value,
            subject=subject,
            order_id=order_id,
            open_key=None if resolved else f"{kind.value}:{subject}",
            severity=rule.severity.value,
            detail=detail,
            occurred_at=occurred_at or opened_at,
            opened_at=opened_at,
            due_at=opened_at + rule.due,
            resolved_at=opened_at + rule.due if resolved else None,
            resolved_by="system" if resolved else "",
            resolution="已处理" if resolved else "",
            outcome=AlertOutcome.RECOVERED.value if resolved else "",
        )


def towards(journey: Journey) -> Order:
    """Return as much of an order as an arrival is predicted from."""
    return Order(province=journey.place.province, city=journey.place.city, promised_by=journey.promised_by)


def standing(journey: Journey, derived: Derived) -> tuple[OrderStatus, dict[OrderStatus, dt.datetime]]:
    """Return the order's status and the instants of the steps it took, as the lifecycle would have it."""
    milestones = {S(name): at for name, at in journey.facts.items()}
    if journey.shipped_at is not None:
        milestones[S.SHIPPED] = journey.shipped_at
    carried = {
        S.IN_TRANSIT: derived.in_transit_at,
        S.DELIVERED: derived.delivered_at,
        S.RETURNED: derived.returned_at,
    }
    milestones |= {step: at for step, at in carried.items() if at is not None}
    furthest = (S.REFUNDED, S.CANCELLED, S.RETURNED, S.DELIVERED, S.IN_TRANSIT, S.SHIPPED, S.PAID)
    return next((step for step in furthest if step in milestones), S.PLACED), milestones
