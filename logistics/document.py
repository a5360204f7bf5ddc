"""The order document: the one thing that buyers, staff, the archive and webhooks read of an order.

Shape: the published contract of `GET /api/orders/{order_no}`. Instants leave in Shanghai time, the consignee masked.
"""

import datetime as dt
import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Self

import structlog

from frozenshop.kernel import caching, clock
from frozenshop.kernel.crypto import SealBroken
from frozenshop.kernel.prepared import Prepared
from logistics import eta, problems
from logistics.derivation import counts
from logistics.models import Shipment, ShipmentOrder, ShipmentStatus, TrackingEvent
from orders import alerting, versions
from orders.consignee import Consignee
from orders.intake import is_order_no
from orders.models import Alert, AlertKind, Order, OrderEvent, OrderLine, OrderStatus

logger = structlog.get_logger(__name__)

Document = dict[str, Any]

STEPS = (OrderStatus.PLACED, OrderStatus.PAID, OrderStatus.SHIPPED, OrderStatus.IN_TRANSIT, OrderStatus.DELIVERED)
WAYS_OUT = (OrderStatus.CANCELLED, OrderStatus.RETURNED, OrderStatus.REFUNDED)
LIFETIME = dt.timedelta(seconds=versions.KEPT_SECONDS - 60)
"""Shorter than the cache remembers which versions are out of date."""

_TOLD = {kind: rule.buyer_message for kind, rule in alerting.KINDS.items() if rule.buyer_message}
_TOLD_OF_PARCEL = [kind for kind in _TOLD if kind in problems.ALL_KINDS]
_TOLD_OF_ORDER = [kind for kind in _TOLD if kind not in problems.ALL_KINDS]

# No more columns than are shown, sorted here: the database's part is the smaller one.
_OF_LINE = ("sku", "name", "quantity", "unit_price_fen", "temperature_class")
LINE = ("position", *_OF_LINE)
HISTORY = ("occurred_at", "recorded_at", "id", "from_status", "to_status", "source")


class Parcel(NamedTuple):
    """As much of a shipment and its carrier as is shown."""

    id: int
    waybill_no: str
    status: str
    location: str
    shipped_at: dt.datetime
    last_event_at: dt.datetime | None
    stale_since: dt.datetime | None
    checked_at: dt.datetime | None
    eta_earliest: dt.datetime | None
    eta_likely: dt.datetime | None
    eta_latest: dt.datetime | None
    eta_confidence: float | None
    eta_basis: str
    eta_explanation: str
    carrier__code: str
    carrier__name: str
    carrier__phone: str


class Scan(NamedTuple):
    """As much of a tracking event as is shown or decides whether it is."""

    id: int
    shipment_id: int
    key: str
    status: str
    code: str
    occurred_at: dt.datetime
    text: str
    location: str


class OpenAlert(NamedTuple):
    """As much of an open alert as the buyer is told."""

    opened_at: dt.datetime
    id: int
    kind: str
    open_key: str


_lines_of = Prepared(lambda order_id: OrderLine.objects.filter(order=order_id).values_list(*LINE))
_history_of = Prepared(lambda order_id: OrderEvent.objects.filter(order=order_id).values_list(*HISTORY))
_parcels_of = Prepared(
    lambda order_id: Shipment.objects.filter(links__order=order_id, voided_at=None).values_list(*Parcel._fields)
)
_scans_of = Prepared(
    lambda ids: TrackingEvent.objects.filter(shipment__in=ids, overall=False, repeat=False).values_list(*Scan._fields)
)
_alerts_under = Prepared(lambda keys: Alert.objects.filter(open_key__in=keys).values_list(*OpenAlert._fields))


@dataclass(frozen=True, slots=True)
class CachedDocument:
    """A document as it is sent (`body`: UTF-8 JSON), with what decides who may see it."""

    version: int
    customer_id: int | None
    phone_index: str
    placed_at: dt.datetime
    body: bytes

    @classmethod
    def of(cls, order: Order, document: Document) -> Self:
        return cls(order.version, order.customer_id, order.phone_index, order.placed_at, serialise(document))


