"""The background work of logistics. Each consumer is thin, takes ids, and is safe to run twice."""

import datetime as dt
from collections.abc import Sequence

from frozenshop.kernel import outbox
from logistics import batches, incidents, messages, polling, rereading, staleness, waybill_endings
from logistics.archive import jobs as archive_jobs
from logistics.archive.models import ArchivedOrder
from logistics.contracts import watch
from logistics.learning import fitting
from logistics.models import ProviderMessage, Shipment
from orders import access
from orders.models import Customer


@outbox.consumer("logistics.sync_shipment", transactional=False, time_limit=60)
def sync_shipment(effect: outbox.Effect, shipment_id: int, skip: Sequence[str] = ()) -> None:
    """Ask providers about one parcel. A parcel asked about within the floor is left for later."""
    shipment = Shipment.objects.select_related("carrier").filter(pk=shipment_id).first()
    if shipment is not None:
        polling.sync(shipment, effect, skip=skip)


@outbox.consumer("logistics.sync_batch", transactional=False, time_limit=60)
def sync_batch(effect: outbox.Effect, provider: str, shipment_ids: Sequence[int]) -> None:
    """Ask a provider about several parcels in one call."""
    shipments = Shipment.objects.select_related("carrier").filter(pk__in=shipment_ids).order_by("pk")
    batches.sync(provider, list(shipments), effect)


@outbox.consumer("logistics.subscribe", transactional=False, time_limit=60)
def subscribe(effect: outbox.Effect, shipment_id: int) -> None:
    """Ask the provider to push what happens to one parcel."""
    shipment = Shipment.objects.select_related("carrier").filter(pk=shipment_id).first()
    if shipment is not None:
        polling.subscribe(shipment, effect)


@outbox.consumer("logistics.poll_due")
def poll_due(slot: str) -> None:
    """Queue questions about a bounded batch of due parcels."""
    polling.claim_due()


@outbox.consumer("logistics.apply_message")
def apply_message(message_id: int) -> None:
    """Record what one kept push reports."""
    message = ProviderMessage.objects.select_for_update().filter(pk=message_id).first()
    if message is not None:
        messages.apply_message(message)


@outbox.consumer("logistics.apply_held")
def apply_held(waybill_no: str = "", slot: str = "") -> None:
    """Queue the pushes that waited for one waybill to be registered, or (hourly) for any."""
    messages.queue_held(waybill_no)


@outbox.consumer("logistics.purge_messages", transactional=False)
def purge_messages(effect: outbox.Effect, slot: str) -> None:
    """Delete raw messages and call rows that are too old."""
    messages.purge()


@outbox.consumer("logistics.watch_contracts", transactional=False)
def watch_contracts(effect: outbox.Effect, slot: str) -> None:
    """Look whether what providers say has fields, types or codes that we don't know."""
    watch.look(dt.datetime.fromisoformat(slot))


@outbox.consumer("logistics.find_stale", transactional=False)
def find_stale(effect: outbox.Effect, **payload: str) -> None:
    """Open alerts for parcels that are silent for too long; a full batch asks for another run."""
    full = staleness.find_stale() == staleness.BATCH
    with effect:
        if full:
            outbox.enqueue("logistics.find_stale", dict(payload))


@outbox.consumer("logistics.fill_waybill_endings", transactional=False)
def fill_waybill_endings(effect: outbox.Effect, **payload: str) -> None:
    """Fill the reversed waybills that are missing; a full batch asks for another run."""
    full = waybill_endings.fill() == waybill_endings.BATCH
    with effect:
        if full:
            outbox.enqueue("logistics.fill_waybill_endings", dict(payload))


@outbox.consumer("logistics.find_incidents", transactional=False)
def find_incidents(effect: outbox.Effect, slot: str) -> None:
    """Make one incident of many silent parcels at one place, and end those whose place moves again."""
    incidents.find()


@outbox.consumer("logistics.recheck", transactional=False)
def recheck(effect: outbox.Effect, **payload: str) -> None:
    """Count reports dated in the future whose time has come; a full batch asks for another run."""
    full = staleness.recheck() == staleness.BATCH
    with effect:
        if full:
            outbox.enqueue("logistics.recheck", dict(payload))


@outbox.consumer("logistics.read_anew", transactional=False)
def read_anew(effect: outbox.Effect, kind: str, row_id: int, after: int = 0) -> None:
    """Read a batch of stored scans anew after a decision of staff, then ask for the next one."""
    further = rereading.read_anew(kind, row_id, after)
    with effect:
        if further is not None:
            outbox.enqueue("logistics.read_anew", {"kind": kind, "row_id": row_id, "after": further})


@outbox.consumer("logistics.archive_finished", transactional=False)
def archive_finished(effect: outbox.Effect, **payload: str) -> None:
    """Move what has long been finished into the archive, for a while; if more is left, ask for another run."""
    more = archive_jobs.move_for_a_while()
    with effect:
        if more:
            outbox.enqueue("logistics.archive_finished", dict(payload))


@outbox.consumer("logistics.erase_archived", transactional=False)
def erase_archived(effect: outbox.Effect, **payload: str) -> None:
    """Erase what has had its term in the archive, for a while; if more is left, ask for another run."""
    more = archive_jobs.erase_for_a_while()
    with effect:
        if more:
            outbox.enqueue("logistics.erase_archived", dict(payload))


@outbox.consumer("logistics.sweep_archive", transactional=False)
def sweep_archive(effect: outbox.Effect, slot: str = "", after: str = "") -> None:
    """Delete bodies in MongoDB that undone batches left and no row names, for a while; then go on from there."""
    after = archive_jobs.sweep_for_a_while(after)
    with effect:
        if after:
            outbox.enqueue("logistics.sweep_archive", {"slot": slot, "after": after})


@outbox.consumer("logistics.grant_archived")
def grant_archived(customer_id: int) -> None:
    """Show a customer the archived orders that their verified phone shows."""
    customer = Customer.objects.select_for_update().filter(pk=customer_id).first()
    if customer is not None:
        access.grant_by_phone(customer, among=ArchivedOrder)


@outbox.consumer("logistics.fit_eta", transactional=False, time_limit=1800)
def fit_eta(effect: outbox.Effect, slot: str) -> None:
    """Learn arrival times and usual gaps anew from all that was delivered."""
    fitting.fit()
