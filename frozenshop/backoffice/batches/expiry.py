"""What is deleted of a batch when its time is over: files and sealed rows. Its report and the audit stay."""

from django.db.models import Q

from frozenshop.backoffice.batches.models import Batch, BatchFile, BatchFilePiece, BatchRow
from frozenshop.kernel import clock

AT_ONCE = 100
ROWS = 1000
PIECES = 50
"""A piece holds about 350 kB."""
State = Batch.State
UNDER_WAY = (State.QUEUED, State.RUNNING)


def expire() -> int:
    """Empty batches whose time is over; return how many. Safe to repeat, and to break off."""
    due = Batch.objects.filter(expires_at__lte=clock.now()).order_by("expires_at", "id")
    return sum(_expire(batch) for batch in due[:AT_ONCE])


def _expire(batch: Batch) -> bool:
    now = clock.now()
    under_way = Q(state__in=UNDER_WAY) | Q(undone_by__state__in=UNDER_WAY)
    idle = Batch.objects.filter(pk=batch.pk, expires_at__lte=now).exclude(under_way)
    idle.filter(state__in=(State.PREVIEW, State.WAITING)).update(
        state=State.CANCELLED, finished_at=now, message="过了保留时间没有开始"
    )
    if not idle.update(expired_at=now):
        return False
    for file in BatchFile.objects.filter(batch=batch):
        _delete(file)
    _clear_rows(batch)
    Batch.objects.filter(pk=batch.pk).update(expires_at=None)
    return True


def _delete(file: BatchFile) -> None:
    pieces = BatchFilePiece.objects.filter(file=file).order_by("position").values_list("pk", flat=True)
    while ids := list(pieces[:PIECES]):
        BatchFilePiece.objects.filter(pk__in=ids).delete()
    file.delete()


def _clear_rows(batch: Batch) -> None:
    last = 0
    rows = BatchRow.objects.filter(batch=batch).order_by("number").values_list("number", flat=True)
    while numbers := list(rows.filter(number__gt=last)[:ROWS]):
        stretch = BatchRow.objects.filter(batch=batch, number__gt=last, number__lte=numbers[-1])
        stretch.update(given_sealed="", before_sealed="")
        last = numbers[-1]