def build(order: Order) -> Document:
    """Return the order's document in five queries (six with the one that read `order`)."""
    parcels = _parcels(order)
    alerts = _open_alerts([order], {order.pk: [parcel.id for parcel in parcels]})[order.pk]
    return assemble(order, _lines_of(order.pk), _history_of(order.pk), parcels, alerts)


def assemble(
    order: Order,
    lines: Iterable[tuple[Any, ...]],
    history: Iterable[tuple[Any, ...]],
    parcels: Mapping[Parcel, Iterable[Scan]],
    alerts: Iterable[OpenAlert] = (),
    *,
    archived: bool = False,
) -> Document:
    """Return the document of what was read: no query. Lines as `LINE` names them, history as `HISTORY`."""
    now = clock.now()
    return {
        "order_no": order.order_no,
        "status": order.status,
        "status_label": OrderStatus(order.status).label,
        "placed_at": clock.isoformat(order.placed_at),
        "total_fen": order.total_fen,
        "version": order.version,
        "updated_at": clock.isoformat(order.updated_at),
        "consignee": _consignee(order),
        "lines": _lines(lines),
        "milestones": _milestones(order),
        "history": _history(history),
        "shipments": [_shipment(parcel, _shown(scans, parcel, now), now) for parcel, scans in parcels.items()],
        "alerts": _alerts(alerts),
        "archived": archived,
    }


def unmask(document: Document, order: Order) -> Document:
    """Return the document with the consignee in full: only for who may see it, and recorded by the caller."""
    who = _opened(order)
    return document | {"consignee": who.in_full()} if who else document


def without_prices(document: Document) -> Document:
    """Return the document for a buyer who sees it by phone alone: who sent the goods keeps what they cost."""
    lines = [line | {"unit_price_fen": None} for line in document["lines"]]
    return document | {"total_fen": None, "lines": lines}


def summaries(orders: Sequence[Order]) -> list[Document]:
    """Return what lists show of the orders, in their order, in two queries."""
    shipments: dict[int, list[Shipment]] = {order.pk: [] for order in orders}
    links = ShipmentOrder.objects.filter(order_id__in=list(shipments), shipment__voided_at=None)
    for link in links.select_related("shipment__carrier").order_by("shipment__shipped_at", "shipment_id"):
        shipments[link.order_id].append(link.shipment)
    alerts = _open_alerts(orders, {order_id: [one.pk for one in parcels] for order_id, parcels in shipments.items()})
    now = clock.now()
    return [_summary(order, shipments[order.pk], alerts[order.pk], now) for order in orders]


def serialise(document: Document) -> bytes:
    """Return the document as it travels."""
    return json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()


def cache_keys(order_no: str) -> list[str]:
    """Return the keys of the cache from whose values `kept_in` reads the document."""
    return [_cache_key(order_no), versions.cache_key(order_no)] if is_order_no(order_no) else []


def kept_in(found: Mapping[str, Any], order_no: str) -> CachedDocument | None:
    """Return the document among values of the cache, unless it is known to be out of date."""
    kept: bytes | None = found.get(_cache_key(order_no))
    if kept is None:
        return None
    head, _, body = kept.partition(b"\n")
    version, customer_id, phone_index, placed_at = json.loads(head)
    if version < found.get(versions.cache_key(order_no), 0):
        return None
    return CachedDocument(version, customer_id, phone_index, dt.datetime.fromisoformat(placed_at), body)


def store(order: Order, document: Document) -> CachedDocument:
    """Keep a document that was just built from `order`, and return it: a line about it, then as it is sent.

    One without its consignee, for want of a key, is not kept: it is whole again as soon as the key is there.
    """
    kept = CachedDocument.of(order, document)
    if order.consignee_sealed and not any(document["consignee"].values()):
        return kept
    head = json.dumps([kept.version, kept.customer_id, kept.phone_index, kept.placed_at.isoformat()]).encode()
    caching.put(_cache_key(order.order_no), head + b"\n" + kept.body, int(LIFETIME.total_seconds()))
    return kept


