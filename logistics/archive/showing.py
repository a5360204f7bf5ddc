"""What is shown of an archived order: its document by the one builder, and its line in a list. Nothing is changed."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from frozenshop.kernel import clock
from logistics import document
from logistics.archive import bodies, restoring
from logistics.archive.models import ArchivedOrder, ArchivedWaybill
from logistics.document import Document, Parcel, Scan
from logistics.models import Carrier, ShipmentStatus, TrackingEvent
from orders.models import Order, OrderEvent, OrderLine, OrderStatus


def document_of(row: ArchivedOrder) -> tuple[Order, Document]:
    """Return the order as it was, unsaved, and its document. Raises Unavailable, NotPossible as `restoring.opened`."""
    body = restoring.opened(row)
    return body.order, of_body(body)


def of_body(body: bodies.Body) -> Document:
    lines = [tuple(getattr(line, name) for name in document.LINE) for line in body.of(OrderLine)]
    history = [tuple(getattr(event, name) for name in document.HISTORY) for event in body.of(OrderEvent)]
    return document.assemble(body.order, lines, history, _parcels(body), archived=True)


def _parcels(body: bodies.Body) -> Mapping[Parcel, list[Scan]]:
    scans: dict[int, list[Scan]] = {}
    for event in body.of(TrackingEvent):
        if not event.overall and not event.repeat:
            scan = Scan(*(getattr(event, name) for name in Scan._fields))
            scans.setdefault(scan.shipment_id, []).append(scan)
    live = [shipment for shipment in body.shipments if shipment.voided_at is None]
    carriers = Carrier.objects.in_bulk({shipment.carrier_id for shipment in live})
    found: dict[Parcel, list[Scan]] = {}
    for shipment in sorted(live, key=lambda one: (one.shipped_at, one.pk)):
        carrier = carriers[shipment.carrier_id]
        own = (getattr(shipment, name) for name in Parcel._fields[:-3])
        found[Parcel._make([*own, carrier.code, carrier.name, carrier.phone])] = scans.get(shipment.pk, [])
    return found


def summaries(rows: Sequence[ArchivedOrder]) -> list[Document]:
    """Return what lists show of the orders, in their order, in one query and without their bodies."""
    waybills = waybills_of(rows)
    return [_summary(row, [one for one in waybills[row.pk] if not one.voided]) for row in rows]


def waybills_of(rows: Iterable[ArchivedOrder]) -> Mapping[int, list[ArchivedWaybill]]:
    """Return the orders' waybills with their carriers, first shipped first."""
    found: dict[int, list[ArchivedWaybill]] = {row.pk: [] for row in rows}
    waybills = ArchivedWaybill.objects.filter(order_id__in=list(found)).select_related("carrier")
    for waybill in waybills.order_by("shipped_at", "shipment_id") if found else ():
        found[waybill.order_id].append(waybill)
    return found


def _summary(row: ArchivedOrder, waybills: Sequence[ArchivedWaybill]) -> Document:
    shipments: list[dict[str, Any]] = [
        {
            "carrier": {"code": one.carrier.code, "name": one.carrier.name},
            "waybill_no": one.waybill_no,
            "status": one.status,
            "status_label": ShipmentStatus(one.status).label,
            "location": one.location,
        }
        for one in waybills
    ]
    return {
        "order_no": row.order_no,
        "status": row.status,
        "status_label": OrderStatus(row.status).label,
        "placed_at": clock.isoformat(row.placed_at),
        "total_fen": row.total_fen,
        "updated_at": clock.isoformat(row.updated_at),
        "lines_summary": row.lines_summary,
        "shipments": shipments,
        "eta": None,
        "alert_count": 0,
    }
