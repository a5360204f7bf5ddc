"""Taking in what a provider reports: one transaction, whose result depends only on the set of what was reported."""

import datetime as dt
import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from django.db import transaction
from django.db.models import F

from frozenshop.kernel import clock, outbox
from frozenshop.kernel.actor import Actor, Source
from logistics import anomalies, cadence, driver_links, eta, lateness, meanings, merging, problems
from logistics.derivation import Derived, Report, counts, derive
from logistics.masking import Mask
from logistics.models import Provider, Shipment, ShipmentOrder, ShipmentStatus, TrackingEvent, UnknownCode
from logistics.progress import refresh_order
from logistics.providers.base import Overall, ProviderReport
from orders import alerting
from orders.contention import retried
from orders.models import AlertKind, Order
from orders.versions import bump

MAX_TEXT = 500
MAX_PLACE = 100
MAX_CODE = 20
MAX_LANE_PLACE = 60
_READ = ("key", "provider", "overall", "weak", "repeat", "status", "code", "reason", "occurred_at", "location", "text")
_SHOWN = frozenset(
    {"status", "status_at", "location", "event_count", "eta_earliest", "eta_latest", "stale_since", "last_event_at"}
)


@dataclass(frozen=True, slots=True)
class Recorded:
    """`shipment` as it stands now; `new_events` counts the rows that were not known, `changed` says if it shows."""

    shipment: Shipment
    new_events: int = 0
    changed: bool = False


@retried
def record_events(shipment: Shipment, report: ProviderReport, *, provider: str) -> Recorded:
    """Keep what is new in the report and let the shipment, its alerts and its orders follow.

    Repeatable, in any order and in parallel: reports of one shipment queue for its row. What was known already
    changes nothing.
    """
    with transaction.atomic():
        locked = Shipment.objects.select_for_update().get(pk=shipment.pk)
        orders = orders_of(locked)
        _hear_opinion(locked, report, provider)
        rows = _rows(locked, report, provider, Mask(orders))
        fresh, read = _insert(locked, rows, report.overall)
        if not fresh and not read:
            return Recorded(locked)
        _count_unknown(provider, report, {row.code for row in fresh}, Mask(orders))
        changed = settle(locked, orders, actor=Actor(Source.CARRIER, provider))
        return Recorded(locked, len(fresh), changed)


def _hear_opinion(shipment: Shipment, report: ProviderReport, provider: str) -> None:
    """Keep what the provider itself thinks of the arrival, beside our own prediction."""
    if report.arrival_at is None or shipment.provider_eta_at == report.arrival_at:
        return
    shipment.provider_eta_at, shipment.provider_eta_by = report.arrival_at, provider
    shipment.save(update_fields=["provider_eta_at", "provider_eta_by"])


def settle(shipment: Shipment, orders: Sequence[Order], *, actor: Actor) -> bool:
    """Make a locked shipment, its alerts and its orders what its events amount to now; say if anything shows.

    Harmless to repeat. A voided shipment keeps its events and moves nothing, but goods that travel in it are told.
    """
    now = clock.now()
    events = list(TrackingEvent.objects.filter(shipment=shipment).only(*_READ))
    retold = _mark_repeats(events)
    derived = derive(events, shipped_at=shipment.shipped_at, now=now)
    heard = derived.last_event_at != shipment.last_event_at or derived.status != shipment.status
    changes = bring_up_to_date(shipment, derived, _first_place(events, shipment, now), orders, now, heard=heard)
    if changes:
        Shipment.objects.filter(pk=shipment.pk).update(updated_at=now, **changes)
    if "status" in changes and cadence.is_over(shipment):
        driver_links.end(shipment)
    if shipment.voided_at is not None:
        problems.review_withdrawn(shipment, derived, orders)
        return False
    problems.review(shipment, derived, events, orders, heard=heard)
    shown = retold or not _SHOWN.isdisjoint(changes)
    if shown:
        bump(order.pk for order in orders)
    if shown or "delayed_since" in changes:
        outbox.enqueue("notifications.shipment_changed", {"shipment_id": shipment.pk})
    for order in orders:
        refresh_order(order, actor=actor)
    return shown