def _cache_key(order_no: str) -> str:
    return f"document:{order_no}"


def _consignee(order: Order) -> dict[str, str]:
    who = _opened(order)
    return who.masked() if who else {"name": "", "phone": "", "address": ""}


def _opened(order: Order) -> Consignee | None:
    """Return the consignee; None where there is none, or its key is lost: the goods can be followed all the same."""
    try:
        return order.open_consignee() if order.consignee_sealed else None
    except SealBroken:
        logger.error("document.consignee_sealed", order_id=order.pk)
        return None


def _milestones(order: Order) -> list[dict[str, Any]]:
    reached: list[tuple[OrderStatus, dt.datetime | None]] = [(s, getattr(order, f"{s.value}_at")) for s in STEPS]
    ways_out = [(s, getattr(order, f"{s.value}_at")) for s in WAYS_OUT]
    reached += [(s, instant) for s, instant in ways_out if instant is not None]
    return [{"status": s.value, "label": s.label, "occurred_at": clock.isoformat(instant)} for s, instant in reached]


def _lines(rows: Iterable[tuple[Any, ...]]) -> list[dict[str, Any]]:
    return [dict(zip(_OF_LINE, row[1:], strict=True)) for row in sorted(rows)]


def _history(rows: Iterable[tuple[Any, ...]]) -> list[dict[str, Any]]:
    return [
        {
            "from": from_status,
            "to": to_status,
            "occurred_at": clock.isoformat(occurred_at),
            "recorded_at": clock.isoformat(recorded_at),
            "source": source,
        }
        for occurred_at, recorded_at, _, from_status, to_status, source in sorted(rows)
    ]


def _parcels(order: Order) -> dict[Parcel, list[Scan]]:
    """Return the live parcels, first shipped first, each with the scans that were reported of it."""
    parcels = sorted(map(Parcel._make, _parcels_of(order.pk)), key=lambda parcel: (parcel.shipped_at, parcel.id))
    scans: dict[int, list[Scan]] = {parcel.id: [] for parcel in parcels}
    for scan in map(Scan._make, _scans_of(list(scans))):
        scans[scan.shipment_id].append(scan)
    return {parcel: scans[parcel.id] for parcel in parcels}


def _shown(scans: Iterable[Scan], parcel: Parcel, now: dt.datetime) -> list[Scan]:
    """Return the scans that count, newest first; one that came with and without a code shows once."""
    shown: list[Scan] = []
    coded: set[tuple[dt.datetime, str]] = set()
    for scan in sorted(scans, key=lambda scan: (scan.code == "", scan.id)):
        told = (scan.occurred_at, scan.text)
        if (scan.code or told not in coded) and counts(scan.occurred_at, shipped_at=parcel.shipped_at, now=now):
            shown.append(scan)
            coded.add(told)
    return sorted(shown, key=lambda scan: (scan.occurred_at, scan.key), reverse=True)


def _shipment(parcel: Parcel, scans: Iterable[Scan], now: dt.datetime) -> dict[str, Any]:
    return {
        "carrier": {
            "code": parcel.carrier__code,
            "name": parcel.carrier__name,
            "phone": parcel.carrier__phone,
        },
        "waybill_no": parcel.waybill_no,
        "status": parcel.status,
        "status_label": ShipmentStatus(parcel.status).label,
        "location": parcel.location,
        "eta": _eta(parcel, now),
        "last_event_at": clock.isoformat(parcel.last_event_at),
        "stale": parcel.stale_since is not None,
        "checked_at": clock.isoformat(parcel.checked_at),
        "events": [
            {
                "occurred_at": clock.isoformat(scan.occurred_at),
                "status": scan.status,
                "description": scan.text,
                "location": scan.location,
            }
            for scan in scans
        ],
    }


