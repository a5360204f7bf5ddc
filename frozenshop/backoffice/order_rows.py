"""An order as a row: what the list, the batch table and the export show of it."""

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass, field

from django.db.models import Prefetch, QuerySet, prefetch_related_objects

from frozenshop.backoffice import wording
from logistics import problems
from logistics.models import Shipment, ShipmentOrder
from orders.models import Alert, Order


def attach(orders: Iterable[Order]) -> None:
    """Fetch what rows show of these orders, in a number of queries that doesn't depend on how many there are."""
    rows = list(orders)
    links = ShipmentOrder.objects.select_related("shipment__carrier").order_by("id")
    prefetch_related_objects(rows, Prefetch("shipment_links", links))
    found = sorted(_open_alerts_about(rows), key=lambda alert: (alert.severity, alert.due_at, alert.pk))
    for order in rows:
        order.open_alerts = [alert for alert in found if is_about(alert, order)]  # type: ignore[attr-defined]


def _open_alerts_about(orders: Iterable[Order]) -> QuerySet[Alert]:
    """Return the open alerts of the orders and of all that travels in a box with one of them, each once.

    A box's alert stands with the first order in it; `is_about` says which ones concern an order. A union: of an OR of
    both the database would make a scan.
    """
    rows = list(orders)
    shipment_ids = {link.shipment_id for order in rows for link in order.shipment_links.all()}
    companions = ShipmentOrder.objects.filter(shipment_id__in=shipment_ids, order__isnull=False).values("order_id")
    open_ones = Alert.objects.filter(resolved_at=None).order_by()
    own = open_ones.filter(order_id__in={order.pk for order in rows})
    return own.union(open_ones.filter(order_id__in=companions)) if shipment_ids else own


def is_about(alert: Alert, order: Order) -> bool:
    """Say whether an alert is about the order or about a box in which it travels."""
    boxes = {problems.subject_of(link.shipment_id) for link in order.shipment_links.all()}
    return alert.order_id == order.pk or alert.subject in boxes


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
    def open_alerts(self) -> list[Alert]:
        alerts: list[Alert] = self.order.open_alerts  # type: ignore[attr-defined]
        return alerts

    @property
    def alerts(self) -> list[str]:
        return [wording.alert_label(alert) for alert in self.open_alerts]
