"""Many orders at once: looked up by their numbers, seen as a matrix and in groups, acted on by a job."""

from collections.abc import Callable
from typing import Any

from django.contrib import admin, messages
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse

from frozenshop.backoffice import batch_actions, batch_groups, wording
from frozenshop.backoffice.batch_actions import ACTIONS, Action
from frozenshop.backoffice.batch_input import MAX_NUMBERS, read_file, read_numbers
from frozenshop.backoffice.batch_shipping import WHAT, preview_rows, start_rows
from frozenshop.backoffice.batches import confirming, moves
from frozenshop.backoffice.batches.models import Batch, BatchRow
from frozenshop.backoffice.exporting import kinds as exports
from frozenshop.backoffice.order_actions import CHANGE, checked
from frozenshop.backoffice.order_rows import Row
from frozenshop.backoffice.signin import recent
from frozenshop.kernel import replica
from frozenshop.kernel.changelist import reader, record_act, staff_user
from frozenshop.kernel.errors import Invalid, NotPossible, Problem

SHOWN = 200
WHOLE = "group"


def batch_view(request: HttpRequest) -> HttpResponse:
    """Show the form, the matrix, a group's rows, the preview of an action; start its job."""
    if not request.user.has_perm("orders.view_order"):
        raise PermissionDenied
    name = request.POST.get("action", "")
    numbers = _numbers(request)
    context: dict[str, Any] = {}
    rows, missing = _found(request, numbers)
    group = request.POST.get("group", batch_groups.ALL)
    chosen = _chosen(request, rows, group)
    try:
        if name == "export":
            return _export(request, chosen)
        if name in WHAT:
            answer = _rows_pasted(request, name, context)
        else:
            answer = _act(request, name, chosen, context) if name else None
        if answer is not None:
            return answer
    except Problem as problem:
        messages.error(request, wording.problem_text(problem))
    shown = batch_groups.chosen(rows, group)
    context |= {
        **admin.site.each_context(request),
        "title": "批量查询与处理",
        "numbers": "\n".join(numbers),
        "max_numbers": MAX_NUMBERS,
        "found": len(rows),
        "rows": shown[:SHOWN],
        "group": group,
        "in_group": len(shown),
        "groups": batch_groups.groups(rows) if rows else [],
        "matrix": batch_groups.matrix(rows) if rows else None,
        "missing": missing,
        "acts": _offered(request),
        "ship_rows": request.POST.get("ship_rows", ""),
        "may_change": request.user.has_perm(CHANGE),
        "may_export": request.user.has_perms(exports.ORDERS.rights),
        "token": confirming.token(_person(request)) if "preview" in context else "",
        "asked": request.method == "POST",
    }
    return TemplateResponse(request, "backoffice/batch.html", context)


def _found(request: HttpRequest, numbers: list[str]) -> tuple[list[Row], list[str]]:
    """Look up what is shown or exported, which may be a little old, or what is acted on, which may not."""
    if request.POST.get("action", "export") != "export":
        return batch_groups.look_up(numbers)
    return replica.read(lambda: batch_groups.look_up(numbers), reader(request))


def _numbers(request: HttpRequest) -> list[str]:
    if request.method != "POST":
        return []
    text = request.POST.get("numbers", "")
    try:
        if upload := request.FILES.get("file"):
            text += "\n" + read_file(upload)
    except Problem as problem:
        messages.error(request, wording.problem_text(problem))
    numbers = read_numbers(text)
    if len(numbers) > MAX_NUMBERS:
        messages.warning(request, f"一次最多 {MAX_NUMBERS:,} 个，共 {len(numbers):,} 个，只取了前 {MAX_NUMBERS:,} 个。")
    return numbers[:MAX_NUMBERS]


def _chosen(request: HttpRequest, rows: list[Row], group: str) -> list[Row]:
    """Return what an action is for: the whole group, or what was ticked of it; once confirmed, what was previewed."""
    found = batch_groups.chosen(rows, group)
    if "previewed" in request.POST:
        previewed = set(request.POST["previewed"].split(","))
        return [row for row in found if str(row.order.pk) in previewed]
    if request.POST.get("scope", WHOLE) == WHOLE:
        return found
    ticked = set(request.POST.getlist("order"))
    return [row for row in found if str(row.order.pk) in ticked]