def _eta(shipment: Shipment | Parcel, now: dt.datetime) -> dict[str, Any] | None:
    """An interval that has passed predicts nothing any more."""
    if shipment.eta_latest is None or shipment.eta_latest < now:
        return None
    return {
        "earliest": clock.isoformat(shipment.eta_earliest),
        "latest": clock.isoformat(shipment.eta_latest),
        "confidence": shipment.eta_confidence,
        "basis": shipment.eta_basis,
        "likely": clock.isoformat(shipment.eta_likely),
        "explanation": shipment.eta_explanation,
    }


def _order_eta(order: Order, parcels: Iterable[Shipment], now: dt.datetime) -> dict[str, Any] | None:
    """Return when the last parcel arrives, or what can be told before there is one."""
    predicted = [(parcel.eta_latest, parcel.pk, parcel) for parcel in parcels if parcel.eta_latest is not None]
    return _eta(max(predicted)[2], now) if predicted else _before_shipping(order, now)


def _before_shipping(order: Order, now: dt.datetime) -> dict[str, Any] | None:
    """Return when an order that waits to be shipped will probably arrive, told as a parcel's arrival is."""
    found = eta.before_shipping(order, now)
    if found is None:
        return None
    return {
        "earliest": clock.isoformat(found.earliest),
        "latest": clock.isoformat(found.latest),
        "confidence": found.confidence,
        "basis": found.basis,
        "likely": clock.isoformat(found.likely),
        "explanation": found.explanation,
    }


def _open_alerts(orders: Iterable[Order], shipment_ids: Mapping[int, Iterable[int]]) -> Mapping[int, list[OpenAlert]]:
    """Return each order's open alerts that the buyer is told of, its boxes' included, oldest first.

    They are looked up by the unique key that every open alert has, so that no list of alerts is ever read through.
    """
    concerned: dict[str, list[int]] = defaultdict(list)
    for order in orders:
        for kind in _TOLD_OF_ORDER:
            concerned[alerting.open_key(kind, order.order_no)].append(order.pk)
        for shipment_id in shipment_ids[order.pk]:
            for kind in _TOLD_OF_PARCEL:
                concerned[alerting.open_key(kind, problems.subject_of(shipment_id))].append(order.pk)
    found: dict[int, list[OpenAlert]] = defaultdict(list)
    for alert in sorted(map(OpenAlert._make, _alerts_under(list(concerned)))):
        for order_id in concerned[alert.open_key]:
            found[order_id].append(alert)
    return found


def _alerts(alerts: Iterable[OpenAlert]) -> list[dict[str, Any]]:
    oldest: dict[str, OpenAlert] = {}
    for alert in alerts:
        oldest.setdefault(alert.kind, alert)
    return [
        {"kind": kind, "message": _TOLD[AlertKind(kind)], "since": clock.isoformat(alert.opened_at)}
        for kind, alert in oldest.items()
    ]


def _summary(order: Order, shipments: Sequence[Shipment], alerts: Sequence[OpenAlert], now: dt.datetime) -> Document:
    return {
        "order_no": order.order_no,
        "status": order.status,
        "status_label": OrderStatus(order.status).label,
        "placed_at": clock.isoformat(order.placed_at),
        "total_fen": order.total_fen,
        "updated_at": clock.isoformat(order.updated_at),
        "lines_summary": order.lines_summary,
        "shipments": [
            {
                "carrier": {"code": shipment.carrier.code, "name": shipment.carrier.name},
                "waybill_no": shipment.waybill_no,
                "status": shipment.status,
                "status_label": ShipmentStatus(shipment.status).label,
                "location": shipment.location,
            }
            for shipment in shipments
        ],
        "eta": _order_eta(order, shipments, now),
        "alert_count": len({alert.kind for alert in alerts}),
    }
