"""What providers say to us: authenticate → keep it raw and sealed → answer; then apply it, once its waybills are known.

A push never waits for what it causes: it is kept and queued in one short transaction, so that its sender is answered at
once and a repeat of the same body changes nothing.
"""

import datetime as dt
import hashlib
from collections.abc import Sequence

import structlog
from django.db import DatabaseError, transaction
from django.db.models import Exists, OuterRef, Q
from prometheus_client import Counter

from frozenshop.kernel import clock, crypto, logstore, outbox, purging
from logistics import subscriptions, tracking
from logistics.archive import restoring
from logistics.carriers import CODE_FIELDS, OWN_WAYBILLS, provider_code
from logistics.models import Provider, ProviderCall, ProviderMessage, Shipment
from logistics.providers.base import Forged, ProviderReport, Reply, Unreadable, get_provider

logger = structlog.get_logger(__name__)

HOLD = dt.timedelta(days=30)
"""How long a push about an unregistered waybill waits for its shipment."""
KEEP = dt.timedelta(days=35)
KEEP_APPLIED = dt.timedelta(days=3)
"""Longer than any sender repeats itself; the body is in the log by then."""
LONGEST_NAMED, MANY_MISSING = 450, "很多运单没有登记"

PUSHES = Counter("frozenshop_provider_pushes_total", "Pushes, by what became of them", ["provider", "outcome"])

Kind, Outcome = ProviderMessage.Kind, ProviderMessage.Outcome


def receive(provider: str, body: bytes, secret: str = "") -> Reply:
    """Take a push and return what its sender must be answered, whatever was sent.

    2xx: kept (or known already); 401: not signed by the provider, nothing kept; 400: unreadable, kept if it was signed;
    503: could not be kept, to be sent again. `secret` is the last part of the path, where the provider has one there.
    """
    channel = get_provider(provider)
    outcome = "not_kept"
    try:
        channel.authenticate(body, secret)
        keep_push(provider, body)
        outcome = "kept"
    except Forged:
        outcome = "forged"
        logger.warning("push.forged", provider=provider)
        return channel.refused(body, "签名不符", status=401)
    except Unreadable as error:
        outcome = "unreadable"
        logger.warning("push.unreadable", provider=provider)
        return channel.refused(body, str(error), status=400)
    except DatabaseError:
        logger.exception("push.not_kept", provider=provider)
        return channel.refused(body, "暂时无法保存，请稍后重试", status=503)
    finally:
        PUSHES.labels(provider, outcome).inc()
    return channel.accepted(body)


def keep_push(provider: str, body: bytes) -> ProviderMessage:
    """Keep an authentic push and queue its application, in one transaction; an identical body is kept once.

    Raises Unreadable after keeping what makes no sense.
    """
    try:
        get_provider(provider).parse(body)
    except Unreadable as error:
        message, new = _keep(provider, body, Kind.PUSH, Outcome.UNREADABLE, detail=str(error))
        if new:
            log(message)
        raise
    with transaction.atomic():
        message, new = _keep(provider, body, Kind.PUSH, Outcome.RECEIVED)
        if new:
            outbox.enqueue("logistics.apply_message", {"message_id": message.pk})
    return message


def keep_answer(provider: str, report: ProviderReport) -> None:
    """Keep an answer as it came, inside the transaction that records it."""
    if report.raw:
        notes, number = "；".join(report.notes), report.waybill_no
        message, new = _keep(provider, report.raw, Kind.ANSWER, Outcome.APPLIED, detail=notes, waybill_no=number)
        if new:
            log(message)


def open_body(message: ProviderMessage) -> bytes:
    """Return a message as it came. Raises SealBroken."""
    return crypto.open_sealed(message.body_sealed, purpose=purpose_of(message.digest)).encode("latin-1")


def apply_message(message: ProviderMessage) -> None:
    """Record each report of a kept push in order; what belongs to no shipment yet holds the message. Repeatable."""
    if message.outcome in (Outcome.APPLIED, Outcome.UNREADABLE):
        return
    try:
        reports = get_provider(message.provider).parse(open_body(message), message.received_at)
    except Unreadable as error:
        _close(message, Outcome.UNREADABLE, detail=str(error))
        return
    missing = [report.waybill_no for report in reports if not _apply(message.provider, report)]
    notes = "；".join(dict.fromkeys(note for report in reports for note in report.notes))
    if missing:
        # With several missing the number stays empty: the detail names what the message waits for.
        only = missing[0] if len(missing) == 1 else ""
        _close(message, Outcome.HELD, detail=notes if only else f"{_awaited(missing)}；{notes}", waybill_no=only)
    else:
        _close(message, Outcome.APPLIED, detail=notes, waybill_no=reports[0].waybill_no if len(reports) == 1 else "")


