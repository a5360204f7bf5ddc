"""An order as a row: what the list, the batch table and the export show of it."""

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass, field

from django.db.models import Prefetch, prefetch_related_objects

from frozenshop.backoffice import wording
from logistics.models import Shipment, ShipmentOrder
from orders.models import Alert, Order


def attach(orders: Iterable[Order]) -> None:
    """Fetch what rows show of these orders, in a number of queries that doesn't depend on how many there are."""
    links = ShipmentOrder.objects.select_related("shipment__carrier").order_by("id")
    alerts = Alert.objects.filter(resolved_at=None).order_by("severity", "due_at")
    prefetch_related_objects(list(orders), Prefetch("shipment_links", links), Prefetch("alerts", alerts))


@dataclass(slots=True)
class Row:
    """An order to which `attach` was applied, and the numbers by which it was found."""

    order: Order
    found_by: list[str] = field(default_factory=list)

    @property
    def shipments(self) -> list[Shipment]:
        return [link.shipment for link in self.order.shipment_links.all() if link.shipment.voided_at is None]

    @property
    def status(self) -> str:
        return wording.order_label(self.order)

    @property
    def parcels(self) -> list[tuple[Shipment, str]]:
        return [(shipment, wording.shipment_label(shipment)) for shipment in self.shipments]

    @property
    def last_event_at(self) -> dt.datetime | None:
        return max((s.last_event_at for s in self.shipments if s.last_event_at), default=None)

    @property
    def last_event(self) -> str:
        return wording.clock(self.last_event_at, "")

    @property
    def silence(self) -> str:
        return wording.silence(self.shipments)

    @property
    def alerts(self) -> list[str]:
        return [wording.alert_label(alert) for alert in self.order.alerts.all()]
