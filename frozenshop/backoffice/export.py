"""A masked spreadsheet of orders that no spreadsheet program runs as formulas."""

import csv
import unicodedata
from collections.abc import Iterable, Sequence

from django.http import HttpRequest, HttpResponse

from frozenshop.backoffice import wording
from frozenshop.backoffice.order_rows import Row
from frozenshop.kernel.changelist import record_act
from frozenshop.kernel.clock import now, shanghai

HEADER = (
    *("订单号", "状态", "下单时间", "收件人", "手机号", "地区", "商品"),
    *("承运商", "运单号", "物流状态", "最近轨迹", "静默时长", "预警"),
)


def csv_response(request: HttpRequest, rows: Sequence[Row]) -> HttpResponse:
    """Return the rows of a batch table as a download, and record who took which."""
    order_nos = [row.order.order_no for row in rows]
    record_act(
        request,
        "order.exported",
        details={"count": len(order_nos), "order_nos": order_nos, "masked": True},
    )
    response = HttpResponse(content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="orders-{shanghai(now()):%Y%m%d-%H%M}.csv"'
    response["Cache-Control"] = "no-store"
    response.write("\ufeff")
    writer = csv.writer(response)
    writer.writerow(HEADER)
    writer.writerows([safe_cell(cell) for cell in _cells(row)] for row in rows)
    return response


def safe_cell(text: str) -> str:
    """Return a cell that is read as text: what begins like a formula, in any width, gets an apostrophe."""
    first = unicodedata.normalize("NFKC", text.lstrip(" \u00a0\u3000"))[:1]
    return f"'{text}" if text[:1] in ("\t", "\r", "\n") or first in ("=", "+", "-", "@", "\t", "\r") else text


def _cells(row: Row) -> Iterable[str]:
    order, shipments = row.order, row.shipments
    who = wording.masked_consignee(order)
    return (
        order.order_no,
        order.get_status_display(),
        wording.clock(order.placed_at),
        who["name"],
        who["phone"],
        who["address"],
        order.lines_summary,
        "、".join(shipment.carrier.name for shipment in shipments),
        "、".join(shipment.waybill_no for shipment in shipments),
        "、".join(shipment.get_status_display() for shipment in shipments),
        row.last_event,
        row.silence,
        "、".join(wording.kind_name(alert.kind) for alert in row.open_alerts),
    )
