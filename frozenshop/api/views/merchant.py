"""The shop system's side: orders, facts and parcels in, documents out."""

from collections.abc import Callable
from typing import Any

from django.http import HttpResponse
from rest_framework.request import Request

from frozenshop.api import merchant_input, schema
from frozenshop.api.bodies import read_json
from frozenshop.api.describing import IDEMPOTENCY_KEY, ORDER_NO, WAYBILL_NO, described
from frozenshop.api.once import once
from frozenshop.api.replies import reply
from frozenshop.api.views.base import MerchantView
from frozenshop.kernel import audit, clock
from frozenshop.kernel.client_address import client_address
from frozenshop.kernel.errors import Invalid, NotFound, OrderNotFound, Problem
from logistics import document, manual, shipping
from logistics.archive import restoring, showing
from logistics.archive.models import ArchivedOrder
from logistics.carriers import resolve_carrier
from logistics.models import Carrier, Shipment
from logistics.services import record_shop_fact, take_order
from orders.intake import is_order_no, parse_order
from orders.models import Order

MOST_ORDERS = 500

ORDER_EXAMPLE = {
    "order_no": "FD20261122000001",
    "placed_at": "2026-11-22T08:00:00+08:00",
    "consignee": {
        "name": "张三",
        "phone": "13800001234",
        "province": "上海市",
        "city": "上海市",
        "district": "浦东新区",
        "address": "世纪大道 1 号",
    },
    "lines": [{"sku": "XR-1", "name": "虾仁", "quantity": 2, "unit_price_fen": 5000}],
}
PARCEL_EXAMPLE = {
    "order_no": "FD20261122000001",
    "order_status": "shipped",
    "carrier_code": "SF",
    "waybill_no": "SF1234567890123",
    "shipped_at": "2026-11-22T18:00:00+08:00",
    "voided_at": None,
}


class WriteView(MerchantView):
    """A write that may carry an Idempotency-Key."""

    def write(self, work: Callable[[], HttpResponse], *, in_one_transaction: bool = True) -> HttpResponse:
        scope = f"key:{self.merchant.key.key_id}"
        return once(self.request._request, scope, work, in_one_transaction=in_one_transaction)


class OrdersView(WriteView):
    scopes = {"POST": "orders:write"}

    @described(
        "写入一个订单（或最多 500 个的列表，逐个给出结果）",
        takes=schema.OrderIn,
        gives=schema.Taken,
        status=201,
        example=ORDER_EXAMPLE,
        answer={"order_no": "FD20261122000001", "result": "created"},
        refusals=(403, 409, 413),
        parameters=(IDEMPOTENCY_KEY,),
    )
    def post(self, request: Request) -> HttpResponse:
        data = read_json(request._request.body)
        if not isinstance(data, list):
            return self.write(lambda: self._take_one(data))
        if not 1 <= len(data) <= MOST_ORDERS:
            raise Invalid(f"一次最多 {MOST_ORDERS} 个订单，至少一个")
        return self.write(lambda: self._take_each(data), in_one_transaction=False)

    def _take_one(self, data: object) -> HttpResponse:
        taken = take_order(parse_order(data), self.actor)
        return reply(
            {"order_no": taken.order.order_no, "result": taken.result}, 201 if taken.result == "created" else 200
        )

    def _take_each(self, data: list[Any]) -> HttpResponse:
        return reply({"results": [self._result(row) for row in data]})

    def _result(self, row: object) -> dict[str, Any]:
        try:
            taken = take_order(parse_order(row), self.actor)
        except Problem as problem:
            given = row.get("order_no") if isinstance(row, dict) else None
            order_no = given if is_order_no(given) else None
            return {"order_no": order_no, "result": "refused", "errors": problem.fields or {"order": problem.message}}
        return {"order_no": taken.order.order_no, "result": taken.result}


class OrderView(MerchantView):
    scopes = {"GET": "orders:read"}

    @described(
        "订单详情；密钥有 orders:read_unmasked 时不打码，并留下审计记录",
        gives=schema.OrderDocument,
        parameters=(ORDER_NO,),
        refusals=(403, 404),
    )
    def get(self, request: Request, order_no: str) -> HttpResponse:
        order, shown = _read(order_no)
        if "orders:read_unmasked" in self.merchant.scopes:
            audit.record(self.actor, "order.unmasked", order.order_no, address=client_address(request._request))
            shown = document.unmask(shown, order)
        return reply(shown)


class OrderEventsView(WriteView):
    scopes = {"POST": "events:write"}

    @described(
        "付款、取消、退款、退货",
        takes=schema.FactIn,
        gives=schema.Applied,
        example={"type": "paid", "occurred_at": "2026-11-22T08:00:00+08:00", "reference": "4200001234"},
        answer={"applied": True},
        refusals=(403, 404, 409, 413),
        parameters=(ORDER_NO, IDEMPOTENCY_KEY),
    )
    def post(self, request: Request, order_no: str) -> HttpResponse:
        fact = merchant_input.parse_fact(read_json(request._request.body))
        order = _order(order_no)

        def record() -> HttpResponse:
            applied = record_shop_fact(order, fact, self.actor)
            reason = {"reason": applied.reason} if applied.reason else {}
            return reply({"applied": applied.applied, **reason})

        return self.write(record)


