"""What codes and wordings mean: by the decision of staff first, then by our reading of the text.

What was reported stays as it is; `status` and `reason` of a tracking event are our reading of it.
"""

from collections.abc import Sequence

from django.db import transaction
from django.db.models import F

from frozenshop.kernel import clock, outbox
from logistics import texts
from logistics.derivation import REFINES_TRANSIT
from logistics.models import Carrier, ShipmentStatus, TrackingEvent, UnknownCode, UnreadText
from logistics.providers.base import Overall
from orders import alerting
from orders.models import AlertKind

S = ShipmentStatus
MORE_EXACT = REFINES_TRANSIT | {S.IN_TRANSIT}
MAX_PLACE = 100
MAX_SAMPLE = 300


# --- when recording -------------------------------------------------------------------------------


def give(rows: Sequence[TrackingEvent], carrier: Carrier, overall: Overall | None) -> None:
    """Give new scans without a status the meaning of their code or of their text, and those without a place theirs.

    Inside the recording transaction; wordings that can't be read are counted. Where the provider states the parcel's
    `overall` status, that speaks: a text may say more exactly how it is under way, never that it has arrived.
    """
    for row in rows:
        row.location = row.location or texts.place(row.text)[:MAX_PLACE]
    unknown = [row for row in rows if row.status == ShipmentStatus.UNKNOWN and not row.overall]
    _by_code([row for row in unknown if row.code])
    _by_text([row for row in unknown if not row.code and row.text.strip()], carrier.code, overall)


def read_again(rows: Sequence[TrackingEvent], carrier: Carrier, overall: Overall | None) -> list[TrackingEvent]:
    """Read known scans that another report's overall status left without one, and return those that have one now."""
    unread = [row for row in rows if row.status == S.UNKNOWN and not (row.overall or row.code) and row.text.strip()]
    if unread:
        _by_text(unread, carrier.code, overall, told_before=True)
    return [row for row in unread if row.status != S.UNKNOWN]


def _counts(reading: texts.Reading, overall: Overall | None) -> bool:
    """Say whether a text may speak beside the parcel's overall status."""
    if not reading.status:
        return False
    return overall is None or (overall.status == S.IN_TRANSIT and reading.status in MORE_EXACT)


def _by_code(rows: Sequence[TrackingEvent]) -> None:
    for row in rows:
        known = UnknownCode.objects.filter(provider=row.provider, code=row.code).exclude(mapped_status="").first()
        if known is not None:
            row.status, row.reason = known.mapped_status, known.mapped_reason


def _by_text(
    rows: Sequence[TrackingEvent], carrier_code: str, overall: Overall | None, *, told_before: bool = False
) -> None:
    shapes = {row.key: texts.shape(row.text) for row in rows}
    digests = {key: texts.digest(shape) for key, shape in shapes.items()}
    decided = {
        text.digest: text
        for text in UnreadText.objects.filter(carrier_code=carrier_code, digest__in=set(digests.values()))
        if text.status
    }
    for row in rows:
        reading = texts.read(carrier_code, row.text)
        if by_staff := decided.get(digests[row.key]):
            row.status, row.reason = by_staff.status, by_staff.reason
        elif _counts(reading, overall):
            row.status, row.reason = reading.status, reading.reason
        elif not reading.status and not told_before:
            _count(carrier_code, shapes[row.key], row.text)


def _count(carrier_code: str, shape: str, sample: str) -> None:
    now = clock.now()
    text, _ = UnreadText.objects.get_or_create(
        carrier_code=carrier_code,
        digest=texts.digest(shape),
        defaults={"shape": shape, "sample": texts.mask_numbers(sample)[:MAX_SAMPLE], "first_seen_at": now},
    )
    UnreadText.objects.filter(pk=text.pk).update(count=F("count") + 1, last_seen_at=now)


# --- decisions ------------------------------------------------------------------------------------


def map_code(code: UnknownCode, status: str, reason: str, *, by: str) -> None:
    """Decide what a code means, and have stored scans with it read anew. May be decided again."""
    with transaction.atomic():
        UnknownCode.objects.filter(pk=code.pk).update(
            mapped_status=status, mapped_reason=reason, mapped_at=clock.now(), mapped_by=by
        )
        alerting.resolve_alerts(
            f"code:{code.provider}:{code.code}",
            [AlertKind.UNKNOWN_CODE],
            resolution=f"已对应为{ShipmentStatus(status).label}",
            by=by,
        )
        outbox.enqueue("logistics.read_anew", {"kind": "code", "row_id": code.pk})


def map_text(text: UnreadText, status: str, reason: str, *, by: str) -> None:
    """Decide what wordings of a shape mean, and have stored scans of that shape read anew. May be decided again."""
    with transaction.atomic():
        UnreadText.objects.filter(pk=text.pk).update(
            status=status, reason=reason, decided_at=clock.now(), decided_by=by
        )
        outbox.enqueue("logistics.read_anew", {"kind": "text", "row_id": text.pk})


def correct(carrier_code: str, sentence: str, status: str, reason: str, *, by: str) -> UnreadText:
    """Decide what a sentence means that was read wrongly: its shape is listed and mapped."""
    shape = texts.shape(sentence)
    with transaction.atomic():
        text, _ = UnreadText.objects.get_or_create(
            carrier_code=carrier_code,
            digest=texts.digest(shape),
            defaults={"shape": shape, "sample": texts.mask_numbers(sentence)[:MAX_SAMPLE]},
        )
        map_text(text, status, reason, by=by)
    text.refresh_from_db()
    return text
