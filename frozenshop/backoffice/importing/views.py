"""The pages of an import: where a file is chosen, and where its columns are matched and its dry run is read."""

import itertools
from collections import Counter
from collections.abc import Iterator
from typing import Any

from django.contrib import admin, messages
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.core.files.uploadedfile import UploadedFile
from django.db import transaction
from django.http import (
    Http404,
    HttpRequest,
    HttpResponse,
    HttpResponseBase,
    HttpResponseRedirect,
    StreamingHttpResponse,
)
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.views.decorators.http import require_GET, require_http_methods

from frozenshop.backoffice import wording
from frozenshop.backoffice.batches import files, moves
from frozenshop.backoffice.batches.models import Batch, BatchFile, BatchRow
from frozenshop.backoffice.importing import findings as found
from frozenshop.backoffice.importing import matching
from frozenshop.backoffice.importing.fields import LABELS, WHATS, What
from frozenshop.backoffice.importing.kinds import CHECK, IMPORT, found_by, opened, what_of
from frozenshop.backoffice.signin import recent
from frozenshop.kernel.changelist import record_act, staff_user
from frozenshop.kernel.errors import Invalid, NotPossible, Problem
from logistics.models import Carrier

MAX_BYTES = 20 * 1024 * 1024
SHOWN = 200
REMEMBERED = 100
State = Batch.State


@require_http_methods(["GET", "POST"])
def start_view(request: HttpRequest) -> HttpResponseBase:
    """Choose a file and what it is; lists one's own imports below."""
    offered = [what for what in WHATS.values() if request.user.has_perm(what.needed)]
    if not offered:
        raise PermissionDenied
    if (asked := recent.asked(request)) is not None:
        return asked
    if request.method == "POST":
        try:
            return redirect("admin:import_one", _begin(request, offered).pk)
        except Problem as problem:
            messages.error(request, wording.problem_text(problem))
    mine = Batch.objects.filter(owner=request.user.pk, kind=IMPORT, undo_of=None).order_by("-created_at", "-id")[:20]
    context = {
        **admin.site.each_context(request),
        "title": "从文件导入",
        "whats": offered,
        "labels": {what.name: [LABELS[name] for name in what.columns] for what in offered},
        "chosen": request.POST.get("what") or request.GET.get("what"),
        "mine": mine,
        "max_rows": matching.MAX_ROWS,
        "max_bytes": MAX_BYTES,
    }
    return TemplateResponse(request, "backoffice/import.html", context)


def _begin(request: HttpRequest, offered: list[What]) -> Batch:
    what = next((one for one in offered if one.name == request.POST.get("what")), None)
    upload: UploadedFile[Any] | None = request.FILES.get("file")
    if what is None or upload is None:
        raise Invalid("请选择要导入的内容和文件")
    if (upload.size or 0) > MAX_BYTES:
        raise Invalid(f"文件超过 {MAX_BYTES >> 20} MB，请拆成几个文件")
    with transaction.atomic():
        title = f"导入{what.label}"
        batch = moves.begin(IMPORT, title=title, owner=_person(request), parameters={"what": what.name})
        suffix = "xlsx" if (upload.name or "").lower().endswith(".xlsx") else "csv"
        files.keep(batch, BatchFile.Kind.UPLOAD, f"import-{batch.pk}.{suffix}", "application/octet-stream", upload)
        with opened(batch) as path:  # What can't be read at all is refused at once, and not kept.
            matching.look(path, what)
        record_act(request, "import.uploaded", f"batch:{batch.pk}", details={"what": what.name, "bytes": upload.size})
    return batch


@require_http_methods(["GET", "POST"])
def import_view(request: HttpRequest, batch_id: int) -> HttpResponseBase:
    """Match the columns, read what the dry run found, start the import."""
    batch = _own(request, batch_id)
    if request.method == "POST":
        if (asked := recent.asked(request)) is not None:
            return asked
        try:
            return _act(request, batch)
        except Problem as problem:
            messages.error(request, wording.problem_text(problem))
            return redirect("admin:import_one", batch.pk)
    if batch.state != State.PREVIEW:
        return HttpResponseRedirect(reverse("admin:backoffice_batch_change", args=[batch.pk]))
    check = _check_of(batch)
    context = {**admin.site.each_context(request), "title": batch.title, "batch": batch, "what": what_of(batch)}
    if check is None or "match" in request.GET:
        context |= _matching(request, batch)
    else:
        context |= {"check": check, **_result(request, batch, check)}
    return TemplateResponse(request, "backoffice/import_one.html", context)


