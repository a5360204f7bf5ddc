"""What a batch has to show: its rows page by page, its report as a file, and the file that it made."""

import csv
import io
from collections.abc import Iterator
from typing import Any

from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponseBase, StreamingHttpResponse
from django.utils.http import content_disposition_header

from frozenshop.backoffice.batches import files
from frozenshop.backoffice.batches.kinds import known_kind
from frozenshop.backoffice.batches.models import Batch, BatchFile, BatchRow
from frozenshop.backoffice.export import safe_cell
from frozenshop.backoffice.signin import recent
from frozenshop.kernel.changelist import record_act, staff_user

ROWS_SHOWN = 50
ROWS_READ = 1000
HEADER = ("行号", "对象", "结果", "说明")
State = Batch.State


def page_of_rows(request: HttpRequest, batch: Batch) -> dict[str, Any]:
    """Return one page of the report: by the number of its neighbour, of one state if it is asked for."""
    state = request.GET.get("row", "")
    rows = rows_of(batch, state if state in BatchRow.State else "")
    after, before = _number(request, "after"), _number(request, "before")
    if before:
        found = list(rows.filter(number__lt=before).order_by("-number")[: ROWS_SHOWN + 1])
        more, shown = len(found) > ROWS_SHOWN, found[:ROWS_SHOWN][::-1]
        newer, older = more, True
    else:
        found = list(rows.filter(number__gt=after)[: ROWS_SHOWN + 1])
        newer, older, shown = after > 0, len(found) > ROWS_SHOWN, found[:ROWS_SHOWN]
    return {
        "shown": [(_place(batch, row), row) for row in shown],
        "state": state,
        "states": BatchRow.State.choices,
        "before": shown[0].number if shown and newer else None,
        "after": shown[-1].number if shown and older else None,
    }


def _place(batch: Batch, row: BatchRow) -> str:
    kind = known_kind(batch)
    return kind.place(row.number) if kind else str(row.number)


def rows_of(batch: Batch, state: str = "") -> QuerySet[BatchRow]:
    rows = BatchRow.objects.filter(batch=batch).defer("given_sealed", "before_sealed").order_by("number")
    return rows.filter(state=state) if state else rows


def _number(request: HttpRequest, name: str) -> int:
    text = request.GET.get(name, "")
    return int(text) if text.isdecimal() and text.isascii() and len(text) < 10 else 0


def report(request: HttpRequest, batch: Batch) -> HttpResponseBase:
    """Return the report by row as a CSV file, and record who took it."""
    if (asked := recent.asked(request)) is not None:
        return asked
    record_act(request, "batch.report_taken", f"batch:{batch.pk}", details={"rows": batch.total})
    return _download(_lines(batch), f"batch-{batch.pk}-report.csv", "text/csv; charset=utf-8")


def _lines(batch: Batch) -> Iterator[bytes]:
    yield b"\xef\xbb\xbf" + _csv([HEADER])
    last = 0
    while rows := list(rows_of(batch).filter(number__gt=last)[:ROWS_READ]):
        cells = ((_place(batch, row), row.about, str(row.get_state_display()), row.message) for row in rows)
        yield _csv([tuple(safe_cell(cell) for cell in line) for line in cells])
        last = rows[-1].number


def _csv(lines: list[tuple[str, ...]]) -> bytes:
    text = io.StringIO()
    csv.writer(text).writerows(lines)
    return text.getvalue().encode()


def may_take(batch: Batch, user: User) -> bool:
    """Say whether a person may have the batch's file: its owner, while they hold the right."""
    kind = known_kind(batch)
    return kind is not None and batch.owner_id == user.pk and kind.allowed(user, batch)


def file(request: HttpRequest, batch: Batch) -> HttpResponseBase:
    """Return the file that a batch made, to its owner only, and record that they took it."""
    user = staff_user(request)
    if not isinstance(user, User) or not may_take(batch, user):
        raise PermissionDenied
    made = BatchFile.objects.filter(batch=batch, kind=BatchFile.Kind.RESULT).first()
    if made is None or batch.state != State.DONE or batch.expired_at:
        raise Http404
    if (asked := recent.asked(request)) is not None:
        return asked
    details = {"kind": batch.kind, "name": made.name, "bytes": made.size, **_told(batch)}
    record_act(request, "batch.file_taken", f"batch:{batch.pk}", reason=batch.reason, details=details)
    answer = _download(files.read(made), made.name, made.media_type)
    answer["Content-Length"] = str(made.size)
    return answer


def _told(batch: Batch) -> dict[str, Any]:
    return {name: batch.parameters[name] for name in ("rows", "masked") if name in batch.parameters}


def _download(content: Iterator[bytes], name: str, media_type: str) -> StreamingHttpResponse:
    answer = StreamingHttpResponse(content, content_type=media_type)
    answer["Content-Disposition"] = content_disposition_header(as_attachment=True, filename=name) or "attachment"
    answer["Cache-Control"] = "no-store"
    answer["X-Content-Type-Options"] = "nosniff"
    return answer