def _mark_repeats(events: Sequence[TrackingEvent]) -> bool:
    """Mark what another provider tells already; say if anything else is shown than before."""
    keys = merging.repeats(events)
    wrong = [event for event in events if event.repeat != (event.key in keys)]
    for repeat in (True, False):
        if ids := [event.pk for event in wrong if event.repeat != repeat]:
            TrackingEvent.objects.filter(pk__in=ids).update(repeat=repeat)
    for event in wrong:
        event.repeat = not event.repeat
    return bool(wrong)


def mask_again(shipment: Shipment, orders: Sequence[Order]) -> None:
    """Mask what was recorded before another order joined a locked box, and key it as it would be told now."""
    mask = Mask(orders)
    for event in TrackingEvent.objects.filter(shipment=shipment):
        told = event.text, event.location
        event.text, event.location = mask(event.text)[:MAX_TEXT], mask(event.location)[:MAX_PLACE]
        if (event.text, event.location) == told:
            continue
        event.key = event_key(event)
        if TrackingEvent.objects.filter(shipment=shipment, key=event.key).exclude(pk=event.pk).exists():
            event.delete()
        else:
            event.save(update_fields=["text", "location", "key"])


def orders_of(shipment: Shipment) -> list[Order]:
    """Return the orders that travel in the box, always in the same order."""
    links = ShipmentOrder.objects.filter(shipment=shipment).select_related("order").order_by("order_id")
    return [link.order for link in links]


