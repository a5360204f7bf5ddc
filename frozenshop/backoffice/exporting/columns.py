"""The columns of each export."""

from collections.abc import Callable, Iterable, Sequence
from decimal import Decimal
from typing import Any

from django.db.models import prefetch_related_objects

from frozenshop.backoffice import wording
from frozenshop.backoffice.exporting.cells import Column, Value
from frozenshop.backoffice.order_rows import Row, attach
from frozenshop.kernel.crypto import SealBroken
from orders.models import Alert, Order

People = Callable[[Order], dict[str, str]]


def order_columns(*, masked: bool) -> list[Column]:
    """Return the columns over an order's row (`order_rows` gives it) and its consignee: `(Row, consignee)`."""
    names = "、".join
    return [
        Column("订单号", lambda row: row[0].order.order_no, 22),
        Column("状态", lambda row: row[0].order.get_status_display(), 10),
        Column("下单时间", lambda row: row[0].order.placed_at, 17),
        Column("付款时间", lambda row: row[0].order.paid_at, 17),
        Column("收件人", lambda row: row[1]["name"], 12),
        Column("手机号", lambda row: row[1]["phone"], 15),
        Column("地区" if masked else "地址", lambda row: row[1]["address"], 24 if masked else 48),
        Column("商品", lambda row: row[0].order.lines_summary, 32),
        Column("金额（元）", lambda row: _yuan(row[0].order.total_fen), 12),
        Column("承运商", lambda row: names(shipment.carrier.name for shipment in row[0].shipments), 12),
        Column("运单号", lambda row: names(shipment.waybill_no for shipment in row[0].shipments), 20),
        Column("物流状态", lambda row: names(str(s.get_status_display()) for s in row[0].shipments), 12),
        Column("发货时间", lambda row: row[0].order.shipped_at, 17),
        Column("签收时间", lambda row: row[0].order.delivered_at, 17),
        Column("最近轨迹", lambda row: row[0].last_event_at, 17),
        Column("静默时长", lambda row: row[0].silence, 12),
        Column("预警", lambda row: names(wording.kind_name(alert.kind) for alert in row[0].open_alerts), 24),
    ]


def order_rows(orders: Sequence[Order], *, masked: bool) -> list[tuple[Row, dict[str, str]]]:
    """Fetch what the columns show of orders, in a number of queries that doesn't depend on how many there are."""
    attach(orders)
    who: People = wording.masked_consignee if masked else _in_full
    return [(Row(order), who(order)) for order in orders]


def _in_full(order: Order) -> dict[str, str]:
    nothing = {"name": "", "phone": "", "address": ""}
    try:
        return order.open_consignee().in_full() if order.consignee_sealed else nothing
    except SealBroken:
        return nothing | {"name": "（无法解密）"}


def _yuan(fen: int | None) -> Value:
    return None if fen is None else Decimal(fen) / 100


ALERT_COLUMNS = [
    Column("预警", lambda alert: wording.kind_name(alert.kind), 18),
    Column("级别", lambda alert: alert.get_severity_display(), 8),
    Column("订单号", lambda alert: alert.order.order_no if alert.order else "", 22),
    Column("对象", lambda alert: alert.subject, 22),
    Column("说明", lambda alert: alert.detail, 40),
    Column("发生", lambda alert: alert.occurred_at, 17),
    Column("出现", lambda alert: alert.opened_at, 17),
    Column("期限", lambda alert: alert.due_at, 17),
    Column("负责人", lambda alert: alert.owner.get_username() if alert.owner else "", 12),
    Column("暂缓至", lambda alert: alert.snoozed_until, 17),
    Column("最近记录", lambda alert: next((note.text for note in reversed(alert.notes.all())), ""), 40),
    Column("解决", lambda alert: alert.resolved_at, 17),
    Column("结果", lambda alert: alert.get_outcome_display() or "", 12),
    Column("处理说明", lambda alert: alert.resolution, 40),
]


def alert_rows(alerts: Sequence[Alert]) -> Sequence[Alert]:
    prefetch_related_objects(list(alerts), "notes", "order", "owner")
    return alerts


def values(columns: Sequence[Column], rows: Iterable[Any], mark: str) -> list[list[Value]]:
    """Return the cells of rows, each with the mark at its end, where there is one."""
    last = [mark] if mark else []
    return [[*(column.of(row) for column in columns), *last] for row in rows]
