"""What may be done to many orders. Each row says that it was done, or why not; the rest goes on."""

from collections.abc import Callable, Container, Mapping
from dataclasses import dataclass
from functools import partial
from types import MappingProxyType

from django.http import HttpRequest

from frozenshop.backoffice import parcel_actions, wording
from frozenshop.backoffice.batch_input import MAX_NUMBERS, ShipRow, read_ship_rows
from frozenshop.backoffice.order_actions import FactForm, checked, enqueue_sync, not_ahead, record_fact, ship_order
from frozenshop.kernel.changelist import record_act
from frozenshop.kernel.errors import Invalid, NotPossible, OrderNotFound, Problem
from logistics.carriers import resolve_carrier
from orders.contention import retried
from orders.models import Order


@dataclass(frozen=True, slots=True)
class Outcome:
    about: str
    ok: bool
    message: str


def sync(request: HttpRequest, orders: list[Order]) -> list[Outcome]:
    def ask(order: Order) -> str:
        if not (count := enqueue_sync(order)):
            raise NotPossible("没有在途的运单")
        return f"已安排查询 {count} 个运单"

    return _each(request, "batch.synced", orders, ask)


def mark(request: HttpRequest, orders: list[Order]) -> list[Outcome]:
    data = checked(FactForm(request.POST))
    return _each(request, "batch.marked", orders, lambda order: record_fact(request, order, data), fact=data["fact"])


def report(request: HttpRequest, orders: list[Order]) -> list[Outcome]:
    data = checked(parcel_actions.StepForm(request.POST))
    return _each(
        request,
        "batch.reported",
        orders,
        lambda order: parcel_actions.report_all(request, order, data),
        status=data["status"],
    )


def ship(request: HttpRequest, orders: list[Order]) -> list[Outcome]:
    """Ship by the pasted rows; which orders are ticked doesn't matter."""
    rows = read_ship_rows(request.POST.get("ship_rows", ""))
    if not rows:
        raise Invalid("请粘贴要发货的行：订单号 承运商 运单号")
    if len(rows) > MAX_NUMBERS:
        raise Invalid(f"一次最多 {MAX_NUMBERS} 行，共 {len(rows)} 行，没有处理")
    numbers = [row.order_no for row in rows if isinstance(row, ShipRow)]
    known = {order.order_no: order for order in Order.objects.filter(order_no__in=numbers)}
    shipped_at = not_ahead(None)

    def send(row: ShipRow | str) -> str:
        if isinstance(row, str):
            raise Invalid("每行要有三项：订单号 承运商 运单号")
        if row.order_no not in known:
            raise OrderNotFound
        return ship_order(request, known[row.order_no], resolve_carrier(row.carrier), row.waybill_no, shipped_at)

    outcomes = [_tried(row if isinstance(row, str) else row.order_no, partial(send, row)) for row in rows]
    # What was pasted is anybody's guess, a consignee in full too: only what is an order's number goes on record.
    _record(request, "batch.shipped", outcomes, named=known.keys())
    return outcomes


BATCH_ACTIONS: Mapping[str, Callable[[HttpRequest, list[Order]], list[Outcome]]] = MappingProxyType(
    {"sync": sync, "mark": mark, "report": report, "ship": ship}
)


def _each(
    request: HttpRequest, name: str, orders: list[Order], act: Callable[[Order], str], **details: str
) -> list[Outcome]:
    if not orders:
        raise Invalid("请先勾选订单")
    outcomes = [_tried(order.order_no, partial(act, order)) for order in orders]
    _record(request, name, outcomes, named={order.order_no for order in orders}, **details)
    return outcomes


def _tried(about: str, act: Callable[[], str]) -> Outcome:
    try:
        return Outcome(about, True, retried(act)())
    except Problem as problem:
        return Outcome(about[:100], False, wording.problem_text(problem))


def _record(request: HttpRequest, name: str, outcomes: list[Outcome], *, named: Container[str], **details: str) -> None:
    done = [outcome.about for outcome in outcomes if outcome.ok]
    refused = [outcome.about for outcome in outcomes if not outcome.ok]
    counts = {"done": len(done), "refused": len(refused)}
    orders = {"order_nos": done, "refused_order_nos": [about for about in refused if about in named]}
    record_act(request, name, details={**details, **counts, **orders})