def bring_up_to_date(
    shipment: Shipment,
    derived: Derived,
    origin: str,
    orders: Sequence[Order],
    now: dt.datetime,
    *,
    heard: bool,
    around: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Bring `shipment` up to date and return the columns that differ. `around`: as for `cadence.next_poll_at`."""
    before = {field.attname: getattr(shipment, field.attname) for field in shipment._meta.concrete_fields}
    shipment.status, shipment.status_code = derived.status, derived.status_code[:MAX_CODE]
    shipment.reason = derived.reason
    shipment.status_at, shipment.location = derived.status_at, derived.location[:MAX_PLACE]
    shipment.picked_up_at, shipment.in_transit_at = derived.picked_up_at, derived.in_transit_at
    shipment.delivered_at, shipment.returned_at = derived.delivered_at, derived.returned_at
    shipment.last_event_at, shipment.event_count = derived.last_event_at, derived.scans
    _predict(shipment, origin, orders, now)
    looks = (derived.recheck_at, lateness.look_again_at(shipment, orders, now), eta.look_again_at(shipment, now))
    shipment.recheck_at = min((instant for instant in looks if instant), default=None)
    if heard or shipment.stale_since is None:
        shipment.stale_since, shipment.stale_after = None, anomalies.stale_after(shipment)
    shipment.next_poll_at = cadence.next_poll_at(shipment, now, around)
    return {name: getattr(shipment, name) for name, value in before.items() if getattr(shipment, name) != value}


def _predict(shipment: Shipment, origin: str, orders: Sequence[Order], now: dt.datetime) -> None:
    """Predict the arrival by what is known now; the lane's origin is where the first scan was, once there is one."""
    shipment.origin = origin[:MAX_LANE_PLACE] or shipment.origin
    province, city = (orders[0].province, orders[0].city) if orders else ("", "")
    shipment.destination = f"{province}{city}"[:MAX_LANE_PLACE] or shipment.destination
    road = {"province": province, "city": city, "origin": shipment.origin}
    found = eta.predict(shipment, shipment.carrier, started_at=shipment.picked_up_at, now=now, **road)
    eta.take(shipment, found, lateness.promise_of(orders), lambda: eta.first_told(shipment, shipment.carrier, **road))


def _first_place(events: Iterable[TrackingEvent], shipment: Shipment, now: dt.datetime) -> str:
    """Return where the first scan that names a place was."""
    placed = (event for event in events if event.location and not event.overall)
    own = (event for event in placed if counts(event.occurred_at, shipped_at=shipment.shipped_at, now=now))
    first = min(own, key=lambda event: (event.occurred_at, event.key), default=None)
    return first.location if first else ""


def _rows(shipment: Shipment, report: ProviderReport, provider: str, mask: Mask) -> list[TrackingEvent]:
    now = clock.now()
    rows = [
        TrackingEvent(
            shipment=shipment,
            provider=provider,
            status=event.status,
            code=_storable(event.code)[:MAX_CODE],
            reason=event.reason,
            occurred_at=event.occurred_at,
            recorded_at=now,
            text=mask(_storable(event.text))[:MAX_TEXT],
            location=mask(_storable(event.location))[:MAX_PLACE],
        )
        for event in report.events
    ]
    if overall := report.overall:
        rows.append(
            TrackingEvent(
                shipment=shipment,
                provider=provider,
                overall=True,
                weak=overall.weak,
                status=overall.status,
                code=_storable(overall.code)[:MAX_CODE],
                occurred_at=overall.as_of,
                recorded_at=now,
                location=mask(_storable(overall.location))[:MAX_PLACE],
            )
        )
    for row in rows:
        row.key = event_key(row)
    return rows


class Told(Report, Protocol):
    """A report with what else makes it the one it is."""

    @property
    def provider(self) -> str: ...
    @property
    def text(self) -> str: ...


def event_key(row: Told) -> str:
    """Return the digest of what was reported. Of the masked text, so that it can't be used to guess what is masked.

    Not of our own reading: the status of a scan without a code is what its text was read as.
    """
    instant = row.occurred_at.astimezone(dt.UTC).isoformat(timespec="microseconds")
    kind = f"overall:{row.weak}" if row.overall else "scan"
    status = row.status if row.overall or not row.text else ShipmentStatus.UNKNOWN
    told = "\x1f".join((row.provider, kind, instant, row.code or status, row.text))
    return hashlib.sha256(told.encode("utf-8", "surrogatepass")).hexdigest()


def _storable(text: str) -> str:
    """Replace what no database takes (lone surrogates) and what nobody can read (NUL)."""
    return text.replace("\0", " ").encode("utf-8", "replace").decode()


def _insert(
    shipment: Shipment, rows: Iterable[TrackingEvent], overall: Overall | None
) -> tuple[list[TrackingEvent], list[TrackingEvent]]:
    """Keep the rows that are new; return them, and the known ones that only this report lets read.

    Else it would matter which of two reports of one scan, with another overall status each, comes first.
    """
    by_key = {row.key: row for row in rows}
    known = {row.key: row for row in TrackingEvent.objects.filter(shipment=shipment, key__in=list(by_key))}
    fresh = [by_key[key] for key in sorted(by_key.keys() - known.keys())]
    meanings.give(fresh, shipment.carrier, overall)
    TrackingEvent.objects.bulk_create(fresh, ignore_conflicts=True)
    read = meanings.read_again(list(known.values()), shipment.carrier, overall)
    TrackingEvent.objects.bulk_update(read, ["status", "reason"])
    return fresh, read


def _count_unknown(provider: str, report: ProviderReport, new_codes: set[str], mask: Mask) -> None:
    """Count each unknown code once for each report that brings it for the first time."""
    now = clock.now()
    told = Provider(provider).label
    for code, sample in sorted(dict(report.unknown_codes).items()):
        if code[:MAX_CODE] not in new_codes:
            continue
        row, _ = UnknownCode.objects.get_or_create(
            provider=provider,
            code=code[:MAX_CODE],
            defaults={"sample": mask(_storable(sample))[:200], "first_seen_at": now},
        )
        UnknownCode.objects.filter(pk=row.pk).update(count=F("count") + 1, last_seen_at=now)
        if row.mapped_status:
            continue
        alerting.open_alert(
            AlertKind.UNKNOWN_CODE,
            subject=f"code:{provider}:{row.code}",
            detail=f"{told}的状态码 {row.code} 没有对应的物流状态",
        )