def _export(request: HttpRequest, chosen: list[Row]) -> HttpResponse:
    """Begin the export of these orders, as of any list: a job that makes a file."""
    if not request.user.has_perms(exports.ORDERS.rights):
        raise PermissionDenied
    if (asked := recent.asked(request)) is not None:
        return asked
    form, order_nos = request.POST.get("form", "csv"), [row.order.order_no for row in chosen]
    with transaction.atomic():
        batch = exports.begin_numbers(_person(request), order_nos, form=form)
        details = {"count": len(order_nos), "order_nos": order_nos, "format": form, "masked": True}
        record_act(request, "order.exported", f"batch:{batch.pk}", details=details)
    return redirect("admin:backoffice_batch_change", batch.pk)


def _person(request: HttpRequest) -> User:
    user = staff_user(request)
    assert isinstance(user, User)
    return user


def _offered(request: HttpRequest) -> list[tuple[str, Action, Any]]:
    """Return the actions that a person may do, each with its form as it was filled in."""
    chosen = request.POST.get("action", "")
    return [
        (name, action, action.form(request.POST if name == chosen else None, prefix=name))
        for name, action in ACTIONS.items()
        if request.user.has_perm(action.permission)
    ]


def _act(request: HttpRequest, name: str, chosen: list[Row], context: dict[str, Any]) -> HttpResponse | None:
    """Put the preview into the context, or start the job that was agreed to."""
    action = ACTIONS.get(name)
    if action is None:
        raise NotPossible("没有这个操作")
    if not request.user.has_perm(action.permission):
        raise PermissionDenied
    if not chosen:
        raise Invalid("请先选择一组订单，或勾选订单")
    form = action.form(request.POST, prefix=name)
    checked(form)
    data = form.parameters()
    told = batch_actions.preview(action, chosen, data)
    can = sum(ok for _, ok, _ in told)
    if request.POST.get("step") == "run":
        chosen_rows = [(row, data) for row, ok, _ in told if ok]
        return _started(request, lambda: _start(request, name, action, chosen_rows))
    kept = [(key, value) for key, value in request.POST.items() if key.startswith(f"{name}-")]
    context |= {
        "preview": [(row.order.order_no, ok, sentence) for row, ok, sentence in told[:SHOWN]],
        "preview_of": name,
        "preview_label": action.label,
        "preview_can": can,
        "preview_not": len(told) - can,
        "preview_fields": kept,
        "previewed": ",".join(str(row.order.pk) for row, ok, _ in told if ok),
    }
    return None


def _started(request: HttpRequest, begin: Callable[[], Batch]) -> HttpResponse:
    """Start a preview's job, once; who presses twice is shown the same one."""
    batch = confirming.once(_person(request), request.POST.get("token", ""), begin)
    return redirect("admin:backoffice_batch_change", batch.pk)


def _start(request: HttpRequest, name: str, action: Action, rows: list[tuple[Row, Any]]) -> Batch:
    if not rows:
        raise NotPossible("没有可以处理的订单")
    title = f"{action.label}：{len(rows):,} 个订单"
    batch = moves.begin(batch_actions.KIND, title=title, owner=_person(request), parameters={"action": name})
    made = []
    for number, (row, data) in enumerate(rows, start=1):
        one = BatchRow(batch=batch, number=number, about=row.order.order_no)
        one.seal_given(data)
        made.append(one)
    moves.add_rows(batch, made)
    moves.start(batch)
    record_act(request, "batch.started", f"batch:{batch.pk}", details={"action": name, "count": len(made)})
    return batch


def _rows_pasted(request: HttpRequest, name: str, context: dict[str, Any]) -> HttpResponse | None:
    """Ship or correct by pasted rows, as an import of them: which group is chosen doesn't matter."""
    if not request.user.has_perm(CHANGE):
        raise PermissionDenied
    rows = preview_rows(name, request.POST.get("ship_rows", ""))
    if request.POST.get("step") == "run":
        return _started(request, lambda: start_rows(request, name, rows))
    can = sum(row.ok for row in rows)
    context |= {
        "preview": [(row.about, row.ok, row.sentence) for row in rows[:SHOWN]],
        "preview_of": name,
        "preview_label": {"ship": "发货", "correct": "更正运单"}[name],
        "preview_can": can,
        "preview_not": len(rows) - can,
    }
    return None
