"""Demo orders into the database: as many as wanted, in bounded memory, saying what the program itself would say.

A shipment's status, milestones, limits and arrival come from the same functions that a carrier's report goes through,
so that a seeded order can't be told from one that lived through it.
"""

import datetime as dt
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random

from django.db import transaction
from django.db.models import Model

from frozenshop.backoffice.demo.catalogue import CATEGORIES, GOODS, PLACES
from frozenshop.backoffice.demo.journeys import Journey, make_journey
from frozenshop.backoffice.demo.writing import BATCH, TableWriter, unchecked
from frozenshop.kernel import calendar, clock, crypto
from frozenshop.kernel.actor import Source
from logistics import anomalies, problems, tracking
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
    Product,
    ProductCategory,
)

S = OrderStatus
PREFIX = "DEMO"
TABLES: tuple[type[Model], ...] = (
    *(Customer, Order, OrderLine, OrderEvent, OrderAccess),
    *(Shipment, ShipmentOrder, ShipmentLine, TrackingEvent, Alert),
)

# The demo buyer's newest orders, oldest first: every status occurs.
SHOWCASE = (
    *("delivered", "cancelled", "returned", "refunded", "locker", "problem", "silent", "delivered", "delivered"),
    *("fresh", "unshipped", "unpaid"),
)
"""Kinds of life, with how long ago the order was placed chosen so that each has just reached what it shows."""
SHOWCASE_AGE = {
    "unpaid": dt.timedelta(minutes=20),
    "unshipped": dt.timedelta(hours=1),
    "fresh": dt.timedelta(hours=21),
    "silent": dt.timedelta(days=4),
    "returned": dt.timedelta(days=12),
}
SHOWCASE_BEGINS = dt.timedelta(days=13)


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

    def __init__(self, now: dt.datetime) -> None:
        self.now = now
        self.tables = {model: TableWriter(model) for model in TABLES}
        self.carriers = {carrier.code: carrier for carrier in Carrier.objects.all()}
        self.towards = {place: Order(province=place.province, city=place.city) for place in PLACES}
        self.shipment_columns = [f.attname for f in Shipment._meta.concrete_fields if not f.primary_key]

    def add(self, order_no: str, journey: Journey, customer_id: int | None) -> None:
        """Buffer one order with all that belongs to it."""
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
        self._history(order_id, milestones)
        if shipment is not None:
            self._parcel(order_id, lines, shipment, events)
        elif status == S.PAID:
            self._alert_if_late(order_no, order_id, milestones[S.PAID])
        if len(self.tables[Order].rows) >= BATCH:
            self.flush()

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

    def _history(self, order_id: int, milestones: dict[OrderStatus, dt.datetime]) -> None:
        steps = sorted(milestones.items(), key=lambda step: step[1])
        before = S.PLACED
        for step, instant in steps:
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
        tracking.bring_up_to_date(shipment, derived, origin, [self.towards[journey.place]], self.now, heard=True)
        shipment.checked_at = derived.last_event_at
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
        subject = problems.subject(shipment)
        if kind := anomalies.kind_of(shipment.status, shipment.reason):
            detail = f"运单 {shipment.waybill_no}：{ShipmentStatus(shipment.status).label} {shipment.location}".rstrip()
            self._alert(kind, subject, order_id, shipment.status_at or shipment.shipped_at, detail)
        if shipment.stale_since:
            detail = f"运单 {shipment.waybill_no}：没有新轨迹"
            kind = anomalies.SILENCE[shipment.status].kind
            self._alert(kind, subject, order_id, shipment.stale_since, detail, anomalies.silent_since(shipment))

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


def load_goods() -> None:
    """The demo shop's categories and products; safe to repeat."""
    for code, name in CATEGORIES.items():
        ProductCategory.objects.get_or_create(code=code, defaults={"name": name})
    categories = {category.code: category for category in ProductCategory.objects.all()}
    for goods in GOODS:
        Product.objects.get_or_create(
            sku=goods.sku,
            defaults={
                "name": goods.name,
                "category": categories[goods.category],
                "temperature_class": goods.temperature_class,
            },
        )


def seed(
    orders: int,
    *,
    days: int,
    rng: Random,
    buyer: Customer,
    buyer_phone: str,
    progress: Callable[[int], None] = lambda done: None,
) -> None:
    """Write `orders` orders placed over the last `days`, oldest first; the demo buyer gets the newest of them.

    The demo buyer also gets every thirtieth order from before those, so that long lists can be tried.
    """
    load_goods()
    now = clock.now()
    seeder, first = Seeder(now), next_serial()
    showcase = min(len(SHOWCASE), orders)
    step = dt.timedelta(days=days) / max(orders - showcase, 1)
    for number in range(orders - showcase):
        placed_at = now - dt.timedelta(days=days) + step * number
        journey = make_journey(rng, placed_at, now, first + number)
        theirs = number % 30 == 0 and placed_at < now - SHOWCASE_BEGINS
        seeder.add(order_number(placed_at, first + number), journey, buyer.pk if theirs else None)
        if number % BATCH == 0:
            progress(number)
    for number, kind in enumerate(SHOWCASE[-showcase:] if showcase else (), orders - showcase):
        placed_at = now - SHOWCASE_AGE.get(kind, dt.timedelta(days=8)) + dt.timedelta(minutes=number % 20)
        journey = make_journey(rng, placed_at, now, first + number, kind=kind)
        journey.phone = buyer_phone
        seeder.add(order_number(placed_at, first + number), journey, buyer.pk)
    seeder.flush()
    progress(orders)


def order_number(placed_at: dt.datetime, serial: int) -> str:
    return f"{PREFIX}{clock.shanghai(placed_at):%Y%m%d}{serial:08d}"


def next_serial() -> int:
    """Return a serial that no seeded order has: one past the table's newest key."""
    newest = Order.objects.order_by("-pk").values_list("pk", flat=True).first()
    return (newest or 0) + 1


def openid_of(rng: Random) -> str:
    return "oDemo" + "".join(rng.choices("abcdefghijkmnpqrstuvwxyz23456789", k=23))


def seal_phone(customer: Customer, phone: str) -> None:
    """Give the demo buyer a verified phone without asking WeChat."""
    customer.phone_sealed = customer.seal_phone(phone)
    customer.phone_index = phone_index(phone)
    customer.phone_verified_at = clock.now()


def phone_index(phone: str) -> str:
    return crypto.blind_index(phone, purpose="phone")
