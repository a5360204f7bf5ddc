"""Many orders at once: look them up by their numbers, and act on those that were ticked."""

from typing import Any
from uuid import uuid4

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse

from frozenshop.backoffice import wording
from frozenshop.backoffice.batch_actions import BATCH_ACTIONS, Outcome
from frozenshop.backoffice.batch_input import MAX_NUMBERS, read_file, read_numbers, read_ship_rows
from frozenshop.backoffice.export import csv_response
from frozenshop.backoffice.order_actions import CHANGE, FACTS
from frozenshop.backoffice.order_rows import Row, attach
from frozenshop.backoffice.parcel_actions import STEPS
from frozenshop.kernel import replica
from frozenshop.kernel.changelist import reader
from frozenshop.kernel.errors import Problem
from logistics.models import ShipmentOrder
from orders.models import Order

EXPORT = "orders.export_order"


def batch_view(request: HttpRequest) -> HttpResponse:
    """Show the form, the table of what was found, and how each row of an action went."""
    if not request.user.has_perm("orders.view_order"):
        raise PermissionDenied
    numbers = _numbers(request)
    rows, missing = _found(request, numbers)
    outcomes: list[Outcome] = []
    name = request.POST.get("action", "")
    if request.method == "POST" and name:
        ticked = set(request.POST.getlist("order"))
        chosen = [row for row in rows if str(row.order.pk) in ticked]
        if name == "export":
            if not request.user.has_perm(EXPORT):
                raise PermissionDenied
            return csv_response(request, chosen)
        outcomes = _act(request, name, [row.order for row in chosen])
        rows, missing = look_up(numbers)
    context = {
        **admin.site.each_context(request),
        "title": "批量查询与处理",
        "numbers": "\n".join(numbers),
        "rows": rows,
        "missing": missing,
        "outcomes": outcomes,
        "done": sum(outcome.ok for outcome in outcomes),
        "refused": sum(not outcome.ok for outcome in outcomes),
        "ship_rows": _left_over(request, outcomes) if name == "ship" else "",
        "report_steps": STEPS,
        "page_mark": uuid4().hex,
        "facts": [(fact.value, label) for fact, label in FACTS.items()],
        "may_change": request.user.has_perm(CHANGE),
        "may_export": request.user.has_perm(EXPORT),
        "asked": request.method == "POST",
    }
    return TemplateResponse(request, "backoffice/batch.html", context)


def _found(request: HttpRequest, numbers: list[str]) -> tuple[list[Row], list[str]]:
    """Look up what is shown or exported, which may be a little old, or what is acted on, which may not."""
    if request.POST.get("action", "export") != "export":
        return look_up(numbers)
    return replica.read(lambda: look_up(numbers), reader(request))


def _left_over(request: HttpRequest, outcomes: list[Outcome]) -> str:
    """Return the pasted rows that still wait to be shipped, for a second try."""
    lines = [line for line in request.POST.get("ship_rows", "").splitlines() if line.strip()]
    if not outcomes:
        return "\n".join(lines)
    return "\n".join(line for line, outcome in zip(lines, outcomes, strict=False) if not outcome.ok)


def look_up(numbers: list[str]) -> tuple[list[Row], list[str]]:
    """Return the orders that bear these numbers or travel under them, in the order given, and the numbers of none.

    The number of queries doesn't depend on how many there are.
    """
    if not numbers:
        return [], []
    by_number = {order.order_no: [order] for order in Order.objects.filter(order_no__in=numbers)}
    links = ShipmentOrder.objects.filter(shipment__waybill_no__in=numbers).select_related("order", "shipment")
    for link in links.order_by("id"):
        by_number.setdefault(link.shipment.waybill_no, []).append(link.order)
    rows: dict[int, Row] = {}
    for number in numbers:
        for order in by_number.get(number, ()):
            row = rows.setdefault(order.pk, Row(order))
            if number not in row.found_by:
                row.found_by.append(number)
    attach(row.order for row in rows.values())
    return list(rows.values()), [number for number in numbers if number not in by_number]


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
    if not numbers:
        numbers = [
            row.order_no for row in read_ship_rows(request.POST.get("ship_rows", "")) if not isinstance(row, str)
        ]
    if len(numbers) > MAX_NUMBERS:
        messages.warning(request, f"一次最多 {MAX_NUMBERS} 个，共 {len(numbers)} 个，只取了前 {MAX_NUMBERS} 个。")
    return list(dict.fromkeys(numbers))[:MAX_NUMBERS]


def _act(request: HttpRequest, name: str, chosen: list[Order]) -> list[Outcome]:
    action: Any = BATCH_ACTIONS.get(name)
    if action is None:
        messages.error(request, "没有这个操作")
        return []
    if not request.user.has_perm(CHANGE):
        raise PermissionDenied
    try:
        outcomes: list[Outcome] = action(request, chosen)
    except Problem as problem:
        messages.error(request, wording.problem_text(problem))
        return []
    return outcomes