class OrderShipmentsView(WriteView):
    scopes = {"POST": "shipments:write"}

    @described(
        "发货，可分多个包裹",
        takes=schema.ParcelIn,
        gives=schema.Parcel,
        status=201,
        example={"carrier_code": "SF", "waybill_no": "SF1234567890123", "shipped_at": "2026-11-22T18:00:00+08:00"},
        answer=PARCEL_EXAMPLE,
        refusals=(403, 404, 409, 413),
        parameters=(ORDER_NO, IDEMPOTENCY_KEY),
    )
    def post(self, request: Request, order_no: str) -> HttpResponse:
        parcel = merchant_input.parse_parcel(read_json(request._request.body))
        order, carrier = _order(order_no), _carrier(parcel.carrier, "carrier_code")

        def ship() -> HttpResponse:
            shipment = shipping.ship(
                order,
                carrier=carrier,
                waybill_no=parcel.waybill_no,
                shipped_at=parcel.shipped_at,
                actor=self.actor,
                lines=parcel.lines,
            )
            return reply(_shown(order, shipment), 201)

        return self.write(ship)


class ShipmentVoidView(WriteView):
    scopes = {"POST": "shipments:write"}

    @described(
        "首次扫描前作废或更正运单",
        takes=schema.WithdrawalIn,
        gives=schema.Parcel,
        example={"reason": "填错了", "replacement": {"carrier_code": "SF", "waybill_no": "SF1234567890123"}},
        answer=PARCEL_EXAMPLE,
        refusals=(403, 404, 409, 413),
        parameters=(ORDER_NO, WAYBILL_NO, IDEMPOTENCY_KEY),
    )
    def post(self, request: Request, order_no: str, waybill_no: str) -> HttpResponse:
        withdrawal = merchant_input.parse_withdrawal(read_json(request._request.body))
        order = _order(order_no)
        shipment = _shipment(order, waybill_no)
        replacement = None
        if withdrawal.replacement is not None:
            written, number = withdrawal.replacement
            replacement = (_carrier(written, "replacement.carrier_code"), number)

        def void() -> HttpResponse:
            new = shipping.void(
                shipment, order=order, reason=withdrawal.reason, actor=self.actor, replacement=replacement
            )
            return reply(_shown(order, new))

        return self.write(void)


class ShipmentEventsView(WriteView):
    scopes = {"POST": "shipments:write"}

    @described(
        "报告运单的物流进展（自有车队，或没有接口的承运商）",
        takes=schema.StepIn,
        gives=schema.Applied,
        example={
            "status": "out_for_delivery",
            "occurred_at": "2026-11-23T09:00:00+08:00",
            "reference": "trip-7:out",
            "description": "三号车正在派送",
        },
        answer={"applied": True},
        refusals=(403, 404, 409, 413),
        parameters=(ORDER_NO, WAYBILL_NO, IDEMPOTENCY_KEY),
    )
    def post(self, request: Request, order_no: str, waybill_no: str) -> HttpResponse:
        step = merchant_input.parse_step(read_json(request._request.body))
        order = _order(order_no)
        shipment = _shipment(order, waybill_no)
        address = client_address(request._request)

        def tell() -> HttpResponse:
            applied = manual.report(shipment, step, by=self.actor, subject=order.order_no, address=address)
            return reply({"applied": True} if applied else {"applied": False, "reason": "repeated"})

        return self.write(tell)


def _read(order_no: str) -> tuple[Order, document.Document]:
    """Return an order and its document, wherever it lies. Raises OrderNotFound, Unavailable."""
    if not is_order_no(order_no):
        raise OrderNotFound
    order = Order.objects.filter(order_no=order_no).first()
    if order is not None:
        return order, document.build(order)
    archived = ArchivedOrder.objects.filter(order_no=order_no).first()
    if archived is None:
        raise OrderNotFound
    return showing.document_of(archived)


def _order(order_no: str) -> Order:
    """Return an order that something is about to happen to, out of the archive if it lies there."""
    if not is_order_no(order_no):
        raise OrderNotFound
    return restoring.hot(order_no, "商城有新的事实")


def _shipment(order: Order, waybill_no: str) -> Shipment:
    parcels = Shipment.objects.select_related("carrier").filter(links__order=order, waybill_no=waybill_no)
    shipment = parcels.order_by("-generation", "-pk").first()
    if shipment is None:
        raise NotFound("这个订单没有这个运单")
    return shipment


def _carrier(text: str, field: str) -> Carrier:
    try:
        return resolve_carrier(text)
    except Invalid as problem:
        raise Invalid(problem.message, fields={field: problem.message}) from problem


def _shown(order: Order, shipment: Shipment) -> dict[str, Any]:
    """What became of a parcel. `order` as the service left it."""
    order.refresh_from_db(fields=["status"])
    return {
        "order_no": order.order_no,
        "order_status": order.status,
        "carrier_code": shipment.carrier.code,
        "waybill_no": shipment.waybill_no,
        "shipped_at": clock.isoformat(shipment.shipped_at),
        "voided_at": clock.isoformat(shipment.voided_at),
    }
