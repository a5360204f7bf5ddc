"""The audit as a file: streamed, bounded, inert in a spreadsheet program, and itself on record."""

import csv
import json
from collections.abc import Iterator

from django.http import HttpRequest, HttpResponseBase, StreamingHttpResponse
from django.views.decorators.http import require_POST

from frozenshop.backoffice.audit import EXPORT, KEYS, TYPED, Asked, newest, require
from frozenshop.backoffice.audit_words import action_label, actor_names
from frozenshop.backoffice.export import safe_cell
from frozenshop.backoffice.signin import recent
from frozenshop.kernel.changelist import encode_cursor, record_act
from frozenshop.kernel.clock import isoformat, now, shanghai
from frozenshop.kernel.models import AuditEntry
from frozenshop.kernel.scrubbing import scrub

HEADER = ("编号", "时间", "操作者", "姓名", "动作", "动作名称", "对象", "理由", "详情", "来源地址", "请求编号")
MOST = 100_000
AT_ONCE = 1000


class _Line:
    """What `csv` writes to: it hands each line back."""

    def write(self, text: str) -> str:
        return text


@require_POST
def export_view(request: HttpRequest) -> HttpResponseBase:
    """Send what was asked as CSV, newest first, at most MOST rows; the last line says if there was more."""
    require(request, EXPORT)
    if (asking := recent.asked(request)) is not None:
        return asking
    asked = Asked.of(request.POST)
    filters = {name: scrub(request.POST[name]) for name in (*TYPED, "from", "to") if request.POST.get(name)}
    record_act(request, "audit.exported", details={"filters": filters, "at_most": MOST})
    response = StreamingHttpResponse(_lines(asked), content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="audit-{shanghai(now()):%Y%m%d-%H%M}.csv"'
    response["Cache-Control"] = "no-store"
    return response


def _lines(asked: Asked) -> Iterator[str]:
    writer = csv.writer(_Line())
    yield "\ufeff" + writer.writerow(HEADER)
    count = 0
    for batch in _batches(asked):
        names = actor_names(entry.actor for entry in batch)
        for entry in batch:
            yield writer.writerow([safe_cell(cell) for cell in _cells(entry, names[entry.actor])])
        count += len(batch)
        if count >= MOST:
            yield writer.writerow([f"只导出了最新的 {count} 条：请缩短时间范围，再导出其余的"])
            return


def _batches(asked: Asked) -> Iterator[list[AuditEntry]]:
    """Yield the rows by key: a download that takes long keeps no question open."""
    cursor = ""
    while batch := newest(asked, AT_ONCE, cursor=cursor):
        yield batch
        cursor = encode_cursor(batch[-1], KEYS)


def _cells(entry: AuditEntry, name: str) -> tuple[str, ...]:
    return (
        str(entry.pk),
        isoformat(entry.at) or "",
        entry.actor,
        name,
        entry.action,
        action_label(entry.action),
        entry.subject,
        entry.reason,
        json.dumps(entry.details, ensure_ascii=False, sort_keys=True),
        entry.address,
        entry.request_id,
    )