def shipment_of(provider: str, report: ProviderReport) -> Shipment | None:
    """Return the parcel that a report speaks of: by the provider's carrier code and waybill, the newest live one.

    A carrier that the provider itself put right finds the parcel too, and so does a number in other capitals, as some
    services write it back, where no parcel has the very one. One that lies in the archive comes back out of it.
    """
    number = report.waybill_no
    spellings = {number, number.upper(), number.lower()}
    parcels = Shipment.objects.select_related("carrier").filter(waybill_no__in=spellings)
    if (code := report.carrier_code) and (column := f"{provider}_code") in CODE_FIELDS:
        told = subscriptions.corrected_to(provider, code, report.waybill_no).values("shipment")
        parcels = parcels.filter(Q(**{f"carrier__{column}": code}) | Q(pk__in=told))
    elif provider in OWN_WAYBILLS:
        parcels = parcels.filter(carrier__code__in=OWN_WAYBILLS[provider])
    found = list(parcels)
    if not found and restoring.bring_back_waybill(sorted(spellings), "承运商有新消息"):
        found = list(parcels.all())
    return max(found, key=lambda parcel: _nearness(parcel, provider, report), default=None)


def _nearness(parcel: Shipment, provider: str, report: ProviderReport) -> tuple[bool, bool, bool, int, int]:
    ours = not report.carrier_code or provider_code(parcel.carrier, provider) == report.carrier_code
    exact = parcel.waybill_no == report.waybill_no
    return exact, ours, parcel.voided_at is None, parcel.generation, parcel.pk


def queue_held(waybill_no: str = "") -> int:
    """Queue the held pushes about one waybill, or about any that is registered by now; return how many."""
    held = ProviderMessage.objects.filter(outcome=Outcome.HELD, received_at__gt=clock.now() - HOLD)
    if waybill_no:
        among = Q(detail__contains=waybill_no) | Q(detail__startswith=MANY_MISSING)
        held = held.filter(Q(waybill_no=waybill_no) | Q(among, waybill_no=""))
    else:
        held = held.filter(Q(waybill_no="") | Exists(Shipment.objects.filter(waybill_no=OuterRef("waybill_no"))))
    ids = list(held.order_by("pk").values_list("pk", flat=True))
    for message_id in ids:
        outbox.enqueue("logistics.apply_message", {"message_id": message_id})
    return len(ids)


def purge() -> int:
    """Delete what was applied after three days, other messages and call rows after 35; return how many.

    Where the log keeps no raw messages, they all stay here for 35 days.
    """
    now = clock.now()
    rows = ProviderMessage.objects.order_by("received_at", "id")
    deleted = purging.delete(rows.filter(received_at__lt=now - KEEP))
    if logstore.keeps(logstore.Kind.RAW):
        deleted += purging.delete(rows.filter(outcome=Outcome.APPLIED, received_at__lt=now - KEEP_APPLIED))
    return deleted + purging.delete(ProviderCall.objects.filter(started_at__lt=now - KEEP).order_by("started_at"))


def log(message: ProviderMessage) -> None:
    """Give the log what came and what became of it, once that is committed. What is held stays here meanwhile."""
    transaction.on_commit(lambda: _log(message), robust=True)


def _log(message: ProviderMessage) -> None:
    held = message.outcome == Outcome.HELD
    logstore.write(
        logstore.Kind.RAW,
        service=message.provider,
        what=message.kind,
        outcome=message.outcome,
        failed=held or message.outcome == Outcome.UNREADABLE,
        subject=message.waybill_no,
        reference=message.digest,
        detail=message.detail,
        body="" if held else message.body_sealed,
        under=message.request_id,
    )


def _awaited(missing: Sequence[str]) -> str:
    """Name the waybills that a message waits for; too many to be named, every registration tries it again."""
    named = "未登记的运单：" + "、".join(missing)
    return named if len(named) <= LONGEST_NAMED else MANY_MISSING


def _apply(provider: str, report: ProviderReport) -> bool:
    shipment = shipment_of(provider, report)
    if shipment is None:
        return False
    recorded = tracking.record_events(shipment, report, provider=Provider(provider))
    subscriptions.heed(recorded.shipment, provider, report)
    return True


def _keep(
    provider: str, body: bytes, kind: str, outcome: str, *, detail: str = "", waybill_no: str = ""
) -> tuple[ProviderMessage, bool]:
    digest = hashlib.sha256(body).hexdigest()
    known = ProviderMessage.objects.filter(provider=provider, digest=digest).first()
    if known:
        return known, False
    return ProviderMessage.objects.get_or_create(
        provider=provider,
        digest=digest,
        defaults={
            "kind": kind,
            "outcome": outcome,
            "detail": detail[:500],
            "waybill_no": waybill_no[:64],
            "body_sealed": crypto.seal(body.decode("latin-1"), purpose=purpose_of(digest)),
            "received_at": clock.now(),
            "applied_at": clock.now() if outcome == Outcome.APPLIED else None,
        },
    )


def _close(message: ProviderMessage, outcome: str, *, detail: str, waybill_no: str = "") -> None:
    message.outcome, message.detail, message.waybill_no = outcome, detail[:500], waybill_no
    message.applied_at = clock.now() if outcome == Outcome.APPLIED else None
    message.save(update_fields=["outcome", "detail", "waybill_no", "applied_at"])
    log(message)


def purpose_of(digest: str) -> str:
    return f"provider_message:{digest}"