@require_GET
def report_view(request: HttpRequest, batch_id: int) -> HttpResponseBase:
    """Download all that the dry run found."""
    check = _check_of(_own(request, batch_id))
    file = check and BatchFile.objects.filter(batch=check, kind=BatchFile.Kind.RESULT).first()
    if not file:
        raise Http404
    if (asked := recent.asked(request)) is not None:
        return asked
    record_act(request, "import.report_taken", f"batch:{batch_id}", details={"bytes": file.size})
    response = StreamingHttpResponse(files.read(file), content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="{file.name}"'
    response["Cache-Control"] = "no-store"
    return response


def _own(request: HttpRequest, batch_id: int) -> Batch:
    """An import is its owner's: the cells on its page are people's data."""
    batch = Batch.objects.filter(pk=batch_id, kind=IMPORT, undo_of=None, owner=request.user.pk).first()
    if batch is None:
        if not any(request.user.has_perm(what.needed) for what in WHATS.values()):
            raise PermissionDenied
        raise Http404
    if not request.user.has_perm(what_of(batch).needed):
        raise PermissionDenied
    return batch


def _person(request: HttpRequest) -> User:
    return User.objects.get(pk=staff_user(request).pk)


def _act(request: HttpRequest, batch: Batch) -> HttpResponse:
    name = request.POST.get("do", "")
    if name == "check":
        _start_check(request, batch)
    elif name == "cancel":
        with transaction.atomic():
            moves.cancel(batch)
        return redirect("admin:import")
    elif name in ("run", "run_good"):
        _start(request, batch, partial=name == "run_good")
        return redirect("admin:backoffice_batch_change", batch.pk)
    return redirect("admin:import_one", batch.pk)


def _start_check(request: HttpRequest, batch: Batch) -> None:
    """Keep the match and let the worker read the file. The next file with this header is matched so by itself."""
    what = what_of(batch)
    with opened(batch) as path:
        guess = matching.look(path, what)
    chosen = {name: int(at) for name in what.columns if _is_column(at := request.POST.get(f"column:{name}", ""))}
    match = matching.check(chosen, what, len(guess.columns))
    told = {"match": match, "header_row": guess.header_row, "fingerprint": guess.fingerprint}
    with transaction.atomic():
        locked = Batch.objects.select_for_update().get(pk=batch.pk)
        former = _check_of(locked)
        if former is not None and former.open:
            moves.cancel(former)
        parameters = {"what": what.name, "import": batch.pk, **told}
        check = moves.begin(CHECK, title=f"检查：{batch.title}", owner=_person(request), parameters=parameters)
        moves.add_rows(check, [BatchRow(batch=check, number=1, about="")])
        moves.start(check)
        locked.parameters = {"what": what.name, **told, "check": check.pk}
        if Batch.objects.filter(pk=batch.pk, state=State.PREVIEW).update(parameters=locked.parameters) != 1:
            raise NotPossible("导入已经开始或取消")


def _is_column(text: str) -> bool:
    return text.isdecimal() and len(text) < 4


def _start(request: HttpRequest, batch: Batch, *, partial: bool) -> None:
    with transaction.atomic():
        locked = Batch.objects.select_for_update().get(pk=batch.pk)
        check = _check_of(locked)
        if check is None or check.state != State.DONE:
            raise NotPossible("请先等检查完成")
        refused = BatchRow.objects.filter(batch=batch, state=BatchRow.State.REFUSED).count()
        if refused and not partial:
            raise NotPossible(f"有 {refused} 项有问题：改好文件后重新上传，或选择只导入没有问题的")
        if refused == locked.total:
            raise NotPossible("没有可以导入的行")
        moves.start(locked)
        Batch.objects.filter(pk=batch.pk).update(refused=refused)
        details = {"what": what_of(batch).name, "rows": locked.total, "left_out": refused}
        record_act(request, "import.started", f"batch:{batch.pk}", details=details)


def _check_of(batch: Batch) -> Batch | None:
    return Batch.objects.filter(pk=batch.parameters.get("check", 0), kind=CHECK).first()


def _matching(request: HttpRequest, batch: Batch) -> dict[str, Any]:
    """Return the columns with samples of their cells, shown to the person who has uploaded them."""
    what, names = what_of(batch), set[str]()
    for name, aliases, code in Carrier.objects.values_list("name", "aliases", "code"):
        names |= {name, code, *aliases}
    with opened(batch) as path:
        guess = matching.look(path, what, names)
    former = _remembered(request, batch, guess, what)
    match = batch.parameters.get("match") or former or guess.match
    fields = [
        {
            "name": name,
            "label": LABELS[name],
            "required": name not in what.optional,
            "at": match.get(name),
            "by_content": not former and name in guess.by_content,
        }
        for name in what.columns
    ]
    return {"fields": fields, "columns": guess.columns, "guess": guess, "remembered": bool(former)}


def _remembered(request: HttpRequest, batch: Batch, guess: matching.Guess, what: What) -> dict[str, int]:
    """Return how this person matched such a header last. Without one, what has as many columns may be anything."""
    if not guess.header_row:
        return {}
    mine = Batch.objects.filter(owner=request.user.pk, kind=IMPORT).exclude(pk=batch.pk).order_by("-created_at", "-id")
    for told in mine.values_list("parameters", flat=True)[:REMEMBERED]:
        if told.get("fingerprint") == guess.fingerprint and told["what"] == what.name:
            return {name: at for name, at in told["match"].items() if at < len(guess.columns)}
    return {}


def _result(request: HttpRequest, batch: Batch, check: Batch) -> dict[str, Any]:
    counts = Counter(check.parameters.get("counts", {}))
    kind = request.GET.get("kind", "")
    shown = list(itertools.islice(_chosen(check, kind), SHOWN)) if check.state == State.DONE else []
    refused = BatchRow.objects.filter(batch=batch, state=BatchRow.State.REFUSED).count()
    return {
        "counts": [(name, *found.KINDS[name], count) for name, count in counts.most_common()],
        "chosen": kind,
        "shown": shown,
        "more": (counts[kind] if kind else counts.total()) > len(shown),
        "refused": refused,
        "good": batch.total - refused,
        "remarks": check.parameters.get("remarks", []),
        "fault": {State.FAILED: check.message, State.CANCELLED: "检查已取消。"}.get(State(check.state), ""),
    }


def _chosen(check: Batch, kind: str) -> Iterator[found.Finding]:
    return (one for one in found_by(check) if not kind or one.kind == kind)
