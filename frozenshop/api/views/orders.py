"""The buyer's orders. What isn't the buyer's own doesn't exist."""

from typing import Any

from django.http import HttpResponse
from rest_framework.request import Request

from frozenshop.api import lists, schema, visible
from frozenshop.api.bodies import read_object
from frozenshop.api.describing import ORDER_NO, described, query
from frozenshop.api.replies import reply, reply_bytes
from frozenshop.api.views.base import BuyerView
from frozenshop.kernel import clock
from frozenshop.kernel.errors import Invalid, NotPossible, OrderNotFound
from logistics import cadence, document, refreshing
from logistics.services import confirm_receipt
from orders.access import accesses
from orders.intake import is_order_no
from orders.models import OrderStatus

ASKED_AT_ONCE = 100


FILTERS = (
    query("status", "订单状态", enum=list(OrderStatus.values)),
    query("q", "订单号或运单号"),
    query("from", "下单日期，含当天（上海）"),
    query("to", "下单日期，含当天（上海）"),
    query("cursor", "上一页的 next"),
    query("limit", "1–50，默认 20"),
)


class OrderListView(BuyerView):
    @described(
        "我的订单，新的在前",
        operation="api_orders_list",
        gives=schema.OrderPage,
        parameters=FILTERS,
        answer={"results": [], "next": None},
    )
    def get(self, request: Request) -> HttpResponse:
        filters = lists.Filters.read(request._request.GET)
        return reply(self.may_be_stale(lambda: self._page(filters)))

    def _page(self, filters: lists.Filters) -> dict[str, Any]:
        rows = list(filters.apply(accesses(self.buyer.customer())))
        page, more = rows[: filters.limit], rows[filters.limit :]
        shown = lists.summaries(page)
        results = [summary for row in page if (summary := lists.summary_of(row, shown)) is not None]
        last = lists.Place(page[-1].placed_at, page[-1].order_id).cursor() if more else None
        return {"results": results, "next": last}


class OrderCountsView(BuyerView):
    @described(
        "各状态的订单数，每项最多数到 100",
        gives=schema.Counts,
        answer=dict.fromkeys(OrderStatus.values, 0) | {"paid": 2},
    )
    def get(self, request: Request) -> HttpResponse:
        return reply(self.may_be_stale(lambda: lists.counts(accesses(self.buyer.customer()))))


class OrderStatusesView(BuyerView):
    only_reads = BuyerView.only_reads | {"POST"}

    @described(
        "一次查询多个订单的状态",
        takes=schema.StatusesAsked,
        gives=schema.Statuses,
        example={"order_nos": ["FD20261122000001", "不存在"]},
        answer={
            "results": [
                {
                    "order_no": "FD20261122000001",
                    "status": "in_transit",
                    "status_label": "运输中",
                    "updated_at": "2026-11-22T08:00:00+08:00",
                }
            ],
            "missing": ["不存在"],
        },
        refusals=(413,),
    )
    def post(self, request: Request) -> HttpResponse:
        asked = _order_nos(read_object(request._request.body, only=frozenset({"order_nos"})))
        found = self.may_be_stale(lambda: self._statuses(asked))
        return reply(
            {
                "results": [found[order_no] for order_no in asked if order_no in found],
                "missing": [order_no for order_no in asked if order_no not in found],
            }
        )

    def _statuses(self, asked: list[str]) -> dict[str, dict[str, Any]]:
        numbers = [order_no for order_no in asked if is_order_no(order_no)]
        found = lists.statuses(accesses(self.buyer.customer()), numbers)
        return {
            order_no: {
                "order_no": order_no,
                "status": status,
                "status_label": OrderStatus(status).label,
                "updated_at": clock.isoformat(updated_at),
            }
            for order_no, (status, updated_at) in found.items()
        }


class OrderView(BuyerView):
    def wanted(self) -> list[str]:
        return document.cache_keys(self.kwargs.get("order_no", ""))

    @described("订单详情", gives=schema.OrderDocument, parameters=(ORDER_NO,), refusals=(404,))
    def get(self, request: Request, order_no: str) -> HttpResponse:
        kept = document.kept_in(self.fetched, order_no)
        return reply_bytes(self.may_be_stale(lambda: visible.read(self.buyer, order_no, kept)))


class OrderRefreshView(BuyerView):
    @described(
        "向承运商查询最新物流（30 分钟内不重复查询）",
        gives=schema.Refreshed,
        parameters=(ORDER_NO,),
        answer={"refreshed": True, "next_allowed_at": "2026-11-22T08:30:00+08:00"},
        refusals=(404,),
    )
    def post(self, request: Request, order_no: str) -> HttpResponse:
        try:
            order = visible.find(self.buyer, order_no).order
        except OrderNotFound:
            visible.find_archived(self.buyer, order_no)
            return reply({"refreshed": False, "next_allowed_at": clock.isoformat(clock.now() + cadence.FLOOR)})
        refreshed = refreshing.refresh_now(order)
        return reply({"refreshed": refreshed.refreshed, "next_allowed_at": clock.isoformat(refreshed.next_allowed_at)})


class OrderConfirmView(BuyerView):
    @described("确认收货，可重复", gives=schema.OrderDocument, parameters=(ORDER_NO,), refusals=(404, 409))
    def post(self, request: Request, order_no: str) -> HttpResponse:
        try:
            order = visible.find(self.buyer, order_no).order
        except OrderNotFound:
            if visible.find_archived(self.buyer, order_no)[1].status != OrderStatus.DELIVERED:
                raise NotPossible("订单已经退回、取消或退款，不能确认收货") from None
        else:
            confirm_receipt(order, self.actor)
        return reply_bytes(visible.read(self.buyer, order_no))


def _order_nos(data: dict[str, Any]) -> list[str]:
    """Return 1–100 texts, each once, in the order asked. Raises Invalid."""
    asked = data.get("order_nos")
    if not isinstance(asked, list) or not 1 <= len(asked) <= ASKED_AT_ONCE:
        raise Invalid(fields={"order_nos": f"应为 1–{ASKED_AT_ONCE} 个订单号"})
    if not all(isinstance(order_no, str) for order_no in asked):
        raise Invalid(fields={"order_nos": "每一项应为文字"})
    return list(dict.fromkeys(asked))
